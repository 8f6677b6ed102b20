//! The counts of events.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::{
    labels::{CloseCode, OfAnswer, OfDid, OfEnd, OfResult, OfRoute, OfSignal, OfStatus, OfTransport, OfWhy},
    live::Transport,
    route::{RouteName, RouteSeries, SecondsCounter},
};

/// All counts of this process.
pub(crate) static COUNTS: LazyLock<Counts> = LazyLock::new(Counts::default);

/// The bounds of the lengths of sessions, in seconds.
const SESSION_SECS: [f64; 7] = [0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];

/// The bounds of the times in which programs start, in seconds.
const START_SECS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0];

/// A histogram of each route.
type Histograms = Family<OfRoute, Histogram, fn() -> Histogram>;

/// The counts. Clones of a family share its values.
#[derive(Debug)]
pub(crate) struct Counts {
    sessions_started: Family<OfTransport, Counter>,
    sessions_ended: Family<OfEnd, Counter>,
    session_duration: Histograms,
    sessions_refused: Family<OfWhy, Counter>,
    messages_lost: Family<OfRoute, Counter>,
    slow_clients: Family<OfDid, Counter>,
    programs: Family<OfRoute, Gauge>,
    programs_started: Family<OfRoute, Counter>,
    programs_killed: Family<OfSignal, Counter>,
    program_start: Histograms,
    program_cpu: Family<OfRoute, SecondsCounter>,
    program_memory: Family<OfRoute, Gauge>,
    program_exits: Family<OfStatus, Counter>,
    reloads: Family<OfResult, Counter>,
    requests: Family<OfAnswer, Counter>,
    /// Seconds since 1970; 0 without a certificate.
    cert_expiry: AtomicI64,
    http_connections: Gauge,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            sessions_started: Family::default(),
            sessions_ended: Family::default(),
            session_duration: Family::new_with_constructor(|| Histogram::new(SESSION_SECS)),
            sessions_refused: Family::default(),
            messages_lost: Family::default(),
            slow_clients: Family::default(),
            programs: Family::default(),
            programs_started: Family::default(),
            programs_killed: Family::default(),
            program_start: Family::new_with_constructor(|| Histogram::new(START_SECS)),
            program_cpu: Family::default(),
            program_memory: Family::default(),
            program_exits: Family::default(),
            reloads: Family::default(),
            requests: Family::default(),
            cert_expiry: AtomicI64::new(0),
            http_connections: Gauge::default(),
        }
    }
}

impl Counts {
    /// Adds all counts to a registry. The names of counters get `_total`.
    pub(super) fn register(&self, to: &mut Registry) {
        let started = "Sessions that have begun, by transport";
        to.register("wsd_sessions_started", started, self.sessions_started.clone());
        let ended = "Sessions that have ended, by reason and close code";
        to.register("wsd_sessions_ended", ended, self.sessions_ended.clone());
        let duration = "Lengths of ended sessions";
        to.register("wsd_session_duration_seconds", duration, self.session_duration.clone());
        let refused = "Refused requests, by reason";
        to.register("wsd_sessions_refused", refused, self.sessions_refused.clone());
        let lost = "Messages that slow clients of rooms have missed";
        to.register("wsd_messages_lost", lost, self.messages_lost.clone());
        let slow = "Times that a client of a room was too slow, by what wsd did";
        to.register("wsd_slow_clients", slow, self.slow_clients.clone());
        to.register("wsd_programs", "Programs that run now", self.programs.clone());
        to.register("wsd_programs_started", "Programs that have started", self.programs_started.clone());
        let killed = "Programs that had not ended by themselves, by the signal that wsd sent";
        to.register("wsd_programs_killed", killed, self.programs_killed.clone());
        to.register("wsd_program_start_seconds", "Times in which programs start", self.program_start.clone());
        let cpu = "Seconds of the processor that ended programs have used";
        to.register("wsd_program_cpu_seconds", cpu, self.program_cpu.clone());
        let memory = "The most memory of an ended program";
        to.register("wsd_program_max_resident_bytes", memory, self.program_memory.clone());
        let exits = "Programs that have ended, by the exit status that a shell shows";
        to.register("wsd_program_exits", exits, self.program_exits.clone());
        to.register("wsd_reloads", "Loads of the settings after the first, by result", self.reloads.clone());
        let requests = "Answers over HTTP, by kind and status code";
        to.register("wsd_http_requests", requests, self.requests.clone());
    }

    /// Begins the counts of a route at 0: a series that appears with its first event hides that event from rates.
    pub(super) fn begin_route(&self, route: &RouteName) {
        let label = OfRoute { route: Arc::clone(route) };
        for transport in Transport::WORDS {
            let _ = self.sessions_started.get_or_create(&OfTransport { route: Arc::clone(route), transport });
        }
        for signal in ["HUP", "INT", "TERM", "KILL"] {
            let _ = self.programs_killed.get_or_create(&OfSignal { route: Arc::clone(route), signal });
        }
        for did in ["close", "drop", "wait"] {
            let _ = self.slow_clients.get_or_create(&OfDid { route: Arc::clone(route), did });
        }
        for result in ["loaded", "failed"] {
            let _ = self.reloads.get_or_create(&OfResult { result });
        }
        let _ = (self.messages_lost.get_or_create(&label), self.series(route));
    }

