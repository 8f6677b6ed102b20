//! Frames in: checks them, takes the mask off, joins fragments. Pure; fails at the first byte that cannot be right.
//!
//! The headers are read by tungstenite. Its messages are not used: each would be an allocation, and each session would
//! keep a buffer. Here a message that came whole stays where it was read.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

use super::close::{Close, is_allowed};
use crate::{limits::MESSAGE_BYTES_MAX, message::Kind};

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

/// How a client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Against RFC 6455, with the rule in a few words: 1002.
    Protocol(&'static str),
    /// Text that is not UTF-8: 1007.
    NotText,
    /// A message over the limit: 1009.
    TooBig,
}

impl Fault {
    /// The Close frame that tells the client.
    pub(crate) fn close(self) -> Close {
        match self {
            Self::Protocol(rule) => Close::new(Close::PROTOCOL, rule),
            Self::NotText => Close::new(Close::INVALID, "text is not UTF-8"),
            Self::TooBig => Close::new(Close::TOO_BIG, "message too big"),
        }
    }
}

/// The longest header: two bytes, eight of length, four of mask (RFC 6455, section 5.2).
const HEADER_BYTES_MAX: usize = 14;

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
        }
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

/// A header at the front of `bytes`, the length of its payload and its own size; `None` if it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, Fault> {
    if let [first @ (0x81 | 0x82), length @ 0x80..=0xFD, a, b, c, d, ..] = *bytes {
        // A short message in one frame: a tenth of the time of a flood was spent on how the library reads these.
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

/// Takes the mask off (RFC 6455, section 5.3), eight bytes at a time, and tells whether all are ASCII, and so UTF-8.
fn unmask(payload: &mut [u8], mask: [u8; 4]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [0xA1, 0x02, 0xF3, 0x44];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).expect("below 126")),
            length => {
                frame.push(0x80 | 0x7E);
                frame.extend_from_slice(&u16::try_from(length).expect("no longer one here").to_be_bytes());
            }
        }
        frame.extend_from_slice(&MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// What a reader makes of portions: an event a line, and the fault at the end.
    fn read<'a>(limit: usize, portions: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut reader = Reader::new(limit);
        let mut said = Vec::new();
        for portion in portions {
            let result = reader.read(&mut portion.to_vec(), &mut |event| {
                said.push(match event {
                    Event::Message(kind, payload) if payload.len() > 40 => format!("{kind:?} of {}", payload.len()),
                    Event::Message(kind, payload) => format!("{kind:?} {}", String::from_utf8_lossy(payload)),
                    Event::Ping(payload) => format!("Ping {}", String::from_utf8_lossy(payload)),
                    Event::Pong => "Pong".to_owned(),
                    Event::Close(code, reason) => format!("Close {code:?} {reason}"),
                });
            });
            if let Err(fault) = result {
                said.push(format!("{fault:?}"));
                break;
            }
        }
        said
    }

    #[test]
    fn the_borders_of_reads_do_not_matter() {
        let frames = [
            frame(0x81, "héllo".as_bytes()),
            frame(0x82, b""),
            frame(0x01, b"fr\xC3"),
            frame(0x89, b"ping"),
            frame(0x00, b"\xA9ag"),
            frame(0x8A, b""),
            frame(0x80, b"ment"),
            frame(0x82, &[7; 200]),
            frame(0x88, b"\x03\xE8bye"),
            frame(0x81, b"too late"),
        ]
        .concat();
        let want = [
            "Text héllo",
            "Binary ",
            "Ping ping",
            "Pong",
            "Text fr\u{e9}agment",
            "Binary of 200",
            "Close Some(1000) bye",
        ];
        assert_eq!(read(1000, [&frames[..]]), want);
        for size in 1..frames.len() {
            assert_eq!(read(1000, frames.chunks(size)), want, "portions of {size}");
        }
        for cut in 0..frames.len() {
            let (front, back) = frames.split_at(cut);
            assert_eq!(read(1000, [front, back]), want, "cut at {cut}");
        }
    }

    #[test]
    fn a_fault_is_found_at_the_first_byte_that_tells() {
        let table: [(&str, Vec<u8>, &str); 14] = [
            ("reserved bit", frame(0xC1, b"a"), "Protocol(\"reserved bit set\")"),
            ("no mask", vec![0x81, 1, b'a'], "Protocol(\"frame without a mask\")"),
            ("reserved opcode", frame(0x83, b""), "Protocol(\"reserved opcode\")"),
            ("reserved control opcode", frame(0x8B, b""), "Protocol(\"reserved opcode\")"),
            (
                "control frame of 126 bytes",
                frame(0x89, &[0; 126])[..8].to_vec(),
                "Protocol(\"control frame too long\")",
            ),
            ("control frame in fragments", frame(0x09, b""), "Protocol(\"control frame in fragments\")"),
            ("continuation of nothing", frame(0x80, b""), "Protocol(\"continuation of nothing\")"),
            (
                "message within a message",
                [frame(0x01, b""), frame(0x81, b"")].concat(),
                "Protocol(\"new message within a message\")",
            ),
            ("close of one byte", frame(0x88, b"a"), "Protocol(\"close code of one byte\")"),
            ("close with 1005", frame(0x88, &1005_u16.to_be_bytes()), "Protocol(\"close code not allowed\")"),
            ("close reason that is no text", frame(0x88, b"\x03\xE8\xFF"), "NotText"),
            ("text that is no text", frame(0x81, b"a\xFF"), "NotText"),
            ("text ending within a character", frame(0x81, b"\xE2\x82"), "NotText"),
            ("the header of a long message", frame(0x82, &[0; 2000])[..8].to_vec(), "TooBig"),
        ];
        for (what, bytes, want) in table {
            assert_eq!(read(1000, [&bytes[..]]), [want], "{what}");
            assert_eq!(read(1000, bytes.chunks(1)), [want], "{what}, byte by byte");
        }
        let lie = [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        assert_eq!(read(usize::MAX, [&lie[..]]), ["Protocol(\"length over 63 bits\")"]);
        let vast = [0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        assert!(read(usize::MAX, [&vast[..], b"abc"]).is_empty(), "a vast claim costs nothing");
    }

    #[test]
    fn text_is_checked_before_it_is_whole() {
        let text = frame(0x01, b"abc\xF4\x90");
        assert_eq!(read(1000, [&text[..text.len() - 1]]), Vec::<String>::new());
        assert_eq!(read(1000, [&text[..]]), ["NotText"]);
        let cut_by_ascii = [frame(0x01, b"abc\xC3"), frame(0x80, b"abc")].concat();
        assert_eq!(read(1000, [&cut_by_ascii[..]]), ["NotText"]);
    }

    #[test]
    fn wherever_it_stands_a_byte_that_is_no_text_is_found() {
        for length in 1..20 {
            for at in 0..length {
                let mut text = vec![b'a'; length];
                text[at] = 0xFF;
                let text = frame(0x81, &text);
                for cut in 0..text.len() {
                    let (front, back) = text.split_at(cut);
                    assert_eq!(read(1000, [front, back]), ["NotText"], "{length} bytes, byte {at}, cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn the_limit_counts_whole_messages() {
        let two = |last: usize| [frame(0x02, &[0; 600]), frame(0x80, &vec![0; last])].concat();
        assert_eq!(read(1000, [&frame(0x82, &[0; 1000])[..]]), ["Binary of 1000"]);
        assert_eq!(read(1000, [&frame(0x82, &[0; 1001])[..]]), ["TooBig"]);
        assert_eq!(read(1000, [&two(400)[..]]), ["Binary of 1000"]);
        assert_eq!(read(1000, [&two(401)[..]]), ["TooBig"]);
    }
}
