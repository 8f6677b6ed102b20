//! Compressed messages (RFC 7692): what they bring is counted, and inflated if every byte is looked at.

use zlib_rs::{Inflate, InflateFlush};

use crate::result::Result;

/// The offer of a browser.
pub(crate) const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// The end of a flush, which a message does not carry.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// The messages of a server that may compress them.
pub(crate) struct Packed {
    inflate: Inflate,
    /// The payload of the compressed message so far; `None` within a plain one.
    message: Option<Vec<u8>>,
    /// Payload bytes of all messages, as they came.
    bytes: u64,
}

impl Packed {
    pub(crate) fn new() -> Self {
        Self { inflate: Inflate::new(false, 15), message: None, bytes: 0 }
    }

    /// Begins a message.
    pub(crate) fn begin(&mut self, is_packed: bool) {
        self.message = is_packed.then(Vec::new);
    }

    /// Takes a piece of a message; says whether it is compressed.
    pub(crate) fn take(&mut self, piece: &[u8]) -> bool {
        self.bytes += piece.len() as u64;
        if let Some(message) = &mut self.message {
            message.extend(piece);
        }
        self.message.is_some()
    }

    /// Ends a message, and gives its payload if it was compressed.
    pub(crate) fn end(&mut self) -> Option<Vec<u8>> {
        self.message.take()
    }

    /// Inflates a payload.
    pub(crate) fn inflated(&mut self, mut payload: Vec<u8>) -> Result<Vec<u8>> {
        payload.extend(TAIL);
        let (mut rest, mut all, mut step) = (&payload[..], Vec::new(), vec![0; 16 << 10]);
        loop {
            let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
            let inflated = self.inflate.decompress(rest, &mut step, InflateFlush::SyncFlush);
            inflated.map_err(|error| format!("a message is not compressed: {error:?}"))?;
            rest = &rest[usize::try_from(self.inflate.total_in() - taken)?..];
            let made = usize::try_from(self.inflate.total_out() - made)?;
            all.extend(&step[..made]);
            if made < step.len() {
                return Ok(all);
            }
        }
    }

    /// Payload bytes of all messages so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}
