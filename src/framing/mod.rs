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
}

impl Framing {
    /// Appends a client's message to `input`, as the worker is to read it. (With [`Framing::Json`] a room does that.)
    pub(crate) fn encode(self, message: &[u8], input: &mut Vec<u8>) {
        match self {
            Self::Lines | Self::Streams | Self::Json => lines::encode(message, input),
            Self::Chunks => chunks::encode(message, input),
        }
    }

    /// A decoder for one worker's output.
    pub(crate) fn decoder(self) -> Decoder {
        match self {
            Self::Lines | Self::Json => Decoder::Lines(Lines::default()),
            Self::Chunks => Decoder::Chunks,
            Self::Streams => Decoder::Streams(Stream::new("stdout"), Stream::new("stderr")),
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
}

impl Decoder {
    /// Takes the next bytes of the output and hands over every piece they complete, in order.
    pub(crate) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        match self {
            Self::Lines(lines) => lines.decode(output, emit),
            Self::Chunks => chunks::decode(output, emit),
            Self::Streams(stdout, _) => stdout.decode(output, emit),
        }
    }

    /// The same for standard error, which only [`Framing::Streams`] sends.
    pub(crate) fn decode_stderr(&mut self, output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        if let Self::Streams(_, stderr) = self {
            stderr.decode(output, emit);
        }
    }

    /// Hands over what the end of the output completes: a last line without a newline.
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Piece<'_>)) {
        match self {
            Self::Lines(lines) => lines.finish(emit),
            Self::Chunks => {}
            Self::Streams(stdout, stderr) => {
                stdout.finish(emit);
                stderr.finish(emit);
            }
        }
    }

    /// Whether bytes that are not UTF-8 have been replaced in text.
    pub(crate) fn has_replaced(&self) -> bool {
        matches!(self, Self::Lines(lines) if lines.has_replaced())
    }
}
