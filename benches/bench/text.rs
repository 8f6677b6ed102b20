//! The messages that are sent and must come back: of one length, told apart by their number.

use crate::framing::Framing;

/// Bytes of a line, as the figures of the table mean it; its newline comes on top.
pub(crate) const LINE_BYTES: usize = 64;

/// Bytes of a message in a broadcast.
pub(crate) const BROADCAST_BYTES: usize = 100;

/// Bytes of a message where framings are compared.
pub(crate) const FRAMED_BYTES: usize = 200;

/// Messages sent at a time in a pipelined echo; twice as many may be under way.
///
/// 2 × 112 × 70 bytes (a masked frame of a line) = 15,680: websocketd 0.4.1 deadlocks beyond 16 KiB.
pub(crate) const HALF_IN_FLIGHT: usize = 112;

/// Different lines in a text; a whole number of halves, so that no write wraps around.
pub(crate) const LINES: usize = 32 * HALF_IN_FLIGHT;

/// The masking key of every frame: fixed, and not zero, so that a server has to unmask.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a server speaks to its clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    /// WebSocket with text messages; each has the border it was given.
    Text,
    /// Likewise, by `wsd.resume.1`: the client acknowledges, and control messages are not counted.
    Resumable,
    /// Likewise, with messages that the server may compress.
    Packed,
    /// The protocol of Socket.IO in text messages: each line is an event.
    SocketIo,
    /// WebSocket with binary messages; borders are not kept.
    Binary,
    /// Bytes over TCP without any frame.
    Raw,
}

/// Messages of one length, which follow each other without end: after the last comes the first again.
pub(crate) struct Text {
    bytes: Vec<u8>,
    message_bytes: usize,
}

impl Text {
    /// Lines of [`LINE_BYTES`], without their newlines.
    pub(crate) fn lines() -> Self {
        Self::of_many(LINE_BYTES)
    }

    /// Lines of [`BROADCAST_BYTES`], without their newlines.
    pub(crate) fn broadcast() -> Self {
        Self::of_many(BROADCAST_BYTES)
    }

    /// Lines of JSON of 110 bytes, as a program may report its progress.
    pub(crate) fn progress() -> Self {
        Self { bytes: (0..LINES).flat_map(|number| progress(number).into_bytes()).collect(), message_bytes: 110 }
    }

    /// Messages of ten such lines.
    pub(crate) fn reports() -> Self {
        let report = |number: usize| (0..10).flat_map(move |line| progress(10 * number + line).into_bytes());
        Self { bytes: (0..LINES).flat_map(report).collect(), message_bytes: 1100 }
    }

    fn of_many(message_bytes: usize) -> Self {
        Self { bytes: (0..LINES).flat_map(|number| numbered(number, message_bytes)).collect(), message_bytes }
    }

    /// One message again and again.
    pub(crate) fn of_one(message_bytes: usize) -> Self {
        Self { bytes: numbered(0, message_bytes).collect(), message_bytes }
    }

    /// Messages of [`FRAMED_BYTES`] in JSON, which some framings ask for.
    pub(crate) fn framed() -> Self {
        let message = |number| [b"[\"", &*numbered(number, FRAMED_BYTES - 4).collect::<Vec<_>>(), b"\"]"].concat();
        Self { bytes: (0..LINES).flat_map(message).collect(), message_bytes: FRAMED_BYTES }
    }

    /// The messages of `self` as a program sees them: each with its newline.
    pub(crate) fn with_newlines(&self) -> Self {
        self.encoded(Framing::Lines)
    }

    /// The messages of `self` as a program sees them.
    pub(crate) fn encoded(&self, framing: Framing) -> Self {
        let bytes: Vec<_> = self.messages().flat_map(|message| framing.encode(message)).collect();
        let message_bytes = bytes.len() / self.messages().count();
        Self { bytes, message_bytes }
    }

