//! The inbox of a room: clients' messages that wait for its worker.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    budget::{Owner, Share},
    framing::{Decoded, Framing, events},
    limits::{INBOX_BYTES_MAX, PRESENCE_BYTES_MAX},
    message::{Draft, Kind},
    record::track::Track,
    trace,
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
    /// The recording of the worker, if there is one.
    track: Option<Arc<Track>>,
}

impl Inbox {
    /// Returns an empty inbox.
    pub(super) fn new(owner: &Owner) -> Self {
        let (bytes, waiting) = (Vec::new(), Vec::new());
        Self { bytes, share: owner.share(), presence_bytes: 0, taken: 0, written: 0, waiting, track: None }
    }

    /// Adds an `open` event. Never refuses it, so every client has exactly one, and one `close` event.
    /// `node` is that of the client in a cluster.
    pub(super) fn add_open<'a>(
        &mut self,
        client: &str,
        node: Option<&str>,
        variables: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) {
        if let Some(track) = &self.track {
            // A recording has no values of headers: they may be secret.
            let is_of_header = |name: &str| name.starts_with("HTTP_") || trace::VARIABLES.contains(&name);
            let safe = variables.clone().map(|(name, value)| (name, if is_of_header(name) { "" } else { value }));
            let mut line = Vec::new();
            events::open(client, node, safe, &mut line);
            record_event(track, client, &line);
        }
        let before = self.bytes.len();
        events::open(client, node, variables, &mut self.bytes);
        self.count_presence(before);
    }

    /// Adds a `close` event. Never refuses it.
    pub(super) fn add_close(&mut self, client: &str, code: u16, reason: &str) {
        let before = self.bytes.len();
        events::close(client, code, reason, &mut self.bytes);
        if let Some(track) = &self.track {
            record_event(track, client, &self.bytes[before..]);
        }
        self.count_presence(before);
    }

    fn count_presence(&mut self, before: usize) {
        self.presence_bytes += self.bytes.len() - before;
        self.share.set(self.bytes.capacity(), 0);
    }

    /// Sets the recording of the worker.
    pub(super) fn set_track(&mut self, track: Option<Arc<Track>>) {
        self.track = track;
    }

    /// Whether the worker is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.track.is_some()
    }

    /// Records a client's messages, which [`Inbox::post`] adds.
    pub(super) fn record(&self, client: &str, heard: &Draft) {
        if let Some(track) = &self.track {
            heard.messages().for_each(|(kind, payload)| track.input(Some(client), kind, payload));
        }
    }

    /// Records a client's messages, which are in the worker's framing.
    pub(super) fn record_encoded(&self, client: &str, said: &Draft, framing: Framing) {
        if let Some(track) = &self.track {
            let mut decoder = framing.decoder(usize::MAX);
            let mut record = |decoded: Decoded<'_>| {
                if let Decoded::Piece(piece) = decoded {
                    track.input(Some(client), piece.kind, piece.payload);
                }
            };
            let _ = decoder.decode(said.payloads(), &mut record).and_then(|()| decoder.finish(&mut record));
        }
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
            let before = self.bytes.len();
            events::message(client, kind, payload, &mut self.bytes);
            if let Some(track) = &self.track {
                record_event(track, client, &self.bytes[before..]);
            }
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

/// Records a line with an event, which the framing of lines gives back with its end.
fn record_event(track: &Arc<Track>, client: &str, line: &[u8]) {
    track.input(Some(client), Kind::Text, line.strip_suffix(b"\n").unwrap_or(line));
}
