//! Frames in: checks them, takes the mask off, joins fragments. Pure; fails at the first byte that cannot be right.
//!
//! The headers are read by tungstenite. Its messages are not used: each would be an allocation, and each session would
//! keep a buffer. Here a message that came whole stays where it was read.

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::header::{HEADER_BYTES_MAX, parse, unmask};
use crate::{client::Fault, limits::MESSAGE_BYTES_MAX, message::Kind};

/// Something a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A whole message; text is UTF-8.
    Message(Kind, &'a [u8]),
    /// A Ping frame, to be answered with the same payload (RFC 6455, section 5.5.3).
    Ping(&'a [u8]),
    /// A Pong frame.
    Pong,
    /// A Close frame with its code, if it has one, and its reason. Nothing after it is read.
    Close(Option<u16>, &'a str),
}

/// Reads a client's frames, in whatever portions they come.
#[derive(Debug)]
pub(crate) struct Reader {
    message_bytes_max: usize,
    /// The front of a header that the end of a portion cut.
    header: Vec<u8>,
    /// The frame whose payload is cut by the end of a portion.
    frame: Option<Frame>,
    /// The data message whose last frame has not come, or the one frame of it that is cut.
    message: Option<Message>,
    /// The payload so far of a control frame that is cut.
    control: Vec<u8>,
    is_closed: bool,
    /// Messages are read, checked and forgotten.
    is_forgetting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// The mask, turned so that it begins with the next byte of the payload.
    mask: [u8; 4],
    left: usize,
}

#[derive(Debug)]
struct Message {
    kind: Kind,
    payload: Vec<u8>,
    /// Bytes of the payload known to be UTF-8.
    checked: usize,
}

impl Reader {
    /// A reader that takes messages of up to `message_bytes_max` bytes.
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            header: Vec::new(),
            frame: None,
            message: None,
            control: Vec::new(),
            is_closed: false,
            is_forgetting: false,
        }
    }

    /// Forgets the message that has come in part, and every message from now on: only control frames still matter.
    pub(crate) fn forget_messages(&mut self) {
        self.is_forgetting = true;
        if let Some(message) = &mut self.message {
            message.payload = Vec::new();
            message.checked = 0;
        }
    }

    /// Bytes that it takes up to keep what has come in part: those that are to come of its frame, too.
    pub(crate) fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.payload.capacity())
    }

    /// Takes the next bytes and hands over each event they complete, in order. Payloads are unmasked in place.
    pub(crate) fn read(&mut self, bytes: &mut [u8], on: &mut impl FnMut(Event<'_>)) -> Result<(), Fault> {
        let mut rest = bytes;
        while !self.is_closed {
            let (frame, begins) = match self.frame.take() {
                Some(frame) => (frame, false),
                None => match self.read_header(rest)? {
                    None => break,
                    Some((frame, after)) => {
                        rest = after;
                        (frame, true)
                    }
                },
            };
            let (payload, after) = rest.split_at_mut(frame.left.min(rest.len()));
            rest = after;
            let is_ascii = unmask(payload, frame.mask);
            self.read_payload(frame, begins, payload, is_ascii, on)?;
            if self.frame.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Takes a header off the front of `bytes`; `None` if it is not whole yet, all bytes are taken then.
    fn read_header<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(Frame, &'a mut [u8])>, Fault> {
        let before = self.header.len();
        let parsed = if before == 0 {
            parse(bytes)?
        } else {
            self.header.extend_from_slice(&bytes[..bytes.len().min(HEADER_BYTES_MAX - before)]);
            parse(&self.header)?
        };
        let Some((header, length, size)) = parsed else {
            if before == 0 {
                self.header = bytes.to_vec();
            }
            return Ok(None);
        };
        if before > 0 {
            self.header = Vec::new();
        }
        let frame = self.check(&header, length)?;
        Ok(Some((frame, &mut bytes[size - before..])))
    }

    /// Checks all that a header can tell (RFC 6455, sections 5.1, 5.2, 5.4, 5.5).
    fn check(&mut self, header: &FrameHeader, length: u64) -> Result<Frame, Fault> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Fault::Protocol("reserved bit set"));
        }
        if length > i64::MAX as u64 {
            return Err(Fault::Protocol("length over 63 bits"));
        }
        let Some(mask) = header.mask else { return Err(Fault::Protocol("frame without a mask")) };
        match header.opcode {
            OpCode::Control(_) if length > 125 => return Err(Fault::Protocol("control frame too long")),
            OpCode::Control(_) if !header.is_final => return Err(Fault::Protocol("control frame in fragments")),
            OpCode::Control(_) => {}
            OpCode::Data(Data::Continue) if self.message.is_none() => {
                return Err(Fault::Protocol("continuation of nothing"));
            }
            OpCode::Data(Data::Text | Data::Binary) if self.message.is_some() => {
                return Err(Fault::Protocol("new message within a message"));
            }
            OpCode::Data(_) => {
                let before = self.message.as_ref().map_or(0, |message| message.payload.len());
                if length > (self.message_bytes_max - before) as u64 {
                    return Err(Fault::TooBig);
                }
            }
        }
        let left = usize::try_from(length).map_err(|_| Fault::TooBig)?;
        Ok(Frame { opcode: header.opcode, is_final: header.is_final, mask, left })
    }

    fn read_payload(
        &mut self,
        frame: Frame,
        begins: bool,
        payload: &[u8],
        is_ascii: bool,
        on: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Fault> {
        let is_whole = payload.len() == frame.left;
        if !is_whole {
            let mut mask = frame.mask;
            mask.rotate_left(payload.len() % 4);
            self.frame = Some(Frame { mask, left: frame.left - payload.len(), ..frame });
        }
        match frame.opcode {
            OpCode::Control(control) if begins && is_whole => self.on_control(control, payload, on),
            OpCode::Control(control) => {
                self.control.extend_from_slice(payload);
                if !is_whole {
                    return Ok(());
                }
                let payload = std::mem::take(&mut self.control);
                self.on_control(control, &payload, on)
            }
            OpCode::Data(data) => {
                let ends = frame.is_final && is_whole;
                self.on_data(data, begins, ends, payload, is_ascii, on)
            }
        }
    }

    fn on_control(&mut self, control: Control, payload: &[u8], on: &mut impl FnMut(Event<'_>)) -> Result<(), Fault> {
        match control {
            Control::Ping => on(Event::Ping(payload)),
            Control::Pong => on(Event::Pong),
            Control::Close => {
                let (code, reason) = close_body(payload)?;
                self.is_closed = true;
                on(Event::Close(code, reason));
            }
            Control::Reserved(_) => return Err(Fault::Protocol("reserved opcode")),
        }
        Ok(())
    }

    fn on_data(
        &mut self,
        data: Data,
        begins: bool,
        ends: bool,
        payload: &[u8],
        is_ascii: bool,
        on: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Fault> {
        let kind = if data == Data::Text { Kind::Text } else { Kind::Binary };
        if self.is_forgetting {
            self.message = (!ends).then(|| Message { kind, payload: Vec::new(), checked: 0 });
            return Ok(());
        }
        if self.message.is_none() && begins && ends {
            if kind == Kind::Text && !is_ascii && str::from_utf8(payload).is_err() {
                return Err(Fault::NotText);
            }
            on(Event::Message(kind, payload));
            return Ok(());
        }
        let message = self.message.get_or_insert_with(|| Message { kind, payload: Vec::new(), checked: 0 });
        if begins && let Some(frame) = &self.frame {
            // All at once, so that it need not grow; memory is taken as it is written to. A vast claim may be a lie.
            message.payload.reserve_exact((payload.len() + frame.left).min(MESSAGE_BYTES_MAX));
        }
        message.extend(payload, is_ascii)?;
        if ends {
            let message = self.message.take().expect("was just put there");
            message.finish()?;
            on(Event::Message(message.kind, &message.payload));
        }
        Ok(())
    }
}

impl Message {
    /// Takes the next bytes; text is checked as it comes.
    fn extend(&mut self, payload: &[u8], is_ascii: bool) -> Result<(), Fault> {
        let is_at_character = self.checked == self.payload.len();
        self.payload.extend_from_slice(payload);
        if is_ascii && is_at_character {
            self.checked = self.payload.len();
        } else if self.kind == Kind::Text {
            match str::from_utf8(&self.payload[self.checked..]) {
                Ok(text) => self.checked += text.len(),
                Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
                Err(_) => return Err(Fault::NotText),
            }
        }
        Ok(())
    }

    /// Checks that text does not end within a character.
    fn finish(&self) -> Result<(), Fault> {
        if self.kind == Kind::Text && self.checked < self.payload.len() { Err(Fault::NotText) } else { Ok(()) }
    }
}

/// Code and reason in a Close frame's payload (RFC 6455, section 5.5.1).
fn close_body(payload: &[u8]) -> Result<(Option<u16>, &str), Fault> {
    match payload {
        [] => Ok((None, "")),
        [_] => Err(Fault::Protocol("close code of one byte")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !is_allowed(code) {
                return Err(Fault::Protocol("close code not allowed"));
            }
            Ok((Some(code), str::from_utf8(reason).map_err(|_| Fault::NotText)?))
        }
    }
}

/// Whether a peer may send `code` in a Close frame: those of the RFC's table and of IANA's registry that are not for local
/// use, and those for libraries and private use.
fn is_allowed(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests;
