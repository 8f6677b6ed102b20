//! Translates between bytes of a worker's standard streams and messages of a client. Pure: no I/O, no clock.

pub(crate) mod choice;
pub(crate) mod events;
mod jsonrpc;
mod length;
pub(crate) mod lines;
mod lsp;
mod nul;
pub(crate) mod presence;
mod results;
mod streams;
mod tty;
pub(crate) mod window;

use crate::message::{Kind, Piece};
use jsonrpc::JsonLines;
use length::LengthMessages;
use lines::Lines;
use lsp::{LspBodies, LspClient};
use nul::NulTexts;
pub(crate) use results::{Decoded, Garbled, Heard, Rejected};
use streams::StreamLines;
use tty::Tty;

/// The format of messages in a worker's standard input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A line for each message; websocketd's default.
    Lines,
    /// Bytes without borders of messages (`--binary`). Each read of the output is one binary message.
    Chunks,
    /// Text that ends with NUL for each message; see [`nul`].
    Nul,
    /// The length before each message; see [`length`].
    Length,
    /// An object of JSON on each line, which names the client (`--framing=json`); see [`events`].
    Json,
    /// Input as lines; the lines of both output streams as objects of JSON (`--passstderr`).
    Streams,
    /// A value of JSON on each line; see [`jsonrpc`].
    JsonRpc,
    /// As [`Framing::JsonRpc`], without binary messages (`--acp`).
    Acp,
    /// A header and a body for each message; see [`lsp`].
    Lsp,
    /// The protocol of ttyd for a terminal (`--pty`); see [`tty`].
    Tty,
    /// Single bytes: a framing for tests. A `!` breaks it, in either direction; a `?` is no message.
    #[cfg(test)]
    Picky,
}

impl Framing {
    /// Whether wsd sends the program's standard error to the client, too.
    pub(crate) fn wants_stderr(self) -> bool {
        self == Self::Streams
    }

    /// Returns the subprotocol by which a client chooses this framing; `None` if it cannot.
    pub(crate) fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Lines => Some("wsd.lines"),
            Self::Nul => Some("wsd.nul"),
            Self::Length => Some("wsd.length"),
            Self::Chunks => Some("wsd.chunks"),
            Self::Json => Some("wsd.json"),
            Self::JsonRpc => Some("wsd.jsonrpc"),
            Self::Lsp => Some("wsd.lsp"),
            Self::Streams | Self::Acp => None,
            Self::Tty => Some("tty"),
            #[cfg(test)]
            Self::Picky => None,
        }
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
            Self::Nul => Encoder::Nul,
            Self::Length => Encoder::Length,
            Self::JsonRpc => Encoder::JsonRpc,
            Self::Acp => Encoder::Acp,
            Self::Lsp => Encoder::Lsp(LspClient::default()),
            Self::Tty => Encoder::Tty,
            #[cfg(test)]
            Self::Picky => Encoder::Picky,
        }
    }

    /// Returns a decoder for one worker's output. `message_bytes_max` is the limit of a message whose length the output tells
    /// (`--maxframesize`).
    pub(crate) fn decoder(self, message_bytes_max: usize) -> Decoder {
        match self {
            Self::Lines | Self::Json => Decoder::Lines(Lines::default()),
            Self::Chunks => Decoder::Chunks,
            Self::Nul => Decoder::Nul(NulTexts::default()),
            Self::Length => Decoder::Length(LengthMessages::new(message_bytes_max)),
            Self::Tty => Decoder::Tty(Tty::default()),
            Self::Streams => Decoder::Streams(StreamLines::new("stdout"), StreamLines::new("stderr")),
            Self::JsonRpc | Self::Acp => Decoder::JsonRpc(JsonLines::default()),
            Self::Lsp => Decoder::Lsp(LspBodies::default()),
            #[cfg(test)]
            Self::Picky => Decoder::Picky,
        }
    }
}

/// Writes a client's messages in the format of a worker's input.
#[derive(Debug)]
pub(crate) enum Encoder {
    /// See [`Framing::Lines`].
    Lines,
    /// See [`Framing::Chunks`].
    Chunks,
    /// See [`Framing::Nul`].
    Nul,
    /// See [`Framing::Length`].
    Length,
    /// See [`Framing::JsonRpc`].
    JsonRpc,
    /// See [`Framing::Acp`].
    Acp,
    /// See [`Framing::Lsp`].
    Lsp(LspClient),
    /// See [`Framing::Tty`].
    Tty,
    /// See [`Framing::Picky`].
    #[cfg(test)]
    Picky,
}

