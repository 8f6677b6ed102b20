//! What flows between a worker and a client: messages, and the pieces in which long ones travel.

/// The two data types of RFC 6455, section 5.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8 text (opcode 1).
    Text,
    /// Bytes (opcode 2).
    Binary,
}

/// A message of a worker, or a part of one: a *fragment* in the sense of RFC 6455, section 5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The type of the whole message.
    pub(crate) kind: Kind,
    /// The first piece of its message.
    pub(crate) first: bool,
    /// The last piece of its message.
    pub(crate) last: bool,
    /// In text, the pieces of a message together are UTF-8; a single piece may end inside a character.
    pub(crate) payload: &'a [u8],
}

impl<'a> Piece<'a> {
    /// A message in one piece.
    pub(crate) fn whole(kind: Kind, payload: &'a [u8]) -> Self {
        Self { kind, first: true, last: true, payload }
    }
}
