//! A room: one worker, many clients. Every message of the worker goes to all, every message of a client to the worker.
//!
//! A client has a *seat*: the bounded queue of what it is still to get. This is the one place in wsd with queues; what a
//! full one means is said by [`Slow`].
//!
//! Lock order: the registry's rooms, a room's hub, its inbox, a seat's queue. Each may be taken while those before it are
//! held, and none while one after it is.

mod history;
pub(crate) mod host;
mod hub;
mod inbox;
mod invalid;
mod lock;
pub(crate) mod member;
pub(crate) mod options;
pub(crate) mod registry;
mod seat;

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Context,
};

use tokio_util::sync::CancellationToken;

use crate::{
    budget::Owner,
    framing::events::{self, Receivers},
    message::Draft,
    partner::Verdict,
};
use history::History;
use hub::Hub;
use inbox::Inbox;
use lock::lock;
use options::RoomOptions;
use seat::Pressure;

/// A room with its clients; the worker is with its [`host`].
#[derive(Debug)]
pub(crate) struct Room {
    options: RoomOptions,
    /// Whether the worker stays when the last client has left.
    stays: AtomicBool,
    hub: Mutex<Hub>,
    inbox: Mutex<Inbox>,
    /// Asked to shorten the history where memory is short.
    history: Owner,
    /// Wakes the task of the worker.
    pressure: Arc<Pressure>,
    /// The worker has been reaped.
    ended: CancellationToken,
}

/// Why a client cannot join a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The worker is at its end; a new room is wanted.
    Over,
    /// There are too many clients, or too many that the worker has not read of.
    Full,
}

impl Room {
    fn new(options: RoomOptions) -> Arc<Self> {
        let history = History::new(options.history, &options.budget);
        Arc::new(Self {
            stays: AtomicBool::new(options.stays),
            history: history.owner().clone(),
            hub: Mutex::new(Hub::new(history)),
            inbox: Mutex::new(Inbox::new(&options.budget)),
            pressure: Arc::new(Pressure::new(options.slow)),
            options,
            ended: CancellationToken::new(),
        })
    }

    /// Takes a client's seat away, which was closed with this code and reason.
    fn leave(&self, client: &str, code: u16, reason: &str) {
        let mut hub = lock(&self.hub);
        hub.remove(client);
        if self.options.framing.names_clients() {
            lock(&self.inbox).tell(|input| events::close(client, code, reason, input));
        }
        if hub.count() == 0 && !self.stays.load(Ordering::Relaxed) {
            hub.is_over = true;
        }
        drop(hub);
        self.pressure.host.wake();
    }

    /// Delivers messages, and leaves an empty draft in their place.
    fn publish(&self, draft: &mut Draft, to: &Receivers) {
        let draft = mem::take(draft);
        if !draft.is_empty() {
            let batch = Arc::new(draft.share(&self.options.budget));
            lock(&self.hub).publish(&batch, to);
        }
    }

    /// Ends one client's session, after what it is still to get.
    fn dismiss(&self, client: &str, verdict: Verdict) {
        lock(&self.hub).dismiss(client, verdict);
    }

    /// Shortens the history if memory is short; the task of `cx` is woken when it is.
    fn relieve(&self, cx: &mut Context<'_>) {
        if self.history.is_asked(cx) {
            lock(&self.hub).shorten_history();
        }
    }

    /// Lets the worker end when the last client has left.
    fn release(&self) {
        self.stays.store(false, Ordering::Relaxed);
        let mut hub = lock(&self.hub);
        hub.is_over |= hub.count() == 0;
        drop(hub);
        self.pressure.host.wake();
    }

    /// Lets nobody join from now on: the history is of no use any more.
    fn close_doors(&self) {
        let mut hub = lock(&self.hub);
        hub.is_over = true;
        hub.forget_history();
    }

    /// Ends all sessions, since the worker has ended.
    fn end(&self, verdict: &Verdict) {
        self.ended.cancel();
        lock(&self.hub).dismiss_all(verdict);
        // Clients that wait to say something need not.
        lock(&self.inbox).wake();
    }

    /// Whether nobody is left, so that the room is over.
    fn is_over(&self) -> bool {
        lock(&self.hub).is_over
    }

    /// Has the task of `cx` woken when something has changed: more was said, somebody left, a seat has room again.
    fn listen(&self, cx: &mut Context<'_>) {
        self.pressure.host.register(cx.waker());
    }

    /// Takes all that clients have said.
    fn take_inbox(&self) -> Vec<u8> {
        lock(&self.inbox).take()
    }
}
