//! The messages of the clients here on their way to the node that has the room's worker.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    task::{Context, Poll, Waker},
};

use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    outlet::{BYTES_AT_ONCE, RECORDS_AT_ONCE, bytes_max},
    record,
};
use crate::{
    budget::Share,
    bus::{
        error::BusError,
        place::{Post, RoomKeys},
        records::RecordId,
    },
    limits::{BUS_PATIENCE, BUS_RETRY},
    message::Draft,
    metrics::bus::LiveCluster,
    room::lock::lock,
};

/// Tries that Redis may refuse, though it is there, until a room that is over drops its last records.
const REFUSALS_MAX: usize = 8;

/// Records that wait for Redis.
#[derive(Debug)]
pub(crate) struct Poster {
    queue: Mutex<PostQueue>,
    wake: Notify,
    live: Arc<LiveCluster>,
}

#[derive(Debug)]
struct PostQueue {
    posts: VecDeque<Post>,
    bytes: usize,
    /// The number of records so far.
    pushed: u64,
    /// The number of those that Redis has.
    acked: u64,
    /// The id of the last of those, or a later one.
    last: RecordId,
    /// The number of the last record that tells who is here.
    registered: u64,
    /// The number of the last record of each client that waits for it.
    waits: HashMap<String, u64>,
    waiting: Vec<Waker>,
    /// Whether the room is over, so that nobody need wait.
    is_over: bool,
    /// The number of records at the front that Redis may have.
    sent: usize,
    /// The bytes that count against `--maxbuffer`.
    share: Share,
}

impl Poster {
    /// Returns an empty queue. It tells `live` of the bytes that wait.
    pub(super) fn new(live: Arc<LiveCluster>, share: Share) -> Self {
        Self { queue: Mutex::new(PostQueue::new(share)), wake: Notify::new(), live }
    }

    /// Whether so much waits for Redis that no client may come.
    pub(crate) fn is_full(&self) -> bool {
        let queue = lock(&self.queue);
        queue.bytes > bytes_max(&queue.share)
    }

    /// Adds a record.
    pub(super) fn push(&self, post: Post) {
        let mut queue = lock(&self.queue);
        queue.push(post);
        queue.count(&self.live);
        drop(queue);
        self.wake.notify_one();
    }

    /// Drops messages that Redis cannot have. Returns whether there were any: their clients must end.
    pub(super) fn give_back(&self) -> bool {
        let mut queue = lock(&self.queue);
        let has_dropped = queue.drop_messages();
        queue.count(&self.live);
        has_dropped
    }

    /// Adds records that tell who is here, unless such records wait already.
    pub(super) fn register(&self, posts: impl Iterator<Item = Post>) {
        let mut queue = lock(&self.queue);
        if queue.registered > queue.acked {
            return;
        }
        posts.for_each(|post| queue.push(post));
        queue.registered = queue.pushed;
        queue.count(&self.live);
        drop(queue);
        self.wake.notify_one();
    }

    /// Adds the messages of a client. Ready once Redis has them.
    pub(super) fn poll_post(&self, cx: &mut Context<'_>, client: &str, said: &mut Draft) -> Poll<()> {
        let mut queue = lock(&self.queue);
        if queue.has_posted(client) {
            queue.waits.remove(client);
            if said.is_empty() {
                return Poll::Ready(());
            }
            if queue.bytes <= bytes_max(&queue.share) {
                let said = std::mem::take(said);
                queue.push((record::MESSAGE, client.to_owned(), record::encode(said.messages())));
                let number = queue.pushed;
                queue.waits.insert(client.to_owned(), number);
                queue.count(&self.live);
                self.wake.notify_one();
            }
        }
        queue.wait(cx);
        Poll::Pending
    }

    /// Whether Redis has all messages of a client, or the room is over.
    pub(super) fn has_posted(&self, client: &str) -> bool {
        lock(&self.queue).has_posted(client)
    }

    /// Wakes the task of `cx` when something has changed.
    pub(super) fn wait(&self, cx: &mut Context<'_>) {
        lock(&self.queue).wait(cx);
    }

    /// Wakes the tasks that wait.
    pub(crate) fn wake_all(&self) {
        lock(&self.queue).wake_all();
    }

