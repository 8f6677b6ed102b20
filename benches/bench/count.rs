//! Counts what arrives, without copying it and without reading more of it than frame headers.

use crate::result::Result;
use crate::text::{OPCODE_CLOSE, Text, Wire};

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
}

struct Frame {
    is_last: bool,
    is_data: bool,
    bytes_left: u64,
}

impl<'t> Counter<'t> {
    pub(crate) fn new(text: &'t Text, wire: Wire, check: Check) -> Self {
        Self { text, wire, check, bytes: 0, messages: 0, skimmed: 0, frame: None, cut: Vec::new(), closed: false }
    }

    /// Messages arrived whole since the start or the last [`Counter::restart`].
    pub(crate) fn messages(&self) -> u64 {
        self.messages
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
                frame.bytes_left -= length as u64;
                let (is_data, is_last, is_whole) = (frame.is_data, frame.is_last, frame.bytes_left == 0);
                if is_data {
                    self.data(&input[..length])?;
                }
                input = &input[length..];
                if !is_whole {
                    return Ok(());
                }
                self.frame = None;
                if is_data && is_last && self.wire == Wire::Text {
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
        let Some((frame, opcode, length)) = parse_header(header)? else {
            self.cut.extend(input);
            return Ok(&[]);
        };
        self.closed |= opcode == OPCODE_CLOSE;
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
        if self.wire != Wire::Text {
            self.messages = self.bytes / self.text.message_bytes() as u64;
        }
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

/// The header of a server's frame of less than 126 bytes.
const SHORT_HEADER_BYTES: u64 = 2;

/// Two bytes and eight of length: a server's frames carry no mask.
const HEADER_BYTES_MAX: usize = 10;

/// The frame, its opcode, and the length of its header; `None` while the header is not whole.
fn parse_header(input: &[u8]) -> Result<Option<(Frame, u8, usize)>> {
    let &[first, second, ref rest @ ..] = input else { return Ok(None) };
    if first & 0x70 != 0 || second & 0x80 != 0 {
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
    Ok(Some((Frame { is_last: first & 0x80 != 0, is_data: opcode < OPCODE_CLOSE, bytes_left }, opcode, length)))
}
