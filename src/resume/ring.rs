//! The messages that a client may not have: those that it has not acknowledged, and those that wsd has not sent.

mod chunk;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, mem, sync::Arc};

use super::carrier::Carrier;
use crate::message::{Batch, Kind, Piece};
use chunk::{Chunk, UNCOPIED_BYTES_MIN};

/// The messages, in order, by the numbers of `wsd.resume.1`: the first of a session is 1.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// The messages before those of `newest`. These chunks do not grow any more.
    chunks: VecDeque<Chunk>,
    /// The newest messages. It has a place of its own, so that adding a message looks for none.
    newest: Chunk,
    /// The beginning of a message whose rest is still to come.
    unfinished: Vec<u8>,
    /// The number of messages at the front of the first chunk that are gone.
    gone: usize,
    /// The place of the next message to send: a chunk, of which `newest` is the last, and a message in it.
    cursor: (usize, usize),
    /// The last message that is gone: acknowledged or dropped.
    dropped: u64,
    /// The last message that the client has acknowledged.
    acked: u64,
    /// The last message that wsd has sent over the current connection.
    sent: u64,
    /// Bytes of the messages of `chunks`, and of their notes.
    bytes: usize,
    /// The part of `bytes` that other clients have, too.
    shared_bytes: usize,
    /// Bytes of memory of the client's own messages in `chunks`.
    settled: usize,
}

impl Ring {
    /// Adds a piece of a message. A message over `message_bytes_max` becomes several.
    #[inline]
    pub(crate) fn append(&mut self, piece: Piece<'_>, message_bytes_max: usize) {
        if piece.last && self.unfinished.is_empty() {
            self.push(piece.kind, piece.payload);
        } else {
            self.append_part(piece, message_bytes_max);
        }
    }

    /// Adds a piece of a message that has several.
    #[cold]
    fn append_part(&mut self, piece: Piece<'_>, message_bytes_max: usize) {
        if !self.unfinished.is_empty() && self.unfinished.len() + piece.payload.len() > message_bytes_max {
            let rest = if piece.kind == Kind::Text { split_character(&self.unfinished) } else { 0 };
            let rest = self.unfinished.split_off(self.unfinished.len() - rest);
            let whole = mem::replace(&mut self.unfinished, rest);
            self.push(piece.kind, &whole);
        }
        self.unfinished.extend_from_slice(piece.payload);
        if piece.last {
            let whole = mem::take(&mut self.unfinished);
            self.push(piece.kind, &whole);
        }
    }

    /// Adds a message. Every message of a program passes here.
    #[inline]
    fn push(&mut self, kind: Kind, payload: &[u8]) {
        if !self.newest.has_room(payload.len()) {
            self.begin_chunk();
        }
        match &mut self.newest {
            Chunk::Own(frames) => frames.push(kind, payload),
            Chunk::Shared(_) => unreachable!("a shared chunk has no room"),
        }
    }

    /// Adds an empty chunk of the client's own messages.
    #[cold]
    fn begin_chunk(&mut self) {
        self.add(Chunk::Own(self.newest.successor()));
    }

    /// Adds messages that it shares with other clients.
    pub(super) fn append_batch(&mut self, batch: &Arc<Batch>) {
        self.add(Chunk::Shared(Arc::clone(batch)));
    }

    /// Adds a chunk. The one before it does not grow any more.
    fn add(&mut self, chunk: Chunk) {
        let mut before = mem::replace(&mut self.newest, chunk);
        if before.count() == 0 {
            return;
        }
        before.settle();
        let gone = if self.chunks.is_empty() { self.gone } else { 0 };
        let bytes = before.bytes_from(gone);
        self.bytes += bytes;
        self.shared_bytes += if before.is_shared() { bytes } else { 0 };
        self.settled += before.held();
        self.chunks.push_back(before);
    }

    /// Sends messages to a client, up to `bytes_max` and one more. Returns whether there were any.
    pub(crate) fn feed(&mut self, carrier: &mut impl Carrier, bytes_max: usize) -> bool {
        if self.sent < self.dropped {
            carrier.gap(self.dropped, self.dropped - self.sent);
            self.sent = self.dropped;
        }
        let mut fed = 0;
        let before = self.sent;
        while fed < bytes_max {
            let chunk = self.chunks.get_mut(self.cursor.0).unwrap_or(&mut self.newest);
            let (at, count) = (self.cursor.1, chunk.count());
            if at == count {
                if self.cursor.0 == self.chunks.len() {
                    break;
                }
                self.cursor = (self.cursor.0 + 1, 0);
                continue;
            }
            let until = match chunk {
                Chunk::Own(frames) => {
                    let until = frames.until(at, bytes_max - fed);
                    if frames.len_of(at, until - at) >= UNCOPIED_BYTES_MIN {
                        frames.settle();
                    }
                    carrier.frames(self.sent + 1, frames, at..until);
                    until
                }
                Chunk::Shared(batch) if at == 0 => {
                    carrier.batch(self.sent + 1, batch);
                    count
                }
                Chunk::Shared(batch) => {
                    for (number, (kind, payload)) in (self.sent + 1..).zip(batch.messages_from(at)) {
                        carrier.message(number, kind, payload);
                    }
                    count
                }
            };
            fed += chunk.bytes_of(at, until - at);
            self.cursor.1 = until;
            self.sent += (until - at) as u64;
        }
        self.sent > before
    }

