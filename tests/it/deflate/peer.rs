//! A client that speaks permessage-deflate, frame by frame.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use crate::harness::server::Server;
use crate::harness::websocket::{CONTINUATION, Client, Frame, upgrade_request};

/// The bit of `Frame::rsv` that marks a compressed message.
pub(super) const RSV1: u8 = 4;

/// The end of a flush, which no message carries.
pub(super) const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// A client that has offered compression.
pub(super) struct Peer {
    /// Its session.
    pub(super) client: Client,
    /// The value of `Sec-WebSocket-Extensions` in the 101.
    pub(super) answer: Option<String>,
    inflate: Inflate,
}

impl Peer {
    /// Opens a session with an offer, and more header lines.
    pub(super) fn open_with(server: &Server, offer: &str, headers: &str) -> Self {
        let headers = format!("Sec-WebSocket-Extensions: {offer}\r\n{headers}");
        let mut connection = server.http();
        connection.send(upgrade_request(&server.host(), "/", &headers));
        let response = connection.response("GET");
        assert_eq!(response.status, 101, "{}", response.head);
        let answer = response.header("Sec-WebSocket-Extensions").map(str::to_owned);
        Self { client: Client::upgraded(connection), answer, inflate: Inflate::new(false, 15) }
    }

    /// Opens a session with an offer.
    pub(super) fn open(server: &Server, offer: &str) -> Self {
        Self::open_with(server, offer, "")
    }

    /// Sends a message in compressed form, in fragments of this size.
    pub(super) fn send(&mut self, opcode: u8, message: &[u8], fragment: usize) {
        let packed = packed(message);
        let mut parts = packed.chunks(fragment).peekable();
        let mut opcode = (opcode, RSV1);
        while let Some(part) = parts.next() {
            let fin = parts.peek().is_none();
            self.client.send(&Frame { fin, rsv: opcode.1, opcode: opcode.0, payload: part.to_vec() });
            opcode = (CONTINUATION, 0);
        }
    }

    /// Takes the next message. Returns whether it was compressed, its opcode, and its bytes.
    pub(super) fn message(&mut self) -> (bool, u8, Vec<u8>) {
        let Frame { rsv, opcode, mut payload, .. } = self.client.message();
        assert!(rsv == 0 || rsv == RSV1, "{rsv}");
        if rsv == 0 {
            return (false, opcode, payload);
        }
        payload.extend_from_slice(&TAIL);
        (true, opcode, inflated(&mut self.inflate, &payload))
    }

    /// Takes the next message, which must be compressed or not, and returns its text.
    pub(super) fn text(&mut self, is_packed: bool) -> String {
        let (was_packed, _, message) = self.message();
        let text = String::from_utf8(message).unwrap();
        assert_eq!(was_packed, is_packed, "{text}");
        text
    }
}

fn inflated(inflate: &mut Inflate, mut bytes: &[u8]) -> Vec<u8> {
    let (mut all, mut step) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let (taken, made) = (inflate.total_in(), inflate.total_out());
        inflate.decompress(bytes, &mut step, InflateFlush::SyncFlush).expect("it is DEFLATE");
        let made = usize::try_from(inflate.total_out() - made).unwrap();
        bytes = &bytes[usize::try_from(inflate.total_in() - taken).unwrap()..];
        all.extend_from_slice(&step[..made]);
        if made < step.len() {
            assert!(bytes.is_empty());
            return all;
        }
    }
}

/// Returns the payload of a message in compressed form, without those before it.
pub(super) fn packed(message: &[u8]) -> Vec<u8> {
    packed_in_steps(&[message])
}

/// Returns the payload of a message that consists of these parts.
pub(super) fn packed_in_steps(parts: &[&[u8]]) -> Vec<u8> {
    let mut deflate = Deflate::new_with_config(DeflateConfig { level: 9, window_bits: -15, ..Default::default() });
    let (mut all, mut step) = (Vec::new(), vec![0; 1 << 16]);
    for (place, mut part) in parts.iter().copied().enumerate() {
        let flush = if place + 1 == parts.len() { DeflateFlush::SyncFlush } else { DeflateFlush::NoFlush };
        loop {
            let (taken, made) = (deflate.total_in(), deflate.total_out());
            deflate.compress(part, &mut step, flush).unwrap();
            let made = usize::try_from(deflate.total_out() - made).unwrap();
            part = &part[usize::try_from(deflate.total_in() - taken).unwrap()..];
            all.extend_from_slice(&step[..made]);
            if made < step.len() {
                break;
            }
        }
    }
    assert!(all.ends_with(&TAIL));
    all.truncate(all.len() - TAIL.len());
    all
}
