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
//! Between the two ends nothing is queued: see `backlog`.
//!
//! # The layers
//!
//! A room imports only from rooms below it (`tests/it/layers.rs` sees to that):
//!
//! | layer | rooms |
//! |---|---|
//! | 8 | `reload` |
//! | 7 | `config` |
//! | 6 | `server` |
//! | 5 | `http` |
//! | 4 | `session` |
//! | 3 | `room` |
//! | 2 | `worker`, `socket` |
//! | 1 | `framing`, `admission`, `cli`, `backlog`, `buffers`, `turn` |
//! | 0 | `message`, `limits`, `peer`, `shutdown`, `log`, `sys` |
//!
//! # The words
//!
//! A *connection* is TCP's, a *request* HTTP's, a *session* is what follows the upgrade. A *worker* is the process
//! behind a session, a *program* is what it runs. A *message* is a WebSocket's, a *frame* is what it travels in, a
//! *line* is the worker's. The *end* is why a session ended, a *limit* is in `limits`.

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
mod reload;
mod room;
mod server;
mod session;
mod shutdown;
mod socket;
mod sys;
mod turn;
mod worker;

use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    num::NonZero,
    process::ExitCode,
    sync::Arc,
    thread::available_parallelism,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    time::interval,
};
use tracing_subscriber::filter::LevelFilter;

use crate::{
    cli::Answer,
    config::Settings,
    http::{Service, redirect::Target},
    limits::{BLOCKED_MAX, CERTIFICATE_LOOK, DRAIN, THREADS_MAX},
    reload::{Reload, Subjects},
    server::{
        Door,
        listen::{self, Listener, Listeners},
        systemd::Manager,
        tls,
    },
    shutdown::{Shutdown, Signals, signal},
    worker::descriptors::raise_limit,
};

/// Invalid configuration.
const INVALID_SETTINGS: u8 = 1;
/// An invalid flag.
const INVALID_FLAG: u8 = 2;
/// Settings that cannot be carried out: an address in use.
const CANNOT_START: u8 = 3;

/// Does what the arguments say, the name of the program first, until a signal ends it; returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command_line = match cli::parse(args) {
        Ok(command_line) => command_line,
        Err(Answer::Text(text)) => {
            say(&mut io::stdout(), &text);
            return ExitCode::SUCCESS;
        }
        Err(Answer::Wrong(text)) => return fail(INVALID_FLAG, &text.trim_end()),
    };
    let settings = match config::settings(command_line) {
        Ok(settings) => settings,
        Err(error) => return fail(INVALID_SETTINGS, &error),
    };
    if settings.is_check {
        return match settings.tls.map(tls::open).transpose() {
            Ok(_) => {
                say(&mut io::stdout(), "the settings are good\n");
                ExitCode::SUCCESS
            }
            Err(error) => fail(INVALID_SETTINGS, &with_hint(&error, error.hint)),
        };
    }
    let _log = log::start(settings.log);
    buffers::keep_freed_memory();
    raise_limit();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(CANNOT_START, &format!("cannot start the event loop: {error}")),
    };
    // Whatever is still running when this returns is dropped with the runtime, and its workers are killed.
    let status = runtime.block_on(async {
        match start(settings) {
            Ok(running) => running.until_signalled().await,
            Err(failure) => fail(CANNOT_START, &failure),
        }
    });
    // A name that is being looked up, or a file on a dead disk, is not waited for.
    runtime.shutdown_timeout(BLOCKED_MAX);
    status
}

/// The event loop, on a thread for every two cores: the programs behind the sessions need the other half. With a thread on
/// each, a flood keeps its neighbours waiting for a core twice as long.
///
/// tokio's variable `TOKIO_WORKER_THREADS` says another number. One thread needs nothing of what several need to share work.
fn runtime() -> io::Result<Runtime> {
    let wanted = env::var("TOKIO_WORKER_THREADS").ok().and_then(|number| number.parse().ok());
    let threads = wanted.unwrap_or_else(|| cores().div_ceil(2));
    match threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads.min(THREADS_MAX)).enable_all().build(),
    }
}

