//! Takes the messages of other nodes' clients for the worker here, and knows who these clients are.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    bus::{
        error::BusError,
        handle::name_of,
        news::Note,
        records::{InRecord, RecordId},
    },
    close::Close,
    framing::presence,
    limits::{BUS_BYTES_MAX, BUS_RETRY, IN_RECORDS},
    message::Draft,
    metrics::live::Traffic,
    partner::Verdict,
    room::{
        Room,
        far::{
            Far,
            record::{self, decode},
        },
        lock::lock,
    },
};

/// Time between two notes of what the worker has taken, if there is something new.
const POS_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of the input after which it notes at once what the worker has taken: that makes room in Redis.
const UNNOTED_BYTES_MAX: usize = BUS_BYTES_MAX / 8;

/// Time between two looks whether all that went by Redis is with the worker, until it is.
const SETTLE: Duration = Duration::from_millis(20);

/// Time between two looks for nodes that have died.
const NODES_INTERVAL: Duration = Duration::from_secs(5);

/// The input of a room that goes by Redis.
pub(super) struct FarInput<'r> {
    room: &'r Arc<Room>,
    far: &'r Far,
    epoch: u64,
    notes: mpsc::Receiver<Note>,
    /// The last record in the inbox.
    at: RecordId,
    /// The last record that Redis has noted as taken.
    noted: RecordId,
    noted_at: Instant,
    /// The bytes since then, and some for each record.
    unnoted: usize,
    looked_at: Instant,
    /// The clients of other nodes, and their nodes.
    known: HashMap<String, String>,
    /// The clients that wsd closes since the budget had no room for a message of theirs.
    refused: HashSet<String>,
    is_direct: bool,
    is_behind: bool,
}

impl<'r> FarInput<'r> {
    /// Begins to listen, for the worker of this epoch.
    pub(super) fn new(room: &'r Arc<Room>, far: &'r Far, epoch: u64) -> Self {
        let now = Instant::now();
        Self {
            room,
            far,
            epoch,
            notes: far.place.listen_in(),
            at: RecordId::default(),
            noted: RecordId::default(),
            noted_at: now,
            unnoted: 0,
            looked_at: now,
            known: HashMap::new(),
            refused: HashSet::new(),
            is_direct: false,
            is_behind: true,
        }
    }

    /// Finds where the last worker stopped, and who is here; tells the new worker.
    pub(super) async fn begin(&mut self) -> Result<(), BusError> {
        lock(&self.room.inbox).take();
        let place = &self.far.place;
        self.at = place.pos().await?;
        if place.look().await?.last_in < self.at {
            // Redis has lost its data, and its clock was behind.
            self.at = RecordId::default();
        }
        self.noted = self.at;
        self.far.marks.begin(self.at);
        // All questions come first: after an error, nobody is here yet.
        let nodes = place.nodes().await?;
        let alive = place.bus().alive(&nodes).await?;
        let (here, gone): (Vec<_>, Vec<_>) = nodes.into_iter().zip(alive).partition(|(_, is_alive)| *is_alive);
        for (node, _) in gone {
            place.forget(&node).await?;
        }
        for (node, clients) in place.who(&here.into_iter().map(|(node, _)| node).collect::<Vec<_>>()).await? {
            for (client, variables) in clients {
                self.open(client, node.clone(), &variables);
            }
        }
        Ok(())
    }

    /// Takes records for ever. Cancel safe.
    pub(super) async fn run(&mut self) {
        if self.is_behind {
            // A new record is in the stream before its news is here.
            while self.notes.try_recv().is_ok() {}
            if let Err(error) = self.read().await {
                error.log();
                sleep(BUS_RETRY).await;
            }
        } else {
            let patience = if self.is_direct { POS_INTERVAL } else { SETTLE };
            if let Ok(None) = timeout(patience, self.notes.recv()).await {
                self.notes = self.far.place.listen_in();
            }
            self.is_behind = true;
        }
        self.become_direct().await;
        self.note().await;
        if self.looked_at.elapsed() >= NODES_INTERVAL && self.look().await.is_ok() {
            self.looked_at = Instant::now();
        }
    }

    /// Reads the stream once.
    async fn read(&mut self) -> Result<(), BusError> {
        let records = self.far.place.read_in(self.at).await?;
        self.is_behind = !records.is_empty();
        for record in records {
            // Without the lease, the next worker would miss what this one took.
            while !self.far.is_owner() {
                sleep(SETTLE).await;
            }
            poll_fn(|cx| lock(&self.room.inbox).poll_room(cx)).await;
            self.take(record);
        }
        Ok(())
    }

    /// Lets messages of clients here go into the inbox as soon as nothing of theirs is on its way by Redis.
    async fn become_direct(&mut self) {
        if self.is_direct || !self.far.become_direct(self.at) {
            return;
        }
        self.is_direct = true;
        let me = self.far.place.id();
        self.known.retain(|_, node| node != me);
        self.far.poster.wake_all();
        // If this node dies, its clients die with it: the next worker must not hear of them.
        let _ = self.far.place.forget(me).await;
    }

