//! A byte stream that follows the frames of the server: a message that is still arriving is a sign of life, long before it is whole.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::dial::ByteStream;
use crate::close::Close;

/// The byte stream below a WebSocket.
pub(super) struct WatchedStream {
    wire: ByteStream,
    heard_at: Instant,
    frames: FrameWatch,
}

impl WatchedStream {
    /// Starts to watch, after `read`, the first bytes behind the handshake.
    pub(super) fn new(wire: ByteStream, read: &[u8]) -> Self {
        let mut frames = FrameWatch::default();
        frames.pass(read);
        Self { wire, heard_at: Instant::now(), frames }
    }

    /// Returns the time of the last byte of the server.
    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Returns the number of the message of the server that has begun, and has not come to its end.
    pub(super) fn arriving(&self) -> Option<u64> {
        self.frames.arriving()
    }

    /// Returns the code of the server's Close frame that no peer may send. tungstenite shows another one in its place.
    pub(super) fn invalid_code(&self) -> Option<u16> {
        self.frames.close_code.filter(|code| !Close::is_allowed(*code))
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        self.heard_at = Instant::now();
        self.frames.pass(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// Bytes of a header: two, the longest length, and a mask.
const HEADER_BYTES_MAX: usize = 2 + 8 + 4;

/// The opcode of a Close frame. Those from here on are of control frames, which may stand within a message.
const CLOSE: u8 = 8;

/// The place within the frames that have passed (RFC 6455, section 5.2). It checks nothing: tungstenite does.
#[derive(Debug, Default)]
struct FrameWatch {
    header: [u8; HEADER_BYTES_MAX],
    /// The bytes of the header that are here; 0 after the last byte of a frame.
    header_bytes: usize,
    payload_bytes: u64,
    payload_left: u64,
    /// Whether another frame of the message follows.
    is_fragmented: bool,
    /// The messages that have ended.
    messages: u64,
    close_code: Option<u16>,
}

impl FrameWatch {
    fn arriving(&self) -> Option<u64> {
        (self.header_bytes > 0 || self.is_fragmented).then_some(self.messages)
    }

    /// Follows the next bytes.
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            if self.payload_left == 0 {
                self.header[self.header_bytes] = first;
                self.header_bytes += 1;
                bytes = &bytes[1..];
                if self.header_bytes == self.header_length() {
                    self.begin_payload();
                }
            } else if self.is_close() && self.payload_bytes - self.payload_left < 2 {
                let code = self.close_code.unwrap_or_default() << 8 | u16::from(first);
                self.close_code = Some(code);
                self.end_payload(1);
                bytes = &bytes[1..];
            } else {
                let count = bytes.len().min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
                self.end_payload(count as u64);
                bytes = &bytes[count..];
            }
        }
    }

    fn is_data(&self) -> bool {
        self.header[0] & 0x0F < CLOSE
    }

    fn is_close(&self) -> bool {
        self.header[0] & 0x0F == CLOSE
    }

    /// Returns the length of the header, as far as the bytes that are here tell it.
    fn header_length(&self) -> usize {
        let more = match (self.header_bytes, self.header[1] & 0x7F) {
            (0 | 1, _) => return 2,
            (_, 126) => 2,
            (_, 127) => 8,
            _ => 0,
        };
        2 + more + if self.header[1] & 0x80 == 0 { 0 } else { 4 }
    }

    fn begin_payload(&mut self) {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        self.payload_bytes = match self.header[1] & 0x7F {
            126 => number(&self.header[2..4]),
            127 => number(&self.header[2..10]),
            short => short.into(),
        };
        self.payload_left = self.payload_bytes;
        if self.is_data() {
            self.is_fragmented = self.header[0] & 0x80 == 0;
        }
        self.end_payload(0);
    }

    fn end_payload(&mut self, count: u64) {
        self.payload_left -= count;
        if self.payload_left == 0 {
            self.header_bytes = 0;
            self.messages += u64::from(self.is_data() && !self.is_fragmented);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_lasts_from_its_first_byte_to_its_last() {
        let long = |length: &[u8], count: usize| [length, &vec![b'a'; count]].concat();
        let table: [(&str, Vec<u8>); 8] = [
            ("empty", b"\x81\x00".to_vec()),
            ("short", b"\x81\x03abc".to_vec()),
            ("126 bytes", long(b"\x82\x7E\x00\x7E", 126)),
            ("65536 bytes", long(b"\x82\x7F\0\0\0\0\0\x01\0\0", 65536)),
            ("fragments", b"\x01\x01a\x00\x01b\x80\x00".to_vec()),
            ("a ping within", b"\x01\x01a\x89\x01x\x80\x01b".to_vec()),
            ("masked", b"\x81\x81\0\0\0\0a".to_vec()),
            ("close", b"\x88\x05\x03\xE8why".to_vec()),
        ];
        for (what, bytes) in table {
            for size in [1, 2, 3, bytes.len()] {
                let mut frames = FrameWatch::default();
                for (place, part) in bytes.chunks(size).enumerate() {
                    frames.pass(part);
                    let is_last = (place + 1) * size >= bytes.len();
                    assert_eq!(
                        frames.arriving(),
                        (!is_last).then_some(0),
                        "{what}, {} bytes",
                        place * size + part.len()
                    );
                }
                let is_close = what == "close";
                let want = (is_close.then_some(1000), u64::from(!is_close));
                assert_eq!((frames.close_code, frames.messages), want, "{what}");
            }
        }
    }
}
