//! The daemon: starts everything, serves, waits for signals, and drains.

use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    num::NonZero,
    process::ExitCode,
    sync::Arc,
    thread::available_parallelism,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    time::interval,
};
use tracing_subscriber::filter::LevelFilter;

#[cfg(target_os = "linux")]
use crate::worker::guard::GuardProcess;
use crate::{
    answer::{health::Readiness, redirect::Target, service::Service},
    bus::error::BusError,
    cli::{self, Answer},
    config::{self, Settings},
    connect,
    event::Event,
    limits::{CERTIFICATE_LOOK, DRAIN},
    log::{self, Log, LogFileError, LogOptions, LogTarget},
    metrics, record,
    reload::{Reload, Subjects},
    replay,
    server::{
        Acceptor,
        listen::{self, Listeners},
        listener::Listener,
        systemd::Manager,
        tls,
    },
    shutdown::{Shutdown, Signals, signal},
    sys,
    worker::{
        advice,
        descriptors::{check_limit, raise_limit},
        reaper,
    },
};

/// The time that wsd waits at its end for calls that block, such as the look-up of a name.
const BLOCKED_MAX: Duration = Duration::from_millis(500);

/// The exit status for an invalid configuration.
const INVALID_SETTINGS: u8 = 1;
/// The exit status for an invalid flag.
const INVALID_FLAG: u8 = 2;
/// The exit status when wsd cannot start with its settings: an address is in use.
const CANNOT_START: u8 = 3;

/// Runs wsd with `args`, the name of the program first, to its end: as the client for the word `connect`, as
/// a replay for the word `replay`, otherwise as the server.
/// Returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    if let Some(line) = cli::connect::parse(&args) {
        return line.map_or_else(answer, |line| connect::run(&line));
    }
    if let Some(line) = cli::replay::parse(&args) {
        return line.map_or_else(answer, |line| replay::run(&line));
    }
    let command_line = match cli::parse(args) {
        Ok(command_line) => command_line,
        Err(instead) => return answer(instead),
    };
    let settings = match config::settings(command_line) {
        Ok(settings) => settings,
        Err(error) => return fail(INVALID_SETTINGS, &error),
    };
    if let Err(error) = if settings.is_check { Ok(()) } else { check_limit() } {
        return fail(CANNOT_START, &error);
    }
    #[cfg(target_os = "linux")]
    {
        // Flags and settings are read.
        sys::forget_code();
        sys::keep_statuses();
    }
    sys::keep_descriptors_from_programs();
    // Before the guard, which comes along.
    if let Err(error) = if settings.is_check { Ok(()) } else { settings.routes.prepare_cgroups() } {
        return fail(CANNOT_START, &failure("prepare the control group of wsd", &error));
    }
    // Before the log, which has a thread. It is dropped last.
    #[cfg(target_os = "linux")]
    let guard = match if settings.is_check { Ok(GuardProcess::default()) } else { GuardProcess::start() } {
        Ok(guard) => guard,
        Err(error) => return fail(CANNOT_START, &failure("start a process", &error)),
    };
    if settings.is_check {
        return check(settings);
    }
    let log = match log::start(&settings.log) {
        Ok(log) => log,
        Err(error) => return fail(CANNOT_START, &log_failure(&error)),
    };
    sys::keep_freed_memory();
    raise_limit();
    let runtime = match runtime(settings.threads) {
        Ok(runtime) => runtime,
        Err(error) => return fail(CANNOT_START, &failure("start the event loop", &error)),
    };
    #[cfg(target_os = "linux")]
    runtime.spawn(guard.watch());
    // The runtime drops tasks that still run when this returns, which kills their workers.
    let status = runtime.block_on(serve(settings, &log)).unwrap_or_else(|failure| fail(CANNOT_START, &failure));
    // wsd does not wait for longer: a name server or a disk may not answer.
    runtime.shutdown_timeout(BLOCKED_MAX);
    record::writer::finish();
    status
}

/// Checks what the settings name, and prints the result (`--check`). Returns the exit status.
fn check(settings: Settings) -> ExitCode {
    let stderr = LogOptions { target: LogTarget::Error, ..settings.log.clone() };
    // A certificate that is not valid now is an event.
    let _log = log::start(&stderr);
    say(&mut io::stderr(), &settings.banner.of_check);
    if let Err(error) = settings.log.check() {
        return fail(INVALID_SETTINGS, &log_failure(&error));
    }
    match settings.tls.map(tls::open).transpose() {
        Ok(_) => {
            say(&mut io::stdout(), "the settings are valid\n");
            ExitCode::SUCCESS
        }
        Err(error) => fail(INVALID_SETTINGS, &error),
    }
}

