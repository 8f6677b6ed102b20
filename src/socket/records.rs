//! Follows the records of TLS (RFC 8446, section 5.1) in the bytes that a client sends. Pure.

/// Bytes at most that TLS holds of a client while a part of a record is missing: a record of 16 KiB with its overhead.
const TLS_RECORD_BYTES: usize = 18 << 10;

/// Bytes of a record's header: its type, its version, and the length of the rest.
const HEADER_BYTES: usize = 5;

/// The place in a record that the bytes so far lead to.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER_BYTES],
    /// The bytes of the header that have come; 0 between two records.
    filled: usize,
    /// The bytes of the record that have not come, once its header has.
    left: usize,
}

impl Records {
    /// Notes the next bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = if self.filled < HEADER_BYTES {
                let count = bytes.len().min(HEADER_BYTES - self.filled);
                self.header[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
                self.filled += count;
                if self.filled == HEADER_BYTES {
                    self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
                }
                count
            } else {
                let count = bytes.len().min(self.left);
                self.left -= count;
                count
            };
            bytes = &bytes[count..];
            if self.filled == HEADER_BYTES && self.left == 0 {
                self.filled = 0;
            }
        }
    }

    /// Returns an upper bound of the bytes that TLS keeps until the rest of a record comes.
    pub(super) fn held(&self) -> usize {
        if self.filled == 0 { 0 } else { TLS_RECORD_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_record_is_held_until_its_rest_comes() {
        let bytes = [&[23, 3, 3, 0, 2, 7, 7][..], &[21, 3, 3, 0, 0], &[23, 3, 3, 1, 0], &[7; 256]].concat();
        let ends = [0, 7, 12, bytes.len()];
        for portion in 1..=bytes.len() {
            let (mut records, mut passed) = (Records::default(), 0);
            for part in bytes.chunks(portion) {
                records.pass(part);
                passed += part.len();
                assert_eq!(records.held() == 0, ends.contains(&passed), "{passed} bytes in portions of {portion}");
            }
        }
    }
}
