//! `wsd connect --mcp`: a server of MCP on standard input and output, in front of one of Streamable HTTP.
//!
//! Each line of standard input is a message, which goes to the server by POST. The messages of its answers, JSON or a stream of
//! events, are lines of standard output. The client chooses the era with each message ([`bridge`]): legacy ones have a session
//! ([`session`]), modern ones headers of their own ([`mirror`]). Every request gets an answer: a failure is an error of JSON-RPC.

mod bridge;
mod events;
mod fault;
mod input;
mod mirror;
mod output;
mod relay;
mod session;
mod wire;

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{end::Finish, error::ConnectError, interrupts::Interrupts, say::say};
use crate::{
    cli::{
        connect::{ConnectLine, Wait},
        value::is_on,
    },
    limits::{CONNECT_MCP_WAIT, SHUTDOWN_ANSWER},
};
use bridge::McpBridge;
use input::McpInput;
use output::{OutputLines, output};
use wire::HttpWay;

/// A valid command line.
pub(super) struct McpCall {
    bridge: Arc<McpBridge>,
    lines: OutputLines,
    /// The silence of the server after the end of standard input; `None` without a limit.
    wait: Option<Duration>,
}

impl McpCall {
    /// Checks a command line.
    pub(super) fn new(line: &ConnectLine) -> Result<Self, ConnectError> {
        let flags = &line.flags;
        let others = [
            (!line.command.is_empty(), "COMMAND"),
            (is_on(&flags.pty), "--pty"),
            (is_on(&flags.resume), "--resume"),
            (flags.framing.is_some(), "--framing"),
            (flags.subprotocol.is_some(), "--subprotocol"),
        ];
        if let Some((_, other)) = others.into_iter().find(|(is_set, _)| *is_set) {
            let error = ConnectError::new(format!("cannot use --mcp with {other}: it speaks Streamable HTTP"));
            return Err(error.hint("leave one of them out"));
        }
        let (output, lines) = output();
        let wait = match flags.wait.as_deref() {
            None => Some(CONNECT_MCP_WAIT),
            Some(Wait::Close) => None,
            Some(Wait::Silence(time)) => Some(*time),
        };
        Ok(Self { bridge: Arc::new(McpBridge::new(HttpWay::new(line)?, output)), lines, wait })
    }

    /// Carries messages until standard input ends, and all requests have their answers. Returns the exit status.
    pub(super) async fn run(self) -> Result<ExitCode, ConnectError> {
        let mut interrupts =
            Interrupts::listen().map_err(|cause| ConnectError::new(format!("cannot listen to signals: {cause}")))?;
        let Self { bridge, lines, wait } = self;
        let mut input = McpInput::new(&bridge);
        let finish = {
            let mut writing = std::pin::pin!(lines.write());
            let talking = async {
                let read = input.carry().await;
                input.wait(wait).await;
                bridge.output.flush().await;
                read
            };
            tokio::select! {
                cause = &mut writing => Finish::Unwritten(cause),
                signal = interrupts.next() => Finish::Signal(signal),
                read = talking => read.map_or_else(Finish::Unread, |()| Finish::Done),
            }
        };
        input.stop();
        let ending = async {
            let _ = timeout(SHUTDOWN_ANSWER, session::end(&bridge)).await;
        };
        tokio::select! {
            () = ending => {}
            signal = interrupts.next() => return Ok(ExitCode::from(Finish::Signal(signal).report(None, None).0)),
        }
        if matches!(finish, Finish::Done) {
            let has_failed = input.has_failed() && !bridge.wire.is_reached();
            return Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        let (status, reason) = finish.report(None, None);
        if let Some(reason) = reason {
            say(&reason);
        }
        Ok(ExitCode::from(status))
    }
}
