//! Bytes of a worker's standard streams ↔ messages of a client. Pure: no I/O, no clock.

mod chunks;
pub(crate) mod events;
pub(crate) mod lines;
mod streams;

use crate::message::Piece;
use lines::Lines;
use streams::Stream;

/// How messages stand in a worker's standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A message is a line; websocketd's default.
    Lines,
    /// Bytes as they come, without borders (`--binary`).
    Chunks,
    /// An object of JSON a line, with who speaks (`--framing=json`); see [`events`].
    Json,
    /// Lines in; out, the lines of both output streams as objects of JSON (`--passstderr`).
    Streams,
    /// Single bytes, of which `!` is not allowed: a framing of the tests' own, which can be broken.
    #[cfg(test)]
    Picky,
}

/// Why a program's output cannot be read on: it breaks its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Garbled(pub(crate) &'static str);

impl Framing {
    /// Whether the program's standard error is sent to the client, too.
    pub(crate) fn wants_stderr(self) -> bool {
        self == Self::Streams
    }

    /// Whether the program is told who speaks, and says who is spoken to: it needs a room, be it for one client.
    pub(crate) fn names_clients(self) -> bool {
        self == Self::Json
    }

    /// Appends a client's message to `input`, as the worker is to read it. (With [`Framing::Json`] a room does that.)
    pub(crate) fn encode(self, message: &[u8], input: &mut Vec<u8>) {
        match self {
            Self::Lines | Self::Streams | Self::Json => lines::encode(message, input),
            Self::Chunks => chunks::encode(message, input),
            #[cfg(test)]
            Self::Picky => chunks::encode(message, input),
        }
    }

    /// A decoder for one worker's output.
    pub(crate) fn decoder(self) -> Decoder {
        match self {
            Self::Lines | Self::Json => Decoder::Lines(Lines::default()),
            Self::Chunks => Decoder::Chunks,
            Self::Streams => Decoder::Streams(Stream::new("stdout"), Stream::new("stderr")),
            #[cfg(test)]
            Self::Picky => Decoder::Picky,
        }
    }
}

/// Cuts a worker's output into messages, whatever the borders of the reads.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// See [`Framing::Lines`].
    Lines(Lines),
    /// See [`Framing::Chunks`].
    Chunks,
    /// See [`Framing::Streams`]: standard output and standard error.
    Streams(Stream, Stream),
    /// See [`Framing::Picky`].
    #[cfg(test)]
    Picky,
}

impl Decoder {
    /// Takes the next bytes of the output and hands over every piece they complete, in order.
    ///
    /// Fails where the output breaks the framing; the pieces before that have been handed over, and nothing can be read
    /// after it.
    #[cfg_attr(not(test), expect(clippy::unnecessary_wraps, reason = "lines and chunks cannot be broken"))]
    pub(crate) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> Result<(), Garbled> {
        match self {
            Self::Lines(lines) => lines.decode(output, emit),
            Self::Chunks => chunks::decode(output, emit),
            Self::Streams(stdout, _) => stdout.decode(output, emit),
            #[cfg(test)]
            Self::Picky => return picky::decode(output, emit),
        }
        Ok(())
    }

    /// Takes the next bytes of standard error, which only a framing that [wants it](Framing::wants_stderr) sends.
    pub(crate) fn decode_stderr(&mut self, output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        if let Self::Streams(_, stderr) = self {
            stderr.decode(output, emit);
        }
    }

    /// Hands over what the end of the output completes: a last line without a newline. Fails where a message is cut.
    #[expect(clippy::unnecessary_wraps, reason = "lines and chunks cannot be cut")]
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Piece<'_>)) -> Result<(), Garbled> {
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

    /// Whether bytes that are not UTF-8 have been replaced in text.
    pub(crate) fn has_replaced(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.has_replaced())
    }
}

#[cfg(test)]
mod picky {
    use super::Garbled;
    use crate::message::{Kind, Piece};

    pub(super) fn decode(output: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> Result<(), Garbled> {
        for byte in output.chunks(1) {
            if byte == b"!" {
                return Err(Garbled("a byte that is not allowed"));
            }
            emit(Piece::whole(Kind::Binary, byte));
        }
        Ok(())
    }
}
