//! A byte stream that inflates the compressed messages of the server: tungstenite, above it, reads plain frames.

use std::{
    io::{self, Cursor},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};

use super::watched::WatchedStream;
use crate::deflate::inflater::{Inflater, Unfit};

/// Bytes of one read. Inflated, they are 4 MiB at most.
const READ_BYTES: usize = 4 << 10;

/// The byte stream below a WebSocket, whose server may compress messages.
pub(super) struct UnpackedStream {
    wire: WatchedStream,
    unpacker: Option<Box<Unpacker>>,
}

impl UnpackedStream {
    /// Returns a stream whose frames pass as they are.
    pub(super) fn plain(wire: WatchedStream) -> Self {
        Self { wire, unpacker: None }
    }

    /// Returns a stream that inflates messages. `read` are the first bytes behind the handshake.
    pub(super) fn inflating(wire: WatchedStream, read: &[u8]) -> Self {
        let mut unpacker = Box::<Unpacker>::default();
        unpacker.pass(read);
        Self { wire, unpacker: Some(unpacker) }
    }

    /// Returns the stream with the server's own frames.
    pub(super) fn watched(&self) -> &WatchedStream {
        &self.wire
    }
}

impl AsyncRead for UnpackedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { wire, unpacker } = &mut *self;
        let Some(unpacker) = unpacker else { return Pin::new(wire).poll_read(cx, buffer) };
        loop {
            if unpacker.give(buffer) {
                return Poll::Ready(Ok(()));
            }
            if unpacker.is_broken {
                let fault = "a message that is not compressed by DEFLATE";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)));
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *wire).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            unpacker.pass(read.filled());
        }
    }
}

impl AsyncWrite for UnpackedStream {
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

/// Turns frames with RSV1 into plain ones. It leaves all others as they are, for tungstenite to check.
struct Unpacker {
    /// The front of an unfinished header.
    header: Vec<u8>,
    payload_left: u64,
    /// Whether the frame is the last of its message.
    is_final: bool,
    /// Whether the frame is a part of the compressed message.
    is_packed_frame: bool,
    /// The opcode for the next plain frame of the compressed message, if there is one.
    packed: Option<OpCode>,
    inflater: Inflater,
    /// Whether a message cannot be inflated. The frames before it still count.
    is_broken: bool,
    /// Plain frames, of which the first `given` bytes are gone.
    frames: Vec<u8>,
    given: usize,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            header: Vec::new(),
            payload_left: 0,
            is_final: false,
            is_packed_frame: false,
            packed: None,
            inflater: Inflater::new(),
            is_broken: false,
            frames: Vec::new(),
            given: 0,
        }
    }
}

impl Unpacker {
    /// Puts frames into a buffer. Returns whether there were any.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.frames[self.given..];
        let count = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..count]);
        self.given += count;
        if self.given == self.frames.len() {
            (self.frames, self.given) = (Vec::new(), 0);
        }
        count > 0
    }

    /// Takes the next bytes of the server.
    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_broken {
            if self.payload_left == 0 {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                let mut cursor = Cursor::new(&self.header);
                match FrameHeader::parse(&mut cursor) {
                    Ok(None) => continue,
                    Ok(Some((header, length))) => self.begin(&header, length),
                    // tungstenite finds the fault in it, too.
                    Err(_) => self.frames.append(&mut self.header),
                }
                self.header.clear();
            }
            let count = bytes.len().min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
            let (payload, rest) = bytes.split_at(count);
            (self.payload_left, bytes) = (self.payload_left - count as u64, rest);
            if self.is_packed_frame {
                self.is_broken = self.inflate(payload).is_err();
            } else {
                self.frames.extend_from_slice(payload);
            }
        }
    }

    fn begin(&mut self, header: &FrameHeader, length: u64) {
        (self.payload_left, self.is_final) = (length, header.is_final);
        match header.opcode {
            OpCode::Data(Data::Text | Data::Binary) if header.rsv1 && self.packed.is_none() => {
                self.packed = Some(header.opcode);
                self.is_packed_frame = true;
            }
            OpCode::Data(Data::Continue) => self.is_packed_frame = self.packed.is_some() && !header.rsv1,
            _ => self.is_packed_frame = false,
        }
        if !self.is_packed_frame {
            self.frames.append(&mut self.header);
        }
    }

    /// Takes the next part of the compressed message, and ends it with its last frame.
    fn inflate(&mut self, part: &[u8]) -> Result<(), Unfit> {
        let ends = self.is_final && self.payload_left == 0;
        let mut payload = Vec::new();
        self.inflater.inflate(part, usize::MAX, &mut payload)?;
        if ends {
            self.inflater.end(usize::MAX, &mut payload)?;
        }
        if let Some(opcode) = self.packed.filter(|_| ends || !payload.is_empty()) {
            let header = FrameHeader { is_final: ends, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None };
            header.format(payload.len() as u64, &mut self.frames).expect("a vector takes all");
            self.frames.append(&mut payload);
            self.packed = (!ends).then_some(OpCode::Data(Data::Continue));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the plain frames of what a server sends, in portions of `size`.
    fn unpacked(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut unpacker = Unpacker::default();
        let mut frames = Vec::new();
        for part in bytes.chunks(size) {
            unpacker.pass(part);
            assert!(!unpacker.is_broken, "it is DEFLATE");
            frames.append(&mut unpacker.frames);
        }
        frames
    }

    #[test]
    fn compressed_messages_become_plain_ones_and_all_else_passes() {
        let table: [(&str, &[u8], &[u8]); 6] = [
            ("plain", b"\x81\x02hi\x82\x00", b"\x81\x02hi\x82\x00"),
            ("compressed", b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00", b"\x81\x05Hello"),
            (
                "its window stays",
                b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00\xC1\x05\xF2\x00\x11\x00\x00",
                b"\x81\x05Hello\x81\x05Hello",
            ),
            ("empty", b"\xC2\x01\x00", b"\x82\x00"),
            ("RSV1 on a ping", b"\xC9\x00", b"\xC9\x00"),
            ("a fragment that is marked", b"\x41\x02\xF2\x48\xC0\x00", b"\x01\x01H\xC0\x00"),
        ];
        for (what, bytes, want) in table {
            assert_eq!(
                unpacked(bytes, bytes.len()).escape_ascii().to_string(),
                want.escape_ascii().to_string(),
                "{what}"
            );
        }
    }

    #[test]
    fn a_message_in_fragments_with_a_ping_between_arrives_in_any_portions() {
        let bytes = b"\x41\x03\xF2\x48\xCD\x89\x01x\x00\x00\x80\x04\xC9\xC9\x07\x00\x81\x01!";
        for size in 1..=bytes.len() {
            let frames = unpacked(bytes, size);
            let (mut rest, mut text, mut pings) = (&frames[..], Vec::new(), 0);
            while let [first, length, after @ ..] = rest {
                let (payload, next) = after.split_at(usize::from(*length));
                match first & 0xF {
                    9 => pings += 1,
                    _ => text.extend_from_slice(payload),
                }
                rest = next;
            }
            assert_eq!((text.as_slice(), pings), (&b"Hello!"[..], 1), "portions of {size}");
        }
    }
}
