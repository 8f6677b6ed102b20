//! Messages as the frames of a WebSocket that a client gets: a flood is sent with one copy for many messages.

use std::{
    borrow::Cow,
    mem,
    ops::{Deref, Range},
};

use bytes::Bytes;

use crate::{
    message::{Kind, Piece},
    socket::framed,
};

/// The first frame of a text that begins with U+0000: one more of them.
const ESCAPE: &[u8] = &[1, 1, 0];

/// A list of messages.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: FrameBytes,
    /// The end of each message in `bytes`.
    ends: Vec<usize>,
}

/// The frames of a list.
#[derive(Debug)]
enum FrameBytes {
    /// The frames of a list that may grow.
    Growing(Vec<u8>),
    /// The frames of a list that no longer grows. A socket may send them without a copy.
    Settled(Bytes),
}

impl Default for FrameBytes {
    fn default() -> Self {
        Self::Growing(Vec::new())
    }
}

impl Deref for FrameBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Growing(bytes) => bytes,
            Self::Settled(bytes) => bytes,
        }
    }
}

impl Frames {
    /// Returns an empty list with room for so many bytes, the notes of the ends among them, in messages such as those of this list.
    pub(super) fn another(&self, bytes: usize) -> Self {
        let ends = bytes * self.count() / (self.len() + size_of_val(self.ends.as_slice())).max(1);
        Self { bytes: FrameBytes::Growing(Vec::with_capacity(bytes)), ends: Vec::with_capacity(ends) }
    }

    /// Adds a message to a list that is not settled. A text that begins with U+0000 gets one more in front.
    #[inline]
    pub(super) fn push(&mut self, kind: Kind, payload: &[u8]) {
        let FrameBytes::Growing(bytes) = &mut self.bytes else { unreachable!("a settled list does not grow") };
        if kind == Kind::Text && payload.first() == Some(&0) {
            push_escaped(payload, bytes);
        } else {
            framed::encode(Piece::whole(kind, payload), bytes);
        }
        self.ends.push(bytes.len());
    }

    /// Whether the list may grow.
    pub(super) fn is_growing(&self) -> bool {
        matches!(self.bytes, FrameBytes::Growing(_))
    }

    /// Returns the number of messages.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Returns the bytes of the frames.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes of the frames of `count` messages from `index` on.
    pub(super) fn len_of(&self, index: usize, count: usize) -> usize {
        self.start(index + count) - self.start(index)
    }

    /// Returns the index after the messages from `index` on that have `bytes_max` bytes, and one more.
    pub(super) fn until(&self, index: usize, bytes_max: usize) -> usize {
        let enough = self.start(index).saturating_add(bytes_max);
        self.count().min(self.ends.partition_point(|end| *end < enough) + 1)
    }

    /// Returns the frames of some messages.
    pub(super) fn frames(&self, messages: Range<usize>) -> &[u8] {
        &self.bytes[self.start(messages.start)..self.start(messages.end)]
    }

    /// Returns the frames of some messages of a settled list, without copying them; `None` if it is not settled.
    pub(super) fn shared(&self, messages: Range<usize>) -> Option<Bytes> {
        let FrameBytes::Settled(bytes) = &self.bytes else { return None };
        Some(bytes.slice(self.start(messages.start)..self.start(messages.end)))
    }

    /// Returns the message at `index`. One of several frames is copied together.
    pub(super) fn get(&self, index: usize) -> (Kind, Cow<'_, [u8]>) {
        let frames = self.frames(index..index + 1);
        let mut frames = frames.strip_prefix(ESCAPE).unwrap_or(frames);
        // RFC 6455, section 5.2. A continuation is one of a text.
        let kind = if frames[0] & 0xF == 2 { Kind::Binary } else { Kind::Text };
        let mut whole = Cow::Borrowed(take_payload(&mut frames));
        while !frames.is_empty() {
            whole.to_mut().extend_from_slice(take_payload(&mut frames));
        }
        (kind, whole)
    }

    /// Settles the list, and gives back the memory that it does not use.
    pub(super) fn settle(&mut self) {
        if let FrameBytes::Growing(bytes) = &mut self.bytes {
            bytes.shrink_to_fit();
            self.bytes = FrameBytes::Settled(mem::take(bytes).into());
        }
        self.ends.shrink_to_fit();
    }

    /// Returns the bytes of memory that it takes up.
    pub(super) fn held(&self) -> usize {
        let bytes = match &self.bytes {
            FrameBytes::Growing(bytes) => bytes.capacity(),
            FrameBytes::Settled(bytes) => bytes.len(),
        };
        bytes + self.ends.capacity() * size_of::<usize>()
    }

    /// Returns the place of the message at `index`.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// Appends the frames of a text that begins with U+0000.
#[cold]
fn push_escaped(text: &[u8], frames: &mut Vec<u8>) {
    frames.extend_from_slice(ESCAPE);
    framed::encode(Piece { kind: Kind::Text, first: false, last: true, payload: text }, frames);
}

/// Takes the first frame off, and returns its payload.
fn take_payload<'a>(frames: &mut &'a [u8]) -> &'a [u8] {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let (header, length) = match frames[1] {
        127 => (10, number(&frames[2..10])),
        126 => (4, number(&frames[2..4])),
        length => (2, usize::from(length)),
    };
    let (frame, rest) = frames.split_at(header + length);
    *frames = rest;
    &frame[header..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_from_its_frames_as_it_was() {
        let long = vec![b'x'; 70_000];
        let texts: [&[u8]; 7] = [b"", b"a", b"\0", b"\0\x01\0a", &long[..125], &long[..126], &long];
        let mut frames = Frames::default();
        let messages: Vec<_> = texts.iter().flat_map(|text| [(Kind::Text, *text), (Kind::Binary, *text)]).collect();
        for (kind, payload) in &messages {
            frames.push(*kind, payload);
        }

        for (index, (kind, payload)) in messages.into_iter().enumerate() {
            assert_eq!(frames.get(index), (kind, payload.into()), "{index}");
        }
    }
}
