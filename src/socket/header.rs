//! The header of a frame, and its mask (RFC 6455, sections 5.2 and 5.3).

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

use crate::client::Fault;

/// The longest header: two bytes, eight of length, four of mask (RFC 6455, section 5.2).
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// Parses a header at the front of `bytes`. Returns it with the length of its payload and its own size; `None` if it is cut.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, Fault> {
    if let [first @ (0x81 | 0x82), length @ 0x80..=0xFD, a, b, c, d, ..] = *bytes {
        // A short message in one frame, as most are. The library's parser, which reads field by field through a cursor, would
        // take a tenth of the time of a flood of these.
        let opcode = OpCode::Data(if first == 0x81 { Data::Text } else { Data::Binary });
        let header =
            FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: Some([a, b, c, d]) };
        return Ok(Some((header, u64::from(length & 0x7F), 6)));
    }
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Fault::Protocol("reserved opcode"))?;
    let size = usize::try_from(cursor.position()).expect("a header is short");
    Ok(parsed.map(|(header, length)| (header, length, size)))
}

/// Unmasks a payload (RFC 6455, section 5.3), eight bytes at a time. Returns whether all bytes are ASCII, and so UTF-8.
///
/// Every byte of every client passes here. 64 KiB take 2.3 µs instead of 63 byte by byte, and 64 bytes 7 ns instead of 62.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) -> bool {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    let (mut seen, mut seen_of_rest) = (0, 0);
    for word in &mut words {
        let bytes: [u8; 8] = (&*word).try_into().expect("eight bytes");
        let plain = u64::from_ne_bytes(bytes) ^ wide;
        seen |= plain;
        word.copy_from_slice(&plain.to_ne_bytes());
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
        seen_of_rest |= *byte;
    }
    seen & 0x8080_8080_8080_8080 == 0 && seen_of_rest.is_ascii()
}
