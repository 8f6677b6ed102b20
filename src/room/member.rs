//! A client in a room: the partner of its session.

pub(crate) mod post;

use std::{
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{NoSeat, Room, history::History, lock::lock, lost::Lost, options::Slow, seat::Seat};
use crate::{
    budget::{Owner, OwnerKind},
    client::Client,
    close::Close,
    framing::{Encoder, Heard, Rejected, presence},
    limits::SEATS_MAX,
    message::{Draft, Kind},
    metrics::live::{LiveRoom, Traffic},
    partner::{Delivery, Partner, Verdict},
    sources::SourceSlot,
    stall::StallWatch,
    status::Status,
};

/// A client's seat, and its messages to the worker. Dropping it leaves the room.
#[derive(Debug)]
pub(crate) struct Member {
    room: Arc<Room>,
    client: String,
    conn: u64,
    seat: Arc<Seat>,
    owner: Owner,
    /// Encodes the client's messages; `None` if they become events, which name the client.
    encoder: Option<Encoder>,
    /// The client's messages that the inbox had no room for, encoded unless they become events.
    said: Draft,
    /// These messages as the client sent them, if the worker is recorded and they do not become events.
    heard: Option<Box<Draft>>,
    /// Bytes of the client in the inbox, and [`Inbox::taken`](super::inbox::Inbox::taken) when they were added.
    posted: (usize, u64),
    /// The count of `said`, without the bytes of framing.
    unposted: Traffic,
    lost: Lost,
    has_left: bool,
    /// The slot of the client's source, until it leaves.
    of_source: Option<Arc<SourceSlot>>,
}

impl Member {
    /// Gives a client a seat. The client gets the history first and then every message, each exactly once.
    pub(super) fn join<'a>(
        room: &Arc<Room>,
        client: String,
        conn: u64,
        variables: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<Self, NoSeat> {
        let mut hub = lock(&room.hub);
        if hub.is_over {
            return Err(NoSeat::Over);
        }
        let mut inbox = lock(&room.inbox);
        let is_bus_full = room.far.as_ref().is_some_and(|far| far.poster.is_full());
        if hub.count() >= SEATS_MAX || inbox.is_over_presence_limit() || is_bus_full {
            return Err(NoSeat::Full);
        }
        let names_clients = room.options.framing.names_clients();
        let is_told_here = room.far.as_ref().is_none_or(|far| {
            // Redis gets no variables that no program reads: they have cookies.
            let told = names_clients.then(|| presence::variables(variables.clone()));
            far.joined(&client, told.unwrap_or_default())
        });
        if is_told_here && names_clients {
            let node = room.far.as_ref().map(|far| far.place.bus().node());
            inbox.add_open(&client, node, variables);
        }
        let is_recorded = inbox.is_recorded();
        drop(inbox);
        let owner = Owner::new(&room.options.budget, OwnerKind::Client);
        let make = |history: &History| Seat::new(history.batches(), Arc::clone(&room.pressure), owner.share());
        let seat = hub.add(&client, make);
        room.pressure.host.wake();
        let framing = room.options.framing;
        let encoder = (!framing.names_clients()).then(|| framing.encoder());
        // In a cluster, another node may have the worker when they are sent.
        let heard = (is_recorded && encoder.is_some() && room.far.is_none()).then(Box::default);
        Ok(Self {
            room: Arc::clone(room),
            client,
            conn,
            seat,
            owner,
            encoder,
            said: Draft::default(),
            heard,
            posted: (0, 0),
            unposted: Traffic::default(),
            lost: Lost::default(),
            has_left: false,
            of_source: None,
        })
    }

    /// Holds the slot of the client's source until the client leaves.
    pub(crate) fn hold(&mut self, slot: Option<Arc<SourceSlot>>) {
        self.of_source = slot;
    }

    /// Whether the room waits for its slow clients (`--slow=wait`).
    pub(crate) fn is_waited_for(&self) -> bool {
        self.room.options.slow == Slow::Wait
    }

    /// Resolves when the room waits no longer for a client whose session has not begun: the budget asks for the bytes on its
    /// seat, or the room cuts it off as too slow (`--slow`, `--slow-wait`).
    pub(crate) async fn given_up(&self) {
        let mut watch = StallWatch::new();
        // A client is late from the first look on.
        let mut is_late = false;
        poll_fn(|cx| {
            while watch.poll_look(cx).is_ready() {
                is_late = true;
                let patience = self.patience();
                let stalled = watch.stalled(0, patience.is_some());
                if patience.is_some_and(|(limit, _)| stalled >= limit) {
                    return Poll::Ready(());
                }
            }
            // Before that, the session is about to begin and sends the client a Close frame that tells the reason.
            if is_late && (self.owner.is_asked(cx) || self.is_cut_off(cx)) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether the room has cut off a client whose session has not begun, as too slow. The seat wakes the task of `cx` when
    /// it has changed.
    fn is_cut_off(&self, cx: &mut Context<'_>) -> bool {
        self.seat.block(cx);
        self.seat.verdict() == Some(Verdict::Slow)
    }

    /// Hands the remaining messages of the seat to the client, unless it is too slow, and ends its session with `verdict`.
    fn end_with(&self, verdict: Verdict, client: &mut impl Client) -> Delivery {
        let taken = if matches!(verdict, Verdict::Slow | Verdict::Overload) {
            Traffic::default()
        } else {
            self.seat.take_rest(|batch| client.append_batch(batch))
        };
        Delivery::Ended(taken, verdict)
    }

    /// Hands the client's messages to the inbox. Ready once the inbox has all of them. Drops them if the session must end.
    fn poll_post(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.seat.verdict().is_some() {
            self.said = Draft::default();
            return Poll::Ready(());
        }
        if let Some(far) = &self.room.far
            && let Some(posted) = far.poll_post(cx, &self.client, &mut self.said)
        {
            // The node of the worker counts them.
            self.unposted = Traffic::default();
            return posted;
        }
        let mut inbox = lock(&self.room.inbox);
        if self.seat.verdict().is_some() {
            self.said = Draft::default();
            return Poll::Ready(());
        }
        ready!(inbox.poll_room(cx));
        let said = mem::take(&mut self.said);
        let bytes = match self.encoder {
            Some(_) => {
                if let Some(heard) = &mut self.heard {
                    inbox.record(&self.client, &mem::take(heard));
                } else {
                    inbox.record_encoded(&self.client, &said, self.room.options.framing);
                }
                Some(inbox.post(&said))
            }
            None => inbox.post_events(&self.client, &said),
        };
        let Some(bytes) = bytes else {
            drop(inbox);
            self.seat.end(Verdict::Overload);
            return Poll::Ready(());
        };
        // Under the lock, so one at a time.
        self.room.live.input.add(mem::take(&mut self.unposted));
        let before = if self.posted.1 == inbox.taken { self.posted.0 } else { 0 };
        self.posted = (before + bytes, inbox.taken);
        drop(inbox);
        self.room.pressure.host.wake();
        Poll::Ready(())
    }

    /// Leaves the room, unless it has. With [`Framing::Json`](crate::framing::Framing::Json) the worker gets the code and the
    /// reason.
    fn leave(&mut self, code: u16, reason: &str) {
        if !mem::replace(&mut self.has_left, true) {
            self.seat.leave();
            self.room.leave(&self.client, code, reason);
            self.of_source = None;
        }
    }
}

impl Partner for Member {
    fn pid(&self) -> Option<i32> {
        None
    }

    fn room(&self) -> Option<Arc<LiveRoom>> {
        Some(Arc::clone(&self.room.live))
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn answers_close_at_once(&self) -> bool {
        false
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery> {
        self.lost.log(self.conn, self.seat.lost());
        let taken = self.seat.poll_take(cx, &mut |batch| client.append_batch(batch));
        Poll::Ready(match ready!(taken) {
            Ok(taken) => Delivery::Messages(taken),
            Err(verdict) => Delivery::Ended(Traffic::default(), verdict),
        })
    }

    fn poll_blocked(&mut self, cx: &mut Context<'_>, client: &mut impl Client) -> Poll<Delivery> {
        self.lost.log(self.conn, self.seat.lost());
        self.seat.block(cx);
        match self.seat.verdict() {
            Some(verdict) => Poll::Ready(self.end_with(verdict, client)),
            None => Poll::Pending,
        }
    }

    fn patience(&self) -> Option<(Duration, Verdict)> {
        let options = &self.room.options;
        (options.slow == Slow::Wait && self.seat.is_waited_for()).then_some((options.slow_wait, Verdict::Slow))
    }

    fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<Heard, Rejected> {
        self.unposted.add(1, payload.len());
        let Some(encoder) = &mut self.encoder else {
            self.said.push(kind, payload);
            return Ok(Heard::Message);
        };
        if let Some(heard) = &mut self.heard {
            heard.push(kind, payload);
        }
        self.said.push_with(kind, |input| encoder.encode(kind, payload, input))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let has_posted = self.room.far.as_ref().is_none_or(|far| far.has_posted(&self.client));
        if self.said.is_empty() && has_posted { Poll::Ready(()) } else { self.poll_post(cx) }
    }

    fn progress(&self) -> u64 {
        lock(&self.room.inbox).taken
    }

    /// Counts the room's path as shared: wsd frees it when the last client leaves.
    fn held(&mut self) -> (usize, usize) {
        if self.posted.0 > 0 && self.posted.1 != lock(&self.room.inbox).taken {
            self.posted.0 = 0;
        }
        (self.said.held(), self.posted.0 + self.room.path.len())
    }

    fn tidy(&mut self) {}

    /// Leaves the room. If the client has the room to itself, this waits for the end of the worker, so that its fork slot is
    /// free.
    async fn end(&mut self, code: u16, reason: &str) -> Option<Status> {
        self.lost.log_all(self.conn, self.seat.lost());
        self.leave(code, reason);
        if self.room.options.is_for_one {
            self.room.ended.cancelled().await;
        }
        None
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave(Close::ABNORMAL, "");
    }
}
