//! Bytes as they come: no message borders in either direction.

use crate::message::{Kind, Piece};

/// Appends a client's message to a worker's input: its bytes, nothing else.
pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) {
    input.extend_from_slice(message);
}

/// One read of a worker's output is one binary message.
pub(super) fn decode(output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
    emit(Piece::whole(Kind::Binary, output));
}
