//! `--framing=lsp`: the base protocol of the Language Server Protocol, a header and a body, on the program's side; a body in
//! each text message on the client's.
//!
//! A client whose first message begins with a header speaks the base protocol itself, as VS Code's language client does over
//! a stream of bytes. Then bytes pass both ways unchanged.

use std::{io::Write as _, mem};

use memchr::memchr;

use super::{
    lines::{join, without_cr},
    results::{Decoded, Garbled, Heard, NOT_TEXT, Rejected},
};
use crate::{
    limits::{LSP_BODY_BYTES_MAX, LSP_HEADER_BYTES_MAX},
    message::{Kind, Piece},
};

/// Whether a line begins a header: its name begins with `Content-`, in any case. No JSON does.
fn is_header(line: &[u8]) -> bool {
    line.get(..8).is_some_and(|front| front.eq_ignore_ascii_case(b"content-"))
}

/// The fields of a header.
#[derive(Clone, Copy, Debug, Default)]
struct LspHeader {
    /// Its bytes so far.
    bytes: usize,
    /// `Content-Length`.
    length: Option<usize>,
    /// Whether `Content-Type` names another charset than UTF-8.
    has_other_charset: bool,
}

impl LspHeader {
    /// Takes the next line, without its `\n`. Returns the length of the body at the end of the header.
    fn take(&mut self, line: &[u8]) -> Result<Option<usize>, &'static str> {
        self.bytes += line.len() + 1;
        if self.bytes > LSP_HEADER_BYTES_MAX {
            return Err("a header over 4 KiB");
        }
        let line = without_cr::<b'\n'>(line);
        if line.is_empty() {
            return self.length.ok_or("a header without Content-Length").map(Some);
        }
        let colon = memchr(b':', line).ok_or("a header line without a colon")?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value).ok_or("an invalid Content-Length")?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err("two Content-Lengths");
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            let charset = charset(value).unwrap_or(b"utf-8");
            self.has_other_charset = !charset.eq_ignore_ascii_case(b"utf-8") && !charset.eq_ignore_ascii_case(b"utf8");
        }
        Ok(None)
    }
}

/// Reads a length: decimal digits only, at most [`LSP_BODY_BYTES_MAX`].
fn length(value: &[u8]) -> Option<usize> {
    let digits = str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|length| *length <= LSP_BODY_BYTES_MAX)
}

/// Returns the charset in the value of `Content-Type`.
fn charset(value: &[u8]) -> Option<&[u8]> {
    value.split(|byte| *byte == b';').skip(1).find_map(|parameter| {
        let equals = memchr(b'=', parameter)?;
        let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        name.eq_ignore_ascii_case(b"charset").then_some(value)
    })
}

/// The protocol of a client, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LspClient {
    /// It has sent nothing yet.
    #[default]
    Unknown,
    /// Each of its messages is a body.
    Bodies,
    /// Its messages are a stream of headers and bodies, cut anywhere.
    Stream,
}

impl LspClient {
    /// Appends a client's message to a worker's input. Strips the header of a message that has one, though the first had none.
    pub(super) fn encode(&mut self, kind: Kind, message: &[u8], input: &mut Vec<u8>) -> Result<Heard, Rejected> {
        if *self == Self::Stream {
            input.extend_from_slice(message);
            return Ok(Heard::Message);
        }
        if *self == Self::Unknown && is_header(message) {
            *self = Self::Stream;
            input.extend_from_slice(message);
            return Ok(Heard::Stream);
        }
        let body = if is_header(message) { without_header(message)? } else { message };
        if body.trim_ascii().is_empty() {
            return Ok(Heard::Ignored("it is blank"));
        }
        if kind == Kind::Binary && str::from_utf8(body).is_err() {
            return Err(NOT_TEXT);
        }
        *self = Self::Bodies;
        write!(input, "Content-Length: {}\r\n\r\n", body.len()).expect("a vector takes all");
        input.extend_from_slice(body);
        Ok(Heard::Message)
    }
}

/// Strips the header of a client's message. Fails if the body is not as long as the header says.
fn without_header(message: &[u8]) -> Result<&[u8], Rejected> {
    let (mut header, mut rest) = (LspHeader::default(), message);
    loop {
        let end = memchr(b'\n', rest).ok_or(Rejected("a header without an end"))?;
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match header.take(line).map_err(Rejected)? {
            None => {}
            Some(length) if length == rest.len() => return Ok(rest),
            Some(_) => return Err(Rejected("wrong Content-Length")),
        }
    }
}

/// Splits output into headers and bodies, and emits each body as a text message.
///
/// It emits a body in pieces of whole characters as it comes, so that memory does not grow with its length. A line that begins
/// no header where one must begin is junk, such as a banner.
#[derive(Debug, Default)]
pub(crate) struct LspBodies {
    part: LspPart,
    /// The front of an unfinished line, or an unfinished character of a body.
    held: Vec<u8>,
    /// Whether the client takes the stream as it is, from the end of the current line or body on.
    is_stream: bool,
    has_other_charset: bool,
}

