//! Frames out: appends them to a buffer, from which one write carries many.

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::close::Close;
use crate::{
    limits::SENT_HEADER_BYTES_MAX,
    message::{Kind, Piece},
};

/// Appends a piece of a message as one data frame.
pub(crate) fn piece(piece: Piece<'_>, frames: &mut Vec<u8>) {
    let data = match (piece.first, piece.kind) {
        (false, _) => Data::Continue,
        (true, Kind::Text) => Data::Text,
        (true, Kind::Binary) => Data::Binary,
    };
    frame(OpCode::Data(data), piece.last, piece.payload, frames);
}

/// Puts a header before a message of bytes, in the same buffer: `buffer` begins with [`SENT_HEADER_BYTES_MAX`] bytes of room.
/// Gives the frame.
pub(crate) fn binary_in_place(buffer: &mut [u8]) -> &[u8] {
    let (room, payload) = buffer.split_at_mut(SENT_HEADER_BYTES_MAX);
    let (header, length) = (header(OpCode::Data(Data::Binary), true), payload.len() as u64);
    let start = room.len() - header.len(length);
    header.format(length, &mut &mut room[start..]).expect("the room is as long as the header");
    &buffer[start..]
}

/// Appends a Ping frame without a payload.
pub(crate) fn ping(frames: &mut Vec<u8>) {
    frame(OpCode::Control(Control::Ping), true, b"", frames);
}

/// Appends a Pong frame that answers nothing (RFC 6455, section 5.5.3): it asks nothing of a client that is there, and
/// the kernel of one that is gone answers it with a reset.
pub(crate) fn probe(frames: &mut Vec<u8>) {
    pong(b"wsd", frames);
}

/// Appends the answer to a Ping frame: its payload, at most 125 bytes.
pub(crate) fn pong(payload: &[u8], frames: &mut Vec<u8>) {
    frame(OpCode::Control(Control::Pong), true, payload, frames);
}

/// Appends a Close frame.
pub(crate) fn close(close: &Close, frames: &mut Vec<u8>) {
    let mut payload = Vec::new();
    if let Some(code) = close.code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(close.reason.as_bytes());
    }
    frame(OpCode::Control(Control::Close), true, &payload, frames);
}

fn frame(opcode: OpCode, is_final: bool, payload: &[u8], frames: &mut Vec<u8>) {
    header(opcode, is_final).format(payload.len() as u64, frames).expect("a vector takes all");
    frames.extend_from_slice(payload);
}

fn header(opcode: OpCode, is_final: bool) -> FrameHeader {
    FrameHeader { is_final, opcode, rsv1: false, rsv2: false, rsv3: false, mask: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_made_in_place_is_the_same() {
        for length in [1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut appended = Vec::new();
            piece(Piece::whole(Kind::Binary, &payload), &mut appended);

            let mut buffer = [vec![0; SENT_HEADER_BYTES_MAX], payload].concat();

            assert_eq!(binary_in_place(&mut buffer), appended, "{length} bytes");
        }
    }
}
