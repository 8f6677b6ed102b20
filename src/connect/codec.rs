//! Translates between the client's streams and messages: a framing, or the keys and the screen of a terminal.
//!
//! It is the server's framing the other way round: standard input has the place of a program's output.

use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::{keys::Keys, say::say};
use crate::{
    framing::{Decoded, Decoder, Encoder, Garbled, Heard, Rejected, window::WindowSize},
    limits::FRAME_BYTES_MAX,
    message::{Kind, Piece},
};

/// Makes frames of standard input.
#[derive(Debug)]
pub(super) enum Outward {
    /// Messages of a framing.
    Framed(Decoder),
    /// Keys that a person types.
    Typed(Keys),
}

impl Outward {
    /// Appends the frames that the next bytes complete. Returns whether the input goes on: a person may leave.
    pub(super) fn take(&mut self, bytes: &[u8], frames: &mut Vec<Message>) -> Result<bool, Garbled> {
        match self {
            Self::Framed(decoder) => decoder.decode(bytes, &mut |decoded| push(decoded, frames)).map(|()| true),
            Self::Typed(keys) => {
                let mut typed = vec![b'0'];
                let goes_on = keys.take(bytes, &mut typed);
                if typed.len() > 1 {
                    frames.push(Message::binary(typed));
                }
                Ok(goes_on)
            }
        }
    }

    /// Appends the frames that the end of the input completes.
    pub(super) fn finish(&mut self, frames: &mut Vec<Message>) -> Result<(), Garbled> {
        match self {
            Self::Framed(decoder) => decoder.finish(&mut |decoded| push(decoded, frames)),
            Self::Typed(_) => Ok(()),
        }
    }
}

fn push(decoded: Decoded<'_>, frames: &mut Vec<Message>) {
    match decoded {
        Decoded::Piece(piece) => push_piece(piece, &mut |frame| frames.push(frame)),
        Decoded::Junk(line) => {
            say(&format!("skipped a line that is no message: {}", String::from_utf8_lossy(line).trim_end()));
        }
    }
}

/// Makes frames of at most [`FRAME_BYTES_MAX`] of a piece.
pub(super) fn push_piece(piece: Piece<'_>, push: &mut impl FnMut(Message)) {
    let mut chunks = piece.payload.chunks(FRAME_BYTES_MAX).peekable();
    let mut is_first = piece.first;
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let is_final = piece.last && chunks.peek().is_none();
        let data = match piece.kind {
            _ if !is_first => Data::Continue,
            Kind::Text => Data::Text,
            Kind::Binary => Data::Binary,
        };
        push(Message::Frame(Frame::message(chunk.to_vec(), OpCode::Data(data), is_final)));
        is_first = false;
        if chunks.peek().is_none() {
            return;
        }
    }
}

/// Returns the message that tells a terminal's size: the first one of a session, or a later one.
pub(super) fn size_message(size: WindowSize, is_first: bool) -> Message {
    let WindowSize { columns, rows } = size;
    Message::binary(if is_first {
        format!(r#"{{"AuthToken":"","columns":{columns},"rows":{rows}}}"#)
    } else {
        format!(r#"1{{"columns":{columns},"rows":{rows}}}"#)
    })
}

/// Makes bytes for standard output of the server's messages.
#[derive(Debug)]
pub(super) enum Inward {
    /// Messages of a framing.
    Framed(Encoder),
    /// The screen of a terminal. The title and the preferences are for pages.
    Shown,
}

impl Inward {
    /// Appends a message. Fails if the framing cannot take it.
    pub(super) fn take(&mut self, kind: Kind, message: &[u8], output: &mut Vec<u8>) -> Result<(), Rejected> {
        match (self, message) {
            (Self::Framed(encoder), _) => {
                if let Heard::Ignored(why) = encoder.encode(kind, message, output)? {
                    say(&format!("skipped a message of the server: {why}"));
                }
            }
            (Self::Shown, [b'0', shown @ ..]) => output.extend_from_slice(shown),
            (Self::Shown, _) => {}
        }
        Ok(())
    }
}
