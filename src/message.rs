//! Messages: their types, the pieces of long ones, and batches that many clients share.

use std::{ops::Deref, sync::OnceLock};

use bytes::Bytes;

use crate::budget::{Budget, payload::Counted};

/// The two data types of RFC 6455, section 5.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8 text (opcode 1).
    Text,
    /// Bytes (opcode 2).
    Binary,
}

/// A message of a worker, or a part of one: a *fragment* of RFC 6455, section 5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The type of the whole message.
    pub(crate) kind: Kind,
    /// Whether this is the first piece of its message.
    pub(crate) first: bool,
    /// Whether this is the last piece of its message.
    pub(crate) last: bool,
    /// The bytes. The pieces of a text message together are UTF-8; a single piece may end inside a character.
    pub(crate) payload: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Returns a message in one piece.
    pub(crate) fn whole(kind: Kind, payload: &'a [u8]) -> Self {
        Self { kind, first: true, last: true, payload }
    }
}

/// A list of messages that can still grow.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    payloads: Vec<u8>,
    /// The type of each message, and its end in `payloads`.
    ends: Vec<(Kind, usize)>,
}

impl Draft {
    /// Adds a message.
    pub(crate) fn push(&mut self, kind: Kind, payload: &[u8]) {
        self.push_with(kind, |payloads| payloads.extend_from_slice(payload));
    }

    /// Adds the message that `append` appends, and returns the result of `append`.
    pub(crate) fn push_with<T>(&mut self, kind: Kind, append: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let result = append(&mut self.payloads);
        self.ends.push((kind, self.payloads.len()));
        result
    }

    /// Whether there is no message.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the messages, in order.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.messages_from(0)
    }

    /// Returns the messages from `index` on, in order.
    pub(crate) fn messages_from(&self, index: usize) -> impl Iterator<Item = (Kind, &[u8])> {
        let mut start = self.start(index);
        self.ends[index..].iter().map(move |&(kind, end)| {
            let payload = &self.payloads[start..end];
            start = end;
            (kind, payload)
        })
    }

    /// Returns the bytes of all messages, one after the other.
    pub(crate) fn payloads(&self) -> &[u8] {
        &self.payloads
    }

    /// Returns the number of bytes of the messages.
    pub(crate) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Returns the bytes of memory that it takes up.
    pub(crate) fn held(&self) -> usize {
        self.payloads.capacity() + self.ends.capacity() * size_of::<(Kind, usize)>()
    }

    /// Returns the number of messages.
    pub(crate) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Returns the bytes of `count` messages from `index` on.
    pub(crate) fn len_of(&self, index: usize, count: usize) -> usize {
        self.start(index + count) - self.start(index)
    }

    /// Returns the place of the message at `index` in `payloads`.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |last| self.ends[last].1)
    }

    /// Makes a batch of the messages, which counts against `budget` until the last owner drops it.
    pub(crate) fn share(mut self, budget: &Budget) -> Batch {
        if self.payloads.capacity() > 2 * self.payloads.len() {
            self.payloads.shrink_to_fit();
        }
        let counted = budget.hold(self.held());
        self.ends.shrink_to_fit();
        let (encoded, packed, has_nul_text) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Batch { messages: self, budget: budget.clone(), encoded, packed, has_nul_text, _counted: counted }
    }
}

/// Messages that many clients share. wsd encodes them once and copies them for no client.
#[derive(Debug)]
pub(crate) struct Batch {
    messages: Draft,
    budget: Budget,
    encoded: OnceLock<Bytes>,
    packed: OnceLock<Option<Box<PackedFrames>>>,
    has_nul_text: OnceLock<bool>,
    _counted: Counted,
}

/// Frames of which some carry compressed messages.
#[derive(Clone, Debug)]
pub(crate) struct PackedFrames {
    /// The frames.
    pub(crate) frames: Bytes,
    /// Bytes of their payloads.
    pub(crate) payload_bytes: usize,
}

impl Batch {
    /// Returns the messages as frames of a WebSocket. The first call makes them with `encode`.
    pub(crate) fn frames(&self, encode: impl FnOnce(&Self) -> Vec<u8>) -> Bytes {
        self.encoded.get_or_init(|| self.budget.bytes(encode(self))).clone()
    }

    /// Returns the messages as frames with compressed messages. The first call makes them with `encode`, which returns the frames
    /// and the bytes of their payloads; `None` if it compresses none.
    pub(crate) fn packed_frames(
        &self,
        encode: impl FnOnce(&Self) -> Option<(Vec<u8>, usize)>,
    ) -> Option<&PackedFrames> {
        let packed = self.packed.get_or_init(|| {
            let (frames, payload_bytes) = encode(self)?;
            Some(Box::new(PackedFrames { frames: self.budget.bytes(frames), payload_bytes }))
        });
        packed.as_deref()
    }

    /// Whether a text among the messages begins with U+0000.
    pub(crate) fn has_nul_text(&self) -> bool {
        *self
            .has_nul_text
            .get_or_init(|| self.messages().any(|(kind, payload)| kind == Kind::Text && payload.first() == Some(&0)))
    }
}

impl Deref for Batch {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.messages
    }
}
