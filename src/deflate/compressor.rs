//! A stream of DEFLATE that compresses messages, one after the other.

use std::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::TAIL;

/// Bits of the window of a session's compressor: 2 KiB, some twenty lines.
pub(crate) const WINDOW_BITS: u8 = 11;

/// Bits of the window of the compressor for messages that clients share: many clients ask for 12 at most.
pub(crate) const SHARED_WINDOW_BITS: u8 = 12;

/// Bytes of memory of a compressor: 128 KiB of hashes, its window, and the room for its output.
pub(super) const COMPRESSOR_BYTES: usize = 160 << 10;

/// Bytes of the room for output that a compressor keeps between two messages.
const OUTPUT_BYTES_KEPT: usize = 8 << 10;

/// A compressor. Its window is the end of the messages that it has compressed.
pub(crate) struct Compressor {
    deflate: Deflate,
    window_bits: u8,
    output: Vec<u8>,
    /// Whether it has compressed nothing since it was made or reset.
    is_fresh: bool,
}

impl Compressor {
    /// Returns a compressor for the messages of a session: as fast as there is.
    pub(super) fn of_session(window_bits: u8) -> Self {
        Self::new(window_bits, 1, 4)
    }

    /// Returns a compressor for messages that many clients get: each message is compressed once, so it may take longer.
    pub(super) fn shared() -> Self {
        Self::new(SHARED_WINDOW_BITS, 3, 8)
    }

    fn new(window_bits: u8, level: i32, mem_level: i32) -> Self {
        // A negative number of bits is a stream without a header.
        let config = DeflateConfig { level, window_bits: -i32::from(window_bits), mem_level, ..Default::default() };
        Self { deflate: Deflate::new_with_config(config), window_bits, output: Vec::new(), is_fresh: true }
    }

    /// Returns the bits of its window.
    pub(super) fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// Whether no message is in its window.
    pub(super) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Forgets the messages in its window.
    pub(super) fn reset(&mut self) {
        if !self.is_fresh {
            self.deflate.reset();
            self.is_fresh = true;
        }
        self.output.clear();
        self.output.shrink_to(OUTPUT_BYTES_KEPT);
    }

    /// Compresses a whole message for receivers that may not have those before it. Returns the payload of its frames.
    pub(crate) fn compress_alone(&mut self, message: &[u8]) -> &[u8] {
        self.reset();
        self.compress(message, true)
    }

    /// Compresses a part of a message, and returns the payload of its frames. `is_last` is whether the message ends there.
    pub(super) fn compress(&mut self, mut part: &[u8], is_last: bool) -> &[u8] {
        let Self { deflate, output, is_fresh, .. } = self;
        output.clear();
        *is_fresh = false;
        loop {
            let (filled, taken, made) = (output.len(), deflate.total_in(), deflate.total_out());
            // Enough for the rest and the end of a block, unless it grows.
            output.resize(filled + part.len().max(128) + part.len() / 8, 0);
            let room = output.len() - filled;
            let status = deflate.compress(part, &mut output[filled..], DeflateFlush::SyncFlush);
            debug_assert!(status.is_ok(), "it takes all bytes");
            let count = |after: u64, before: u64| usize::try_from(after - before).expect("within a slice");
            part = &part[count(deflate.total_in(), taken)..];
            let made = count(deflate.total_out(), made);
            output.truncate(filled + made);
            if made < room {
                break;
            }
        }
        if output.is_empty() {
            // An empty block, as a flush of nothing behind another flush makes none.
            output.push(0);
            output.extend_from_slice(&TAIL);
        }
        let kept = if is_last { output.len() - TAIL.len() } else { output.len() };
        &output[..kept]
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("window_bits", &self.window_bits).finish_non_exhaustive()
    }
}
