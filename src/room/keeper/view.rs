//! Shows the room of another node: its output in order, from the channel and from the stream.

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::task::{Keeper, Next, away};
use crate::{
    bus::{
        error::BusError,
        news::Note,
        records::{OutRecord, RecordId},
    },
    close::Close,
    event::Event,
    framing::events::Receivers,
    limits::{BUS_PATIENCE, BUS_RETRY, LEASE_RENEWAL},
    message::Draft,
    partner::Verdict,
    room::{
        Room,
        far::{Far, RoomReadiness, record::RecordKind, record::decode},
        lock::lock,
    },
};

/// Time that one record waits for slow clients until the room looks after the bus again.
const SLOW_LOOK: Duration = Duration::from_secs(1);

/// The output of a room as far as this node has it.
pub(super) struct View<'r> {
    room: &'r Arc<Room>,
    notes: mpsc::Receiver<Note>,
    lost: watch::Receiver<Option<std::time::Instant>>,
    forgotten: watch::Receiver<u64>,
    /// The last record that the clients here have; `None` before the first look.
    last: Option<RecordId>,
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
        }
    }

    /// Whether the clients here have seen the room.
    pub(super) fn is_shown(&self) -> bool {
        self.last.is_some()
    }

    /// Notes the last record that the clients here have.
    pub(super) fn set_last(&mut self, last: RecordId) {
        self.last = self.last.max(Some(last));
    }

    /// Shows the room until it is over, or until its lease is free.
    pub(super) async fn show(&mut self, keeper: &Keeper, far: &Far) -> Next {
        let mut look_at = Instant::now();
        match self.catch_up(far).await {
            Ok(Some(end)) => return self.end(end),
            Err(_) if self.last.is_none() => {
                far.set_ready(RoomReadiness::Away);
                return Next::Over;
            }
            Ok(None) | Err(_) => {}
        }
        far.set_ready(RoomReadiness::Ready);
        self.forgotten.mark_unchanged();
        loop {
            if keeper.room.options.linger.is_some() && lock(&self.room.hub).close_if_empty() {
                return Next::Over;
            }
            let patience = self.lost.borrow_and_update().map(|lost| Instant::from_std(lost) + BUS_PATIENCE);
            let caught_up = tokio::select! {
                () = keeper.shutdown.begun() => return Next::Over,
                () = far.emptied.notified() => Ok(None),
                _ = self.forgotten.changed() => {
                    far.register();
                    Ok(None)
                }
                _ = self.lost.changed() => {
                    look_at = Instant::now();
                    Ok(None)
                }
                () = sleep_until(patience.unwrap_or_else(far_future)), if patience.is_some() => {
                    lock(&self.room.hub).dismiss_all(&away());
                    return Next::Over;
                }
                note = self.notes.recv() => match note {
                    Some(Note::Message(message)) if &*message == b"free" => return Next::Acquire,
                    Some(Note::Message(message)) => self.hear(far, &message).await,
                    Some(Note::Missed) => self.catch_up(far).await,
                    None => {
                        self.notes = far.place.listen_out();
                        Ok(None)
                    }
                },
                () = sleep_until(look_at) => {
                    if let Ok(look) = far.place.look().await {
                        let Some(leased) = look.leased else { return Next::Acquire };
                        far.live.set_node(&look.node);
                        look_at = Instant::now() + LEASE_RENEWAL.min(leased + Duration::from_millis(20));
                        if Some(look.last_out) > self.last { self.catch_up(far).await } else { Ok(None) }
                    } else {
                        look_at = Instant::now() + BUS_RETRY;
                        Ok(None)
                    }
                }
            };
            match caught_up {
                Ok(None) => {}
                Ok(Some(end)) => return self.end(end),
                Err(_) => look_at = Instant::now() + BUS_RETRY,
            }
        }
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
    async fn hear(&mut self, far: &Far, message: &Bytes) -> Result<Option<RoomEnd>, BusError> {
        match OutRecord::parse(message) {
            Some(record) if Some(record.id) <= self.last => Ok(None),
            Some(record) if Some(record.before) == self.last => Ok(self.apply(record).await),
            _ => self.catch_up(far).await,
        }
    }

    /// Reads the stream to its end. The first time, only the history.
    pub(super) async fn catch_up(&mut self, far: &Far) -> Result<Option<RoomEnd>, BusError> {
        let Some(mut last) = self.last else {
            self.last = Some(self.read_history(far).await?);
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
    async fn read_history(&self, far: &Far) -> Result<RecordId, BusError> {
        let records = far.place.last_out(self.room.options.history.max(1)).await?;
        let last = records.last().map(|record| record.id).unwrap_or_default();
        let of_room =
            records.iter().rposition(|record| matches!(RecordKind::parse(&record.kind), Some(RecordKind::End { .. })));
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
            None => Event::RoomGap { path: &self.path(), cause: &"a record is of another version of wsd" }.emit(),
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

fn far_future() -> Instant {
    Instant::now() + Duration::from_hours(24)
}
