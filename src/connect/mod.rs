//! `wsd connect`: the client. Joins standard input and output, or a program, with a server's WebSocket.

mod call;
mod carry;
mod codec;
mod destination;
mod dial;
mod end;
mod error;
mod exchange;
mod flow;
mod handshake;
mod intake;
mod interrupts;
mod keys;
mod link;
mod local;
mod proxy;
mod resumable;
mod returning;
mod say;
mod socket;
mod terminal;
mod tls;
mod unpacked;
mod watched;

use std::{mem, process::ExitCode, rc::Rc};

use tokio::runtime::Builder;

use crate::{
    cli::{
        connect::{ConnectFlags, ConnectLine},
        value::is_on,
    },
    limits::{CONNECT_MESSAGE_BYTES_MAX, CONNECT_PROGRAM_END, SHUTDOWN_ANSWER},
};
use call::{Call, OpenedSession};
use carry::{Manner, carry};
use codec::{Inward, Outward};
use end::Finish;
use error::ConnectError;
use flow::Flow;
use interrupts::Interrupts;
use keys::Keys;
use link::ServerLink;
use local::Local;
use say::say;
use terminal::RawMode;

/// The exit status for a flag or a URL that is invalid.
const INVALID_LINE: u8 = 2;

/// Runs the client to its end. Returns the exit status.
pub(crate) fn run(line: &ConnectLine) -> ExitCode {
    #[cfg(target_os = "linux")]
    crate::sys::keep_statuses();
    let call = match Call::new(line) {
        Ok(call) => Rc::new(call),
        Err(error) => return fail(INVALID_LINE, &error),
    };
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(1, &ConnectError::new(format!("cannot start the event loop: {cause}"))),
    };
    let status = runtime.block_on(client(line, call)).unwrap_or_else(|error| fail(1, &error));
    // A read of standard input may never return.
    runtime.shutdown_background();
    status
}

fn fail(status: u8, error: &ConnectError) -> ExitCode {
    say(&error.to_string());
    ExitCode::from(status)
}

/// Connects, carries messages, and ends. Returns the exit status.
async fn client(line: &ConnectLine, call: Rc<Call>) -> Result<ExitCode, ConnectError> {
    let mut interrupts =
        Interrupts::listen().map_err(|cause| ConnectError::new(format!("cannot listen to signals: {cause}")))?;
    let stopped = |signal| Ok(exit(&Finish::Signal(signal), None, None));
    let opened = tokio::select! {
        opened = call.connect() => opened?,
        signal = interrupts.next() => return stopped(signal),
    };
    let mut session = ClientSession::new(line, &call, opened).await?;
    let raw_mode = is_on(&line.flags.pty).then(RawMode::enter).transpose();
    let raw_mode =
        raw_mode.map_err(|cause| ConnectError::new(format!("cannot set the terminal to raw mode: {cause}")))?;
    let (finish, answer) = loop {
        let ClientSession { link, local, manner, flow } = &mut session;
        let (finish, answer) = carry(link, local, manner, flow, &mut interrupts).await;
        let mut fresh = link.take_fresh();
        let Some(reason) = finish.gone().filter(|_| call.retries && link.is_resumable()) else {
            if let Some(opened) = fresh {
                opened.leave().await;
            }
            break (finish, answer);
        };
        say(&format!("{reason}; beginning another one"));
        let signal = tokio::select! {
            again = session.begin_again(line, &call, &mut fresh) => {
                again?;
                continue;
            }
            signal = interrupts.next() => signal,
        };
        if let Some(opened) = fresh {
            opened.leave().await;
        }
        return stopped(signal);
    };
    drop(raw_mode);
    let is_servers = matches!(finish, Finish::Closed(..) | Finish::Gone(_));
    let patience = if is_servers { CONNECT_PROGRAM_END } else { SHUTDOWN_ANSWER };
    tokio::select! {
        own = session.local.end(patience) => Ok(exit(&finish, answer.as_ref(), own)),
        signal = interrupts.next() => stopped(signal),
    }
}

/// A session with a server.
struct ClientSession {
    link: ServerLink,
    local: Local,
    manner: Manner,
    flow: Flow,
}

impl ClientSession {
    /// Returns a session that was opened. Starts the program, if there is one.
    async fn new(line: &ConnectLine, call: &Rc<Call>, opened: OpenedSession) -> Result<Self, ConnectError> {
        let local = match Local::open(&line.command) {
            Ok(local) => local,
            Err(error) => {
                opened.leave().await;
                return Err(error);
            }
        };
        Ok(Self { link: ServerLink::new(call, opened), local, manner: manner(call, &line.flags), flow: Flow::new() })
    }

    /// Begins another session in place of one that is gone, in `fresh` if it is there. If this is dropped before, `fresh` has it.
    ///
    /// A program starts again, since it has the state of the session that is gone. Standard input goes on where it was.
    async fn begin_again(
        &mut self,
        line: &ConnectLine,
        call: &Rc<Call>,
        fresh: &mut Option<OpenedSession>,
    ) -> Result<(), ConnectError> {
        if !line.command.is_empty() {
            mem::replace(&mut self.local, Local::none()).end(CONNECT_PROGRAM_END).await;
        }
        let opened = match fresh.take() {
            Some(opened) => opened,
            None => call.connect().await?,
        };
        if !line.command.is_empty() {
            *self = Self::new(line, call, opened).await?;
            return Ok(());
        }
        self.flow.begin_again();
        if self.link.begin_again(opened) {
            return Ok(());
        }
        Err(ConnectError::new("cannot begin another session: the server does not keep sessions any more")
            .hint("start the server with wsd --resume=60, or connect without --resume"))
    }
}

/// Returns the codecs of a session.
fn manner(call: &Call, flags: &ConnectFlags) -> Manner {
    let (outward, inward) = if is_on(&flags.pty) {
        (Outward::Typed(Keys::default()), Inward::Shown)
    } else {
        (Outward::Framed(call.framing.decoder(CONNECT_MESSAGE_BYTES_MAX)), Inward::Framed(call.framing.encoder()))
    };
    Manner { outward, inward, wait: flags.wait.as_deref().copied() }
}

/// Tells the reason of an end that needs one, and returns the exit status.
fn exit(finish: &Finish, answer: Option<&Finish>, own: Option<crate::status::Status>) -> ExitCode {
    let (status, reason) = finish.report(answer, own);
    if let Some(reason) = reason {
        say(&reason);
    }
    ExitCode::from(status)
}
