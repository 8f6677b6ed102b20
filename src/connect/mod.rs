//! `wsd connect`: the client. Joins standard input and output, or a program, with a server's WebSocket.

mod carry;
mod codec;
mod destination;
mod dial;
mod end;
mod error;
mod flow;
mod handshake;
mod interrupts;
mod keys;
mod local;
mod proxy;
mod say;
mod terminal;
mod tls;

use std::process::ExitCode;

use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::{
    cli::{
        connect::{ClientFramingWord, ConnectFlags, ConnectLine},
        value::is_on,
    },
    framing::Framing,
    limits::{
        CONNECT_MESSAGE_BYTES_MAX, CONNECT_PROGRAM_END, CONNECT_TIME_MAX, RESTART_MAX, RETRY_MIN, SHUTDOWN_ANSWER,
    },
};
use carry::{Manner, carry};
use codec::{Inward, Outward};
use destination::{Destination, Place};
use end::Finish;
use error::ConnectError;
use handshake::ClientSocket;
use interrupts::Interrupts;
use keys::Keys;
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
        Ok(call) => call,
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

/// A valid command line.
struct Call {
    server: Destination,
    request: Request,
    tls: Option<TlsConnector>,
    framing: Framing,
}

impl Call {
    fn new(line: &ConnectLine) -> Result<Self, ConnectError> {
        let ConnectLine { flags, url, command } = line;
        let server = Destination::parse(url)?;
        let refused = |message: &str, hint: &str| Err(ConnectError::new(message).hint(hint));
        if is_on(&flags.pty) {
            if !command.is_empty() {
                return refused("cannot use --pty with COMMAND: it is for a person", "leave one of them out");
            }
            if flags.framing.is_some() {
                return refused(
                    "cannot use --pty with --framing: a terminal has bytes, not messages",
                    "leave one of them out",
                );
            }
            terminal::check()?;
        }
        if flags.wait.is_some() && !command.is_empty() {
            return refused("cannot use --wait with COMMAND: the client closes when that ends", "leave --wait out");
        }
        let request = handshake::request(&server, flags)?;
        let tls = server.is_tls.then(|| tls::connector(flags)).transpose()?;
        Ok(Self { server, request, tls, framing: framing(flags) })
    }
}

/// Returns the framing of standard input and output.
fn framing(flags: &ConnectFlags) -> Framing {
    match flags.framing.as_deref() {
        None | Some(ClientFramingWord::Lines) => Framing::Lines,
        Some(ClientFramingWord::Chunks) => Framing::Chunks,
        Some(ClientFramingWord::Nul) => Framing::Nul,
        Some(ClientFramingWord::Length) => Framing::Length,
        Some(ClientFramingWord::JsonRpc) => Framing::JsonRpc,
        Some(ClientFramingWord::Lsp) => Framing::Lsp,
    }
}

/// Connects, carries messages, and ends. Returns the exit status.
async fn client(line: &ConnectLine, call: Call) -> Result<ExitCode, ConnectError> {
    let ConnectLine { flags, command, .. } = line;
    let mut interrupts =
        Interrupts::listen().map_err(|cause| ConnectError::new(format!("cannot listen to signals: {cause}")))?;
    let socket = tokio::select! {
        socket = connect(&call, is_on(&flags.retry)) => socket?,
        signal = interrupts.next() => return Ok(exit(&Finish::Signal(signal), None, None)),
    };
    let mut local = Local::open(command)?;
    let is_terminal = is_on(&flags.pty);
    let raw_mode = is_terminal.then(RawMode::enter).transpose();
    let raw_mode =
        raw_mode.map_err(|cause| ConnectError::new(format!("cannot set the terminal to raw mode: {cause}")))?;
    let (outward, inward) = if is_terminal {
        (Outward::Typed(Keys::default()), Inward::Shown)
    } else {
        (Outward::Framed(call.framing.decoder(CONNECT_MESSAGE_BYTES_MAX)), Inward::Framed(call.framing.encoder()))
    };
    let manner = Manner { outward, inward, wait: flags.wait.as_deref().copied() };
    let (finish, answer) = carry(socket, &mut local, manner, &mut interrupts).await;
    drop(raw_mode);
    let patience = if matches!(finish, Finish::Closed(..)) { CONNECT_PROGRAM_END } else { SHUTDOWN_ANSWER };
    let own = tokio::select! {
        own = local.end(patience) => own,
        signal = interrupts.next() => return Ok(exit(&Finish::Signal(signal), None, None)),
    };
    Ok(exit(&finish, answer.as_ref(), own))
}

/// Tells the reason of an end that needs one, and returns the exit status.
fn exit(finish: &Finish, answer: Option<&Finish>, own: Option<crate::status::Status>) -> ExitCode {
    let (status, reason) = finish.report(answer, own);
    if let Some(reason) = reason {
        say(&reason);
    }
    ExitCode::from(status)
}

/// Opens a session, with `--retry` until that succeeds or fails for good.
async fn connect(call: &Call, retries: bool) -> Result<ClientSocket, ConnectError> {
    let mut pause = RETRY_MIN;
    loop {
        let error = match attempt(call).await {
            Err(error) if retries && error.is_passing => error,
            done => return done,
        };
        // Half of it at least, the rest by chance.
        let part = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
        let wait = pause.mul_f64(0.5 + part / 2.0);
        say(&format!("{}; trying again in {:.1} s", error.message(), wait.as_secs_f64()));
        sleep(wait).await;
        pause = (2 * pause).min(RESTART_MAX);
    }
}

/// Opens a session.
async fn attempt(call: &Call) -> Result<ClientSocket, ConnectError> {
    let Call { server, request, tls, .. } = call;
    let place = match &server.place {
        Place::Tcp(..) => format!("{}{}", server.authority, server.resource),
        Place::Unix(path) => format!("unix:{}:{}", path.display(), server.resource),
    };
    let opening = async {
        let wire = dial::dial(server, tls.as_ref()).await?;
        handshake::open(wire, request.clone(), &place).await
    };
    let late = |_| {
        ConnectError::passing(format!(
            "cannot open a session at {place}: no answer in {} s",
            CONNECT_TIME_MAX.as_secs()
        ))
        .hint("check host and port, and whether a firewall drops the connection")
    };
    timeout(CONNECT_TIME_MAX, opening).await.map_err(late)?
}
