//! A room: one worker, many clients. Every message of the worker goes to all, every message of a client to the worker.
//!
//! A client has a *seat*: the bounded queue of what it is still to get. This is the one place in wsd with queues; what a
//! full one means is said by [`Slow`].

mod history;
pub(crate) mod host;
pub(crate) mod inbox;
pub(crate) mod registry;
mod rubbish;
pub(crate) mod seat;

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::{
    budget::{Budget, Kind, Owner},
    framing::{Framing, events},
    limits::SEATS_MAX,
    worker::status::Status,
};
use history::History;
use inbox::{Inbox, Spoken};
use seat::{Item, Parting, Pressure, Seat};

/// How rooms are run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How messages stand in the worker's streams.
    pub(crate) framing: Framing,
    /// What happens to clients that do not keep up.
    pub(crate) slow: Slow,
    /// Messages that a newcomer gets first (`--history`).
    pub(crate) history: usize,
    /// The worker stays when the last client has left (`--eager`).
    pub(crate) stays: bool,
    /// Each client has a room of its own.
    pub(crate) is_for_one: bool,
    /// Added to each wait of the ladder (`--closems`).
    pub(crate) patience: Duration,
    /// How long a client that takes nothing is waited for, with [`Slow::Wait`] (`--slow-wait`).
    pub(crate) slow_wait: Duration,
    /// What all that waits counts against (`--maxbuffer`).
    pub(crate) budget: Budget,
}

/// What happens to a client whose seat is full (`--slow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// It is cut off, with 1013; the others notice nothing.
    Close,
    /// It misses the oldest messages.
    Drop,
    /// The worker waits for it, and so do all others.
    Wait,
}

/// A room with its clients; the worker is with its [`host`].
#[derive(Debug)]
pub(crate) struct Room {
    options: Options,
    /// The worker stays when the last client has left.
    stays: AtomicBool,
    people: Mutex<People>,
    inbox: Mutex<Inbox>,
    /// Asked to shorten the history where memory is short.
    history: Owner,
    /// Wakes the task of the worker.
    pressure: Arc<Pressure>,
    /// The worker has been reaped.
    ended: CancellationToken,
}

#[derive(Debug)]
struct People {
    seats: HashMap<String, Arc<Seat>>,
    history: History,
    /// Nobody can join any more: the worker ends.
    is_over: bool,
}

/// Why a client cannot join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The worker is at its end; a new room is wanted.
    Over,
    /// Too many clients, or too many that the worker has not read of.
    Full,
}

/// A client's place in a room; dropped, it has left.
#[derive(Debug)]
pub(crate) struct Member {
    room: Arc<Room>,
    client: String,
    /// What is for it.
    pub(crate) seat: Arc<Seat>,
    /// All that waits for it, or of it.
    pub(crate) owner: Owner,
    /// Bytes of it in the inbox, and how often that had been taken when they came there.
    posted: (usize, u64),
    has_left: bool,
}

/// Messages for all, encoded once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
}

impl Room {
    fn new(options: Options) -> Arc<Self> {
        let history = History::new(options.history, &options.budget);
        let inbox = Mutex::new(Inbox::new(&options.budget));
        Arc::new(Self {
            history: history.owner().clone(),
            people: Mutex::new(People { seats: HashMap::new(), history, is_over: false }),
            inbox,
            stays: AtomicBool::new(options.stays),
            pressure: Arc::new(Pressure::new(options.slow)),
            options,
            ended: CancellationToken::new(),
        })
    }

    /// Gives a client a seat. It gets the history first and then every message, none missing or double in between.
    pub(crate) fn join<'a>(
        self: &Arc<Self>,
        client: String,
        variables: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Member, NoSeat> {
        let mut people = lock(&self.people);
        if people.is_over {
            return Err(NoSeat::Over);
        }
        let mut inbox = lock(&self.inbox);
        if people.seats.len() >= SEATS_MAX || inbox.has_old_news() {
            return Err(NoSeat::Full);
        }
        if self.options.framing == Framing::Json {
            inbox.tell(|input| events::open(&client, variables, input));
            self.pressure.host.wake();
        }
        let owner = Owner::new(&self.options.budget, Kind::Client);
        let seat = Arc::new(Seat::new(people.history.items(), Arc::clone(&self.pressure), owner.share()));
        people.seats.insert(client.clone(), Arc::clone(&seat));
        Ok(Member { room: Arc::clone(self), client, seat, owner, posted: (0, 0), has_left: false })
    }

    /// Sends messages to all.
    fn broadcast(&self, batch: &mut Batch) {
        let Batch { frames, ends } = mem::take(batch);
        if ends.is_empty() {
            return;
        }
        let item = Item { messages: ends.len() as u64, frames: self.payload(frames) };
        let mut people = lock(&self.people);
        people.history.add(&item.frames, &ends);
        for seat in people.seats.values() {
            seat.offer(item.clone());
        }
    }

