//! Compression of messages (RFC 7692, permessage-deflate): what both sides agree on, and the streams of DEFLATE.
//!
//! A compressor costs as much memory as forty idle sessions, and an inflater as much as ten. So a session borrows a compressor
//! from a [`pool`] while it sends, and an [`inflater`] for each message that it gets.

pub(crate) mod compressor;
pub(crate) mod inflater;
pub(crate) mod negotiation;
pub(crate) mod options;
pub(crate) mod packer;
pub(crate) mod pool;

/// The end of a sync flush, which a message does not carry (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// The bytes of messages, and the bytes that carried them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedTraffic {
    /// Bytes of messages.
    pub(crate) bytes: u64,
    /// Bytes of the payloads of their frames.
    pub(crate) packed: u64,
}

impl PackedTraffic {
    /// Adds a message, or a part of one.
    pub(crate) fn add(&mut self, bytes: usize, packed: usize) {
        self.bytes += bytes as u64;
        self.packed += packed as u64;
    }
}

/// The traffic of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BothTraffic {
    /// The messages of the client.
    pub(crate) input: PackedTraffic,
    /// The messages to the client.
    pub(crate) output: PackedTraffic,
}

impl BothTraffic {
    /// Adds the traffic of another connection.
    pub(crate) fn join(&mut self, other: &Self) {
        for (traffic, more) in [(&mut self.input, other.input), (&mut self.output, other.output)] {
            traffic.bytes += more.bytes;
            traffic.packed += more.packed;
        }
    }
}
