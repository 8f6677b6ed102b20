//! The protocol of ttyd between a page and a terminal: subprotocol `tty`, the kind of a message in its first byte.
//!
//! | from the client | | from the server | |
//! |---|---|---|---|
//! | `{` | the first message, JSON: the size, and a token that wsd ignores | `0` | output |
//! | `0` | input | `1` | the title |
//! | `1` | JSON: the size | `2` | preferences of the page, JSON |
//! | `2`, `3` | pause, resume | | |
//!
//! Source: `protocol.c` and `xterm/index.ts` of ttyd 1.7.

use serde::Deserialize;

use super::{results::Heard, window::WindowSize};
use crate::message::{Kind, Piece};

/// The size in a message of JSON. Other members do not matter.
#[derive(Deserialize)]
struct SizeMessage {
    columns: u16,
    rows: u16,
}

/// Appends the input in a client's message, or tells what else the message says.
pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) -> Heard {
    match message {
        [b'0', typed @ ..] => {
            input.extend_from_slice(typed);
            Heard::Message
        }
        [b'1', json @ ..] | json @ [b'{', ..] => resize(json),
        [b'2'] => Heard::Pause,
        [b'3'] => Heard::Resume,
        _ => Heard::Ignored("it is no message of the subprotocol tty"),
    }
}

fn resize(json: &[u8]) -> Heard {
    // A list of two numbers would do for the struct.
    let size = serde_json::from_slice(json).ok().filter(|_| json.trim_ascii_start().starts_with(b"{"));
    let size = size.and_then(|SizeMessage { columns, rows }| WindowSize::new(columns, rows));
    size.map_or(Heard::Ignored("it has no size of 1 to 1000 columns and rows"), Heard::Resize)
}

/// Makes messages of a terminal's output: first the title and the preferences.
#[derive(Debug, Default)]
pub(crate) struct Tty {
    has_begun: bool,
}

impl Tty {
    /// See [`Decoder::decode`](super::Decoder::decode).
    pub(super) fn decode(&mut self, output: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        if !self.has_begun {
            self.has_begun = true;
            emit(Piece::whole(Kind::Binary, b"1wsd"));
            emit(Piece::whole(Kind::Binary, b"2{}"));
        }
        emit(Piece::whole(Kind::Binary, &[b"0", output].concat()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells_the_kind_of_a_message() {
        let size = |columns, rows| Heard::Resize(WindowSize { columns, rows });
        let (no_size, unknown) =
            ("it has no size of 1 to 1000 columns and rows", "it is no message of the subprotocol tty");
        let table: [(&[u8], Heard, &[u8]); 19] = [
            (b"0ls\r", Heard::Message, b"ls\r"),
            (b"0\xFF\x00", Heard::Message, b"\xFF\x00"),
            (b"0", Heard::Message, b""),
            (br#"1{"columns":100,"rows":30}"#, size(100, 30), b""),
            (br#"1{"rows":1,"columns":1000}"#, size(1000, 1), b""),
            (br#"{"AuthToken":"","columns":80,"rows":24}"#, size(80, 24), b""),
            (br#"{"AuthToken":""}"#, Heard::Ignored(no_size), b""),
            (br#"1{"columns":0,"rows":0}"#, Heard::Ignored(no_size), b""),
            (br#"1{"columns":1001,"rows":24}"#, Heard::Ignored(no_size), b""),
            (br#"1{"columns":1000000000,"rows":24}"#, Heard::Ignored(no_size), b""),
            (br#"1{"columns":-1,"rows":24}"#, Heard::Ignored(no_size), b""),
            (b"1", Heard::Ignored(no_size), b""),
            (b"1[103,31]", Heard::Ignored(no_size), b""),
            (b"{\"columns\":", Heard::Ignored(no_size), b""),
            (b"2", Heard::Pause, b""),
            (b"3", Heard::Resume, b""),
            (b"2x", Heard::Ignored(unknown), b""),
            (b"ls\r", Heard::Ignored(unknown), b""),
            (b"", Heard::Ignored(unknown), b""),
        ];
        for (message, heard, typed) in table {
            let mut input = Vec::new();
            assert_eq!((encode(message, &mut input), &*input), (heard, typed), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn output_comes_after_the_title_and_the_preferences() {
        let (mut tty, mut messages) = (Tty::default(), Vec::new());

        for output in [&b"one\x1B[0m"[..], b"\xFF\x00"] {
            tty.decode(output, &mut |piece| messages.push(piece.payload.to_vec()));
        }

        assert_eq!(messages, [&b"1wsd"[..], b"2{}", b"0one\x1B[0m", b"0\xFF\x00"]);
    }
}
