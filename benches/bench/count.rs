//! Counts what arrives, without copying it and without reading more of it than frame headers.

use crate::packed::Packed;
use crate::result::Result;
use crate::text::{OPCODE_BINARY, OPCODE_CLOSE, OPCODE_TEXT, Text, Wire};

/// How closely what arrives is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    /// Every message has the right length, and none is missing.
    Lengths,
    /// Every byte is the right one, too.
    Bytes,
}

/// Messages arrived on one connection, and the place in the stream where the last read ended.
pub(crate) struct Counter<'t> {
    text: &'t Text,
    wire: Wire,
    check: Check,
    bytes: u64,
    messages: u64,
    /// Bytes of frames that were not looked at.
    skimmed: u64,
    frame: Option<Frame>,
    /// The beginning of a header that the last read cut in two.
    cut: Vec<u8>,
    closed: bool,
    /// Messages before the last restart.
    before: u64,
    /// The last control message of [`Wire::Resumable`] or [`Wire::SocketIo`], and whether all of it is there.
    control: Vec<u8>,
    is_controlled: bool,
    /// Whether only events come now, with [`Wire::SocketIo`].
    is_joined: bool,
    /// The messages of [`Wire::Packed`].
    packed: Option<Packed>,
}

struct Frame {
    is_last: bool,
    content: Content,
    bytes_left: u64,
    /// Whether nothing of its payload has been looked at.
    is_new: bool,
}

/// The meaning of a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Of a message that is counted.
    Message,
    /// Of a control message of [`Wire::Resumable`] or [`Wire::SocketIo`].
    Control,
    /// Of a control frame.
    Other,
}

impl<'t> Counter<'t> {
    pub(crate) fn new(text: &'t Text, wire: Wire, check: Check) -> Self {
        Self {
            text,
            wire,
            check,
            bytes: 0,
            messages: 0,
            skimmed: 0,
            frame: None,
            cut: Vec::new(),
            closed: false,
            before: 0,
            control: Vec::new(),
            is_controlled: false,
            is_joined: false,
            packed: (wire == Wire::Packed).then(Packed::new),
        }
    }

    /// Messages arrived whole since the start or the last [`Counter::restart`].
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// Messages arrived whole since the start.
    pub(crate) fn total(&self) -> u64 {
        self.before + self.messages
    }

    /// Takes the last control message, once all of it is there.
    pub(crate) fn control(&mut self) -> Option<String> {
        self.is_controlled.then(|| {
            self.is_controlled = false;
            String::from_utf8_lossy(&self.control).into_owned()
        })
    }