    /// Forgets the messages that the client has. `None` if it cannot have this number.
    pub(crate) fn acknowledge(&mut self, count: u64) -> Option<()> {
        if count < self.acked || count > self.sent {
            return None;
        }
        self.acked = count;
        while self.dropped < count {
            self.pop(usize::try_from(count - self.dropped).unwrap_or(usize::MAX));
        }
        Some(())
    }

    /// Begins to send over another connection, after message `got`. Returns the number of messages to send. `None` if the client
    /// cannot have this number.
    pub(crate) fn rewind(&mut self, got: u64) -> Option<usize> {
        self.acknowledge(got)?;
        self.sent = got;
        self.cursor = (0, self.gone);
        Some(self.count())
    }

    /// Begins another session with the messages that were not sent, and forgets the others.
    pub(crate) fn begin_again(&mut self) {
        while self.dropped < self.sent {
            self.pop(usize::try_from(self.sent - self.dropped).unwrap_or(usize::MAX));
        }
        (self.acked, self.dropped, self.sent) = (0, 0, 0);
        self.cursor = (0, self.gone);
    }

    /// Whether there are whole messages that were not sent over the current connection.
    pub(crate) fn has_unsent(&self) -> bool {
        let (chunk, message) = self.cursor;
        // Only an empty ring has an empty chunk.
        chunk < self.chunks.len() || message < self.newest.count()
    }

    /// Returns the number of messages.
    pub(crate) fn count(&self) -> usize {
        self.chunks.iter().chain([&self.newest]).map(Chunk::count).sum::<usize>() - self.gone
    }

    /// Returns the bytes of the message that is not complete.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.unfinished.len()
    }

    /// Forgets the oldest messages until at most `bytes_max` are left, or one chunk.
    pub(super) fn trim(&mut self, bytes_max: usize) {
        while !self.chunks.is_empty() && self.bytes() > bytes_max {
            self.pop(1);
        }
    }

    /// Forgets the oldest messages that wsd has sent, until at most `bytes_max` are left.
    pub(super) fn trim_sent(&mut self, bytes_max: usize) {
        while self.dropped < self.sent && self.bytes() > bytes_max {
            self.pop(1);
        }
    }

    /// Forgets the oldest messages, at most `count` and those of one chunk.
    fn pop(&mut self, count: usize) {
        let first = self.chunks.front().unwrap_or(&self.newest);
        let count = count.min(first.count() - self.gone);
        let is_over = self.gone + count == first.count();
        if !self.chunks.is_empty() {
            let bytes = first.bytes_from(self.gone) - if is_over { 0 } else { first.bytes_from(self.gone + count) };
            self.bytes -= bytes;
            self.shared_bytes -= if first.is_shared() { bytes } else { 0 };
            self.settled -= if is_over { first.held() } else { 0 };
        }
        self.dropped += count as u64;
        self.gone += count;
        if self.cursor.0 == 0 {
            self.cursor.1 = self.cursor.1.max(self.gone);
        }
        if is_over {
            if self.chunks.pop_front().is_none() {
                self.newest = Chunk::default();
            }
            self.gone = 0;
            self.cursor = self.cursor.0.checked_sub(1).map_or((0, 0), |index| (index, self.cursor.1));
            if self.chunks.is_empty() {
                self.chunks = VecDeque::new();
            }
        }
    }

    /// Returns the numbers of the last acknowledged and the last sent message.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        (self.acked, self.sent)
    }

    /// Whether the whole messages take up so many bytes.
    pub(crate) fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes() >= bytes_max
    }

    /// Returns the bytes of the messages and of their notes.
    fn bytes(&self) -> usize {
        self.bytes + self.newest_bytes()
    }

    /// Returns the bytes of the messages of `newest`, and of their notes.
    fn newest_bytes(&self) -> usize {
        self.newest.bytes_from(if self.chunks.is_empty() { self.gone } else { 0 })
    }

    /// Returns the bytes that wait here: those of this client, and those that it shares with others.
    pub(super) fn held(&self) -> (usize, usize) {
        let newest_shared = if self.newest.is_shared() { self.newest_bytes() } else { 0 };
        let places = self.chunks.capacity() * size_of::<Chunk>();
        (self.settled + self.newest.held() + self.unfinished.capacity() + places, self.shared_bytes + newest_shared)
    }
}

/// Returns the length of the part of a character at the end.
fn split_character(text: &[u8]) -> usize {
    let tail = &text[text.len().saturating_sub(3)..];
    match str::from_utf8(&tail[tail.iter().position(|byte| byte & 0xC0 != 0x80).unwrap_or(0)..]) {
        Err(error) if error.error_len().is_none() => {
            let start = tail.iter().position(|byte| byte & 0xC0 != 0x80).unwrap_or(0);
            tail.len() - start - error.valid_up_to()
        }
        _ => 0,
    }
}
