//! The bus of rooms (`--bus`): whether Redis answers and how fast, and the rooms of several nodes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// The bus of this process.
pub(crate) static BUS: LiveBus = LiveBus::new();

const UNUSED: u8 = 0;
const UP: u8 = 1;
const LOST: u8 = 2;

/// The bus. All of it stays at 0 without `--bus`.
#[derive(Debug)]
pub(crate) struct LiveBus {
    state: AtomicU8,
    /// Microseconds.
    round_trip: AtomicU64,
    losses: AtomicU64,
    gaps: AtomicU64,
}

impl LiveBus {
    const fn new() -> Self {
        Self {
            state: AtomicU8::new(UNUSED),
            round_trip: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
        }
    }

    /// Notes that Redis answers.
    pub(crate) fn up(&self) {
        self.state.store(UP, Relaxed);
    }

    /// Counts that Redis answers no more.
    pub(crate) fn lost(&self) {
        self.state.store(LOST, Relaxed);
        self.losses.fetch_add(1, Relaxed);
    }

    /// Counts that clients here have missed messages of a room.
    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    /// Notes the time of the last heartbeat to Redis and back.
    pub(crate) fn set_round_trip(&self, time: Duration) {
        self.round_trip.store(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the facts for the metrics; `None` without `--bus`.
    pub(super) fn counts(&self) -> Option<BusCounts> {
        Some(BusCounts {
            is_up: self.word()? == "ok",
            losses: self.losses.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            round_trip: Duration::from_micros(self.round_trip.load(Relaxed)),
        })
    }

    /// Returns its state in a word; `None` without `--bus`.
    pub(crate) fn word(&self) -> Option<&'static str> {
        match self.state.load(Relaxed) {
            UP => Some("ok"),
            LOST => Some("lost"),
            _ => None,
        }
    }
}

/// The facts of the bus at one moment.
pub(super) struct BusCounts {
    /// Whether Redis answers.
    pub(super) is_up: bool,
    /// How often it answered no more.
    pub(super) losses: u64,
    /// How often clients have missed messages.
    pub(super) gaps: u64,
    /// The time of the last heartbeat.
    pub(super) round_trip: Duration,
}

/// A room of several nodes, as this node sees it.
#[derive(Debug, Default)]
pub(crate) struct LiveCluster {
    /// The bytes of output that wait for Redis.
    pub(crate) output: AtomicUsize,
    /// The bytes of input that wait for Redis.
    pub(crate) input: AtomicUsize,
    facts: Mutex<ClusterFacts>,
}

#[derive(Debug, Default)]
struct ClusterFacts {
    /// The node that runs the program, once it is known.
    node: Option<Arc<str>>,
    /// The clients on other nodes and their nodes, if the program runs here.
    others: BTreeMap<String, Arc<str>>,
}

impl LiveCluster {
    /// Notes the node that runs the program.
    pub(crate) fn set_node(&self, node: &str) {
        let mut facts = self.lock();
        if facts.node.as_deref() != Some(node) {
            facts.node = Some(node.into());
        }
    }

    /// Returns the node that runs the program, once it is known.
    pub(super) fn node(&self) -> Option<Arc<str>> {
        self.lock().node.clone()
    }

    /// Notes a client on another node.
    pub(crate) fn add(&self, client: &str, node: &str) {
        self.lock().others.insert(client.to_owned(), node.into());
    }

    /// Notes that a client on another node has left.
    pub(crate) fn remove(&self, client: &str) {
        self.lock().others.remove(client);
    }

    /// Forgets the clients on other nodes: the program runs here no more.
    pub(crate) fn forget(&self) {
        self.lock().others.clear();
    }

    /// Returns the clients on other nodes, and their nodes.
    pub(super) fn others(&self) -> BTreeMap<String, Arc<str>> {
        self.lock().others.clone()
    }

    fn lock(&self) -> MutexGuard<'_, ClusterFacts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
