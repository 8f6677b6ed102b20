//! Messages of a ring that are freed together.

use std::sync::Arc;

use super::super::frames::Frames;
use crate::message::Batch;

/// Bytes that each message costs beside its own: the note of its end.
pub(super) const MESSAGE_BYTES: usize = size_of::<usize>();

/// Bytes that a batch costs beside its messages.
pub(super) const BATCH_BYTES: usize = 256;

/// Bytes of a chunk of the client's own messages, unless one alone is longer. wsd frees a chunk when the client has all of it.
pub(super) const CHUNK_BYTES: usize = 32 << 10;

/// Bytes of messages that a connection gets without a copy. The chunk with them does not grow any more.
pub(super) const UNCOPIED_BYTES_MIN: usize = 4 << 10;

/// Messages that are freed together.
#[derive(Debug)]
pub(super) enum Chunk {
    /// Messages of this client only.
    Own(Frames),
    /// Messages that it shares with other clients.
    Shared(Arc<Batch>),
}

impl Chunk {
    /// Returns the empty list of the client's own messages that follows this chunk.
    pub(super) fn successor(&self) -> Frames {
        match self {
            // A flood goes on as it was.
            Self::Own(frames) if frames.len() >= UNCOPIED_BYTES_MIN => frames.another(CHUNK_BYTES),
            _ => Frames::default(),
        }
    }

    /// Whether there is room for one more message of so many bytes of this client only.
    #[inline]
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let Self::Own(frames) = self else { return false };
        frames.is_growing() && frames.len() + frames.count() * MESSAGE_BYTES + bytes < CHUNK_BYTES
    }

    /// Returns the number of messages.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Own(frames) => frames.count(),
            Self::Shared(batch) => batch.count(),
        }
    }

    /// Returns the bytes of `count` messages from `index` on, with their notes.
    pub(super) fn bytes_of(&self, index: usize, count: usize) -> usize {
        let bytes = match self {
            Self::Own(frames) => frames.len_of(index, count),
            Self::Shared(batch) => batch.len_of(index, count),
        };
        bytes + count * MESSAGE_BYTES
    }

    /// Returns the bytes that the chunk counts for without its first `index` messages.
    pub(super) fn bytes_from(&self, index: usize) -> usize {
        self.bytes_of(index, self.count() - index) + if self.is_shared() { BATCH_BYTES } else { 0 }
    }

    /// Whether other clients have the messages, too.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Ends the growth of the client's own messages, and gives back the memory that they do not use.
    pub(super) fn settle(&mut self) {
        if let Self::Own(frames) = self {
            frames.settle();
        }
    }

    /// Returns the bytes of memory of the client's own messages.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Own(frames) => frames.held(),
            Self::Shared(_) => 0,
        }
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Own(Frames::default())
    }
}
