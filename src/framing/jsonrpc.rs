//! `--framing=jsonrpc`: a value of JSON on each line, and one in each text message. For MCP, ACP and other JSON-RPC.
//!
//! wsd does not parse the values: it keeps each on one line, and tells them from other lines.

use std::mem;

use super::{
    lines::Lines,
    results::{Decoded, Heard, NOT_TEXT, Rejected},
};
use crate::message::{Kind, Piece};

/// The UTF-8 of U+FEFF, which some programs print first.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Appends a client's message to a worker's input as a line. Removes line ends and tabs between the tokens of JSON; within a
/// string they are invalid JSON (RFC 8259, section 7), and so is any other control character.
///
/// A message without control characters passes unread: the program answers it if it is invalid.
pub(super) fn encode(kind: Kind, message: &[u8], input: &mut Vec<u8>) -> Result<Heard, Rejected> {
    if kind == Kind::Binary && str::from_utf8(message).is_err() {
        return Err(NOT_TEXT);
    }
    if message.trim_ascii().is_empty() {
        return Ok(Heard::Ignored("it is blank"));
    }
    let before = input.len();
    if has_control(message) {
        if !append_on_one_line(message, input) {
            input.truncate(before);
            return Err(Rejected("not JSON"));
        }
    } else {
        input.extend_from_slice(message);
    }
    input.push(b'\n');
    Ok(Heard::Message)
}

fn has_control(message: &[u8]) -> bool {
    // A chunk at a time without a branch for each byte: 1 MiB takes 45 µs instead of 480.
    message.chunks(64).any(|chunk| chunk.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < b' ')
}

/// Appends JSON without line ends and tabs between its tokens. Returns whether it may be JSON.
fn append_on_one_line(json: &[u8], input: &mut Vec<u8>) -> bool {
    input.reserve(json.len() + 1);
    let (mut is_string, mut is_escaped) = (false, false);
    for &byte in json {
        match byte {
            b'\t' | b'\n' | b'\r' if !is_string => continue,
            ..b' ' => return false,
            _ if mem::take(&mut is_escaped) => {}
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            _ => {}
        }
        input.push(byte);
    }
    !is_string
}

/// Splits output into lines, and tells the values of JSON from other lines.
///
/// A line is a value if its first character, blanks aside, is `{` or `[`. Other lines are junk, except blank ones. Memory does
/// not grow with the length of a line.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    lines: Lines<b'\n'>,
    line: JsonLine,
}

/// The current line, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum JsonLine {
    #[default]
    Blank,
    Value,
    Junk,
}

impl JsonLines {
    /// See [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Decoded<'_>)) {
        let Self { lines, line } = self;
        lines.decode(output, &mut |piece| line.take(piece, emit));
    }

    /// See [`Decoder::finish`](super::Decoder::finish).
    pub(super) fn finish(&mut self, emit: &mut impl FnMut(Decoded<'_>)) {
        let Self { lines, line } = self;
        lines.finish(&mut |piece| line.take(piece, emit));
    }

    /// See [`Decoder::held`](super::Decoder::held).
    pub(super) fn held(&self) -> usize {
        self.lines.held()
    }

    /// Whether a line was not UTF-8.
    pub(super) fn has_replaced(&self) -> bool {
        self.lines.has_replaced()
    }
}

