//! The sessions and rooms that there are now, with their traffic so far.
//!
//! One list serves the metrics, which add it up, and whoever shows the sessions one by one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{bus::LiveCluster, route::RouteName};
use crate::peer::Peer;

/// Messages, and the bytes in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// The number of messages.
    pub(crate) messages: u64,
    /// Their bytes, without those of their framing.
    pub(crate) bytes: u64,
}

impl Traffic {
    /// Adds a message, or a part of one; `is_last` ends it.
    pub(crate) fn add_piece(&mut self, bytes: usize, is_last: bool) {
        self.messages += u64::from(is_last);
        self.bytes += bytes as u64;
    }

    /// Adds messages.
    pub(crate) fn add(&mut self, messages: usize, bytes: usize) {
        self.messages += messages as u64;
        self.bytes += bytes as u64;
    }

    /// Adds other traffic.
    pub(super) fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// The traffic of one direction so far. One task at a time adds to it, and any thread reads it.
#[derive(Debug, Default)]
pub(crate) struct TrafficMeter {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl TrafficMeter {
    /// Adds traffic, with two plain loads and stores. No two tasks may do so at the same time.
    pub(crate) fn add(&self, traffic: Traffic) {
        self.messages.store(self.messages.load(Relaxed) + traffic.messages, Relaxed);
        self.bytes.store(self.bytes.load(Relaxed) + traffic.bytes, Relaxed);
    }

    /// Returns the sum so far.
    pub(crate) fn sum(&self) -> Traffic {
        Traffic { messages: self.messages.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }
}

/// The transport of a session's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A WebSocket.
    WebSocket,
    /// An event stream, with POST for input.
    Events,
    /// One POST, without a session.
    OneShot,
    /// Requests to a server of MCP, which is one session or one for all clients without.
    Mcp,
}

impl Transport {
    /// All words.
    pub(super) const WORDS: [&'static str; 4] = ["ws", "sse", "oneshot", "mcp"];

    /// Returns its word in the metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::WebSocket => "ws",
            Self::Events => "sse",
            Self::OneShot => "oneshot",
            Self::Mcp => "mcp",
        }
    }
}

/// The facts of a route of the current settings.
#[derive(Clone, Debug)]
pub(crate) struct RouteFacts {
    /// Its name.
    pub(crate) route: RouteName,
    /// The file name of its program, or that of the folder of its programs with a slash; `None` if it has none.
    pub(crate) program: Option<String>,
    /// Whether wsd keeps its program running (`--eager`).
    pub(crate) is_eager: bool,
}

/// The facts of a session that is about to begin.
#[derive(Clone, Debug)]
pub(crate) struct SessionFacts {
    /// The number of its first connection, as in the log.
    pub(crate) conn: u64,
    /// The client's end of that connection.
    pub(crate) peer: Peer,
    /// The user that the client has proved to be; empty without a proof.
    pub(crate) user: Box<str>,
    /// The route.
    pub(crate) route: RouteName,
    /// How the client has come.
    pub(crate) transport: Transport,
}

/// A session.
#[derive(Debug)]
pub(crate) struct LiveSession {
    /// Its client.
    pub(crate) facts: SessionFacts,
    /// Its own process, if it has one.
    pub(crate) pid: Option<i32>,
    /// Its room, if it has one.
    pub(crate) room: Option<Arc<LiveRoom>>,
    /// When it began.
    pub(crate) began: Instant,
    /// The messages from the client.
    pub(crate) input: TrafficMeter,
    /// The messages to the client.
    pub(crate) output: TrafficMeter,
    /// The time in which the session did not read the partner, since the client took nothing.
    pub(crate) client_wait: Stopwatch,
    /// The time in which the session did not read the client, since the partner took nothing.
    pub(crate) partner_wait: Stopwatch,
    /// Whether its client is away and may return.
    pub(super) is_detached: AtomicBool,
    /// The bytes of messages that it keeps for a client that may return.
    replay: AtomicUsize,
    /// Whether the administrator ends it.
    is_dismissed: AtomicBool,
    /// Tells its task of that.
    dismissal: Notify,
}

impl LiveSession {
    /// Returns a session that begins now. `pid` is that of its own process.
    pub(crate) fn new(facts: SessionFacts, pid: Option<i32>, room: Option<Arc<LiveRoom>>) -> Arc<Self> {
        Arc::new(Self {
            facts,
            pid,
            room,
            began: Instant::now(),
            input: TrafficMeter::default(),
            output: TrafficMeter::default(),
            client_wait: Stopwatch::default(),
            partner_wait: Stopwatch::default(),
            is_detached: AtomicBool::new(false),
            replay: AtomicUsize::new(0),
            is_dismissed: AtomicBool::new(false),
            dismissal: Notify::new(),
        })
    }