impl Encoder {
    /// Appends a client's message to `input`; appends nothing if it returns [`Heard::Ignored`].
    ///
    /// Fails if the framing cannot take the message. The encoder must not be used after a failure.
    pub(crate) fn encode(&mut self, kind: Kind, message: &[u8], input: &mut Vec<u8>) -> Result<Heard, Rejected> {
        match self {
            Self::Lines => lines::encode::<b'\n'>(message, input),
            Self::Chunks => input.extend_from_slice(message),
            Self::Nul => nul::encode(message, input),
            Self::Length => length::encode(message, input)?,
            Self::Acp if kind == Kind::Binary => return Ok(Heard::Ignored("it is binary")),
            Self::JsonRpc | Self::Acp => return jsonrpc::encode(kind, message, input),
            Self::Lsp(client) => return client.encode(kind, message, input),
            Self::Tty => return Ok(tty::encode(message, input)),
            #[cfg(test)]
            Self::Picky => return picky::encode(message, input),
        }
        Ok(Heard::Message)
    }
}

/// Splits a worker's output into messages. The borders of reads do not matter.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// See [`Framing::Lines`].
    Lines(Lines<b'\n'>),
    /// See [`Framing::Chunks`].
    Chunks,
    /// See [`Framing::Nul`].
    Nul(NulTexts),
    /// See [`Framing::Length`].
    Length(LengthMessages),
    /// See [`Framing::Streams`]: standard output and standard error.
    Streams(StreamLines, StreamLines),
    /// See [`Framing::JsonRpc`].
    JsonRpc(JsonLines),
    /// See [`Framing::Lsp`].
    Lsp(LspBodies),
    /// See [`Framing::Tty`].
    Tty(Tty),
    /// See [`Framing::Picky`].
    #[cfg(test)]
    Picky,
}

impl Decoder {
    /// Takes the next bytes of the output and calls `emit` with everything that they complete, in order.
    ///
    /// Fails if the output breaks the framing, after it has emitted the pieces before that place. The decoder must not be used
    /// after a failure.
    pub(crate) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        match self {
            Self::Lines(lines) => lines.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::Nul(texts) => texts.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::Length(messages) => return messages.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::Chunks => emit(Decoded::Piece(Piece::whole(Kind::Binary, output))),
            Self::Tty(tty) => tty.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::Streams(stdout, _) => stdout.decode(output, &mut |piece| emit(Decoded::Piece(piece))),
            Self::JsonRpc(lines) => lines.decode(output, emit),
            Self::Lsp(bodies) => return bodies.decode(output, emit),
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
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        let mut emit_piece = |piece: Piece<'_>| emit(Decoded::Piece(piece));
        match self {
            Self::Lines(lines) => lines.finish(&mut emit_piece),
            Self::Nul(texts) => texts.finish(&mut emit_piece),
            Self::Length(messages) => return messages.finish(),
            Self::Chunks | Self::Tty(_) => {}
            Self::Streams(stdout, stderr) => {
                stdout.finish(&mut emit_piece);
                stderr.finish(&mut emit_piece);
            }
            Self::JsonRpc(lines) => lines.finish(emit),
            Self::Lsp(bodies) => return bodies.finish(emit),
            #[cfg(test)]
            Self::Picky => {}
        }
        Ok(())
    }

    /// Returns the bytes of memory that unfinished messages take up.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.held(),
            Self::Nul(texts) => texts.held(),
            Self::Length(messages) => messages.held(),
            Self::Chunks | Self::Tty(_) => 0,
            Self::Streams(stdout, stderr) => stdout.held() + stderr.held(),
            Self::JsonRpc(lines) => lines.held(),
            Self::Lsp(bodies) => bodies.held(),
            #[cfg(test)]
            Self::Picky => 0,
        }
    }

    /// Emits the output as it is from now on; see [`Heard::Stream`].
    pub(crate) fn begin_stream(&mut self) {
        if let Self::Lsp(bodies) = self {
            bodies.begin_stream();
        }
    }

    /// Returns advice once the output was not UTF-8, or named another charset.
    pub(crate) fn utf8_hint(&self) -> Option<&'static str> {
        let (is_wrong, hint) = match self {
            Self::Lines(lines) => (lines.has_replaced(), "set --framing=chunks to send bytes unchanged"),
            Self::Nul(texts) => (texts.has_replaced(), "set --framing=chunks to send bytes unchanged"),
            Self::JsonRpc(lines) => (lines.has_replaced(), "let the program write JSON in UTF-8"),
            Self::Lsp(bodies) => (bodies.has_other_charset(), "let the program send the charset utf-8"),
            _ => (false, ""),
        };
        is_wrong.then_some(hint)
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
