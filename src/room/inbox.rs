//! What waits for a room's worker, and what a client has said that does not wait there yet.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    framing::{Framing, events},
    limits::{INBOX_BYTES_MAX, NEWS_BYTES_MAX},
    message::Kind,
};

/// What waits for the worker's standard input: whole messages, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
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
    /// Adds a line that tells of a client. It is never refused: who is there has been told of, or is.
    pub(super) fn tell(&mut self, tell: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        tell(&mut self.bytes);
        self.news += self.bytes.len() - before;
    }

    /// Whether the worker has not read of so many clients that no more shall come.
    pub(super) fn has_old_news(&self) -> bool {
        self.news > NEWS_BYTES_MAX
    }

    /// Ready when there is room for messages; else the task of `cx` is woken when there may be.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.bytes.len() <= INBOX_BYTES_MAX {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Adds what a client has said, as the worker is to read it.
    pub(super) fn post(&mut self, framing: Framing, client: &str, spoken: &Spoken) {
        let mut start = 0;
        for &(kind, end) in &spoken.messages {
            let payload = &spoken.payloads[start..end];
            match framing {
                Framing::Json => events::message(client, kind, payload, &mut self.bytes),
                framing => framing.encode(payload, &mut self.bytes),
            }
            start = end;
        }
    }

    /// Takes all there is.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.wake();
        self.taken += u64::from(!self.bytes.is_empty());
        self.news = 0;
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

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
