//! Writes frames: appends them to a buffer, so that one write carries many.

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use crate::{
    close::Close,
    limits::FRAME_BYTES_MAX,
    message::{Batch, Kind, Piece},
};

/// The bit of a frame's first byte that marks a compressed message.
const RSV1: u8 = 0x40;

/// Bytes of the longest payload whose length is in the second byte of its frame (RFC 6455, section 5.2).
const SHORT_BYTES_MAX: u8 = 125;

/// Appends a piece of a message as data frames of at most [`FRAME_BYTES_MAX`].
#[inline]
pub(super) fn piece(piece: Piece<'_>, frames: &mut Vec<u8>) {
    let Piece { kind, first, last, payload } = piece;
    // Every line of a program passes here. The library writes a header field by field, which takes longer than all else.
    match u8::try_from(payload.len()) {
        Ok(length @ ..=SHORT_BYTES_MAX) => {
            frames.extend_from_slice(&[u8::from(last) << 7 | u8::from(opcode(kind, first)), length]);
            frames.extend_from_slice(payload);
        }
        _ => long_piece(piece, frames),
    }
}

#[cold]
fn long_piece(piece: Piece<'_>, frames: &mut Vec<u8>) {
    let Piece { kind, mut first, last, mut payload } = piece;
    while payload.len() > FRAME_BYTES_MAX {
        let (front, rest) = payload.split_at(border(kind, payload));
        frame(opcode(kind, first), false, front, frames);
        (first, payload) = (false, rest);
    }
    frame(opcode(kind, first), last, payload, frames);
}

/// Appends a piece of a compressed message as [`piece`] does. Its first frame has RSV1 (RFC 7692, section 6).
pub(super) fn packed(packed: Piece<'_>, frames: &mut Vec<u8>) {
    let start = frames.len();
    // Compressed bytes have no characters.
    let Piece { kind, first, last, mut payload } = packed;
    let mut is_first = first;
    while payload.len() > FRAME_BYTES_MAX {
        let (front, rest) = payload.split_at(FRAME_BYTES_MAX);
        frame(opcode(kind, is_first), false, front, frames);
        (is_first, payload) = (false, rest);
    }
    frame(opcode(kind, is_first), last, payload, frames);
    if first {
        frames[start] |= RSV1;
    }
}

/// Returns the length of the first frame of a longer payload. A frame of text ends between characters, for clients that check
/// each frame.
fn border(kind: Kind, payload: &[u8]) -> usize {
    let is_border = |at: &usize| kind == Kind::Binary || payload[*at] & 0b1100_0000 != 0b1000_0000;
    (FRAME_BYTES_MAX - 3..=FRAME_BYTES_MAX).rev().find(is_border).unwrap_or(FRAME_BYTES_MAX)
}

fn opcode(kind: Kind, is_first: bool) -> OpCode {
    OpCode::Data(match (is_first, kind) {
        (false, _) => Data::Continue,
        (true, Kind::Text) => Data::Text,
        (true, Kind::Binary) => Data::Binary,
    })
}

/// Returns the frames of messages that many clients share.
pub(super) fn batch(batch: &Batch) -> Vec<u8> {
    let mut frames = Vec::with_capacity(batch.len() + 4 * batch.count());
    for (kind, payload) in batch.messages() {
        piece(Piece::whole(kind, payload), &mut frames);
    }
    frames
}

/// Appends a Ping frame without a payload.
pub(super) fn ping(frames: &mut Vec<u8>) {
    frame(OpCode::Control(Control::Ping), true, b"", frames);
}

/// Appends a Pong frame with the payload of a Ping frame, at most 125 bytes.
pub(super) fn pong(payload: &[u8], frames: &mut Vec<u8>) {
    frame(OpCode::Control(Control::Pong), true, payload, frames);
}

/// Appends a Close frame.
pub(super) fn close(close: &Close, frames: &mut Vec<u8>) {
    let mut payload = Vec::new();
    if let Some(code) = close.code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(close.reason.as_bytes());
    }
    frame(OpCode::Control(Control::Close), true, &payload, frames);
}

fn frame(opcode: OpCode, is_final: bool, payload: &[u8], frames: &mut Vec<u8>) {
    let header = FrameHeader { is_final, opcode, rsv1: false, rsv2: false, rsv3: false, mask: None };
    header.format(payload.len() as u64, frames).expect("a vector takes all");
    frames.extend_from_slice(payload);
}
