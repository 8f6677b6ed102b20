//! `--framing=nul`: messages are text that ends with NUL, as `find -print0` writes and `xargs -0` reads it. A newline is text.

use super::lines::{self, Lines};

/// Splits output into the messages that NULs end.
pub(super) type NulTexts = Lines<0>;

/// Appends a client's message to a worker's input, with a NUL. One NUL at the end of the message is that one.
pub(super) fn encode(message: &[u8], input: &mut Vec<u8>) {
    lines::encode::<0>(message, input);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::LINE_BYTES_HELD,
        message::{Kind, Piece},
    };

    /// Returns the messages of `reads`.
    fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut texts, mut messages) = (NulTexts::default(), Vec::new());
        let mut emit = |piece: Piece<'_>| {
            assert_eq!(piece.kind, Kind::Text);
            if piece.first {
                messages.push(String::new());
            }
            messages.last_mut().expect("a first piece came").push_str(str::from_utf8(piece.payload).expect("text"));
        };
        reads.into_iter().for_each(|read| texts.decode(read, &mut emit));
        texts.finish(&mut emit);
        messages
    }

    #[test]
    fn output_becomes_messages() {
        let table: [(&str, &[u8], &[&str]); 8] = [
            ("nothing", b"", &[]),
            ("two", b"a\0b\0", &["a", "b"]),
            ("newlines", b"a\nb\r\n\0\nc\0", &["a\nb\r\n", "\nc"]),
            ("a carriage return at the end", b"a\r\0", &["a\r"]),
            ("no NUL at the end", b"a\0b\n", &["a", "b\n"]),
            ("empty ones", b"\0\0", &["", ""]),
            ("characters of all lengths", "é€😀\0".as_bytes(), &["é€😀"]),
            ("bytes that are no text", b"a\xFFb\0\xE2\x82\0c\0", &["a\u{FFFD}b", "\u{FFFD}", "c"]),
        ];
        for (what, output, want) in table {
            assert_eq!(decode([output]), want, "{what}");
            assert_eq!(decode(output.chunks(1)), want, "{what}, byte by byte");
        }
    }

    #[test]
    fn a_long_message_comes_in_pieces_and_is_one() {
        let output = ["é\n".repeat(LINE_BYTES_HELD), "\0b".to_owned()].concat();
        let want = ["é\n".repeat(LINE_BYTES_HELD), "b".to_owned()];
        for size in [1000, 4096, 65_537] {
            assert_eq!(decode(output.as_bytes().chunks(size)), want, "reads of {size}");
        }
    }

    #[test]
    fn a_message_ends_with_one_nul() {
        let mut input = Vec::new();
        for message in [&b"a"[..], b"", b"b\nc", b"d\n", b"e\0", b"f\r\0", b"g\0\0", b"\0"] {
            encode(message, &mut input);
        }
        assert_eq!(input, b"a\0\0b\nc\0d\n\0e\0f\r\0g\0\0\0");
    }
}
