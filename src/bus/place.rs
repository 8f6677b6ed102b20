//! The keys of one room in Redis, and each step with them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use redis::{Cmd, FromRedisValue, Script};
use tokio::{sync::mpsc, time::sleep};

use super::{
    connection::Question,
    error::BusError,
    handle::{Bus, name_of},
    loss::Loss,
    news::Note,
    records::{InRecord, OutRecord, RecordId, StreamEntry, id, in_record, out_record},
    scripts::{ACQUIRE, LOOK, NOTE, POST, PUBLISH, RELEASE, RENEW, millis},
};
use crate::limits::{BUS_BYTES_MAX, BUS_RETRY, IN_RECORDS, LEASE};

/// Records that one read takes.
const READ_RECORDS: usize = 100;

/// The number of users of keys so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The keys of a room. In a cluster they are in one slot.
#[derive(Clone, Debug)]
pub(crate) struct RoomKeys {
    bus: Bus,
    /// Whether Redis answers for them.
    loss: Arc<Loss>,
    /// The name of this user of the keys, which no other has: that of the run of this node, and a number.
    id: String,
    own: String,
    epoch: String,
    out: String,
    input: String,
    seq: String,
    pos: String,
    who: String,
    out_channel: String,
    in_channel: String,
}

/// The result of [`RoomKeys::acquire`].
#[derive(Debug)]
pub(crate) enum Acquired {
    /// This node owns the room, with this epoch.
    Mine(u64),
    /// Another node does.
    Other,
}

/// The result of [`RoomKeys::look`].
#[derive(Debug)]
pub(crate) struct Look {
    /// The name of the node that has the lease; empty if nobody has it.
    pub(crate) node: String,
    /// The epoch of that lease.
    pub(crate) epoch: u64,
    /// The time until the lease runs out; `None` if nobody has it.
    pub(crate) leased: Option<Duration>,
    /// The last record of the output.
    pub(crate) last_out: RecordId,
    /// The last record of the input.
    pub(crate) last_in: RecordId,
}

