//! The unfinished line of a program. Pure.

use std::mem;

use crate::{limits::mcp::MCP_LINE_BYTES_MAX, message::Piece};

/// The first characters of a skipped line in the log.
pub(super) const SKIPPED_CHARS: usize = 100;

/// An unfinished line.
#[derive(Debug, Default)]
pub(super) struct PartLine {
    /// The bytes; of a line that is too long the first ones.
    bytes: Vec<u8>,
    /// The last bytes of a line that is too long.
    tail: Vec<u8>,
    is_too_long: bool,
}

impl PartLine {
    /// Joins the pieces of a line, and hands a whole one to `take`, which tells whether it is a message; if not, to `skip`. Returns
    /// the number of the request whose answer was too long.
    pub(super) fn take(
        &mut self,
        piece: Piece<'_>,
        take: impl Fn(&[u8]) -> bool,
        skip: impl FnOnce(&[u8], &'static str),
    ) -> Option<u64> {
        const NO_MESSAGE: &str = "it is no message of JSON-RPC";
        if piece.first && piece.last {
            if !take(piece.payload) {
                skip(piece.payload, NO_MESSAGE);
            }
            return None;
        }
        if self.is_too_long || self.bytes.len() + piece.payload.len() > MCP_LINE_BYTES_MAX {
            self.is_too_long = true;
            self.bytes.truncate(SKIPPED_CHARS);
            self.tail.extend_from_slice(&piece.payload[piece.payload.len().saturating_sub(SKIPPED_CHARS)..]);
            self.tail.drain(..self.tail.len().saturating_sub(SKIPPED_CHARS));
        } else {
            self.bytes.extend_from_slice(piece.payload);
        }
        if !piece.last {
            return None;
        }
        let Self { bytes, tail, is_too_long } = mem::take(self);
        if is_too_long {
            skip(&bytes, "it has more than 4 MiB");
            return answered(&bytes, &tail);
        }
        if !take(&bytes) {
            skip(&bytes, NO_MESSAGE);
        }
        None
    }

    /// Returns the bytes of memory that it takes up.
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Returns the number of the request that a line answers, by its first and its last bytes: the SDKs write the id before the result, or
/// at the end.
fn answered(head: &[u8], tail: &[u8]) -> Option<u64> {
    const ID: &str = "\"jsonrpc\":\"2.0\",\"id\":";
    let text = |part: &[u8]| String::from_utf8_lossy(part).replace(' ', "");
    let (head, tail) = (text(head), text(tail));
    let is_outcome = |text: &str| text.starts_with("\"result\":") || text.starts_with("\"error\":");
    let object = head.strip_prefix('{')?;
    let number = match object.strip_prefix(ID) {
        Some(rest) => rest.split_once(',').filter(|(_, rest)| is_outcome(rest))?.0,
        None => tail.rsplit_once(ID).filter(|_| is_outcome(object))?.1.trim_end().strip_suffix('}')?,
    };
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Kind;

    #[test]
    fn an_answer_that_is_too_long_names_its_request() {
        let long = "x".repeat(MCP_LINE_BYTES_MAX);
        let table = [
            (format!(r#"{{"jsonrpc": "2.0", "id": 7, "result": "{long}"}}"#), Some(7)),
            (format!(r#"{{"jsonrpc":"2.0","id":7,"error":"{long}"}}"#), Some(7)),
            (format!("{{\"result\":\"{long}\",\"jsonrpc\":\"2.0\",\"id\":7}}\r"), Some(7)),
            (format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{long}"}}"#), None),
            (format!(r#"{{"method":"{long}","jsonrpc":"2.0","id":7}}"#), None),
            (format!(r#"{{"result":"{long}","jsonrpc":"2.0","id":"7"}}"#), None),
            (long, None),
        ];
        for (line, want) in table {
            for size in [1000, 1 << 16] {
                let (mut part, mut number) = (PartLine::default(), None);
                let count = line.len().div_ceil(size);
                for (at, payload) in line.as_bytes().chunks(size).enumerate() {
                    let piece = Piece { kind: Kind::Text, first: at == 0, last: at + 1 == count, payload };
                    number = part.take(piece, |_| true, |_, _| {});
                }
                assert_eq!(number, want, "{} {size}", &line[..40]);
            }
        }
    }
}