impl JsonLine {
    /// Takes the next piece of the line, and emits it. Drops the blanks before a value.
    fn take(&mut self, piece: Piece<'_>, emit: &mut impl FnMut(Decoded<'_>)) {
        if piece.first {
            *self = Self::Blank;
        }
        let is_first = *self == Self::Blank;
        let mut payload = piece.payload;
        if is_first {
            payload = payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload).trim_ascii_start();
            *self = match payload.first() {
                None => return,
                Some(b'{' | b'[') => Self::Value,
                Some(_) => Self::Junk,
            };
        }
        if *self == Self::Value {
            emit(Decoded::Piece(Piece { first: is_first, payload, ..piece }));
        } else if !payload.is_empty() {
            emit(Decoded::Junk(payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LINE_BYTES_HELD;

    /// Returns the input for a message, or how it was refused.
    fn encoded(kind: Kind, message: &[u8]) -> String {
        let mut input = b"before|".to_vec();
        let heard = encode(kind, message, &mut input);
        let line = input.strip_prefix(b"before|").expect("earlier input stays");
        match heard {
            Ok(Heard::Message) => String::from_utf8(line.to_vec()).expect("text"),
            Ok(other) => format!("{other:?}{}", line.escape_ascii()),
            Err(Rejected(why)) => format!("rejected: {why}{}", line.escape_ascii()),
        }
    }

    #[test]
    fn a_message_becomes_a_line() {
        let table: [(&str, &str); 16] = [
            ("{\"a\":1}", "{\"a\":1}\n"),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("{\r\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\r\n}\r\n", "{\"a\": [1,2]}\n"),
            ("{\n\"a\\\"b\\\\\": \"\\n\\t\"}", "{\"a\\\"b\\\\\": \"\\n\\t\"}\n"),
            ("\n\"\\\\\"\n", "\"\\\\\"\n"),
            ("[\"\u{2028}\u{2029}\u{85}😀\u{7f}\"]", "[\"\u{2028}\u{2029}\u{85}😀\u{7f}\"]\n"),
            ("not JSON, but the program tells", "not JSON, but the program tells\n"),
            ("{\"cut\":\"in ha", "{\"cut\":\"in ha\n"),
            ("{\n\"cut\":\"in ha", "rejected: not JSON"),
            ("{\n\"cut\":\"in ha\\\"", "rejected: not JSON"),
            ("{\"a\":\"line\nend\"}", "rejected: not JSON"),
            ("{\"a\":\"t\tb\"}", "rejected: not JSON"),
            ("{\"a\":\"\\\n\"}", "rejected: not JSON"),
            ("{\"a\":\0}", "rejected: not JSON"),
            ("", "Ignored(\"it is blank\")"),
            (" \r\n\t ", "Ignored(\"it is blank\")"),
        ];
        for (message, want) in table {
            assert_eq!(encoded(Kind::Text, message.as_bytes()), want, "{message:?}");
            assert_eq!(encoded(Kind::Binary, message.as_bytes()), want, "{message:?}");
        }
        assert_eq!(encoded(Kind::Binary, b"{\"a\":\"\xFF\"}"), "rejected: not UTF-8");
    }

    #[test]
    fn a_control_character_is_found_anywhere() {
        for length in [1, 63, 64, 65, 200] {
            for at in 0..length {
                let mut message = vec![b'x'; length];
                assert!(!has_control(&message));
                message[at] = 0x1F;
                assert!(has_control(&message), "{at} of {length}");
            }
        }
    }

    /// Returns the messages and the junk of `reads`, in order.
    fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, String) {
        let mut decoder = JsonLines::default();
        let (mut messages, mut junk, mut is_open) = (Vec::new(), Vec::new(), false);
        let mut emit = |decoded: Decoded<'_>| match decoded {
            Decoded::Piece(piece) => {
                assert_eq!((piece.kind, piece.first), (Kind::Text, !is_open));
                if piece.first {
                    messages.push(String::new());
                }
                let text = str::from_utf8(piece.payload).expect("whole characters");
                messages.last_mut().expect("a first piece came").push_str(text);
                is_open = !piece.last;
            }
            Decoded::Junk(line) => {
                assert!(!is_open, "junk is not within a message");
                junk.extend_from_slice(line);
                junk.push(b'|');
            }
        };
        for read in reads {
            decoder.decode(read, &mut emit);
        }
        decoder.finish(&mut emit);
        assert!(!is_open, "the last message ends");
        (messages, String::from_utf8(junk).expect("text"))
    }

    #[test]
    fn values_are_sent_and_other_lines_are_junk() {
        let table: [(&str, &[&str], &str); 10] = [
            ("", &[], ""),
            ("{}\n[]\r\n", &["{}", "[]"], ""),
            ("Agent 1.0\n{}\nbye", &["{}"], "Agent 1.0|bye|"),
            (" \t{}\r\n", &["{}"], ""),
            ("\n\r\n  \n\t\r\n", &[], ""),
            ("1\n\"a\"\nnull\n", &[], "1|\"a\"|null|"),
            ("\u{feff}{\"a\":1}\n", &["{\"a\":1}"], ""),
            ("{\"a\":\"\u{2028}😀\"}\n", &["{\"a\":\"\u{2028}😀\"}"], ""),
            ("{\"cut\":", &["{\"cut\":"], ""),
            ("{ not JSON\n", &["{ not JSON"], ""),
        ];
        for (output, messages, junk) in table {
            let want = (messages.iter().map(|text| (*text).to_owned()).collect(), junk.to_owned());
            assert_eq!(decode([output.as_bytes()]), want, "{output:?}");
            assert_eq!(decode(output.as_bytes().chunks(1)), want, "{output:?}");
        }
    }

    #[test]
    fn long_lines_are_sorted_as_short_ones() {
        let blanks = " ".repeat(LINE_BYTES_HELD + 10);
        let value = format!("{{\"a\":\"{}\"}}", "é".repeat(LINE_BYTES_HELD));
        let output = format!("{blanks}\n{blanks}{value}\n{blanks}junk\n{}\n{value}\n", "x".repeat(2 * LINE_BYTES_HELD));
        for size in [1000, 65_536, 65_537, output.len()] {
            let (messages, junk) = decode(output.as_bytes().chunks(size));
            assert!(messages == [value.clone(), value.clone()], "reads of {size}");
            let junk = junk.replace('|', "");
            assert_eq!((junk.len(), &junk[..6]), (4 + 2 * LINE_BYTES_HELD, "junkxx"), "reads of {size}");
        }
    }

    #[test]
    fn memory_stays_flat_within_an_endless_line() {
        for start in [&b"{"[..], b"x", b" "] {
            let mut decoder = JsonLines::default();
            decoder.decode(start, &mut |_| {});
            for _ in 0..100 {
                decoder.decode(&start.repeat(60_000), &mut |_| {});
                assert!(decoder.held() <= 2 * LINE_BYTES_HELD);
            }
        }
    }
}
