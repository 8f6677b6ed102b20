//! wsd turns any program that reads standard input and writes standard output into a WebSocket service.
//!
//! # The way of a message
//!
//! ```text
//! client ─TCP→ server::listen → server::accept → http::connection → http::respond → http::upgrade
//!                                                        (the program is started first, then 101)   │
//!   session::run ── owns ── worker::Worker and socket::Socket
//!   socket::reader ─message→ session::bridge ─framing→ worker::input  → stdin
//!   socket::writer ←frames── session::bridge ←framing─ worker::output ← stdout
//!   session::end::End → Close frame, line of the log;  worker::stop brings the process group to its end
//! ```
//!
//! Between the two ends nothing is queued: see [`backlog`].
//!
//! # The layers
//!
//! A room imports only from rooms below it (`tests/it/layers.rs` sees to that):
//!
//! | layer | rooms |
//! |---|---|
//! | 6 | `config` |
//! | 5 | `server` |
//! | 4 | `http` |
//! | 3 | `session` |
//! | 2 | `worker`, `socket` |
//! | 1 | `framing`, `admission`, `cli`, `backlog`, `buffers` |
//! | 0 | `message`, `limits`, `peer`, `shutdown`, `log` |
//!
//! # The words
//!
//! A *connection* is TCP's, a *request* HTTP's, a *session* is what follows the upgrade. A *worker* is the process
//! behind a session, a *program* is what it runs. A *message* is a WebSocket's, a *frame* is what it travels in, a
//! *line* is the worker's. The *end* is why a session ended, a *limit* is in [`limits`].

mod admission;
mod backlog;
mod buffers;
mod cli;
mod config;
mod framing;
mod http;
mod limits;
mod log;
mod message;
mod peer;
mod server;
mod session;
mod shutdown;
mod socket;
mod worker;

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    cli::Answer,
    config::Settings,
    limits::DRAIN,
    server::listen,
    shutdown::{Shutdown, Signals},
};

/// Settings that make no sense.
const BAD_REQUEST: u8 = 1;
/// Flags that cannot be read.
const BAD_FLAGS: u8 = 2;
/// Settings that cannot be carried out: an address in use.
const CANNOT_START: u8 = 3;

/// Does what the arguments say, the name of the program first, until a signal ends it; returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match cli::parse(args) {
        Ok(flags) => flags,
        Err(Answer::Text(text)) => return say(&mut io::stdout(), &text, ExitCode::SUCCESS),
        Err(Answer::Wrong(text)) => return fail(BAD_FLAGS, &text.trim_end()),
    };
    let settings = match config::settings(&flags) {
        Ok(settings) => settings,
        Err(error) => return fail(BAD_REQUEST, &error),
    };
    let _log = log::start(settings.log_level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(CANNOT_START, &format!("cannot start the event loop: {error}")),
    };
    // Whatever is still running when this returns is dropped with the runtime, and its workers are killed.
    runtime.block_on(serve(settings))
}

/// Listens and serves until a signal ends it, then waits for all to end in good order; a second signal is not waited for.
async fn serve(settings: Settings) -> ExitCode {
    let Settings { listen, site, log_level, banner } = settings;
    let (mut signals, listeners) = match (Signals::listen(), listen::bind(&listen)) {
        (Ok(signals), Ok(listeners)) => (signals, listeners),
        (Err(error), _) => return fail(CANNOT_START, &format!("cannot listen to signals: {error}")),
        (_, Err(error)) => {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            return fail(CANNOT_START, &format!("{error}{hint}"));
        }
    };
    let urls: Vec<String> = listeners.iter().filter_map(url).collect();
    if log_level >= LevelFilter::INFO {
        let _ = io::stderr().write_all(format!("{banner}  listens  {}\n", urls.join(" ")).as_bytes());
    }
    let shutdown = Shutdown::default();
    server::serve(listeners, &Arc::new(site), &shutdown);
    let _ = io::stdout().write_all((urls.join("\n") + "\n").as_bytes());

    signals.next().await;
    tracing::info!("server stopping");
    tokio::select! {
        _ = shutdown.finish(DRAIN) => ExitCode::SUCCESS,
        signal = signals.next() => ExitCode::from(128 + signal),
    }
}

/// The line on standard output that tells that, and where, wsd is ready.
fn url(listener: &TcpListener) -> Option<String> {
    listener.local_addr().ok().map(|address| format!("http://{address}/"))
}

fn fail(status: u8, message: &dyn Display) -> ExitCode {
    say(&mut io::stderr(), &format!("wsd: {message}\n"), ExitCode::from(status))
}

/// Writes `text`; whether anybody listens does not matter.
fn say(to: &mut dyn Write, text: &str, then: ExitCode) -> ExitCode {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    then
}