    fn take(&mut self, record: InRecord) {
        match &*record.kind {
            record::OPEN => self.open(record.client, record.node, &record.payload),
            record::CLOSE => {
                let (code, reason) = record::parse_close(&record.payload);
                self.close(&record.client, code, &reason);
            }
            record::MESSAGE => {
                let said = decode(&record.payload);
                if self.room.options.framing.names_clients() && !self.known.contains_key(&record.client) {
                    // It has left meanwhile: its close follows.
                    self.open(record.client.clone(), record.node, b"{}");
                }
                if !self.refused.contains(&record.client) && !self.post(&record.client, &said) {
                    // As for a client here. The messages of others must not wait behind one that may never fit.
                    let (code, reason) = record::close_of(&Verdict::Overload);
                    self.room.dismiss(&record.client, Close::new(code, reason));
                    self.refused.insert(record.client);
                }
            }
            _ => BusError::Strange.log(),
        }
        self.unnoted += record.payload.len() + UNNOTED_BYTES_MAX / (IN_RECORDS / 10);
        self.at = record.id;
        let taken = lock(&self.room.inbox).taken;
        self.far.marks.add(record.id, taken);
        self.room.pressure.host.wake();
    }

    /// Adds messages to the inbox. Returns false, and adds nothing, if the budget has no room for them.
    fn post(&self, client: &str, said: &Draft) -> bool {
        let framing = self.room.options.framing;
        let mut inbox = lock(&self.room.inbox);
        if framing.names_clients() {
            if inbox.post_events(client, said).is_none() {
                return false;
            }
        } else {
            inbox.record_encoded(client, said, framing);
            inbox.post(said);
        }
        let mut heard = Traffic::default();
        heard.add(said.count(), said.len());
        // Under the lock, so one at a time.
        self.room.live.input.add(heard);
        true
    }

    fn open(&mut self, client: String, node: String, variables: &[u8]) {
        if self.known.contains_key(&client) {
            return;
        }
        if self.room.options.framing.names_clients() {
            let name = name_of(&node);
            let variables = presence::parse(variables);
            let variables = variables.iter().map(|(name, value)| (&**name, &**value));
            lock(&self.room.inbox).add_open(&client, Some(name), variables);
        }
        if node != self.far.place.id() {
            lock(&self.room.hub).add_other();
            self.far.live.add(&client, name_of(&node));
        }
        self.known.insert(client, node);
    }

    fn close(&mut self, client: &str, code: u16, reason: &str) {
        self.refused.remove(client);
        let Some(node) = self.known.remove(client) else { return };
        if self.room.options.framing.names_clients() {
            lock(&self.room.inbox).add_close(client, code, reason);
        }
        if node != self.far.place.id() {
            lock(&self.room.hub).remove_others(1);
            self.far.live.remove(client);
        }
        self.room.pressure.host.wake();
    }

    /// Notes in Redis what the worker has taken.
    async fn note(&mut self) {
        let written = self.room.written(self.far);
        if written > self.noted
            && (self.noted_at.elapsed() >= POS_INTERVAL || self.unnoted >= UNNOTED_BYTES_MAX)
            && self.far.place.set_pos(self.epoch, written).await.is_ok()
        {
            (self.noted, self.noted_at, self.unnoted) = (written, Instant::now(), 0);
        }
    }

    /// Closes the clients of nodes that have died.
    async fn look(&mut self) -> Result<(), BusError> {
        if !self.far.place.bus().is_settled().await? {
            // Redis has lost its data: the nodes are about to tell again that they are alive.
            return Ok(());
        }
        let nodes: BTreeSet<_> = self.known.values().cloned().collect();
        let nodes: Vec<_> = nodes.into_iter().collect();
        let alive = self.far.place.bus().alive(&nodes).await?;
        for (node, _) in nodes.iter().zip(alive).filter(|(_, is_alive)| !is_alive) {
            let of_node = |(_, known): &(&String, &String)| *known == node;
            let clients: Vec<_> = self.known.iter().filter(of_node).map(|(client, _)| client.clone()).collect();
            for client in clients {
                self.close(&client, Close::ABNORMAL, "");
            }
            self.far.place.forget(node).await?;
        }
        Ok(())
    }

    /// Notes in Redis what the worker has taken, at its end. When the program has ended for all, the rest is for nobody.
    pub(super) async fn finish(&mut self, has_ended: bool) -> Result<(), BusError> {
        let pos = if has_ended { self.far.place.look().await?.last_in } else { self.room.written(self.far) };
        self.far.place.set_pos(self.epoch, pos).await
    }

    /// Forgets the clients of other nodes.
    pub(super) fn end(&mut self) {
        let me = self.far.place.id();
        let others = self.known.values().filter(|node| *node != me).count();
        self.known.clear();
        self.far.live.forget();
        lock(&self.room.hub).remove_others(others);
    }
}
