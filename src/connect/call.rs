//! A valid command line, and the sessions that it opens.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::client::Request,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    destination::{Destination, Place},
    dial,
    error::ConnectError,
    handshake::{self, SubprotocolOffer},
    say::say,
    socket::{ClientSocket, compression},
    terminal, tls,
};
use crate::{
    cli::{
        connect::{ClientFramingWord, ConnectFlags, ConnectLine},
        value::is_on,
    },
    deflate::options::CompressOptions,
    framing::Framing,
    limits::{CONNECT_TIME_MAX, RESTART_MAX, RETRY_MIN, SHUTDOWN_ANSWER},
    message::Kind,
    resume::{
        control::{self, Greeting, Incoming},
        door::Token,
        offer::application,
    },
};

/// A valid command line.
pub(super) struct Call {
    server: Destination,
    /// The server and the path, for errors.
    place: String,
    request: Request,
    offer: SubprotocolOffer,
    tls: Option<TlsConnector>,
    /// The settings of compression: `--compress`.
    compress: Option<Arc<CompressOptions>>,
    /// The framing of standard input and output.
    pub(super) framing: Framing,
    /// Whether to try again: `--retry`.
    pub(super) retries: bool,
    /// Whether to return to a session: `--resume`.
    pub(super) resumes: bool,
}

/// A session that was opened.
pub(super) struct OpenedSession {
    /// Its connection.
    pub(super) socket: ClientSocket,
    /// The greeting of a server to which the client can return.
    pub(super) greeting: Option<Greeting>,
}

impl OpenedSession {
    /// Ends a session that nobody wants.
    pub(super) async fn leave(mut self) {
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let leaving = async {
            let _ = self.socket.close(Some(close)).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(SHUTDOWN_ANSWER, leaving).await;
    }
}

impl Call {
    /// Checks a command line.
    pub(super) fn new(line: &ConnectLine) -> Result<Self, ConnectError> {
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
        let place = match &server.place {
            Place::Tcp(..) => format!("{}{}", server.authority, server.resource),
            Place::Unix(path) => format!("unix:{}:{}", path.display(), server.resource),
        };
        Ok(Self {
            request: handshake::request(&server, flags)?,
            offer: SubprotocolOffer::new(flags)?,
            tls: server.is_tls.then(|| tls::connector(flags)).transpose()?,
            compress: compression(flags.compress.as_deref()),
            framing: framing(flags),
            retries: is_on(&flags.retry),
            resumes: is_on(&flags.resume),
            server,
            place,
        })
    }

    /// Opens a session, with `--retry` until that succeeds or fails for good.
    pub(super) async fn connect(&self) -> Result<OpenedSession, ConnectError> {
        let mut pause = RETRY_MIN;
        loop {
            let error = match self.attempt(None, CONNECT_TIME_MAX).await {
                Err(error) if self.retries && error.is_passing => error,
                done => return done,
            };
            let wait = part_of(pause);
            say(&format!("{}; trying again in {:.1} s", error.message(), wait.as_secs_f64()));
            sleep(wait).await;
            pause = (2 * pause).min(RESTART_MAX);
        }
    }

    /// Opens a session, or returns to one with its token and the number of messages that the client has of it.
    pub(super) async fn attempt(
        &self,
        returning: Option<(&Token, u64)>,
        time_max: Duration,
    ) -> Result<OpenedSession, ConnectError> {
        let Self { server, place, request, offer, tls, compress, .. } = self;
        let opening = async {
            let wire = dial::dial(server, tls.as_ref()).await?;
            let (mut socket, chosen) =
                handshake::open(wire, (request.clone(), offer, compress.as_ref()), returning, place).await?;
            let is_resumable = self.resumes && chosen.is_some_and(|chosen| application(&chosen).is_some());
            let greeting = if is_resumable { Some(greeting(&mut socket, place).await?) } else { None };
            Ok(OpenedSession { socket, greeting })
        };
        let late = |_| {
            let seconds = time_max.as_secs_f64().ceil();
            ConnectError::passing(format!("cannot open a session at {place}: no answer in {seconds} s"))
                .hint("check host and port, and whether a firewall drops the connection")
        };
        timeout(time_max, opening).await.map_err(late)?
    }
}

/// Reads the first message of a server to which the client can return.
async fn greeting(socket: &mut ClientSocket, place: &str) -> Result<Greeting, ConnectError> {
    let doing = format!("cannot open a session at {place}");
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                if let Incoming::Greeting(greeting) = control::read(Kind::Text, text.as_bytes()) {
                    return Ok(greeting);
                }
                break;
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) => break,
            Some(Err(_)) | None => {
                return Err(ConnectError::passing(format!("{doing}: the connection broke before the first message")));
            }
        }
    }
    let error = ConnectError::new(format!("{doing}: the first message is not one of wsd.resume.1"));
    Err(error.hint("connect without --resume"))
}

/// Returns a part of a pause: half at least, the rest by chance, so that many clients do not come at once.
pub(super) fn part_of(pause: Duration) -> Duration {
    let part = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + part / 2.0)
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