    /// Sends one message to some.
    fn send(&self, frames: Vec<u8>, to: &events::Receivers) {
        let item = Item { messages: 1, frames: self.payload(frames) };
        let mut people = lock(&self.people);
        match to {
            events::Receivers::Only(clients) => {
                for seat in clients.iter().filter_map(|client| people.seats.get(client)) {
                    seat.offer(item.clone());
                }
            }
            events::Receivers::All | events::Receivers::Except(_) => {
                people.history.add(&item.frames, &[item.frames.len()]);
                for (client, seat) in &people.seats {
                    if !matches!(to, events::Receivers::Except(except) if except == client) {
                        seat.offer(item.clone());
                    }
                }
            }
        }
    }

    /// Frames that seats share, counted until the last has them no more.
    fn payload(&self, mut frames: Vec<u8>) -> Bytes {
        if frames.capacity() > 2 * frames.len() {
            frames.shrink_to_fit();
        }
        self.options.budget.bytes(frames)
    }

    /// Shortens the history if memory is short; the task of `cx` is woken when it is.
    fn relieve(&self, cx: &mut Context<'_>) {
        if self.history.is_asked(cx) {
            lock(&self.people).history.halve();
        }
    }

    /// Ends one client's session, after what it is still to get.
    fn dismiss(&self, client: &str, parting: Parting) {
        if let Some(seat) = lock(&self.people).seats.get(client) {
            seat.part(parting);
        }
    }

    /// The worker does not stay any more.
    fn release(&self) {
        self.stays.store(false, Ordering::Relaxed);
        let mut people = lock(&self.people);
        people.is_over |= people.seats.is_empty();
        drop(people);
        self.pressure.host.wake();
    }

    /// From now on nobody can join: there are no newcomers to keep a history for.
    fn close_doors(&self) {
        let mut people = lock(&self.people);
        people.is_over = true;
        people.history.clear();
    }

    /// The worker has ended: so do all sessions.
    fn end(&self, status: Status) {
        self.ended.cancel();
        for seat in lock(&self.people).seats.values() {
            seat.part(Parting::Exit(status));
        }
        // Whoever waits to say something need not.
        lock(&self.inbox).wake();
    }

    /// Whether nobody is left, so that the room is over.
    fn is_over(&self) -> bool {
        lock(&self.people).is_over
    }

    /// The task of `cx` is woken when something has changed: more was said, somebody left, a seat has room again.
    fn listen(&self, cx: &mut Context<'_>) {
        self.pressure.host.register(cx.waker());
    }

    /// Takes all that clients have said.
    fn take_inbox(&self) -> Vec<u8> {
        lock(&self.inbox).take()
    }
}

impl Member {
    /// Counts up whenever the worker's side takes what clients have said.
    pub(crate) fn progress(&self) -> u64 {
        lock(&self.room.inbox).taken()
    }

    /// Hands what was said over to the worker's side; ready once it has been taken, whole. Once the session is to end
    /// nothing is: it is forgotten.
    pub(crate) fn poll_post(&mut self, cx: &mut Context<'_>, spoken: &mut Spoken) -> Poll<()> {
        let mut inbox = lock(&self.room.inbox);
        if self.seat.has_parting() {
            *spoken = Spoken::default();
            return Poll::Ready(());
        }
        ready!(inbox.poll_room(cx));
        let bytes = inbox.post(self.room.options.framing, &self.client, &mem::take(spoken));
        let before = if self.posted.1 == inbox.taken() { self.posted.0 } else { 0 };
        self.posted = (before + bytes, inbox.taken());
        drop(inbox);
        self.room.pressure.host.wake();
        Poll::Ready(())
    }

    /// Bytes of the client that wait in the inbox.
    pub(crate) fn posted(&mut self) -> usize {
        if self.posted.0 > 0 && self.posted.1 != lock(&self.room.inbox).taken() {
            self.posted.0 = 0;
        }
        self.posted.0
    }

    /// How long the room waits for a client that takes nothing, if it does.
    pub(crate) fn slow_wait(&self) -> Option<Duration> {
        (self.room.options.slow == Slow::Wait).then_some(self.room.options.slow_wait)
    }

    /// Leaves; the worker is told why if it wants to know. Who had it alone waits for its end: the slot is free then.
    pub(crate) async fn leave(mut self, code: u16, reason: &str) {
        self.has_left = true;
        self.go(code, reason);
        if self.room.options.is_for_one {
            self.room.ended.cancelled().await;
        }
    }

    fn go(&self, code: u16, reason: &str) {
        let mut people = lock(&self.room.people);
        people.seats.remove(&self.client);
        self.seat.leave();
        if self.room.options.framing == Framing::Json {
            lock(&self.room.inbox).tell(|input| events::close(&self.client, code, reason, input));
        }
        if people.seats.is_empty() && !self.room.stays.load(Ordering::Relaxed) {
            people.is_over = true;
        }
        drop(people);
        self.room.pressure.host.wake();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if !self.has_left {
            self.go(1006, "");
        }
    }
}

impl Batch {
    /// The place for the next message's frames; [`Batch::end_message`] must follow.
    fn frames(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    fn end_message(&mut self) {
        self.ends.push(self.frames.len());
    }
}

/// Locks; a panic elsewhere leaves nothing here half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
