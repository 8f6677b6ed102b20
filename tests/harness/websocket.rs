//! A raw, blocking WebSocket client after RFC 6455: frames go out as the test makes them, right or wrong, and come in as
//! they are.

use std::net::SocketAddr;

use crate::http::{Connection, Response};

/// The opcode of a fragment of a message but its first.
pub const CONTINUATION: u8 = 0x0;
/// The opcode of a text message.
pub const TEXT: u8 = 0x1;
/// The opcode of a binary message.
pub const BINARY: u8 = 0x2;
/// The opcode of a Close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a Ping.
pub const PING: u8 = 0x9;
/// The opcode of a Pong.
pub const PONG: u8 = 0xA;

/// The key of the example in RFC 6455, section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The three reserved bits, as a number of 0 to 7.
    pub rsv: u8,
    /// The kind of frame.
    pub opcode: u8,
    /// The payload, unmasked.
    pub payload: Vec<u8>,
}

/// How a session ended: the payload of a Close frame.
#[derive(Debug, PartialEq)]
pub struct Close {
    /// The code, if there is one.
    pub code: Option<u16>,
    /// The reason; mostly empty.
    pub reason: String,
}

/// One open session, seen from its client.
pub struct Client {
    connection: Connection,
}

impl Frame {
    /// A final frame.
    pub fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { fin: true, rsv: 0, opcode, payload: payload.as_ref().to_vec() }
    }

    /// A Close frame.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// Returns the frame without its FIN bit: more of the message follows.
    pub fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    /// Returns the frame with reserved bits set.
    pub fn with_reserved_bits(mut self, rsv: u8) -> Self {
        self.rsv = rsv;
        self
    }

    /// The bytes of the frame, masked as a client must.
    pub fn masked(&self) -> Vec<u8> {
        let mut bytes = self.header(0x80);
        bytes.extend(MASK);
        bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// The bytes of the frame without a mask, as only a server may send them.
    pub fn unmasked(&self) -> Vec<u8> {
        [self.header(0), self.payload.clone()].concat()
    }

    /// The whole frame of a server that `bytes` begin with, and its length there; `None` if its end has not come.
    pub fn first_of(bytes: &[u8]) -> Option<(Self, usize)> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        assert!(second & 0x80 == 0, "the server masked a frame");
        let (length, rest) = match second {
            126 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
            127 => rest
                .split_first_chunk()
                .map(|(length, rest)| (usize::try_from(u64::from_be_bytes(*length)).unwrap(), rest))?,
            length => (usize::from(length), rest),
        };
        let payload = rest.get(..length)?.to_vec();
        let frame = Self { fin: first & 0x80 != 0, rsv: first >> 4 & 0x7, opcode: first & 0xF, payload };
        Some((frame, bytes.len() - rest.len() + length))
    }

    fn header(&self, mask_bit: u8) -> Vec<u8> {
        let fin_bit = if self.fin { 0x80 } else { 0 };
        let mut bytes = vec![fin_bit | self.rsv << 4 | self.opcode];
        let length = self.payload.len();
        if length < 126 {
            bytes.push(mask_bit | u8::try_from(length).unwrap());
        } else if let Ok(length) = u16::try_from(length) {
            bytes.push(mask_bit | 0x7E);
            bytes.extend(length.to_be_bytes());
        } else {
            bytes.push(mask_bit | 0x7F);
            bytes.extend((length as u64).to_be_bytes());
        }
        bytes
    }
}

/// The bytes of a masked frame's header that claims a payload of `length` bytes, and none of the payload.
pub fn claim(opcode: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode, 0x80 | 0x7F];
    bytes.extend(length.to_be_bytes());
    bytes.extend(MASK);
    bytes
}

/// An upgrade request for `path` with more header lines, each ending with `\r\n`.
pub fn upgrade_request(host: &str, path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
}

impl Client {
    /// Asks for a session; an answer other than 101 is the error.
    pub fn open(address: SocketAddr, request: &str) -> Result<Self, Response> {
        Self::upgrade(Connection::open(address), request)
    }

    /// Asks for a session over a connection that is already there.
    pub fn upgrade(mut connection: Connection, request: &str) -> Result<Self, Response> {
        connection.send(request);
        let response = connection.response("GET");
        if response.status == 101 { Ok(Self { connection }) } else { Err(response) }
    }

    /// The session of a connection whose 101 was already taken.
    pub fn upgraded(connection: Connection) -> Self {
        Self { connection }
    }