    /// Forgets a client.
    pub(super) fn forget(&self, client: &str) {
        lock(&self.queue).waits.remove(client);
    }

    /// Whether Redis has all records, none of them behind `at`.
    pub(super) fn is_idle(&self, at: RecordId) -> bool {
        let queue = lock(&self.queue);
        queue.pushed == queue.acked && queue.last <= at
    }

    /// Notes that the room is over. [`Poster::run`] then ends after the last record.
    pub(crate) fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.is_over = true;
        queue.wake_all();
        drop(queue);
        self.wake.notify_one();
    }

    /// Sends records, each exactly once, until the room is over and Redis has all.
    pub(crate) async fn run(&self, place: &RoomKeys) {
        let mut refusals = 0;
        loop {
            let (number, posts, is_over) = {
                let mut queue = lock(&self.queue);
                let posts = queue.next();
                queue.sent = queue.sent.max(posts.len());
                (queue.acked + 1, posts, queue.is_over)
            };
            if posts.is_empty() {
                if is_over {
                    return;
                }
                self.wake.notified().await;
                continue;
            }
            let last = match place.post(number, &posts).await {
                Ok(last) => last,
                Err(error) => {
                    error.log();
                    sleep(BUS_RETRY).await;
                    // A program that does not read may do so later.
                    if !matches!(error, BusError::Full) && place.loss().since().is_none() {
                        refusals += 1;
                    }
                    if is_over && refusals > REFUSALS_MAX {
                        return;
                    }
                    self.wait_for_bus(place, is_over).await;
                    continue;
                }
            };
            refusals = 0;
            let mut queue = lock(&self.queue);
            queue.last = last;
            for (_, client, data) in queue.posts.drain(..posts.len()).collect::<Vec<_>>() {
                queue.bytes -= client.len() + data.len();
            }
            queue.acked += posts.len() as u64;
            queue.sent = queue.sent.saturating_sub(posts.len());
            queue.count(&self.live);
            queue.wake_all();
        }
    }

    /// Waits until Redis answers. A room that is over drops messages meanwhile: their clients were told to try later.
    async fn wait_for_bus(&self, place: &RoomKeys, is_over: bool) {
        let owner = lock(&self.queue).share.owner().clone();
        tokio::select! {
            back = timeout(BUS_PATIENCE, place.loss().over()) => if back.is_ok() { return },
            () = owner.asked(), if is_over => owner.settle(),
        }
        if is_over {
            self.give_back();
        }
    }
}

impl PostQueue {
    fn new(share: Share) -> Self {
        Self {
            posts: VecDeque::new(),
            bytes: 0,
            pushed: 0,
            acked: 0,
            last: RecordId::default(),
            registered: 0,
            waits: HashMap::new(),
            waiting: Vec::new(),
            is_over: false,
            sent: 0,
            share,
        }
    }

    /// Drops messages behind those that Redis may have, since it knows the records by their number.
    fn drop_messages(&mut self) -> bool {
        let (mut at, sent, before) = (0, self.sent, self.posts.len());
        let bytes = &mut self.bytes;
        self.posts.retain(|(kind, client, data)| {
            at += 1;
            let is_kept = at <= sent || *kind != record::MESSAGE;
            if !is_kept {
                *bytes -= client.len() + data.len();
            }
            is_kept
        });
        self.pushed -= (before - self.posts.len()) as u64;
        self.registered = self.registered.min(self.pushed);
        self.posts.len() < before
    }

    fn count(&mut self, live: &LiveCluster) {
        live.input.store(self.bytes, Relaxed);
        self.share.set(self.bytes, 0);
    }

    fn push(&mut self, post: Post) {
        self.bytes += post.1.len() + post.2.len();
        self.pushed += 1;
        self.posts.push_back(post);
    }

    /// Returns the next records for one call.
    fn next(&self) -> Vec<Post> {
        let mut bytes = 0;
        let fits = |post: &&Post| {
            let has_room = bytes < BYTES_AT_ONCE;
            bytes += post.1.len() + post.2.len();
            has_room
        };
        self.posts.iter().take(RECORDS_AT_ONCE).take_while(fits).cloned().collect()
    }

    fn has_posted(&self, client: &str) -> bool {
        self.is_over || self.waits.get(client).is_none_or(|number| *number <= self.acked)
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    fn wake_all(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
