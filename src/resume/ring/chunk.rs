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
    /// Returns an empty chunk of the client's own messages, behind another one.
    pub(super) fn after(before: Option<&Self>) -> Self {
        Self::Own(match before {
            // A flood goes on as it was.
            Some(Self::Own(frames)) if frames.len() >= UNCOPIED_BYTES_MIN => frames.another(CHUNK_BYTES),
            _ => Frames::default(),
        })
    }

    /// Whether `frames` have room for one more message of so many bytes.
    pub(super) fn has_room(frames: &Frames, bytes: usize) -> bool {
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

    /// Returns the bytes of memory of the client's own messages.
    pub(super) fn settled(&self) -> usize {
        match self {
            Self::Own(frames) => frames.held(),
            Self::Shared(_) => 0,
        }
    }
}
