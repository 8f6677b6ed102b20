//! Bytes without borders of messages, in either direction.

use crate::message::{Kind, Piece};

/// Appends the bytes of a client's message to a worker's input.
pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) {
    input.extend_from_slice(message);
}

/// Emits one read of a worker's output as one binary message.
pub(super) fn decode(output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
    emit(Piece::whole(Kind::Binary, output));
}
