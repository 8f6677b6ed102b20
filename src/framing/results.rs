//! The results of encoders and decoders.

use super::window::WindowSize;
use crate::message::Piece;

/// The effect of a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It was appended for the worker.
    Message,
    /// It was appended, and is the first of a stream without borders: so shall the output be from now on.
    Stream,
    /// It was dropped, for this reason; the session goes on.
    Ignored(&'static str),
    /// The client's terminal has this size now.
    Resize(WindowSize),
    /// The client can take no more output for now.
    Pause,
    /// The client takes output again.
    Resume,
}

/// The rule of its framing that a client's message breaks; its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejected(pub(crate) &'static str);

/// The fault of a binary message whose bytes must be text.
pub(super) const NOT_TEXT: Rejected = Rejected("not UTF-8");

/// The next part of a worker's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded<'a> {
    /// A piece of a message for the client.
    Piece(Piece<'a>),
    /// A line that is no message. wsd logs it.
    Junk(&'a [u8]),
}

/// The rule of its framing that a program's output breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled(pub(crate) &'static str);