    /// The connection under the session.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The connection under the session, which is this one's no more.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Ends the TCP connection with a reset.
    pub fn reset(self) {
        self.connection.reset();
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.connection.send(bytes);
    }

    /// Sends a masked frame.
    pub fn send(&mut self, frame: &Frame) {
        self.connection.send(frame.masked());
    }

    /// Sends a text message in one frame.
    pub fn text(&mut self, text: &str) {
        self.send(&Frame::new(TEXT, text));
    }

    /// Sends a binary message in one frame.
    pub fn binary(&mut self, bytes: &[u8]) {
        self.send(&Frame::new(BINARY, bytes));
    }

    /// Sends a Close frame.
    pub fn close(&mut self, code: u16) {
        self.send(&Frame::close(code, ""));
    }

    /// Takes the next frame, which must come.
    pub fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame, but the connection ended")
    }

    /// Takes the next frame; `None` at the end of the connection. Frames of a server have no mask, and this one insists.
    pub fn try_frame(&mut self) -> Option<Frame> {
        let head = self.connection.take(2)?;
        assert!(head[1] & 0x80 == 0, "the server masked a frame");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.connection.take(2)?.try_into().unwrap())),
            127 => u64::from_be_bytes(self.connection.take(8)?.try_into().unwrap()),
            length => u64::from(length),
        };
        let payload = self.connection.take(usize::try_from(length).unwrap())?;
        let frame = Frame { fin: head[0] & 0x80 != 0, rsv: head[0] >> 4 & 0x7, opcode: head[0] & 0xF, payload };
        // By this the server finds out whether a client that it cannot read is still there.
        if frame == Frame::new(PONG, "wsd") { self.try_frame() } else { Some(frame) }
    }

    /// Takes the next message with its opcode; a Close, Ping or Pong counts as one.
    pub fn message(&mut self) -> Frame {
        let mut message = self.frame();
        while !message.fin {
            let next = self.frame();
            assert_eq!(next.opcode, CONTINUATION, "a fragment was followed by {next:?}");
            message.payload.extend(next.payload);
            message.fin = next.fin;
        }
        message
    }

    /// Takes the next message, which must be text and valid UTF-8.
    pub fn line(&mut self) -> String {
        let message = self.message();
        assert_eq!(message.opcode, TEXT, "instead of text came {message:?}");
        String::from_utf8(message.payload).expect("text in UTF-8")
    }

    /// Takes the bytes of binary messages until there are `count` of them; their borders are nobody's promise.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let message = self.message();
            assert_eq!(message.opcode, BINARY, "after {} bytes came {message:?}", bytes.len());
            bytes.extend(message.payload);
        }
        bytes
    }

    /// Takes the Close frame, which must be next.
    pub fn expect_close(&mut self) -> Close {
        let frame = self.frame();
        assert_eq!(frame.opcode, CLOSE, "instead of a Close came {frame:?}");
        Close::of(&frame.payload)
    }

    /// Takes all text messages up to the Close, and the Close.
    pub fn rest(&mut self) -> (Vec<String>, Close) {
        let mut lines = Vec::new();
        loop {
            let message = self.message();
            match message.opcode {
                TEXT => lines.push(String::from_utf8(message.payload).expect("text in UTF-8")),
                CLOSE => return (lines, Close::of(&message.payload)),
                _ => panic!("instead of text or a Close came {message:?}"),
            }
        }
    }

    /// Takes whatever comes, up to the Close; gives the Close.
    pub fn close_at_last(&mut self) -> Close {
        loop {
            let frame = self.frame();
            if frame.opcode == CLOSE {
                return Close::of(&frame.payload);
            }
        }
    }

    /// Waits for the end of the TCP connection. No frame may come before it.
    pub fn expect_end(&mut self) {
        assert_eq!(self.try_frame(), None);
    }

    /// Waits for the end of the TCP connection, whatever comes before it.
    pub fn drain(&mut self) {
        while self.try_frame().is_some() {}
    }
}

impl Close {
    /// A close with a code.
    pub fn new(code: u16, reason: &str) -> Self {
        Self { code: Some(code), reason: reason.to_owned() }
    }

    /// Returns the code and reason in the payload of a Close frame.
    pub fn of(payload: &[u8]) -> Self {
        let (code, reason) = payload.split_at(payload.len().min(2));
        let code = code.try_into().ok().map(u16::from_be_bytes);
        Self { code, reason: String::from_utf8(reason.to_vec()).unwrap() }
    }
}
