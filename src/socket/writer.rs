//! Writes frames: appends them to a buffer, so that one write carries many.

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use crate::{
    close::Close,
    message::{Batch, Kind, Piece},
};

/// Appends a piece of a message as one data frame.
pub(super) fn piece(piece: Piece<'_>, frames: &mut Vec<u8>) {
    let data = match (piece.first, piece.kind) {
        (false, _) => Data::Continue,
        (true, Kind::Text) => Data::Text,
        (true, Kind::Binary) => Data::Binary,
    };
    frame(OpCode::Data(data), piece.last, piece.payload, frames);
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