    /// Ends the session for the administrator: [`LiveSession::dismissed`] resolves in its task.
    pub(crate) fn dismiss(&self) {
        self.is_dismissed.store(true, Relaxed);
        self.dismissal.notify_one();
    }

    /// Resolves once the administrator ends the session. Cancel safe. One task at a time waits.
    pub(crate) async fn dismissed(&self) {
        self.dismissal.notified().await;
    }

    /// Returns its state in a word.
    pub(super) fn state(&self) -> &'static str {
        match (self.is_dismissed.load(Relaxed), self.is_detached()) {
            (true, _) => "ending",
            (false, true) => "detached",
            (false, false) => "open",
        }
    }

    /// Whether its client is away and may return.
    pub(crate) fn is_detached(&self) -> bool {
        self.is_detached.load(Relaxed)
    }

    /// Notes the bytes that it keeps for a client that may return.
    pub(crate) fn set_replay(&self, bytes: usize) {
        self.replay.store(bytes, Relaxed);
    }

    /// Returns the bytes that it keeps for a client that may return.
    pub(crate) fn replay(&self) -> usize {
        self.replay.load(Relaxed)
    }
}

/// A room.
#[derive(Debug)]
pub(crate) struct LiveRoom {
    /// The route.
    pub(crate) route: RouteName,
    /// The path, as in the log.
    pub(crate) path: Arc<[u8]>,
    /// Its number, which no other room has.
    pub(super) id: u64,
    pid: AtomicI32,
    /// When it began.
    pub(crate) began: Instant,
    /// The messages of its clients to the process.
    pub(crate) input: TrafficMeter,
    /// The messages of the process, each once, however many clients get it.
    pub(crate) output: TrafficMeter,
    /// Its part in a cluster (`--bus`).
    pub(crate) cluster: Option<Arc<LiveCluster>>,
}

impl LiveRoom {
    /// Returns a room that begins now.
    pub(crate) fn new(route: RouteName, path: Arc<[u8]>, cluster: Option<Arc<LiveCluster>>) -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (id, pid, began) = (COUNT.fetch_add(1, Relaxed), AtomicI32::new(0), Instant::now());
        let (input, output) = (TrafficMeter::default(), TrafficMeter::default());
        Arc::new(Self { route, path, id, pid, began, input, output, cluster })
    }

    /// Notes its process; `None` when it has ended.
    pub(crate) fn set_pid(&self, pid: Option<i32>) {
        self.pid.store(pid.unwrap_or_default(), Relaxed);
    }

    /// Returns its process; `None` if another node has it, or before it has begun.
    pub(crate) fn pid(&self) -> Option<i32> {
        Some(self.pid.load(Relaxed)).filter(|pid| *pid != 0)
    }
}

/// Adds up the times of a wait. One task at a time adds to it.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch(AtomicU64);

impl Stopwatch {
    /// Adds the time of one wait.
    pub(crate) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.store(self.0.load(Relaxed).saturating_add(micros), Relaxed);
    }

    /// Returns the sum so far.
    pub(crate) fn sum(&self) -> Duration {
        Duration::from_micros(self.0.load(Relaxed))
    }
}
