//! The handle on the bus, and the heartbeat of this node.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::HEXLOWER;
use futures_util::future::try_join_all;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    connection::{Connections, Question},
    error::BusError,
    eviction,
    news::{News, Note},
    opener::Opener,
    scripts::{self, millis},
    target::{BusIdentity, BusTarget},
};
use crate::{
    event::Event,
    limits::{BUS_RETRY, LEASE, LEASE_RENEWAL},
};

/// Time after a loss of data in which no lease is taken: the owners of rooms renew theirs meanwhile.
const DATA_GRACE: Duration = LEASE_RENEWAL.saturating_add(Duration::from_millis(500));

/// Returns the name of the node in the name of a run of it, or of a user of keys.
pub(crate) fn name_of(id: &str) -> &str {
    id.split_once('~').map_or(id, |(name, _)| name)
}

/// The settings of the bus.
#[derive(Clone, Debug)]
pub(crate) struct BusOptions {
    /// The servers (`--bus`).
    pub(crate) target: BusTarget,
    /// The certificate for them (`--bus-cert`, `--bus-key`).
    pub(crate) identity: Option<BusIdentity>,
    /// The front of all keys (`--bus-prefix`).
    pub(crate) prefix: String,
    /// The name of this node (`--node`).
    pub(crate) node: String,
}

/// A handle on the bus. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Bus(Arc<BusParts>);

#[derive(Debug)]
struct BusParts {
    prefix: String,
    name: String,
    /// The name of this run of the node, which no other has.
    id: String,
    connections: Connections,
    news: News,
    /// How often this node was given up by the others, since its heartbeat came too late.
    forgotten: watch::Sender<u64>,
    /// The time when Redis was seen without the data that it had.
    emptied: Mutex<Option<Instant>>,
    /// Wakes the heartbeat when its key is not there: a new client must not wait for the next beat, too.
    missing: Notify,
    /// The last time when the key of a node could not be read, in a cluster.
    doubted: Mutex<Option<Instant>>,
}

impl Bus {
    /// Returns the bus. It connects to nothing yet.
    pub(crate) fn new(options: BusOptions) -> Result<Self, BusError> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).expect("the system has random numbers");
        let BusOptions { target, identity, prefix, node } = options;
        let id = format!("{node}~{}", HEXLOWER.encode(&random));
        let (forgotten, missing) = (watch::Sender::new(0), Notify::new());
        let (emptied, doubted) = (Mutex::default(), Mutex::default());
        let (connections, news) = (Connections::new(Opener::new(&target, identity.as_ref())?), News::default());
        Ok(Self(Arc::new(BusParts { prefix, name: node, id, connections, news, forgotten, emptied, missing, doubted })))
    }

    /// Checks that the server is there, and that it can do what rooms need.
    pub(crate) async fn check(&self) -> Result<(), BusError> {
        self.connections().connect().await?;
        scripts::check(self.connections(), &format!("{}:check:{}", self.0.prefix, self.0.id)).await?;
        eviction::warn(self.connections()).await;
        self.beat().await?;
        // It is the first: nobody had data of this node.
        *self.0.emptied.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Starts the heartbeat of this node and the reader of news.
    pub(crate) fn start(&self) {
        Event::BusReady { node: &self.0.name }.emit();
        let bus = self.clone();
        // Both go on during the end of wsd: the end of a room needs them.
        tokio::spawn(async move { bus.keep_alive().await });
        let bus = self.clone();
        tokio::spawn(async move { bus.0.news.read(&bus.0.connections).await });
    }

    /// Returns the name of this node.
    pub(crate) fn node(&self) -> &str {
        &self.0.name
    }

    /// Returns the name of this run of the node.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the front of all keys.
    pub(super) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Returns a receiver of the number of times that the others gave this node up.
    pub(crate) fn forgotten(&self) -> watch::Receiver<u64> {
        self.0.forgotten.subscribe()
    }

    /// Subscribes to a channel. Dropping the receiver ends that.
    pub(crate) fn subscribe(&self, channel: &str) -> tokio::sync::mpsc::Receiver<Note> {
        self.0.news.subscribe(channel)
    }

    /// Returns the connection for commands.
    pub(super) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    fn node_key(&self, id: &str) -> String {
        format!("{}:node:{id}", self.0.prefix)
    }

    /// Tells the others that this node is alive. Returns whether they still thought so.
    async fn beat(&self) -> Result<bool, BusError> {
        let mut command = redis::cmd("SET");
        command.arg(self.node_key(&self.0.id)).arg(&self.0.name);
        command.arg("PX").arg(millis(LEASE)).arg("GET");
        // No room may take a lease between the answer and this note.
        let note = |before: &Option<String>| {
            if before.is_none() {
                *self.0.emptied.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        };
        let before: Option<String> = self.connections().beat(&command, note).await?;
        Ok(before.is_some())
    }

    /// Whether a lease that is not there is free. Once Redis has lost its data, the owners get some time to renew theirs. In a
    /// cluster, the key of this node tells nothing of those of rooms.
    pub(crate) async fn is_settled(&self) -> Result<bool, BusError> {
        if self.connections().is_cluster() {
            return Ok(true);
        }
        let mut command = redis::cmd("EXISTS");
        command.arg(self.node_key(&self.0.id));
        let count: u64 = self.connections().ask(&Question::Command(&command), None).await?;
        if count == 0 {
            self.0.missing.notify_one();
        }
        let emptied = *self.0.emptied.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(count > 0 && emptied.is_none_or(|emptied| emptied.elapsed() >= DATA_GRACE))
    }

    async fn keep_alive(&self) {
        let mut changes = self.connections().loss().changes();
        loop {
            match self.beat().await {
                Ok(was_known) => {
                    if !was_known {
                        self.0.forgotten.send_modify(|count| *count += 1);
                    }
                    // Any command may find that Redis is away: then this brings it back, at once.
                    tokio::select! {
                        _ = timeout(LEASE_RENEWAL, changes.wait_for(Option::is_some)) => {}
                        () = self.0.missing.notified() => {}
                    }
                }
                Err(error) => {
                    self.connections().reconnect(&error).await;
                    sleep(BUS_RETRY).await;
                }
            }
        }
    }

    /// Tells which of these users of a room's keys have a node that is alive. In a cluster, a node whose key cannot be read for
    /// now counts as alive, and a while longer: until it has renewed the key.
    pub(crate) async fn alive(&self, ids: &[String]) -> Result<Vec<bool>, BusError> {
        let doubted = *self.0.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        if doubted.is_some_and(|doubted| doubted.elapsed() < LEASE) {
            return Ok(vec![true; ids.len()]);
        }
        let look = async |id: &String| {
            let run = id.rsplit_once('.').map_or(&**id, |(run, _)| run);
            let mut command = redis::cmd("EXISTS");
            command.arg(self.node_key(run));
            self.connections().ask::<u64>(&Question::Command(&command), None).await.map(|count| count > 0)
        };
        let looks = try_join_all(ids.iter().map(look));
        if !self.connections().is_cluster() {
            return looks.await;
        }
        // Rooms on the other primaries must not wait for one that is gone.
        if let Ok(Ok(alive)) = timeout(BUS_RETRY, looks).await {
            return Ok(alive);
        }
        *self.0.doubted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(vec![true; ids.len()])
    }
}
