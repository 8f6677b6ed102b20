//! The part of a room that is in a cluster (`--bus`): this node either runs the room's worker, or shows the room of another
//! node. The seats are the same in both cases.
//!
//! The worker's output goes to the seats here at once, and by [`outlet`] to the other nodes. The messages of the seats go into
//! the inbox if the worker is here, else by [`poster`] to the node that has it.

pub(super) mod marks;
pub(super) mod outlet;
pub(super) mod poster;
pub(super) mod record;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Instant,
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::lock::lock;
use crate::{
    budget::{Budget, Owner, OwnerKind},
    bus::{place::RoomKeys, records::RecordId},
    close::Close,
    framing::events::Receivers,
    limits::LEASE_DOUBT,
    message::Draft,
    metrics::bus::LiveCluster,
    partner::Verdict,
};
use marks::Marks;
use outlet::FarOutput;
use poster::Poster;
use record::RecordKind;

/// A room in a cluster, as this node sees it.
#[derive(Debug)]
pub(super) struct Far {
    /// Its keys in Redis.
    pub(super) place: RoomKeys,
    /// The facts for the status and the metrics.
    pub(super) live: Arc<LiveCluster>,
    /// The output on its way to other nodes.
    pub(super) outlet: FarOutput,
    /// The input on its way to the node that has the worker.
    pub(super) poster: Poster,
    /// How far the worker has taken the input.
    pub(super) marks: Marks,
    /// The owner of the bytes that wait for Redis.
    pub(super) owner: Owner,
    /// Wakes the keeper when the last client has left.
    pub(super) emptied: Notify,
    state: Mutex<State>,
    ready: watch::Sender<RoomReadiness>,
}

/// Whether clients can join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoomReadiness {
    /// Not yet.
    Opening,
    /// They can.
    Ready,
    /// Redis is away.
    Away,
    /// The program does not start.
    Unstarted,
    /// The room has ended.
    Over,
}

#[derive(Debug, Default)]
struct State {
    lease: Option<Lease>,
    /// The clients here, with their variables in JSON.
    members: HashMap<String, Vec<u8>>,
    /// Whether the program has ended for the clients that there are.
    has_ended: bool,
}

/// The lease of this node.
#[derive(Debug)]
struct Lease {
    /// The time when the last renewal that Redis granted was sent.
    renewed: Instant,
    /// Cancelled when another node has the room.
    fenced: CancellationToken,
    /// Whether the worker has all that clients here have sent by Redis, so that messages can go into the inbox.
    is_direct: bool,
}

impl Far {
    /// Returns a room without clients.
    pub(super) fn new(place: RoomKeys, budget: &Budget) -> Self {
        let live = Arc::<LiveCluster>::default();
        let owner = Owner::new(budget, OwnerKind::Room);
        Self {
            place,
            outlet: FarOutput::new(Arc::clone(&live), owner.share()),
            poster: Poster::new(Arc::clone(&live), owner.share()),
            owner,
            live,
            marks: Marks::default(),
            emptied: Notify::new(),
            state: Mutex::default(),
            ready: watch::Sender::new(RoomReadiness::Opening),
        }
    }

    /// Notes whether clients can join.
    pub(super) fn set_ready(&self, ready: RoomReadiness) {
        self.ready.send_replace(ready);
    }

    /// Resolves when clients can join, or when they never will.
    pub(super) async fn ready(&self) -> RoomReadiness {
        let mut ready = self.ready.subscribe();
        ready.wait_for(|ready| *ready != RoomReadiness::Opening).await.map_or(RoomReadiness::Over, |ready| *ready)
    }

    /// Notes a new client. Returns whether the worker is here, so that the caller tells it.
    pub(super) fn joined(&self, client: &str, variables: Vec<u8>) -> bool {
        let mut state = lock(&self.state);
        let is_direct = state.is_direct();
        if !is_direct {
            self.poster.push((record::OPEN, client.to_owned(), variables.clone()));
        }
        state.members.insert(client.to_owned(), variables);
        is_direct
    }

    /// Notes that a client has left. Returns whether the worker is here, so that the caller tells it.
    pub(super) fn left(&self, client: &str, code: u16, reason: &str) -> bool {
        let mut state = lock(&self.state);
        state.members.remove(client);
        if !state.is_direct() {
            self.poster.push((record::CLOSE, client.to_owned(), record::close_data(code, reason)));
        }
        self.poster.forget(client);
        self.emptied.notify_one();
        state.is_direct()
    }

