//! Reads frames: checks them, unmasks them, joins fragments. Pure. Fails at the first invalid byte.
//!
//! tungstenite parses the headers. wsd does not use its messages: each would take an allocation, and each session would
//! keep a buffer. Here a message that one read brings whole stays in the buffer of that read.

mod control;
mod inflation;
mod message;
#[cfg(test)]
mod tests;

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::header::{HEADER_BYTES_MAX, parse, unmask};
use crate::{client::Fault, deflate::PackedTraffic, limits::MESSAGE_BYTES_MAX, message::Kind};
use control::close_body;
use inflation::{INFLATED_BYTES_ENOUGH, Inflation};
use message::Message;

/// A message or a control frame of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SocketEvent<'a> {
    /// A whole message; text is UTF-8.
    Message(Kind, &'a [u8]),
    /// A Ping frame; the answer must have the same payload (RFC 6455, section 5.5.3).
    Ping(&'a [u8]),
    /// A Pong frame.
    Pong(&'a [u8]),
    /// A Close frame with its code, if it has one, and its reason. The reader ignores all bytes after it.
    Close(Option<u16>, &'a str),
}

/// Reads a client's frames. The borders of portions do not matter.
#[derive(Debug)]
pub(crate) struct Reader {
    message_bytes_max: usize,
    /// The front of an unfinished header.
    header: Vec<u8>,
    /// The frame with an unfinished payload.
    frame: Option<Frame>,
    /// The unfinished data message.
    message: Option<Message>,
    /// The state of compression, if the client may compress messages.
    inflation: Option<Box<Inflation>>,
    /// The payload so far of an unfinished control frame.
    control: Vec<u8>,
    is_closed: bool,
    /// Whether the reader drops data messages after it has checked their headers.
    is_forgetting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// The mask, rotated so that it begins with the next byte of the payload.
    mask: [u8; 4],
    left: usize,
}

impl Reader {
    /// Returns a reader for messages of up to `message_bytes_max` bytes, of a client that may compress them or not.
    pub(crate) fn new(message_bytes_max: usize, inflates: bool) -> Self {
        Self {
            message_bytes_max,
            header: Vec::new(),
            frame: None,
            message: None,
            inflation: inflates.then(Box::default),
            control: Vec::new(),
            is_closed: false,
            is_forgetting: false,
        }
    }

    /// Drops the unfinished message, and every message from now on. Control frames still become events.
    pub(crate) fn forget_messages(&mut self) {
        self.is_forgetting = true;
        if let Some(message) = &mut self.message {
            message.forget();
        }
        if let Some(inflation) = &mut self.inflation {
            inflation.forget();
        }
    }

    /// Returns the bytes of the messages so far, before and after inflation.
    pub(crate) fn traffic(&self) -> PackedTraffic {
        self.inflation.as_ref().map_or(PackedTraffic::default(), |inflation| inflation.traffic)
    }

    /// Returns the bytes of memory of an unfinished message, including those reserved for the rest of its frame.
    pub(crate) fn held(&self) -> usize {
        let inflater = self.inflation.as_ref().map_or(0, |inflation| inflation.held());
        self.message.as_ref().map_or(0, |message| message.payload.capacity()) + inflater
    }

    /// Takes the next bytes and calls `on` with each event that they complete, in order. Unmasks payloads in place.
    ///
    /// Returns the number of bytes at the end that it leaves for the next call, because those before have inflated to enough.
    pub(crate) fn read(&mut self, bytes: &mut [u8], on: &mut impl FnMut(SocketEvent<'_>)) -> Result<usize, Fault> {
        let (mut rest, enough) = (bytes, self.traffic().bytes + INFLATED_BYTES_ENOUGH);
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
            if self.traffic().bytes >= enough {
                return Ok(rest.len());
            }
        }
        Ok(0)
    }

    /// Parses a header at the front of `bytes`, and returns the bytes after it. Keeps an unfinished header, for `None`.
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

    /// Whether a frame with RSV1 may come: the first of a message, if the client may compress (RFC 7692, section 6).
    fn may_be_packed(&self, opcode: OpCode) -> bool {
        self.inflation.is_some() && matches!(opcode, OpCode::Data(Data::Text | Data::Binary))
    }

    /// Checks a header (RFC 6455, sections 5.1, 5.2, 5.4, 5.5).
    fn check(&mut self, header: &FrameHeader, length: u64) -> Result<Frame, Fault> {
        if header.rsv2 || header.rsv3 || header.rsv1 && !self.may_be_packed(header.opcode) {
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
            OpCode::Data(_) if header.rsv1 => {
                if let Some(inflation) = &mut self.inflation {
                    inflation.begin(!self.is_forgetting);
                }
            }
            OpCode::Data(_) if self.inflation.as_ref().is_some_and(|inflation| inflation.is_within()) => {}
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
        on: &mut impl FnMut(SocketEvent<'_>),
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

    fn on_control(
        &mut self,
        control: Control,
        payload: &[u8],
        on: &mut impl FnMut(SocketEvent<'_>),
    ) -> Result<(), Fault> {
        match control {
            Control::Ping => on(SocketEvent::Ping(payload)),
            Control::Pong => on(SocketEvent::Pong(payload)),
            Control::Close => {
                let (code, reason) = close_body(payload)?;
                self.is_closed = true;
                on(SocketEvent::Close(code, reason));
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
        on: &mut impl FnMut(SocketEvent<'_>),
    ) -> Result<(), Fault> {
        let kind = if data == Data::Text { Kind::Text } else { Kind::Binary };
        if self.is_forgetting {
            self.message = (!ends).then(|| Message::new(kind));
            return Ok(());
        }
        if let Some(inflation) = &mut self.inflation {
            if inflation.is_within() {
                let (unfinished, bytes_max) = (&mut self.message, self.message_bytes_max);
                let part = (kind, payload, ends);
                return inflation
                    .take(part, unfinished, bytes_max, |kind, message| on(SocketEvent::Message(kind, message)));
            }
            inflation.traffic.add(payload.len(), payload.len());
        }
        if self.message.is_none() && begins && ends {
            if kind == Kind::Text && !is_ascii && str::from_utf8(payload).is_err() {
                return Err(Fault::NotText);
            }
            on(SocketEvent::Message(kind, payload));
            return Ok(());
        }
        let message = self.message.get_or_insert_with(|| Message::new(kind));
        if begins && let Some(frame) = &self.frame {
            // Reserves the frame at once, up to a limit: a claimed length may be a lie. Unwritten pages cost no memory.
            message.payload.reserve_exact((payload.len() + frame.left).min(MESSAGE_BYTES_MAX));
        }
        message.extend(payload, is_ascii)?;
        if ends {
            let message = self.message.take().expect("was just put there");
            message.finish()?;
            on(SocketEvent::Message(message.kind, &message.payload));
        }
        Ok(())
    }
}
