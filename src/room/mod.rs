//! A room: one worker, many clients. Every message of the worker goes to all, every message of a client to the worker.
//!
//! Each client has a *seat*: a queue of limited size for the messages to it. No other client of wsd has such a queue.
//! [`Slow`](options::Slow) decides what happens when it is full.
//!
//! Lock order: the registry's rooms, a room's hub, its inbox, a seat's queue. A thread may take each lock while it holds
//! earlier ones, and never while it holds a later one.

pub(crate) mod eager;
mod history;
pub(crate) mod host;
mod hub;
mod inbox;
mod invalid;
mod lock;
mod lost;
pub(crate) mod member;
pub(crate) mod options;
pub(crate) mod registry;
mod seat;
mod spoken;
mod telling;

use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    admission::Permit,
    budget::{Owner, OwnerKind},
    framing::events::Receivers,
    message::Draft,
    metrics::live::{LiveRoom, Traffic},
    partner::Verdict,
    record::track::Track,
};
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
    /// Its counts.
    live: Arc<LiveRoom>,
}

/// Why a client cannot join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The worker ends; the client needs a new room.
    Over,
    /// There are too many clients, or the worker has not read too many `open` and `close` events.
    Full,
}

impl Room {
    fn new(options: RoomOptions, path: Arc<[u8]>, pid: i32, permit: Permit, track: Option<Arc<Track>>) -> Arc<Self> {
        let history = History::new(options.history, &options.budget);
        let owner = Owner::new(&options.budget, OwnerKind::Room);
        Arc::new(Self {
            history: history.owner().clone(),
            hub: Mutex::new(Hub::new(history, options.linger, permit)),
            inbox: Mutex::new(Inbox::new(&owner, track)),
            owner,
            pressure: Arc::new(Pressure::new(options.slow, Arc::clone(&options.route))),
            live: LiveRoom::new(Arc::clone(&options.route), Arc::clone(&path), pid),
            options,
            path,
            ended: CancellationToken::new(),
        })
    }

    /// Removes the seat of a client that was closed with this code and reason.
    fn leave(&self, client: &str, code: u16, reason: &str) {
        let mut hub = lock(&self.hub);
        hub.remove(client);
        if self.options.framing.names_clients() {
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
            lock(&self.hub).publish(&batch, to);
        }
    }

    /// Ends the worker as soon as it has no clients.
    fn release(&self) {
        lock(&self.hub).set_linger(Duration::ZERO);
        self.pressure.host.wake();
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
