//! The messages of clients that wait for a room's worker.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    budget::{Budget, Kind as OwnerKind, Owner, Share},
    framing::{Framing, events},
    limits::{INBOX_BYTES_MAX, NEWS_BYTES_MAX},
    message::Draft,
};

/// What waits for the worker's standard input: whole messages, in the order they came.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    owner: Owner,
    share: Share,
    /// Of `bytes`, those that tell of clients that come and go.
    news: usize,
    /// How often the worker's side has taken what there was.
    taken: u64,
    /// Sessions that have more to say than there is room for.
    waiting: Vec<Waker>,
}

impl Inbox {
    /// Nothing waits yet.
    pub(super) fn new(budget: &Budget) -> Self {
        let owner = Owner::new(budget, OwnerKind::Program);
        let share = owner.share();
        Self { bytes: Vec::new(), owner, share, news: 0, taken: 0, waiting: Vec::new() }
    }

    /// Adds a line that tells of a client. Never refused, so every client has exactly one `open` and one `close`.
    pub(super) fn tell(&mut self, tell: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        tell(&mut self.bytes);
        self.news += self.bytes.len() - before;
        self.share.set(self.bytes.capacity(), 0);
    }

    /// Whether unread `open` and `close` events exceed [`NEWS_BYTES_MAX`]; no client may join then.
    pub(super) fn has_old_news(&self) -> bool {
        self.news > NEWS_BYTES_MAX
    }

    /// Ready when there is room for messages; else the task of `cx` is woken when there may be.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bytes_max = if self.owner.budget().is_full() { 0 } else { INBOX_BYTES_MAX };
        if self.bytes.len() <= bytes_max {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Adds what a client has said, as the worker is to read it. Returns the number of bytes that were added.
    pub(super) fn post(&mut self, framing: Framing, client: &str, said: &Draft) -> usize {
        let before = self.bytes.len();
        for (kind, payload) in said.messages() {
            if framing.names_clients() {
                events::message(client, kind, payload, &mut self.bytes);
            } else {
                framing.encode(payload, &mut self.bytes);
            }
        }
        self.share.set(self.bytes.capacity(), 0);
        self.bytes.len() - before
    }

    /// Takes all there is.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.wake();
        self.taken += u64::from(!self.bytes.is_empty());
        self.news = 0;
        self.share.set(0, 0);
        mem::take(&mut self.bytes)
    }

    /// Counts up whenever the worker's side takes what there is.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Wakes the sessions that wait for room.
    pub(super) fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}