    /// The messages of `self` as events of Socket.IO.
    fn events(&self) -> Self {
        let message_bytes = event("line", "\"\"").len() + self.message_bytes;
        let event = |message| event("line", &format!("\"{}\"", String::from_utf8_lossy(message)));
        Self { bytes: self.messages().flat_map(|message| event(message).into_bytes()).collect(), message_bytes }
    }

    /// The messages before they start again.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.message_bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn message_bytes(&self) -> usize {
        self.message_bytes
    }

    /// Whether `piece` is what stands at offset `at` of the endless text.
    pub(crate) fn has(&self, at: u64, mut piece: &[u8]) -> bool {
        let length = self.bytes.len();
        let mut at = usize::try_from(at % length as u64).unwrap_or_default();
        while !piece.is_empty() {
            let run = piece.len().min(length - at);
            if piece[..run] != self.bytes[at..at + run] {
                return false;
            }
            piece = &piece[run..];
            at = 0;
        }
        true
    }
}

/// Both sides of an exchange with a server that sends back what it gets, built beforehand.
pub(crate) struct Talk {
    pub(crate) wire: Wire,
    /// Returns the text that must come back.
    pub(crate) text: Text,
    sent: Vec<u8>,
    sent_message_bytes: usize,
}

impl Talk {
    /// Returns the bytes of `text` on `wire`.
    pub(crate) fn new(wire: Wire, text: &Text) -> Self {
        let text = match wire {
            Wire::Raw => text.with_newlines(),
            Wire::SocketIo => text.events(),
            _ => Text { bytes: text.bytes.clone(), ..*text },
        };
        let sent: Vec<u8> = match wire {
            Wire::Text | Wire::Resumable | Wire::Packed | Wire::SocketIo => {
                text.messages().flat_map(|message| frame(OPCODE_TEXT, message)).collect()
            }
            Wire::Binary => text.messages().flat_map(|message| frame(OPCODE_BINARY, message)).collect(),
            Wire::Raw => text.bytes.clone(),
        };
        let sent_message_bytes = sent.len() / text.messages().count();
        Self { wire, text, sent, sent_message_bytes }
    }

    /// The bytes to send for all messages of the text.
    pub(crate) fn all(&self) -> &[u8] {
        &self.sent
    }

    /// The bytes to send for `count` messages from the `first` on, counted in the endless text; they must not wrap.
    pub(crate) fn some(&self, first: u64, count: usize) -> &[u8] {
        let messages = self.sent.len() / self.sent_message_bytes;
        let start = usize::try_from(first % messages as u64).unwrap_or_default() * self.sent_message_bytes;
        &self.sent[start..start + count * self.sent_message_bytes]
    }

    /// Messages of the text before it starts again.
    pub(crate) fn messages(&self) -> usize {
        self.sent.len() / self.sent_message_bytes
    }
}

pub(crate) const OPCODE_TEXT: u8 = 1;
pub(crate) const OPCODE_BINARY: u8 = 2;
pub(crate) const OPCODE_CLOSE: u8 = 8;

/// One whole masked frame, as a client sends it (RFC 6455, section 5.2).
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 + u8::try_from(short).unwrap_or_default()),
        middle @ 126..0x1_0000 => {
            frame.push(0x80 + 126);
            frame.extend(u16::try_from(middle).unwrap_or_default().to_be_bytes());
        }
        long => {
            frame.push(0x80 + 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// An event of Socket.IO as it is sent: its name, and its value in JSON.
pub(crate) fn event(name: &str, value: &str) -> String {
    format!("42[\"{name}\",{value}]")
}

fn progress(number: usize) -> String {
    let part = number * 7919 % 1000;
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"token":{number:08},"progress":{part:03},"total":1000000}}}}"#
    )
}

/// `length` bytes of plain text that begin with `number`; letters, digits and dashes only, so that socat takes them too.
fn numbered(number: usize, length: usize) -> impl Iterator<Item = u8> {
    let head = format!("{number:08}-").into_bytes();
    head.into_iter().chain((b'a'..=b'z').cycle()).take(length)
}