/// The place in the output.
#[derive(Clone, Copy, Debug, Default)]
enum LspPart {
    /// Between messages.
    #[default]
    Between,
    /// In a line of junk, whose front has left.
    Junk,
    Header(LspHeader),
    Body {
        /// The bytes that have not come yet.
        left: usize,
        /// Whether a piece of it has left.
        is_open: bool,
    },
}

impl LspBodies {
    /// See [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn decode(&mut self, mut output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        while !output.is_empty() {
            output = match self.part {
                LspPart::Body { left, is_open } => self.decode_body(output, left, is_open, emit)?,
                LspPart::Between if self.is_stream && self.held.is_empty() => {
                    emit(Decoded::Piece(Piece::whole(Kind::Binary, output)));
                    return Ok(());
                }
                _ => self.decode_line(output, emit)?,
            };
        }
        Ok(())
    }

    /// Emits the output as it is from now on. What has begun to come is still parsed to its end.
    pub(super) fn begin_stream(&mut self) {
        self.is_stream = true;
    }

    /// See [`Decoder::finish`](super::Decoder::finish).
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Decoded<'_>)) -> Result<(), Garbled> {
        let held = mem::take(&mut self.held);
        match mem::take(&mut self.part) {
            LspPart::Header(_) | LspPart::Body { .. } => Err(CUT),
            LspPart::Between if is_header(&held) => Err(CUT),
            LspPart::Between | LspPart::Junk => {
                emit_junk(&held, emit);
                Ok(())
            }
        }
    }

    /// See [`Decoder::held`](super::Decoder::held).
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Whether a header has named another charset than UTF-8.
    pub(super) fn has_other_charset(&self) -> bool {
        self.has_other_charset
    }

    /// Takes the bytes up to the end of a line. Returns the rest of `output`.
    fn decode_line<'a>(&mut self, output: &'a [u8], emit: &mut impl FnMut(Decoded<'_>)) -> Result<&'a [u8], Garbled> {
        let room = LSP_HEADER_BYTES_MAX - self.held.len();
        let end = memchr(b'\n', &output[..output.len().min(room + 1)]);
        let (front, rest) = match end {
            Some(end) => (&output[..end], &output[end + 1..]),
            None if output.len() <= room => {
                self.held.extend_from_slice(output);
                return Ok(&[]);
            }
            None => output.split_at(room),
        };
        let mut held = mem::take(&mut self.held);
        let line = join(&mut held, front);
        if matches!(self.part, LspPart::Between) && is_header(line) {
            self.part = LspPart::Header(LspHeader::default());
        }
        if let LspPart::Header(header) = &mut self.part {
            // A line without an end is longer than a header may be, so this fails.
            if let Some(left) = header.take(line).map_err(Garbled)? {
                self.has_other_charset |= header.has_other_charset;
                self.part = LspPart::Body { left, is_open: false };
                if left == 0 {
                    self.decode_body(&[], left, false, emit)?;
                }
            }
        } else {
            self.part = if end.is_some() { LspPart::Between } else { LspPart::Junk };
            emit_junk(without_cr::<b'\n'>(line), emit);
        }
        Ok(rest)
    }

    /// Takes the bytes of a body of which `left` bytes have not come yet. Returns the rest of `output`.
    fn decode_body<'a>(
        &mut self,
        output: &'a [u8],
        left: usize,
        is_open: bool,
        emit: &mut impl FnMut(Decoded<'_>),
    ) -> Result<&'a [u8], Garbled> {
        let (bytes, rest) = output.split_at(output.len().min(left));
        let left = left - bytes.len();
        let mut held = mem::take(&mut self.held);
        let bytes = join(&mut held, bytes);
        let decided = match str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && left > 0 => error.valid_up_to(),
            Err(_) => return Err(Garbled("a body that is not UTF-8")),
        };
        let (payload, undecided) = bytes.split_at(decided);
        let is_last = left == 0;
        if is_last || !payload.is_empty() {
            emit(Decoded::Piece(Piece { kind: Kind::Text, first: !is_open, last: is_last, payload }));
        }
        self.part =
            if is_last { LspPart::Between } else { LspPart::Body { left, is_open: is_open || !payload.is_empty() } };
        self.held = undecided.to_vec();
        Ok(rest)
    }
}

const CUT: Garbled = Garbled("the output ends within a message");

fn emit_junk(line: &[u8], emit: &mut impl FnMut(Decoded<'_>)) {
    if !line.trim_ascii().is_empty() {
        emit(Decoded::Junk(line));
    }
}

#[cfg(test)]
mod tests;
