//! The messages that a client may not have: those that it has not acknowledged, and those that wsd has not sent.

mod chunk;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, mem, sync::Arc};

use super::{carrier::Carrier, frames::Frames};
use crate::message::{Batch, Kind, Piece};
use chunk::{BATCH_BYTES, Chunk, MESSAGE_BYTES, UNCOPIED_BYTES_MIN};

/// The messages, in order, by the numbers of `wsd.resume.1`: the first of a session is 1.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    chunks: VecDeque<Chunk>,
    /// The beginning of a message whose rest is still to come.
    unfinished: Vec<u8>,
    /// The number of messages at the front of the first chunk that are gone.
    gone: usize,
    /// The place of the next message to send: a chunk, and a message in it.
    cursor: (usize, usize),
    /// The last message that is gone: acknowledged or dropped.
    dropped: u64,
    /// The last message that the client has acknowledged.
    acked: u64,
    /// The last message that wsd has sent over the current connection.
    sent: u64,
    /// Bytes of the messages and of their notes.
    bytes: usize,
    /// The part of `bytes` that other clients have, too.
    shared_bytes: usize,
    /// Bytes of memory of the client's own chunks, except the last one, which may grow.
    settled: usize,
}

impl Ring {
    /// Adds a piece of a message. A message over `message_bytes_max` becomes several.
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
    fn push(&mut self, kind: Kind, payload: &[u8]) {
        let frames = match self.chunks.back_mut() {
            Some(Chunk::Own(frames)) if Chunk::has_room(frames, payload.len()) => frames,
            _ => self.begin_chunk(),
        };
        self.bytes += frames.push(kind, payload) + MESSAGE_BYTES;
    }

    /// Adds messages that it shares with other clients.
    pub(super) fn append_batch(&mut self, batch: &Arc<Batch>) {
        let bytes = batch.len() + batch.count() * MESSAGE_BYTES + BATCH_BYTES;
        self.bytes += bytes;
        self.shared_bytes += bytes;
        self.add(Chunk::Shared(Arc::clone(batch)));
    }

    /// Adds an empty chunk of the client's own messages, and returns it.
    #[cold]
    fn begin_chunk(&mut self) -> &mut Frames {
        self.add(Chunk::after(self.chunks.back()));
        match self.chunks.back_mut() {
            Some(Chunk::Own(frames)) => frames,
            _ => unreachable!("it was put there"),
        }
    }

    /// Adds a chunk. The one before it does not grow any more.
    fn add(&mut self, chunk: Chunk) {
        if let Some(Chunk::Own(frames)) = self.chunks.back_mut() {
            frames.settle();
            self.settled += frames.held();
        }
        self.chunks.push_back(chunk);
    }

    /// Sends messages to a client, up to `bytes_max` and one more. Returns whether there were any.
    pub(crate) fn feed(&mut self, carrier: &mut impl Carrier, bytes_max: usize) -> bool {
        if self.sent < self.dropped {
            carrier.gap(self.dropped, self.dropped - self.sent);
            self.sent = self.dropped;
        }
        let mut fed = 0;
        let before = self.sent;
        while fed < bytes_max
            && let Some(chunk) = self.chunks.get_mut(self.cursor.0)
        {
            let (at, count) = (self.cursor.1, chunk.count());
            if at == count {
                if self.cursor.0 + 1 == self.chunks.len() {
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
        self.chunks.get(chunk).is_some_and(|chunk| message < chunk.count())
            || self.chunks.iter().skip(chunk + 1).any(|chunk| chunk.count() > 0)
    }

    /// Returns the number of messages.
    pub(crate) fn count(&self) -> usize {
        self.chunks.iter().map(Chunk::count).sum::<usize>() - self.gone
    }

    /// Returns the bytes of the message that is not complete.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.unfinished.len()
    }

    /// Forgets the oldest messages until at most `bytes_max` are left, or one chunk.
    pub(super) fn trim(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max && self.chunks.len() > 1 {
            self.pop(1);
        }
    }

    /// Forgets the oldest messages that wsd has sent, until at most `bytes_max` are left.
    pub(super) fn trim_sent(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max && self.dropped < self.sent {
            self.pop(1);
        }
    }

    /// Forgets the oldest messages, at most `count` and those of one chunk.
    fn pop(&mut self, count: usize) {
        let chunk = &self.chunks[0];
        let count = count.min(chunk.count() - self.gone);
        let mut bytes = chunk.bytes_of(self.gone, count);
        self.dropped += count as u64;
        self.gone += count;
        let is_shared = matches!(chunk, Chunk::Shared(_));
        if self.cursor.0 == 0 {
            self.cursor.1 = self.cursor.1.max(self.gone);
        }
        if self.gone == chunk.count() {
            bytes += if is_shared { BATCH_BYTES } else { 0 };
            self.settled -= if self.chunks.len() == 1 { 0 } else { chunk.settled() };
            self.chunks.pop_front();
            self.gone = 0;
            self.cursor = self.cursor.0.checked_sub(1).map_or((0, 0), |index| (index, self.cursor.1));
        }
        self.bytes -= bytes;
        self.shared_bytes -= if is_shared { bytes } else { 0 };
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
    }

    /// Returns the numbers of the last acknowledged and the last sent message.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        (self.acked, self.sent)
    }

    /// Whether the whole messages take up so many bytes.
    pub(crate) fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes >= bytes_max
    }

    /// Returns the bytes that wait here: those of this client, and those that it shares with others.
    pub(super) fn held(&self) -> (usize, usize) {
        let last = self.chunks.back().map_or(0, Chunk::settled);
        let places = self.chunks.capacity() * size_of::<Chunk>();
        (self.settled + last + self.unfinished.capacity() + places, self.shared_bytes)
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
