//! What waits for a room's worker, and what a client has said that does not wait there yet.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    budget::{Budget, Kind as OwnerKind, Owner, Share},
    framing::{Framing, events},
    limits::{INBOX_BYTES_MAX, NEWS_BYTES_MAX},
    message::Kind,
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

/// Messages of a client, as they came: what becomes of them may be six times as long, and is made only where it is
/// wanted.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    payloads: Vec<u8>,
    /// The kind of each message, and where it ends.
    messages: Vec<(Kind, usize)>,
}

impl Inbox {
    /// Nothing waits yet.
    pub(super) fn new(budget: &Budget) -> Self {
        let owner = Owner::new(budget, OwnerKind::Program);
        let share = owner.share();
        Self { bytes: Vec::new(), owner, share, news: 0, taken: 0, waiting: Vec::new() }
    }

    /// Adds a line that tells of a client. It is never refused: who is there has been told of, or is.
    pub(super) fn tell(&mut self, tell: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        tell(&mut self.bytes);
        self.news += self.bytes.len() - before;
        self.share.set(self.bytes.capacity(), 0);
    }

    /// Whether the worker has not read of so many clients that no more shall come.
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
    pub(super) fn post(&mut self, framing: Framing, client: &str, spoken: &Spoken) -> usize {
        let before = self.bytes.len();
        let mut start = 0;
        for &(kind, end) in &spoken.messages {
            let payload = &spoken.payloads[start..end];
            match framing {
                Framing::Json => events::message(client, kind, payload, &mut self.bytes),
                framing => framing.encode(payload, &mut self.bytes),
            }
            start = end;
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

impl Spoken {
    /// Adds a message.
    pub(crate) fn add(&mut self, kind: Kind, payload: &[u8]) {
        self.payloads.extend_from_slice(payload);
        self.messages.push((kind, self.payloads.len()));
    }

    /// Bytes that it takes up.
    pub(crate) fn held(&self) -> usize {
        self.payloads.capacity() + self.messages.capacity() * mem::size_of::<(Kind, usize)>()
    }

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
