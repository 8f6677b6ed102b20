//! Frames that others have made and keep.

use bytes::Bytes;

use super::{Sending, Socket, writer};
use crate::message::Piece;

impl Socket {
    /// Appends whole frames, as [`encode`] makes them.
    pub(crate) fn append_frames(&mut self, frames: &[u8]) {
        if self.sending == Sending::Open {
            self.outgoing.append(|buffer| buffer.extend_from_slice(frames));
        }
    }

    /// Appends whole frames without copying them.
    pub(crate) fn append_shared_frames(&mut self, frames: Bytes) {
        if self.sending == Sending::Open {
            self.outgoing.append_shared(frames);
        }
    }
}

/// Appends a piece of a message to frames for [`Socket::append_frames`].
#[inline]
pub(crate) fn encode(piece: Piece<'_>, frames: &mut Vec<u8>) {
    writer::piece(piece, frames);
}