/// Prints the text or the error that stands in place of a valid command line. Returns the exit status.
fn answer(instead: Answer) -> ExitCode {
    match instead {
        Answer::Text(text) => {
            say(&mut io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Answer::Wrong(text) => fail(INVALID_FLAG, &text.trim_end()),
    }
}

/// Makes an event loop on `threads` threads (`--threads`).
///
/// The default is one thread for every two cores: the programs need the other half. The event loop of one thread spares
/// the cost of sharing work.
fn runtime(threads: Option<NonZero<usize>>) -> io::Result<Runtime> {
    let of_cores = || available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
    match threads.map_or_else(of_cores, NonZero::get) {
        1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

/// Opens certificates and listeners, then serves clients until a signal ends it. Returns the exit status.
async fn serve(settings: Settings, log: &Log) -> Result<ExitCode, String> {
    let Settings { listen, watch: watched, tls, proxies, routes, bus, loader, log: options, banner, announces, .. } =
        settings;
    metrics::text::begin();
    let reaping = reaper::watch();
    let signals = Signals::listen().map_err(|error| failure("listen to signals", &error))?;
    let (certificates, reloader) = tls.map(tls::open).transpose().map_err(|error| error.to_string())?.unzip();
    if let Some(bus) = &bus {
        bus.check().await.map_err(|error| bus_failure(&error))?;
    }
    // Dropping the file of the Unix socket removes it.
    let Listeners { main, redirect, file: _file } = listen::bind(&listen).map_err(|error| error.to_string())?;
    let watched = watched.as_ref().map(crate::server::watch::bind).transpose().map_err(|error| error.to_string())?;
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let urls: Vec<String> = main.iter().map(|listener| listener.url(scheme, &routes.base)).collect();
    if options.has_json_on_stderr() {
        banner.warnings().for_each(|why| Event::SettingsDoubtful { why }.emit());
    }
    let told = match options.level {
        // Its reader expects JSON only.
        _ if options.has_json_on_stderr() => String::new(),
        LevelFilter::OFF | LevelFilter::ERROR | LevelFilter::WARN => banner.warning,
        _ => {
            let network: Vec<_> =
                main.iter().flat_map(|listener| listener.network_urls(scheme, &routes.base)).collect();
            banner.text(&urls, &network)
        }
    };
    say(&mut io::stderr(), &told);

    let shutdown = Shutdown::default();
    let acceptor = Acceptor::new(&routes, proxies, &shutdown);
    if let Some(bus) = &bus {
        bus.start();
    }
    let port = main.iter().find_map(Listener::port);
    routes.warn_of_secrets();
    routes.start_eager(&shutdown);
    let (routes, current) = watch::channel(Arc::new(routes));
    let readiness = Readiness { shutdown: shutdown.clone(), waiting: acceptor.waiting() };
    let _watch_file = watched.and_then(|watched| watched.open(&readiness, &current));
    if let Some(port) = port {
        let way =
            Service { routes: current.clone(), redirect: Some(Target { scheme, port }), readiness: readiness.clone() };
        acceptor.open(redirect, &way, None);
    }
    acceptor.open(main, &Service { routes: current, redirect: None, readiness }, certificates.as_ref());
    for url in &urls {
        Event::ServerReady { url }.emit();
    }
    if announces {
        say(&mut io::stdout(), &(urls.join("\n") + "\n"));
    }
    let manager = Manager::start();
    manager.ready();
    let certificates = reloader;
    let subjects =
        Subjects { loader, routes, acceptor, certificates, manager: manager.clone(), shutdown: shutdown.clone() };
    tokio::select! {
        status = until_signalled(signals, shutdown, manager, Reload::new(subjects), log) => Ok(status),
        never = reaping => match never {},
    }
}

/// Serves until SIGINT, SIGTERM or SIGQUIT, then waits at most [`DRAIN`] for sessions to end. A second signal ends that wait.
async fn until_signalled(
    mut signals: Signals,
    shutdown: Shutdown,
    manager: Manager,
    reload: Reload,
    log: &Log,
) -> ExitCode {
    let serve = async {
        let mut looks = interval(CERTIFICATE_LOOK);
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    signal::HANGUP => reload.load_all(),
                    signal::USER_1 => log.open_again(),
                    _ => return,
                },
                _ = looks.tick() => reload.check_certificates(),
            }
        }
    };
    tokio::select! {
        () = serve => {}
        never = manager.feed_watchdog() => match never {},
    }
    shutdown.announce();
    Event::ServerStopping {}.emit();
    manager.stopping();
    let second_signal = async {
        loop {
            match signals.next().await {
                signal::HANGUP => {}
                signal::USER_1 => log.open_again(),
                signal => return signal,
            }
        }
    };
    tokio::select! {
        _ = shutdown.finish(DRAIN) => ExitCode::SUCCESS,
        signal = second_signal => ExitCode::from(128 + signal),
    }
}

/// Describes a call that failed, with advice if wsd has any.
fn failure(doing: &str, cause: &io::Error) -> String {
    let hint = advice::for_error(cause).map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("cannot {doing}: {cause}{hint}")
}

/// Describes a bus that cannot be used, with advice if wsd has any.
fn bus_failure(error: &BusError) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    // An answer that is none of Redis has lines.
    let cause: Vec<_> = error.to_string().split_whitespace().map(str::to_owned).collect();
    format!("cannot use the server of --bus: {}{hint}", cause.join(" "))
}

fn log_failure(error: &LogFileError) -> String {
    let LogFileError { path, cause } = error;
    format!("cannot open the log file `{}`: {cause}\nhint: {}", path.display(), error.hint())
}

fn fail(status: u8, message: &dyn Display) -> ExitCode {
    say(&mut io::stderr(), &format!("wsd: {message}\n"));
    ExitCode::from(status)
}

/// Writes `text`, and ignores errors: nobody may be reading.
fn say(to: &mut dyn Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
