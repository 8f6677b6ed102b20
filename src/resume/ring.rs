//! The messages that a client may not have: those that it has not acknowledged, and those that wsd has not sent.

use std::{collections::VecDeque, ops::Deref, sync::Arc};

use super::control;
use crate::{
    client::Client,
    message::{Batch, Draft, Kind, Piece},
};

/// Bytes that each message costs beside its own: the note of its end.
const MESSAGE_BYTES: usize = 16;

/// Bytes that a batch costs beside its messages.
const BATCH_BYTES: usize = 256;

/// Bytes of a chunk of the client's own messages. wsd frees a chunk when the client has all of it.
const CHUNK_BYTES: usize = 16 << 10;

/// The messages, in order, by the numbers of `wsd.resume.1`: the first of a session is 1.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    chunks: VecDeque<Chunk>,
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
}

/// The connection that takes the messages of a ring.
pub(crate) trait Outlet {
    /// Appends a piece of a message.
    fn append(&mut self, piece: Piece<'_>);

    /// Appends messages that several clients share.
    fn append_batch(&mut self, batch: &Arc<Batch>);
}

impl<C: Client> Outlet for C {
    fn append(&mut self, piece: Piece<'_>) {
        Client::append(self, piece);
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        Client::append_batch(self, batch);
    }
}

/// Messages that are freed together.
#[derive(Debug)]
enum Chunk {
    /// Messages of this client only. The last one may be unfinished.
    Own(Draft),
    /// Messages that it shares with other clients.
    Shared(Arc<Batch>),
}

impl Deref for Chunk {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        match self {
            Self::Own(draft) => draft,
            Self::Shared(batch) => batch,
        }
    }
}

impl Ring {
    /// Adds a piece of a message. A message over `message_bytes_max` becomes several.
    pub(crate) fn append(&mut self, piece: Piece<'_>, message_bytes_max: usize) {
        let draft = self.own();
        let unfinished = draft.unfinished();
        let mut complete = 0;
        if !unfinished.is_empty() && unfinished.len() + piece.payload.len() > message_bytes_max {
            let rest = if piece.kind == Kind::Text { split_character(unfinished) } else { 0 };
            complete += unfinished.len() - rest + MESSAGE_BYTES;
            draft.finish(piece.kind, rest);
        }
        draft.extend(piece.payload);
        if piece.last {
            complete += draft.unfinished().len() + MESSAGE_BYTES;
            draft.finish(piece.kind, 0);
        }
        self.bytes += complete;
    }

    /// Adds messages that it shares with other clients.
    pub(super) fn append_batch(&mut self, batch: &Arc<Batch>) {
        let bytes = batch.len() + batch.count() * MESSAGE_BYTES + BATCH_BYTES;
        self.bytes += bytes;
        self.shared_bytes += bytes;
        self.chunks.push_back(Chunk::Shared(Arc::clone(batch)));
    }

    /// Returns the chunk for the next bytes.
    fn own(&mut self) -> &mut Draft {
        let has_room = match self.chunks.back_mut() {
            Some(Chunk::Own(draft)) if draft.len() >= CHUNK_BYTES && draft.unfinished().is_empty() => {
                draft.shrink();
                false
            }
            last => matches!(last, Some(Chunk::Own(_))),
        };
        if !has_room {
            self.chunks.push_back(Chunk::Own(Draft::default()));
        }
        match self.chunks.back_mut() {
            Some(Chunk::Own(draft)) => draft,
            _ => unreachable!("one was put there"),
        }
    }

    /// Sends messages to the other side, up to `bytes_max` and one more. Returns whether there were any.
    pub(crate) fn feed(&mut self, client: &mut impl Outlet, bytes_max: usize) -> bool {
        if self.sent < self.dropped {
            text(client, control::gap(self.dropped - self.sent).as_bytes());
            self.sent = self.dropped;
        }
        let mut fed = 0;
        let before = self.sent;
        while fed < bytes_max
            && let Some(chunk) = self.chunks.get(self.cursor.0)
        {
            let (at, count) = (self.cursor.1, chunk.count());
            match chunk {
                _ if at == count => {
                    if self.cursor.0 + 1 == self.chunks.len() {
                        break;
                    }
                    self.cursor = (self.cursor.0 + 1, 0);
                }
                Chunk::Shared(batch) if at == 0 && !batch.has_nul_text() => {
                    fed += batch.len();
                    client.append_batch(batch);
                    self.cursor.1 = count;
                    self.sent += count as u64;
                }
                _ => {
                    let (kind, payload) = chunk.get(at);
                    fed += payload.len() + MESSAGE_BYTES;
                    message(client, kind, payload);
                    self.cursor.1 += 1;
                    self.sent += 1;
                }
            }
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
            self.pop();
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
            self.pop();
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
        self.chunks.iter().map(|chunk| chunk.count()).sum::<usize>() - self.gone
    }

    /// Forgets the oldest messages until at most `bytes_max` are left, or one chunk.
    pub(super) fn trim(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max && self.chunks.len() > 1 {
            self.pop();
        }
    }

    /// Forgets the oldest message.
    fn pop(&mut self) {
        let chunk = &self.chunks[0];
        let mut bytes = chunk.len_at(self.gone) + MESSAGE_BYTES;
        self.dropped += 1;
        self.gone += 1;
        let is_shared = matches!(chunk, Chunk::Shared(_));
        let is_empty = self.gone == chunk.count() && (is_shared || chunk.unfinished().is_empty());
        if self.cursor.0 == 0 {
            self.cursor.1 = self.cursor.1.max(self.gone);
        }
        if is_empty {
            bytes += if is_shared { BATCH_BYTES } else { 0 };
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

    /// Returns the bytes of the message that is not complete.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        match self.chunks.back() {
            Some(Chunk::Own(draft)) => draft.unfinished().len(),
            _ => 0,
        }
    }

    /// Returns the bytes that wait here: those of this client, and those that it shares with others.
    pub(super) fn held(&self) -> (usize, usize) {
        let places = self.chunks.capacity() * size_of::<Chunk>();
        (self.bytes - self.shared_bytes + self.unfinished_bytes() + places, self.shared_bytes)
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

/// Appends a message of the application; a text that begins with U+0000 with one more in front.
fn message(client: &mut impl Outlet, kind: Kind, payload: &[u8]) {
    let first = kind != Kind::Text || payload.first() != Some(&0);
    if !first {
        client.append(Piece { kind, first: true, last: false, payload: b"\0" });
    }
    client.append(Piece { kind, first, last: true, payload });
}

/// Appends a control message.
pub(crate) fn text(client: &mut impl Outlet, payload: &[u8]) {
    client.append(Piece::whole(Kind::Text, payload));
}
