//! Translates between bytes of a worker's standard streams and messages of a client. Pure: no I/O, no clock.

pub(crate) mod events;
pub(crate) mod lines;
mod streams;

use crate::message::{Kind, Piece};
use lines::Lines;
use streams::StreamLines;

/// The format of messages in a worker's standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A line for each message; websocketd's default.
    Lines,
    /// Bytes without borders of messages (`--binary`). Each read of the output is one binary message.
    Chunks,
    /// An object of JSON on each line, which names the client (`--framing=json`); see [`events`].
    Json,
    /// Input as lines; the lines of both output streams as objects of JSON (`--passstderr`).
    Streams,
    /// Single bytes: a framing for tests. A `!` breaks it, in either direction; a `?` is no message.
    #[cfg(test)]
    Picky,
}

/// The rule of its framing that a program's output breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled(pub(crate) &'static str);

impl Framing {
    /// Whether wsd sends the program's standard error to the client, too.
    pub(crate) fn wants_stderr(self) -> bool {
        self == Self::Streams
    }

    /// Whether messages name their client. Such a program needs a room, even for one client.
    pub(crate) fn names_clients(self) -> bool {
        self == Self::Json
    }

    /// Returns an encoder for one client's messages. ([`events::message`] encodes those for [`Framing::Json`].)
    pub(crate) fn encoder(self) -> Encoder {
        match self {
            Self::Lines | Self::Json | Self::Streams => Encoder::Lines,
            Self::Chunks => Encoder::Chunks,
            #[cfg(test)]
            Self::Picky => Encoder::Picky,
        }
    }

    /// Returns a decoder for one worker's output. `message_bytes_max` is the limit of a message whose length the output tells
    /// (`--maxframesize`).
    pub(crate) fn decoder(self, message_bytes_max: usize) -> Decoder {
        let _ = message_bytes_max;
        match self {
            Self::Lines | Self::Json => Decoder::Lines(Lines::default()),
            Self::Chunks => Decoder::Chunks,
            Self::Streams => Decoder::Streams(StreamLines::new("stdout"), StreamLines::new("stderr")),
            #[cfg(test)]
            Self::Picky => Decoder::Picky,
        }
    }
}

/// The effect of a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It was appended for the worker.
    Message,
    /// It was dropped, for this reason; the session goes on.
    #[cfg_attr(not(test), expect(dead_code, reason = "lines and chunks take every message"))]
    Ignored(&'static str),
}

/// The rule of its framing that a client's message breaks; its session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rejected(pub(crate) &'static str);

/// Writes a client's messages in the format of a worker's input.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// See [`Framing::Lines`].
    Lines,
    /// See [`Framing::Chunks`].
    Chunks,
    /// See [`Framing::Picky`].
    #[cfg(test)]
    Picky,
}

impl Encoder {
    /// Appends a client's message to `input`; appends nothing unless it returns [`Heard::Message`].
    ///
    /// Fails if the framing cannot take the message. The encoder must not be used after a failure.
    #[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "lines and chunks take every message"))]
    pub(crate) fn encode(&mut self, _: Kind, message: &[u8], input: &mut Vec<u8>) -> Result<Heard, Rejected> {
        match self {
            Self::Lines => lines::encode(message, input),
            Self::Chunks => input.extend_from_slice(message),
            #[cfg(test)]
            Self::Picky => return picky::encode(message, input),
        }
        Ok(Heard::Message)
    }
}

/// The next part of a worker's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded<'a> {
    /// A piece of a message for the client.
    Piece(Piece<'a>),
    /// A line that is no message. wsd logs it.
    #[cfg_attr(not(test), expect(dead_code, reason = "each line and each chunk is a message"))]
    Junk(&'a [u8]),
}

/// Splits a worker's output into messages. The borders of reads do not matter.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// See [`Framing::Lines`].
    Lines(Lines),
    /// See [`Framing::Chunks`].
    Chunks,
    /// See [`Framing::Streams`]: standard output and standard error.
    Streams(StreamLines, StreamLines),
    /// See [`Framing::Picky`].
    #[cfg(test)]
    Picky,
}

impl Decoder {
    /// Takes the next bytes of the output and calls `emit` with everything that they complete, in order.
    ///
    /// Fails if the output breaks the framing, after it has emitted the pieces before that place. The decoder must not be used
    /// after a failure.
    #[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "lines and chunks cannot be broken"))]
    pub(crate) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        match self {
            Self::Lines(lines) => lines.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::Chunks => emit(Decoded::Piece(Piece::whole(Kind::Binary, output))),
            Self::Streams(stdout, _) => stdout.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            #[cfg(test)]
            Self::Picky => return picky::decode(output, emit),
        }
        Ok(())
    }

    /// Takes the next bytes of standard error. Ignores them unless the framing [wants them](Framing::wants_stderr).
    pub(crate) fn decode_stderr(&mut self, output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) {
        if let Self::Streams(_, stderr) = self {
            stderr.decode(output, &mut |piece| emit(Decoded::Piece(piece)));
        }
    }

    /// Emits the messages that the end of the output completes: a last line without a newline. Fails if a message is cut.
    #[expect(clippy::unnecessary_wraps, reason = "lines and chunks cannot be cut")]
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        let emit = &mut |piece: Piece<'_>| emit(Decoded::Piece(piece));
        match self {
            Self::Lines(lines) => lines.finish(emit),
            Self::Chunks => {}
            Self::Streams(stdout, stderr) => {
                stdout.finish(emit);
                stderr.finish(emit);
            }
            #[cfg(test)]
            Self::Picky => {}
        }
        Ok(())
    }

    /// Returns the bytes of memory that unfinished lines take up.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.held(),
            Self::Chunks => 0,
            Self::Streams(stdout, stderr) => stdout.held() + stderr.held(),
            #[cfg(test)]
            Self::Picky => 0,
        }
    }

    /// Whether the decoder has replaced bytes of text that are not UTF-8.
    pub(crate) fn has_replaced(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.has_replaced())
    }
}

#[cfg(test)]
mod picky {
    use super::{Decoded, Garbled, Heard, Rejected};
    use crate::message::{Kind, Piece};

    /// See [`Framing::Picky`](super::Framing::Picky).
    pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) -> Result<Heard, Rejected> {
        match message {
            b"!" => return Err(Rejected("a message that is not allowed")),
            b"?" => return Ok(Heard::Ignored("a question")),
            _ => input.extend_from_slice(message),
        }
        Ok(Heard::Message)
    }

    /// See [`Framing::Picky`](super::Framing::Picky).
    pub(super) fn decode(output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        for byte in output.chunks(1) {
            match byte {
                b"!" => return Err(Garbled("a byte that is not allowed")),
                b"?" => emit(Decoded::Junk(byte)),
                _ => emit(Decoded::Piece(Piece::whole(Kind::Binary, byte))),
            }
        }
        Ok(())
    }
}
