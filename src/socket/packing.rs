//! Frames of compressed messages (RFC 7692): a session's own, and those that the clients of a room share.

use bytes::Bytes;

use super::{outgoing::Outgoing, writer};
use crate::{
    deflate::{compressor::SHARED_WINDOW_BITS, packer::Packer},
    limits::COMPRESS_SHARED_BYTES_MIN,
    message::{Batch, Piece},
};

/// Appends a piece of a message, compressed if that pays.
pub(super) fn append(packer: &mut Packer, piece: Piece<'_>, outgoing: &mut Outgoing) {
    let Piece { first, last, payload, .. } = piece;
    outgoing.append(|frames| {
        packer.pack(first, last, payload, |payload, is_packed| {
            let piece = Piece { payload, ..piece };
            if is_packed { writer::packed(piece, frames) } else { writer::piece(piece, frames) }
        });
    });
}

/// Returns the frames of messages that many clients share. The first of them compresses the long ones, for all.
pub(super) fn batch(packer: &mut Packer, batch: &Batch) -> Bytes {
    if packer.agreement().window_bits >= SHARED_WINDOW_BITS
        && let Some(packed) = batch.packed_frames(|batch| pack(packer, batch))
    {
        packer.pass(batch.len(), packed.payload_bytes);
        return packed.frames.clone();
    }
    packer.pass_plain(batch.len());
    batch.frames(writer::batch)
}

/// Compresses each long message by itself: no client needs the one before. Returns the frames, and the bytes of their payloads;
/// `None` if no message shrinks.
fn pack(packer: &Packer, batch: &Batch) -> Option<(Vec<u8>, usize)> {
    let options = packer.options();
    let bytes_min = options.bytes_min.max(COMPRESS_SHARED_BYTES_MIN);
    if batch.messages().all(|(_, payload)| payload.len() < bytes_min) {
        return None;
    }
    let (mut frames, mut payload_bytes, mut has_packed) = (Vec::with_capacity(batch.len() / 2), 0, false);
    options.pool.with_shared(|compressor| {
        for (kind, payload) in batch.messages() {
            if payload.len() >= bytes_min {
                let smaller = compressor.compress_alone(payload);
                if smaller.len() < payload.len() {
                    payload_bytes += smaller.len();
                    has_packed = true;
                    writer::packed(Piece::whole(kind, smaller), &mut frames);
                    continue;
                }
            }
            payload_bytes += payload.len();
            writer::piece(Piece::whole(kind, payload), &mut frames);
        }
    });
    has_packed.then_some((frames, payload_bytes))
}
