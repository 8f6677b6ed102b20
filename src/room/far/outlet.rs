//! The output of a room on its way to the other nodes.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use futures_util::task::AtomicWaker;
use tokio::{sync::Notify, time::sleep};

use super::record::RecordKind;
use crate::{
    budget::Share,
    bus::{error::BusError, place::RoomKeys, records::RecordId},
    limits::{BUS_BYTES_MAX, BUS_RETRY, RECORD_BYTES},
    metrics::bus::LiveCluster,
    room::lock::lock,
};

/// Records that one call sends at most.
pub(super) const RECORDS_AT_ONCE: usize = 64;

/// Bytes of records that one call sends, more only for a longer record.
pub(super) const BYTES_AT_ONCE: usize = 512 << 10;

/// Records that wait for Redis.
#[derive(Debug)]
pub(crate) struct FarOutput {
    queue: Mutex<OutQueue>,
    wake: Notify,
    live: Arc<LiveCluster>,
}

#[derive(Debug)]
struct OutQueue {
    /// The text of the kind, and the payload.
    records: VecDeque<(String, Vec<u8>)>,
    /// The bytes of all that Redis has not confirmed.
    bytes: usize,
    /// The records that were dropped while Redis was away, and not yet told.
    dropped: u64,
    /// The number of the last record that Redis has.
    sent: u64,
    /// Whether no more records come.
    is_closed: bool,
    /// The bytes that count against `--maxbuffer`.
    share: Share,
}

impl FarOutput {
    /// Returns an empty queue. It tells `live` of the bytes that wait.
    pub(super) fn new(live: Arc<LiveCluster>, share: Share) -> Self {
        Self { queue: Mutex::new(OutQueue::new(share)), wake: Notify::new(), live }
    }

    /// Begins with an empty queue.
    pub(crate) fn begin(&self) {
        let mut queue = lock(&self.queue);
        let share = queue.share.owner().share();
        *queue = OutQueue::new(share);
    }

    /// Adds a record. While Redis is away, the oldest make room.
    pub(super) fn push(&self, kind: &RecordKind, payload: &[u8], is_away: bool) {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return;
        }
        let text = kind.text();
        queue.bytes += payload.len();
        match queue.records.back_mut() {
            Some((last, bytes))
                if *last == text && !payload.is_empty() && bytes.len() + payload.len() <= RECORD_BYTES =>
            {
                bytes.extend_from_slice(payload);
            }
            _ => {
                queue.bytes += text.len();
                queue.records.push_back((text, payload.to_vec()));
            }
        }
        if is_away {
            let bytes_max = bytes_max(&queue.share);
            queue.drop_beyond(bytes_max);
        }
        queue.count(&self.live);
        drop(queue);
        self.wake.notify_one();
    }

    /// Drops all that is not on its way, but the last record. Other nodes are told how many.
    pub(super) fn give_back(&self) {
        let mut queue = lock(&self.queue);
        queue.drop_beyond(0);
        queue.count(&self.live);
    }

    /// Whether the worker must wait for Redis.
    pub(super) fn is_full(&self) -> bool {
        let queue = lock(&self.queue);
        queue.bytes > bytes_max(&queue.share)
    }

    /// Notes that no more records come. [`FarOutput::run`] then ends after the last.
    pub(crate) fn close(&self) {
        lock(&self.queue).is_closed = true;
        self.wake.notify_one();
    }

    /// Returns the number of the last record that Redis has.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.queue).sent
    }

    /// Sends records until the outlet is closed, each exactly once: Redis does not add the same number twice. Wakes the worker
    /// when there is room. The error is that another node owns the room.
    pub(crate) async fn run(
        &self,
        place: &RoomKeys,
        epoch: u64,
        kept: usize,
        host: &AtomicWaker,
        written: impl Fn() -> RecordId,
    ) -> Result<(), BusError> {
        loop {
            let (number, records, bytes, is_closed) = self.next();
            if records.is_empty() {
                if is_closed {
                    return Ok(());
                }
                self.wake.notified().await;
                continue;
            }
            loop {
                // Whatever led to these records, the worker had taken before.
                match place.publish(epoch, number, kept, written(), &records).await {
                    Ok(()) => break,
                    Err(BusError::Fenced) => return Err(BusError::Fenced),
                    Err(error) => {
                        error.log();
                        sleep(BUS_RETRY).await;
                        place.loss().over().await;
                    }
                }
            }
            let mut queue = lock(&self.queue);
            queue.sent += records.len() as u64;
            queue.bytes -= bytes;
            queue.count(&self.live);
            drop(queue);
            host.wake();
        }
    }

    /// Takes the next records: the number of the first, the records, their bytes, and whether no more come.
    fn next(&self) -> (u64, Vec<(String, Vec<u8>)>, usize, bool) {
        let mut queue = lock(&self.queue);
        let (mut records, mut bytes) = (Vec::new(), 0);
        let dropped = mem::take(&mut queue.dropped);
        if dropped > 0 {
            let text = RecordKind::Gap(dropped).text();
            queue.bytes += text.len();
            bytes += text.len();
            records.push((text, Vec::new()));
        }
        while records.len() < RECORDS_AT_ONCE
            && bytes < BYTES_AT_ONCE
            && let Some(record) = queue.records.pop_front()
        {
            bytes += record.0.len() + record.1.len();
            records.push(record);
        }
        (queue.sent + 1, records, bytes, queue.is_closed)
    }
}

impl OutQueue {
    fn new(share: Share) -> Self {
        Self { records: VecDeque::new(), bytes: 0, dropped: 0, sent: 0, is_closed: false, share }
    }

    /// Drops the oldest records until at most `bytes_max` wait, but the last one stays: it may be the end of the room.
    fn drop_beyond(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && self.records.len() > 1
            && let Some((kind, payload)) = self.records.pop_front()
        {
            self.bytes -= kind.len() + payload.len();
            self.dropped += 1;
        }
    }

    fn count(&mut self, live: &LiveCluster) {
        live.output.store(self.bytes, Relaxed);
        self.share.set(self.bytes, 0);
    }
}

/// Returns the bytes that may wait for Redis in one direction.
pub(super) fn bytes_max(share: &Share) -> usize {
    if share.owner().budget().is_full() { 0 } else { BUS_BYTES_MAX }
}
