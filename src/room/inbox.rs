//! The inbox of a room: clients' messages that wait for its worker.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    budget::{Owner, Share},
    framing::events,
    limits::{INBOX_BYTES_MAX, PRESENCE_BYTES_MAX},
    message::Draft,
};

/// Whole messages and events that wait for the worker's standard input, in order of arrival.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    share: Share,
    /// The part of `bytes` that is `open` and `close` events.
    presence_bytes: usize,
    /// How often the host has taken the bytes.
    pub(super) taken: u64,
    /// The part of `taken` that the worker has.
    pub(super) written: u64,
    /// The tasks of sessions that wait for room.
    waiting: Vec<Waker>,
}

impl Inbox {
    /// Returns an empty inbox.
    pub(super) fn new(owner: &Owner) -> Self {
        Self { bytes: Vec::new(), share: owner.share(), presence_bytes: 0, taken: 0, written: 0, waiting: Vec::new() }
    }

    /// Adds an `open` or `close` event. Never refuses it, so every client has exactly one of each.
    pub(super) fn add_presence(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        append(&mut self.bytes);
        self.presence_bytes += self.bytes.len() - before;
        self.share.set(self.bytes.capacity(), 0);
    }

    /// Whether unread `open` and `close` events exceed [`PRESENCE_BYTES_MAX`]; no client may join then.
    pub(super) fn is_over_presence_limit(&self) -> bool {
        self.presence_bytes > PRESENCE_BYTES_MAX
    }

    /// Ready when there is room for messages. Otherwise wakes the task of `cx` when there may be.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bytes_max = if self.share.owner().budget().is_full() { 0 } else { INBOX_BYTES_MAX };
        if self.bytes.len() <= bytes_max {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waiting| waiting.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Adds a client's messages, which are in the worker's framing. Returns the number of bytes.
    pub(super) fn post(&mut self, said: &Draft) -> usize {
        self.bytes.extend_from_slice(said.payloads());
        self.share.set(self.bytes.capacity(), 0);
        said.len()
    }

    /// Adds a client's messages as events. Returns the number of bytes that it added; `None`, and adds nothing, if the budget
    /// has no room for them.
    pub(super) fn post_events(&mut self, client: &str, said: &Draft) -> Option<usize> {
        let before = self.bytes.len();
        // Escapes may make six bytes of one.
        let bytes = said.messages().map(|(kind, payload)| events::message_bytes(client, kind, payload)).sum();
        if !self.share.owner().budget().fits(bytes) {
            return None;
        }
        self.bytes.reserve(bytes);
        for (kind, payload) in said.messages() {
            events::message(client, kind, payload, &mut self.bytes);
        }
        self.share.set(self.bytes.capacity(), 0);
        Some(self.bytes.len() - before)
    }

    /// Whether there is more than `open` and `close` events.
    pub(super) fn has_messages(&self) -> bool {
        self.bytes.len() > self.presence_bytes
    }

    /// Takes all bytes, and wakes the sessions that wait for room.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.waiting.drain(..).for_each(Waker::wake);
        self.taken += u64::from(!self.bytes.is_empty());
        self.presence_bytes = 0;
        self.share.set(0, 0);
        mem::take(&mut self.bytes)
    }
}