    /// Hands messages to the poster, and waits until Redis has them. `None` if they belong into the inbox.
    pub(super) fn poll_post(&self, cx: &mut Context<'_>, client: &str, said: &mut Draft) -> Option<Poll<()>> {
        let state = lock(&self.state);
        if self.poster.has_posted(client) && state.is_direct() {
            if self.is_sure(&state) {
                return None;
            }
            self.poster.wait(cx);
            return Some(Poll::Pending);
        }
        Some(self.poster.poll_post(cx, client, said))
    }

    /// Whether Redis does not answer for this room.
    pub(super) fn is_cut_off(&self) -> bool {
        self.place.loss().since().is_some()
    }

    /// Whether all messages of a client are on the bus.
    pub(super) fn has_posted(&self, client: &str) -> bool {
        self.poster.has_posted(client)
    }

    /// Ready when the worker's output may go out: the lease is fresh, or nobody can take it, and Redis keeps up.
    pub(super) fn poll_open(&self) -> Poll<()> {
        let is_away = self.is_cut_off();
        if self.is_owner() && (is_away || !self.outlet.is_full()) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether no other node can have the room.
    pub(super) fn is_owner(&self) -> bool {
        self.is_sure(&lock(&self.state))
    }

    /// While Redis is away nobody can take the lease, however old it is. Long after the last renewal, only its answer tells.
    fn is_sure(&self, state: &State) -> bool {
        let is_fresh = state.lease.as_ref().is_some_and(|lease| lease.renewed.elapsed() < LEASE_DOUBT);
        is_fresh || self.is_cut_off()
    }

    /// Sends output to the other nodes.
    pub(super) fn publish(&self, messages: &Draft, to: &Receivers) {
        let is_away = self.is_cut_off();
        self.outlet.push(&RecordKind::messages(to), &record::encode(messages.messages()), is_away);
    }

    /// Tells the other nodes to close a client.
    pub(super) fn dismiss(&self, client: &str, close: &Close) {
        let is_away = self.is_cut_off();
        self.outlet.push(&RecordKind::close(client, close), &[], is_away);
    }

    /// Tells the other nodes that the room has ended; `None` if it had no clients.
    pub(super) fn end(&self, verdict: Option<&Verdict>) {
        lock(&self.state).has_ended = verdict.is_some();
        self.outlet.push(&RecordKind::End { close: verdict.map(record::close_of) }, &[], false);
    }

    /// Whether the program has ended for the clients that there are, so that what they have said is for nobody.
    pub(super) fn has_ended(&self) -> bool {
        lock(&self.state).has_ended
    }

    /// Begins to own the room.
    pub(super) fn take(&self, renewed: Instant) {
        lock(&self.state).lease = Some(Lease { renewed, fenced: CancellationToken::new(), is_direct: false });
    }

    /// Notes a renewal.
    pub(super) fn renew(&self, sent: Instant) {
        if let Some(lease) = &mut lock(&self.state).lease {
            lease.renewed = sent;
        }
        self.poster.wake_all();
    }

    /// Notes that another node owns the room.
    pub(super) fn fence(&self) {
        if let Some(lease) = &lock(&self.state).lease {
            lease.fenced.cancel();
        }
    }

    /// Whether another node owns the room that this one owned.
    pub(super) fn is_fenced(&self) -> bool {
        lock(&self.state).lease.as_ref().is_some_and(|lease| lease.fenced.is_cancelled())
    }

    /// Resolves when another node owns the room.
    pub(super) async fn fenced(&self) {
        let token = lock(&self.state).lease.as_ref().map(|lease| lease.fenced.clone());
        match token {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Gives back what waits for Redis, since the budget asks: other nodes miss output, which they are told. Returns whether
    /// messages of clients here are dropped, too.
    pub(super) fn give_way(&self) -> bool {
        self.outlet.give_back();
        let has_dropped = self.poster.give_back();
        self.owner.settle();
        has_dropped
    }

    /// Ends the ownership. The clients here are those of another node's room from now on.
    pub(super) fn give_up(&self) {
        lock(&self.state).lease = None;
        self.register();
        self.poster.wake_all();
    }

    /// Tells the owner of the room who is here.
    pub(super) fn register(&self) {
        let state = lock(&self.state);
        let opens = state.members.iter().map(|(client, variables)| (record::OPEN, client.clone(), variables.clone()));
        self.poster.register(opens);
    }

    /// Lets messages of clients here go into the inbox, if all those that went by Redis are up to `at`. What others have said
    /// need not be there: so the room goes on if Redis is away the next moment.
    pub(super) fn become_direct(&self, at: RecordId) -> bool {
        let mut state = lock(&self.state);
        let is_idle = self.poster.is_idle(at);
        if let (true, Some(lease)) = (is_idle, &mut state.lease) {
            lease.is_direct = true;
        }
        is_idle
    }
}

impl State {
    fn is_direct(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.is_direct)
    }
}
