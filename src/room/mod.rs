//! A room: one worker, many clients. Every message of the worker goes to all, every message of a client to the worker.
//!
//! Each client has a *seat*: a queue of limited size for the messages to it. No other client of wsd has such a queue.
//! [`Slow`](options::Slow) decides what happens when it is full.
//!
//! Lock order: the registry's rooms, a room's hub, its inbox, a seat's queue. A thread may take each lock while it holds
//! earlier ones, and never while it holds a later one.

mod eager;
mod far;
mod history;
pub(crate) mod host;
mod hub;
mod inbox;
mod invalid;
mod keeper;
pub(crate) mod kept;
mod lock;
mod lost;
pub(crate) mod member;
pub(crate) mod options;
pub(crate) mod registry;
pub(crate) mod remote;
mod seat;
mod spoken;
mod telling;

use std::{
    future::pending,
    mem,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    admission::Permit,
    budget::{Owner, OwnerKind},
    bus::records::RecordId,
    close::Close,
    framing::events::Receivers,
    message::{Batch, Draft},
    metrics::live::{LiveRoom, Traffic},
    partner::Verdict,
    record::track::Track,
};
use far::Far;
use history::History;
use hub::Hub;
use inbox::Inbox;
use lock::lock;
use options::RoomOptions;
use seat::Pressure;

/// A room with its clients. Its [`host`] has the worker.
#[derive(Debug)]
pub(crate) struct Room {
    options: RoomOptions,
    /// The path in the log. It may have 32 KiB, and a room in the registry shares it with its key.
    path: Arc<[u8]>,
    hub: Mutex<Hub>,
    inbox: Mutex<Inbox>,
    /// The owner of the history. The budget asks it to shorten the history.
    history: Owner,
    /// The owner of all that waits for the worker. The budget asks it to end the room when no client holds much.
    owner: Owner,
    /// Wakes the task of the worker.
    pressure: Arc<Pressure>,
    /// Cancelled when the worker has been reaped.
    ended: CancellationToken,
    /// Its part in a cluster (`--bus`).
    far: Option<Box<Far>>,
    /// Its counts.
    live: Arc<LiveRoom>,
}

/// Why a client cannot join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The worker ends; the client needs a new room.
    Over,
    /// There are too many clients, or too many `open` and `close` events wait for the worker or for Redis.
    Full,
}

impl Room {
    fn new(options: RoomOptions, path: Arc<[u8]>, permit: Option<Permit>, far: Option<Far>) -> Arc<Self> {
        let history = History::new(options.history, &options.budget);
        let owner = Owner::new(&options.budget, OwnerKind::Room);
        Arc::new(Self {
            history: history.owner().clone(),
            hub: Mutex::new(Hub::new(history, options.linger, permit)),
            inbox: Mutex::new(Inbox::new(&owner)),
            owner,
            pressure: Arc::new(Pressure::new(options.slow, Arc::clone(&options.route))),
            live: LiveRoom::new(
                Arc::clone(&options.route),
                Arc::clone(&path),
                far.as_ref().map(|far| Arc::clone(&far.live)),
            ),
            options,
            path,
            ended: CancellationToken::new(),
            far: far.map(Box::new),
        })
    }

    /// Notes the process of the worker, and its recording if there is one.
    fn begin(&self, pid: i32, track: Option<Arc<Track>>) {
        self.live.set_pid(Some(pid));
        lock(&self.inbox).set_track(track);
    }

    /// Removes the seat of a client that was closed with this code and reason.
    fn leave(&self, client: &str, code: u16, reason: &str) {
        let mut hub = lock(&self.hub);
        let is_told_here = self.far.as_ref().is_none_or(|far| far.left(client, code, reason));
        hub.remove(client);
        if is_told_here && self.options.framing.names_clients() {
            lock(&self.inbox).add_close(client, code, reason);
        }
        drop(hub);
        self.pressure.host.wake();
    }

    /// Delivers the messages of a draft, and empties it. Only the task of the worker calls this.
    fn publish(&self, draft: &mut Draft, to: &Receivers) {
        let draft = mem::take(draft);
        if !draft.is_empty() {
            let mut said = Traffic::default();
            said.add(draft.count(), draft.len());
            self.live.output.add(said);
            let batch = Arc::new(draft.share(&self.options.budget));
            self.deliver(&batch, to);
            if let Some(far) = &self.far {
                far.publish(&batch, to);
            }
        }
    }

    /// Delivers messages to the clients here.
    fn deliver(&self, batch: &Arc<Batch>, to: &Receivers) {
        lock(&self.hub).publish(batch, to);
    }

    /// Closes one client, after the messages on its seat.
    fn dismiss(&self, client: &str, close: Close) {
        if let Some(far) = &self.far {
            far.dismiss(client, &close);
        }
        lock(&self.hub).dismiss(client, Verdict::Dismissed(close));
    }

    /// Ready when the worker's output may go out. A room in a cluster wakes the task of the worker.
    fn poll_open(&self) -> Poll<()> {
        self.far.as_ref().map_or(Poll::Ready(()), |far| far.poll_open())
    }

    /// Resolves when another node has the room.
    async fn fenced(&self) {
        match &self.far {
            Some(far) => far.fenced().await,
            None => pending().await,
        }
    }

    /// Returns the last record of the bus that the worker has.
    fn written(&self, far: &Far) -> RecordId {
        let written = lock(&self.inbox).written;
        far.marks.written(written)
    }

    /// Whether another node has the room.
    fn is_fenced(&self) -> bool {
        self.far.as_ref().is_some_and(|far| far.is_fenced())
    }

    /// Refuses new clients, since the worker ends; not if another node has the room.
    fn close(&self) {
        if !self.is_fenced() {
            lock(&self.hub).close();
        }
    }

    /// Ends the worker as soon as it has no clients.
    fn release(&self) {
        lock(&self.hub).set_linger(Duration::ZERO);
        self.pressure.host.wake();
    }

    /// Whether it ends since no client has been there for long enough.
    fn is_idle(&self) -> bool {
        lock(&self.hub).idle.is_some()
    }

    /// Frees the fork slot and ends all sessions, since the worker has ended.
    fn end(&self, verdict: &Verdict) {
        lock(&self.hub).free_slot();
        self.ended.cancel();
        lock(&self.hub).dismiss_all(verdict);
        // Nobody reads the inbox any more. Sessions that wait for room in it must notice the end.
        lock(&self.inbox).take();
    }

    /// Whether the room accepts no clients any more: the last has left, or the worker ends.
    fn is_over(&self) -> bool {
        lock(&self.hub).is_over
    }
}