/// A record that a node sends: kind, client, payload.
pub(crate) type Post = (&'static str, String, Vec<u8>);

impl RoomKeys {
    /// Returns the keys of the room at `path` of `route`.
    pub(crate) fn new(bus: Bus, route: &[u8], path: &[u8]) -> Self {
        let hash = digest(&SHA256, &[route, b"\0", path].concat());
        let front = format!("{}:{{{}}}", bus.prefix(), HEXLOWER.encode(&hash.as_ref()[..8]));
        let key = |name: &str| format!("{front}:{name}");
        let id = format!("{}.{}", bus.id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self {
            loss: bus.connections().loss_of_room(),
            bus,
            id,
            own: key("own"),
            epoch: key("epoch"),
            out: key("out"),
            input: key("in"),
            seq: key("seq"),
            pos: key("pos"),
            who: key("who"),
            out_channel: key("o"),
            in_channel: key("i"),
        }
    }

    /// Listens to the output.
    pub(crate) fn listen_out(&self) -> mpsc::Receiver<Note> {
        self.bus.subscribe(&self.out_channel)
    }

    /// Listens to the input.
    pub(crate) fn listen_in(&self) -> mpsc::Receiver<Note> {
        self.bus.subscribe(&self.in_channel)
    }

    /// Takes the lease if nobody has it. If there are replicas, one has it then, too.
    pub(crate) async fn acquire(&self) -> Result<Acquired, BusError> {
        let (node, time) = (self.id.as_bytes(), millis(LEASE).to_string());
        let keys = [&*self.own, &self.epoch, &self.out];
        let (epoch, owner, _): (u64, String, i64) = self.run(&ACQUIRE, &keys, &[node, time.as_bytes()]).await?;
        let epoch = match owner.strip_prefix(&*self.id).and_then(|rest| rest.trim().parse().ok()) {
            // An answer that was lost was for this node. Its lease is not new.
            Some(epoch) if self.renew(epoch).await? => epoch,
            None if epoch > 0 => epoch,
            _ => return Ok(Acquired::Other),
        };
        self.bus.connections().wait_for_replica(&self.own).await;
        Ok(Acquired::Mine(epoch))
    }

    /// Renews the lease. Returns false if another node has it.
    pub(crate) async fn renew(&self, epoch: u64) -> Result<bool, BusError> {
        let (epoch, time) = (epoch.to_string(), millis(LEASE).to_string());
        let args = [self.id.as_bytes(), epoch.as_bytes(), time.as_bytes()];
        let keys = [&*self.own, &self.epoch, &self.out, &self.input, &self.seq, &self.pos];
        self.run(&RENEW, &keys, &args).await
    }

    /// Gives the lease back, so that another node can take it at once.
    pub(crate) async fn release(&self, epoch: u64) -> Result<(), BusError> {
        let epoch = epoch.to_string();
        let args = [self.id.as_bytes(), epoch.as_bytes(), self.out_channel.as_bytes()];
        self.run::<u64>(&RELEASE, &[&self.own], &args).await.map(drop)
    }

    /// Looks at the lease and at the ends of the streams, and keeps the keys of this node.
    pub(crate) async fn look(&self) -> Result<Look, BusError> {
        let who = self.who_of(&self.id);
        let keys = [&*self.own, &self.out, &self.input, &who];
        let (own, time, out, input): (String, i64, String, String) = self.run(&LOOK, &keys, &[]).await?;
        let leased = (!own.is_empty()).then(|| Duration::from_millis(u64::try_from(time).unwrap_or_default()));
        let node = name_of(&own).to_owned();
        let epoch = own.rsplit_once(' ').and_then(|(_, epoch)| epoch.parse().ok()).unwrap_or_default();
        Ok(Look { node, epoch, leased, last_out: id(&out)?, last_in: id(&input)? })
    }

    /// Adds records to the output, the first with this number, and notes the last record of the input that the worker took.
    pub(crate) async fn publish(
        &self,
        epoch: u64,
        number: u64,
        kept: usize,
        written: RecordId,
        records: &[(String, Vec<u8>)],
    ) -> Result<(), BusError> {
        let (epoch, number) = (epoch.to_string(), number.to_string());
        let (kept, written) = (kept.to_string(), written.to_string());
        let mut args =
            vec![self.out_channel.as_bytes(), epoch.as_bytes(), number.as_bytes(), kept.as_bytes(), written.as_bytes()];
        args.extend(records.iter().flat_map(|(kind, payload)| [kind.as_bytes(), payload]));
        self.run::<String>(&PUBLISH, &[&self.epoch, &self.out, &self.pos], &args).await.map(drop)
    }

    /// Adds records to the input, the first with this number of this node. Returns the id of the last, or a later one.
    pub(crate) async fn post(&self, number: u64, posts: &[Post]) -> Result<RecordId, BusError> {
        let (number, who) = (number.to_string(), self.who_of(&self.id));
        let (records, bytes) = (IN_RECORDS.to_string(), BUS_BYTES_MAX.to_string());
        let mut args = vec![self.in_channel.as_bytes(), self.id.as_bytes(), number.as_bytes()];
        args.extend([records.as_bytes(), bytes.as_bytes()]);
        args.extend(posts.iter().flat_map(|(kind, client, data)| [kind.as_bytes(), client.as_bytes(), data]));
        let keys = [&*self.input, &self.seq, &who, &self.pos];
        id(&self.run::<String>(&POST, &keys, &args).await?)
    }

    /// Reads the output behind a record, some records at a time.
    pub(crate) async fn read_out(&self, after: RecordId) -> Result<Vec<OutRecord>, BusError> {
        self.range(&self.out, after).await?.into_iter().map(out_record).collect()
    }

    /// Reads the last `count` records of the output, the oldest first.
    pub(crate) async fn last_out(&self, count: usize) -> Result<Vec<OutRecord>, BusError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(&self.out).arg("+").arg("-").arg("COUNT").arg(count);
        let records: Vec<StreamEntry> = self.query(&command).await?;
        records.into_iter().rev().map(out_record).collect()
    }

    /// Reads the input behind a record, some records at a time.
    pub(crate) async fn read_in(&self, after: RecordId) -> Result<Vec<InRecord>, BusError> {
        let records = self.range(&self.input, after).await?;
        records.into_iter().map(in_record).collect()
    }

    /// Returns the last record of the input that a worker took.
    pub(crate) async fn pos(&self) -> Result<RecordId, BusError> {
        let pos: Option<String> = self.query(redis::cmd("GET").arg(&self.pos)).await?;
        pos.map_or(Ok(RecordId::default()), |pos| id(&pos))
    }

    /// Notes the last record of the input that the worker took, unless another node has the room.
    pub(crate) async fn set_pos(&self, epoch: u64, pos: RecordId) -> Result<(), BusError> {
        let (epoch, pos) = (epoch.to_string(), pos.to_string());
        self.run::<u64>(&NOTE, &[&self.epoch, &self.pos, &self.input], &[epoch.as_bytes(), pos.as_bytes()])
            .await
            .map(drop)
    }

    /// Returns the clients of each run of a node, with their variables.
    pub(crate) async fn who(&self, ids: &[String]) -> Result<Vec<(String, HashMap<String, Vec<u8>>)>, BusError> {
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let mut command = redis::cmd("HGETALL");
            command.arg(self.who_of(id));
            all.push((id.clone(), self.query(&command).await?));
        }
        Ok(all)
    }

    /// Lists the runs of nodes that have had clients here.
    pub(crate) async fn nodes(&self) -> Result<Vec<String>, BusError> {
        self.query(redis::cmd("HKEYS").arg(&self.seq)).await
    }

    /// Forgets a run of a node, which has gone or has no clients.
    pub(crate) async fn forget(&self, id: &str) -> Result<(), BusError> {
        let mut command = redis::cmd("DEL");
        command.arg(self.who_of(id));
        self.query::<u64>(&command).await?;
        self.query::<u64>(redis::cmd("HDEL").arg(&self.seq).arg(id)).await.map(drop)
    }

    /// Returns the name of this user of the keys.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the bus.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Returns whether Redis answers for these keys.
    pub(crate) fn loss(&self) -> &Loss {
        &self.loss
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, keys: &[&str], args: &[&[u8]]) -> Result<T, BusError> {
        self.ask(&Question::Script(script, keys, args)).await
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, BusError> {
        self.ask(&Question::Command(command)).await
    }

    async fn ask<T: FromRedisValue>(&self, question: &Question<'_>) -> Result<T, BusError> {
        let answer = self.bus.connections().ask(question, Some(&self.loss)).await;
        if self.loss.wants_watch() {
            tokio::spawn(watch(self.bus.clone(), self.own.clone(), Arc::downgrade(&self.loss)));
        }
        answer
    }

    fn who_of(&self, id: &str) -> String {
        format!("{}:{id}", self.who)
    }

    async fn range(&self, key: &str, after: RecordId) -> Result<Vec<StreamEntry>, BusError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(key).arg(format!("({after}")).arg("+").arg("COUNT").arg(READ_RECORDS);
        self.query(&command).await
    }
}

/// Asks for a key until Redis answers, which ends the loss; or until nobody is interested.
async fn watch(bus: Bus, key: String, loss: Weak<Loss>) {
    while let Some(loss) = loss.upgrade() {
        if bus.connections().probe(&key).await.is_ok() {
            return loss.end_watch();
        }
        drop(loss);
        sleep(BUS_RETRY).await;
    }
}
