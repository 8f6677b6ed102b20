//! The unfinished line of a program. Pure.

use std::mem;

use crate::{limits::mcp::MCP_LINE_BYTES_MAX, message::Piece};

/// The first characters of a skipped line in the log.
pub(super) const SKIPPED_CHARS: usize = 100;

/// An unfinished line.
#[derive(Debug, Default)]
pub(super) struct PartLine {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl PartLine {
    /// Joins the pieces of a line, and hands a whole one to `take`, which tells whether it is a message; if not, to `skip`.
    pub(super) fn take(
        &mut self,
        piece: Piece<'_>,
        take: impl Fn(&[u8]) -> bool,
        skip: impl FnOnce(&[u8], &'static str),
    ) {
        const NO_MESSAGE: &str = "it is no message of JSON-RPC";
        if piece.first && piece.last {
            if !take(piece.payload) {
                skip(piece.payload, NO_MESSAGE);
            }
            return;
        }
        if self.bytes.len() + piece.payload.len() > MCP_LINE_BYTES_MAX {
            self.is_too_long = true;
            self.bytes.truncate(SKIPPED_CHARS);
        } else if !self.is_too_long {
            self.bytes.extend_from_slice(piece.payload);
        }
        if !piece.last {
            return;
        }
        let Self { bytes, is_too_long } = mem::take(self);
        if is_too_long {
            skip(&bytes, "it has more than 4 MiB");
        } else if !take(&bytes) {
            skip(&bytes, NO_MESSAGE);
        }
    }

    /// Returns the bytes of memory that it takes up.
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }
}
