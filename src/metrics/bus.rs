//! The bus of rooms (`--bus`): whether Redis answers and how fast, and the rooms of several nodes.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{
    labels::OfPlace,
    present::{PRESENT, counter, gauge, gauges},
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

    /// Returns its state in a word; `None` without `--bus`.
    pub(crate) fn word(&self) -> Option<&'static str> {
        match self.state.load(Relaxed) {
            UP => Some("ok"),
            LOST => Some("lost"),
            _ => None,
        }
    }
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

/// Encodes the bus at each scrape, if there is one.
#[derive(Debug)]
pub(super) struct BusCollector;

impl Collector for BusCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = BUS.state.load(Relaxed);
        if state == UNUSED {
            return Ok(());
        }
        let encoder = &mut encoder;
        gauge(encoder, "wsd_bus_up", "Whether Redis answers", u64::from(state == UP))?;
        counter(encoder, "wsd_bus_losses", "Times that Redis answered no more", BUS.losses.load(Relaxed))?;
        let help = "Times that clients here missed messages of a room of another node";
        counter(encoder, "wsd_bus_gaps", help, BUS.gaps.load(Relaxed))?;
        let round_trip = Duration::from_micros(BUS.round_trip.load(Relaxed)).as_secs_f64();
        gauge(encoder, "wsd_bus_round_trip_seconds", "Time of the last heartbeat to Redis and back", round_trip)?;
        let (mut here, mut elsewhere, mut clients, mut waiting) = (0, 0, 0, 0);
        for room in PRESENT.listed().rooms {
            let Some(cluster) = &room.cluster else { continue };
            *(if room.pid().is_some() { &mut here } else { &mut elsewhere }) += 1;
            clients += cluster.others().len() as u64;
            waiting += (cluster.output.load(Relaxed) + cluster.input.load(Relaxed)) as u64;
        }
        let rooms = [(OfPlace { program: "here" }, here), (OfPlace { program: "elsewhere" }, elsewhere)];
        gauges(encoder, "wsd_bus_rooms", "Rooms of the cluster with clients here, or with their program here", rooms)?;
        let help = "Clients on other nodes, of programs that run here";
        gauge(encoder, "wsd_bus_other_clients", help, clients)?;
        gauge(encoder, "wsd_bus_waiting_bytes", "Bytes of rooms that wait for Redis", waiting)
    }
}