/// The cores for wsd. What a control group leaves of them is asked for only where it can make a difference: three and more.
fn cores() -> usize {
    #[cfg(target_os = "linux")]
    if let Ok(cores @ 1..=2) = rustix::thread::sched_getaffinity(None).map(|cores| cores.count()) {
        return cores as usize;
    }
    available_parallelism().map_or(1, NonZero::get)
}

/// A server that serves.
struct Running {
    signals: Signals,
    shutdown: Shutdown,
    manager: Manager,
    reload: Reload,
    /// Removed at the end.
    _socket_file: Option<server::unix::File>,
}

/// Opens everything, then lets clients in, then says so.
fn start(settings: Settings) -> Result<Running, String> {
    let Settings { listen, tls, routes, loader, log, banner, warning, announces, .. } = settings;
    #[cfg(target_os = "linux")]
    sys::keep_statuses();
    let signals = Signals::listen().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let (certificates, reloader) =
        tls.map(tls::open).transpose().map_err(|error| with_hint(&error, error.hint))?.unzip();
    let Listeners { main, redirect, file } =
        listen::bind(&listen).map_err(|error| with_hint(&error, error.hint().unwrap_or_default()))?;
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let urls: Vec<String> = main.iter().map(|listener| listener.url(scheme)).collect();
    let told = match log.level {
        LevelFilter::OFF | LevelFilter::ERROR | LevelFilter::WARN => warning,
        _ => format!("{banner}  listens  {}\n", urls.join(" ")),
    };
    say(&mut io::stderr(), &told);

    let shutdown = Shutdown::default();
    let door = Door::new(&shutdown);
    let port = main.iter().find_map(Listener::port);
    routes.start_eager(&shutdown);
    let (routes, current) = watch::channel(Arc::new(routes));
    if let Some(port) = port {
        let way = Service { routes: current.clone(), redirect: Some(Target { scheme, port }), slots: door.slots() };
        door.open(redirect, &way, None);
    }
    door.open(main, &Service { routes: current, redirect: None, slots: door.slots() }, certificates.as_ref());
    for url in &urls {
        tracing::info!(url, "server ready");
    }
    if announces {
        say(&mut io::stdout(), &(urls.join("\n") + "\n"));
    }
    let manager = Manager::start();
    manager.ready();
    let subjects =
        Subjects { loader, routes, certificates: reloader, manager: manager.clone(), shutdown: shutdown.clone() };
    Ok(Running { signals, shutdown, manager, reload: Reload::new(subjects), _socket_file: file })
}

impl Running {
    /// Serves until a signal ends it, then waits for all to end in good order; a second signal is not waited for.
    async fn until_signalled(mut self) -> ExitCode {
        let manager = self.manager.clone();
        let serve = async {
            let mut looks = interval(CERTIFICATE_LOOK);
            loop {
                tokio::select! {
                    signal = self.signals.next() => match signal {
                        signal::HANGUP => self.reload.all(),
                        _ => return,
                    },
                    _ = looks.tick() => self.reload.look(),
                }
            }
        };
        tokio::select! {
            () = serve => {}
            never = manager.feed_watchdog() => match never {},
        }
        tracing::info!("server stopping");
        manager.stopping();
        let second_signal = async {
            loop {
                let signal = self.signals.next().await;
                if signal != signal::HANGUP {
                    return signal;
                }
            }
        };
        tokio::select! {
            _ = self.shutdown.finish(DRAIN) => ExitCode::SUCCESS,
            signal = second_signal => ExitCode::from(128 + signal),
        }
    }
}

fn with_hint(error: &dyn Display, hint: &str) -> String {
    if hint.is_empty() { error.to_string() } else { format!("{error}\nhint: {hint}") }
}

fn fail(status: u8, message: &dyn Display) -> ExitCode {
    say(&mut io::stderr(), &format!("wsd: {message}\n"));
    ExitCode::from(status)
}

/// Writes `text`; whether anybody listens does not matter.
fn say(to: &mut dyn Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
