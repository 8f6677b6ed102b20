//! `--passstderr`: each line of either output stream becomes an object of JSON, byte for byte as in websocketd.
//!
//! `{"stream":"stdout","data":"…"}`, in this order and without spaces. As in Go's encoder, the characters `<`, `>` and `&`
//! and the line separators of Unicode are escaped.

use std::fmt::Write;

use memchr::memchr;

use super::lines::undecided;
use crate::{
    limits::EVENT_LINE_BYTES_MAX,
    message::{Kind, Piece},
};

/// Splits the output of one stream into lines, and wraps each in an object.
///
/// A line longer than [`EVENT_LINE_BYTES_MAX`] becomes several messages: the streams must not wait for each other.
#[derive(Debug)]
pub(crate) struct StreamLines {
    name: &'static str,
    held: Vec<u8>,
}

impl StreamLines {
    /// Returns a decoder for the stream of that name.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, held: Vec::new() }
    }

    /// See [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn decode(&mut self, mut output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        while !output.is_empty() {
            let room = EVENT_LINE_BYTES_MAX - self.held.len();
            let (line, rest) = match memchr(b'\n', &output[..output.len().min(room + 1)]) {
                Some(end) => (&output[..end], &output[end + 1..]),
                None if output.len() <= room => return self.held.extend_from_slice(output),
                None => output.split_at(room),
            };
            let is_whole = line.len() + rest.len() < output.len();
            self.held.extend_from_slice(line);
            let mut line = std::mem::take(&mut self.held);
            if is_whole {
                self.emit(line.strip_suffix(b"\r").unwrap_or(&line), emit);
            } else {
                self.held = line.split_off(line.len() - undecided(&line));
                self.emit(&line, emit);
            }
            output = rest;
        }
    }

    /// See [`Decoder::finish`](super::Decoder::finish).
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Piece<'_>)) {
        if !self.held.is_empty() {
            let line = std::mem::take(&mut self.held);
            self.emit(&line, emit);
        }
    }

    /// See [`Decoder::held`](super::Decoder::held).
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    fn emit(&self, line: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        let mut object = format!("{{\"stream\":\"{}\",\"data\":\"", self.name);
        for chunk in line.utf8_chunks() {
            escape(chunk.valid(), &mut object);
            object.push_str(&"\\ufffd".repeat(chunk.invalid().len()));
        }
        object.push_str("\"}");
        emit(Piece::whole(Kind::Text, object.as_bytes()));
    }
}

fn escape(text: &str, json: &mut String) {
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(reads: &[&[u8]]) -> Vec<String> {
        let mut objects = Vec::new();
        let mut stream = StreamLines::new("stderr");
        let mut emit = |piece: Piece<'_>| objects.push(String::from_utf8(piece.payload.to_vec()).expect("text"));
        for read in reads {
            stream.decode(read, &mut emit);
        }
        stream.finish(&mut emit);
        objects
    }

    #[test]
    fn lines_become_objects() {
        assert_eq!(
            objects(&[b"a\r\n", b"<b>", b"&\"\\\t\x01\n\nlast"]),
            [
                r#"{"stream":"stderr","data":"a"}"#,
                r#"{"stream":"stderr","data":"\u003cb\u003e\u0026\"\\\t\u0001"}"#,
                r#"{"stream":"stderr","data":""}"#,
                r#"{"stream":"stderr","data":"last"}"#,
            ]
        );
        assert_eq!(
            objects(&["\u{2028}é\n".as_bytes(), b"\xFF\n"]),
            ["{\"stream\":\"stderr\",\"data\":\"\\u2028é\"}", "{\"stream\":\"stderr\",\"data\":\"\\ufffd\"}"]
        );
    }

    #[test]
    fn a_line_over_the_limit_takes_several_messages() {
        let line = vec![b'x'; EVENT_LINE_BYTES_MAX];
        assert_eq!(objects(&[&line, b"\n"]).len(), 1);
        assert_eq!(objects(&[&line, b"y\n"]).len(), 2);
    }
}