    /// Payload bytes of all messages of [`Wire::Packed`], as they came.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.packed.as_ref().map_or(0, Packed::bytes)
    }

    pub(crate) fn check(&self) -> Check {
        self.check
    }

    /// Whether the server has sent a Close frame.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Expects the text from its first message on again.
    pub(crate) fn restart(&mut self) {
        self.before += self.messages;
        self.bytes = 0;
        self.messages = 0;
        self.skimmed = 0;
    }

    /// Counts what arrived unseen, as frames of one short message each; [`Counter::take`] finds out if the last is not whole.
    pub(crate) fn skim(&mut self, length: u64) {
        self.skimmed += length;
        self.messages = self.skimmed / (self.text.message_bytes() as u64 + SHORT_HEADER_BYTES);
        self.bytes = self.messages * self.text.message_bytes() as u64;
    }

    /// Counts what one read brought.
    pub(crate) fn take(&mut self, mut input: &[u8]) -> Result<()> {
        if self.wire == Wire::Raw {
            return self.data(input);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                let length = usize::try_from(frame.bytes_left).map_or(input.len(), |left| left.min(input.len()));
                if frame.is_new && length > 0 {
                    frame.is_new = false;
                    let is_control = match self.wire {
                        Wire::Resumable => input[0] == 0,
                        Wire::SocketIo => !self.is_joined,
                        _ => false,
                    };
                    if is_control {
                        frame.content = Content::Control;
                        self.control.clear();
                    }
                }
                frame.bytes_left -= length as u64;
                let (content, is_last, is_whole) = (frame.content, frame.is_last, frame.bytes_left == 0);
                match content {
                    Content::Message if self.packed.as_mut().is_some_and(|packed| packed.take(&input[..length])) => {}
                    Content::Message => self.data(&input[..length])?,
                    Content::Control => {
                        self.control.extend(&input[..length]);
                        self.is_controlled = is_whole;
                        self.is_joined = is_whole && self.control.starts_with(JOINED);
                    }
                    Content::Other => {}
                }
                input = &input[length..];
                if !is_whole {
                    return Ok(());
                }
                self.frame = None;
                if content == Content::Message && is_last && !matches!(self.wire, Wire::Binary | Wire::Raw) {
                    self.end_packed()?;
                    self.end_message()?;
                }
            }
            if input.is_empty() {
                return Ok(());
            }
            input = self.begin_frame(input)?;
        }
    }

    /// Takes a frame's header off `input`, or keeps its beginning for the next read.
    fn begin_frame<'i>(&mut self, input: &'i [u8]) -> Result<&'i [u8]> {
        let whole;
        let header = if self.cut.is_empty() {
            input
        } else {
            whole = [&self.cut, &input[..input.len().min(HEADER_BYTES_MAX)]].concat();
            &whole
        };
        let may_be_packed = self.packed.is_some();
        let Some((frame, opcode, length)) = parse_header(header, may_be_packed)? else {
            self.cut.extend(input);
            return Ok(&[]);
        };
        self.closed |= opcode == OPCODE_CLOSE;
        if let Some(packed) = &mut self.packed
            && matches!(opcode, OPCODE_TEXT | OPCODE_BINARY)
        {
            packed.begin(header[0] & RSV1 != 0);
        }
        self.frame = Some(frame);
        let rest = &input[length - self.cut.len()..];
        self.cut.clear();
        Ok(rest)
    }

    fn data(&mut self, piece: &[u8]) -> Result<()> {
        if self.check == Check::Bytes && !self.text.has(self.bytes, piece) {
            return Err(format!("wrong bytes in message {}", self.messages).into());
        }
        self.bytes += piece.len() as u64;
        if matches!(self.wire, Wire::Binary | Wire::Raw) {
            self.messages = self.bytes / self.text.message_bytes() as u64;
        }
        Ok(())
    }

    /// Counts the bytes of a compressed message that has ended.
    fn end_packed(&mut self) -> Result<()> {
        let Some(packed) = &mut self.packed else { return Ok(()) };
        let Some(payload) = packed.end() else { return Ok(()) };
        if self.check == Check::Bytes {
            let payload = packed.inflated(payload)?;
            return self.data(&payload);
        }
        self.bytes += self.text.message_bytes() as u64;
        Ok(())
    }

    fn end_message(&mut self) -> Result<()> {
        self.messages += 1;
        let expected = self.messages * self.text.message_bytes() as u64;
        if self.bytes == expected {
            return Ok(());
        }
        Err(format!("message {} ended after {} bytes in all, not {expected}", self.messages, self.bytes).into())
    }
}

/// The beginning of a message of Socket.IO that asks to join all, and of the answer.
pub(crate) const JOINED: &[u8] = b"40";

/// The header of a server's frame of less than 126 bytes.
const SHORT_HEADER_BYTES: u64 = 2;

/// Two bytes and eight of length: a server's frames carry no mask.
const HEADER_BYTES_MAX: usize = 10;

/// The bit of a compressed message.
const RSV1: u8 = 0x40;

/// The frame, its opcode, and the length of its header; `None` while the header is not whole.
fn parse_header(input: &[u8], may_be_packed: bool) -> Result<Option<(Frame, u8, usize)>> {
    let &[first, second, ref rest @ ..] = input else { return Ok(None) };
    if first & 0x30 != 0 || first & RSV1 != 0 && !may_be_packed || second & 0x80 != 0 {
        return Err(format!("a frame must not begin with {first:02x} {second:02x}").into());
    }
    let (bytes_left, length) = match second {
        126 => match rest.first_chunk() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    let opcode = first & 0x0f;
    let content = if opcode < OPCODE_CLOSE { Content::Message } else { Content::Other };
    let frame = Frame { is_last: first & 0x80 != 0, content, bytes_left, is_new: true };
    Ok(Some((frame, opcode, length)))
}