    /// Returns the series of a route that each session changes.
    fn series<'r>(&self, route: &'r RouteName) -> &'r RouteSeries {
        route.series.get_or_init(|| {
            let label = OfRoute { route: Arc::clone(route) };
            RouteSeries {
                session_duration: self.session_duration.get_or_create_owned(&label),
                programs: self.programs.get_or_create_owned(&label),
                programs_started: self.programs_started.get_or_create_owned(&label),
                program_start: self.program_start.get_or_create_owned(&label),
                program_cpu: self.program_cpu.get_or_create_owned(&label),
                program_memory: self.program_memory.get_or_create_owned(&label),
            }
        })
    }

    /// Counts a session that begins.
    pub(crate) fn session_started(&self, route: &RouteName, transport: &'static str) {
        self.sessions_started.get_or_create(&OfTransport { route: Arc::clone(route), transport }).inc();
    }

    /// Counts a session that has ended with this word in the log and this close code.
    pub(crate) fn session_ended(&self, route: &RouteName, end: &'static str, code: u16, time: Duration) {
        self.series(route).session_duration.observe(time.as_secs_f64());
        if end == "slow" {
            self.slow_client(route, "close");
        }
        self.sessions_ended
            .get_or_create(&OfEnd { route: Arc::clone(route), end, code: CloseCode::of(end, code) })
            .inc();
    }

    /// Counts a refusal.
    pub(crate) fn session_refused(&self, route: &RouteName, why: &'static str) {
        self.sessions_refused.get_or_create(&OfWhy { route: Arc::clone(route), why }).inc();
    }

    /// Counts messages that a slow client has missed.
    pub(crate) fn messages_lost(&self, route: &RouteName, lost: u64) {
        self.messages_lost.get_or_create(&OfRoute { route: Arc::clone(route) }).inc_by(lost);
        self.slow_client(route, "drop");
    }

    /// Counts a client that was too slow, and what wsd did.
    pub(crate) fn slow_client(&self, route: &RouteName, did: &'static str) {
        self.slow_clients.get_or_create(&OfDid { route: Arc::clone(route), did }).inc();
    }

    /// Counts a program that runs now, and took this time to start.
    pub(crate) fn program_started(&self, route: &RouteName, took: Duration) {
        let series = self.series(route);
        series.programs.inc();
        series.programs_started.inc();
        series.program_start.observe(took.as_secs_f64());
    }

    /// Counts a program to which wsd sends a signal.
    pub(crate) fn program_killed(&self, route: &RouteName, signal: &'static str) {
        self.programs_killed.get_or_create(&OfSignal { route: Arc::clone(route), signal }).inc();
    }

    /// Counts a program that runs no more.
    pub(crate) fn program_gone(&self, route: &RouteName) {
        self.series(route).programs.dec();
    }

    /// Counts the exit status of a program.
    pub(crate) fn program_ended(&self, route: &RouteName, status: u16) {
        self.program_exits.get_or_create(&OfStatus { route: Arc::clone(route), status }).inc();
    }

    /// Counts the processor time of an ended program, and its peak memory.
    pub(crate) fn program_used(&self, route: &RouteName, cpu: Duration, memory: u64) {
        let series = self.series(route);
        series.program_cpu.inc_by(cpu.as_secs_f64());
        series.program_memory.inner().fetch_max(i64::try_from(memory).unwrap_or(i64::MAX), Relaxed);
    }

    /// Counts a load of the settings.
    pub(crate) fn reloaded(&self, result: &'static str) {
        self.reloads.get_or_create(&OfResult { result }).inc();
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, kind: &'static str, code: u16) {
        self.requests.get_or_create(&OfAnswer { kind, code }).inc();
    }

    /// Notes when the first certificate of the server expires, in seconds since 1970.
    pub(crate) fn set_cert_expiry(&self, at: i64) {
        self.cert_expiry.store(at, Relaxed);
    }
}

/// Returns when the first certificate of the server expires, in seconds since 1970; `None` without one.
pub(super) fn cert_expiry() -> Option<i64> {
    Some(COUNTS.cert_expiry.load(Relaxed)).filter(|at| *at != 0)
}

/// Returns the number of connections of HTTP.
pub(super) fn http_connections() -> u64 {
    u64::try_from(COUNTS.http_connections.get()).unwrap_or_default()
}

/// A connection of HTTP, which counts until this is dropped.
#[derive(Debug)]
pub(crate) struct HttpConnection(());

impl HttpConnection {
    /// Counts a connection.
    pub(crate) fn count() -> Self {
        COUNTS.http_connections.inc();
        Self(())
    }
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        COUNTS.http_connections.dec();
    }
}
