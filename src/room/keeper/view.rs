//! The output of the room of another node, in order, from the channel and from the stream.

use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::task::Next;
use crate::{
    bus::{
        error::BusError,
        news::Note,
        records::{OutRecord, RecordId},
    },
    close::Close,
    event::Event,
    framing::events::Receivers,
    limits::BUS_PATIENCE,
    message::Draft,
    partner::Verdict,
    room::{
        Room,
        far::{Far, record::RecordKind, record::decode},
        lock::lock,
    },
};

/// Time that one record waits for slow clients until the room looks after the bus again.
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// The output of a room as far as this node has it.
pub(super) struct View<'r> {
    pub(super) room: &'r Arc<Room>,
    pub(super) notes: mpsc::Receiver<Note>,
    pub(super) lost: watch::Receiver<Option<Instant>>,
    pub(super) forgotten: watch::Receiver<u64>,
    /// The last record that the clients here have; `None` before the first look.
    pub(super) last: Option<RecordId>,
    /// The epoch of a room whose end was the last record at the first look.
    pub(super) ended: Option<u64>,
    /// The time since which Redis answers nothing of use about this room.
    failing: Option<Instant>,
}

/// The end of a room, from its record.
pub(super) enum RoomEnd {
    /// With clients, which get this close.
    With(Close),
    /// Without clients.
    Idle,
}

impl<'r> View<'r> {
    /// Begins to listen.
    pub(super) fn new(room: &'r Arc<Room>, far: &Far) -> Self {
        let bus = far.place.bus();
        Self {
            room,
            notes: far.place.listen_out(),
            lost: far.place.loss().changes(),
            forgotten: bus.forgotten(),
            last: None,
            ended: None,
            failing: None,
        }
    }

    /// Notes that Redis does what the room needs.
    pub(super) fn works(&mut self) {
        self.failing = None;
    }

    /// Notes an error. Whether there was nothing else for longer than clients may wait.
    pub(super) fn has_failed_long(&mut self, far: &Far) -> bool {
        let since = *self.failing.get_or_insert_with(Instant::now);
        far.place.loss().since().map_or(since, |lost| lost.min(since)).elapsed() >= BUS_PATIENCE
    }

    /// Whether the clients here have seen the room.
    pub(super) fn is_shown(&self) -> bool {
        self.last.is_some()
    }

    /// Notes the last record that the clients here have.
    pub(super) fn set_last(&mut self, last: RecordId) {
        self.last = self.last.max(Some(last));
    }

    /// Ends the room of the clients here, or begins a new one for those that the owner did not know of.
    pub(super) fn end(&self, end: RoomEnd) -> Next {
        let mut hub = lock(&self.room.hub);
        match end {
            RoomEnd::With(close) => {
                hub.close();
                hub.dismiss_all(&Verdict::Dismissed(close));
                Next::Over
            }
            RoomEnd::Idle => {
                hub.history.clear();
                if hub.close_if_empty() { Next::Over } else { Next::Acquire }
            }
        }
    }

    /// Hands on a message of the channel, if it is the next.
    pub(super) async fn hear(&mut self, far: &Far, message: &Bytes) -> Result<Option<RoomEnd>, BusError> {
        match OutRecord::parse(message) {
            Some(record) if Some(record.id) <= self.last => Ok(None),
            Some(record) if Some(record.before) == self.last => Ok(self.apply(record).await),
            _ => self.catch_up(far).await,
        }
    }

    /// Reads the stream to its end. The first time, only the history.
    pub(super) async fn catch_up(&mut self, far: &Far) -> Result<Option<RoomEnd>, BusError> {
        let Some(mut last) = self.last else {
            let last = self.read_history(far).await?;
            self.last = Some(last);
            return Ok(None);
        };
        loop {
            let records = far.place.read_out(last).await?;
            if records.is_empty() {
                return Ok(None);
            }
            for record in records {
                last = record.id;
                if let Some(end) = self.apply(record).await {
                    return Ok(Some(end));
                }
            }
        }
    }

    /// Fills the history, and returns the last record.
    async fn read_history(&mut self, far: &Far) -> Result<RecordId, BusError> {
        let records = far.place.last_out(self.room.options.history.max(1)).await?;
        let last = records.last().map(|record| record.id).unwrap_or_default();
        let of_room =
            records.iter().rposition(|record| matches!(RecordKind::parse(&record.kind), Some(RecordKind::End { .. })));
        self.ended = of_room.filter(|at| at + 1 == records.len()).map(|_| last.0);
        for record in records.into_iter().skip(of_room.map_or(0, |at| at + 1)) {
            if let Some(RecordKind::All | RecordKind::Except(_)) = RecordKind::parse(&record.kind) {
                self.deliver(decode(&record.payload), &Receivers::All);
            }
        }
        Ok(last)
    }

    /// Hands a record to the clients here, once they have room.
    async fn apply(&mut self, record: OutRecord) -> Option<RoomEnd> {
        let last = self.last.replace(record.id).unwrap_or_default();
        if record.before > last {
            Event::RoomGap { path: &self.path(), cause: &"records were trimmed" }.emit();
        } else if record.id.0 == last.0 && record.id.1 > last.1 + 1 {
            Event::RoomGap { path: &self.path(), cause: &"Redis has lost records" }.emit();
        }
        let room = poll_fn(|cx| self.room.pressure.poll_none(cx));
        // With `--slow=wait` that may take long; wsd closes the slowest then.
        let mut room = std::pin::pin!(room);
        while timeout(SLOW_LOOK, &mut room).await.is_err() {
            if self.room.ended.is_cancelled() {
                return None;
            }
        }
        match RecordKind::parse(&record.kind) {
            Some(RecordKind::All) => self.deliver(decode(&record.payload), &Receivers::All),
            Some(RecordKind::Except(client)) => self.deliver(decode(&record.payload), &Receivers::Except(client)),
            Some(RecordKind::Only(clients)) => self.deliver(decode(&record.payload), &Receivers::Only(clients)),
            Some(RecordKind::Close { client, code, reason }) => {
                lock(&self.room.hub).dismiss(&client, Verdict::Dismissed(Close::new(code, reason)));
            }
            Some(RecordKind::End { close: Some((code, reason)) }) => {
                return Some(RoomEnd::With(Close::new(code, reason)));
            }
            Some(RecordKind::End { close: None }) => return Some(RoomEnd::Idle),
            Some(RecordKind::Gap(count)) => {
                let cause = format!("the owner dropped {count} records while Redis was away");
                Event::RoomGap { path: &self.path(), cause: &cause }.emit();
            }
            None => Event::RoomGap { path: &self.path(), cause: &"a record is not of this version of wsd" }.emit(),
        }
        None
    }

    fn deliver(&self, draft: Draft, to: &Receivers) {
        if !draft.is_empty() {
            self.room.deliver(&Arc::new(draft.share(&self.room.options.budget)), to);
        }
    }

    fn path(&self) -> String {
        String::from_utf8_lossy(&self.room.path).into_owned()
    }
}
