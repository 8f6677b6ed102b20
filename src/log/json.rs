//! A text in a line of JSON.

use std::fmt::{self, Write as _};

use super::text::is_unprintable;
use crate::limits::LOG_JSON_TEXT_BYTES_MAX;

/// Bytes at most of the note that follows a text that was cut.
const NOTE_BYTES_MAX: usize = "… (18446744073709551615 bytes)".len();

/// A text with its quotes. It has [`LOG_JSON_TEXT_BYTES_MAX`] bytes at most between them; the length of one that was cut follows.
///
/// Escapes the characters that show nothing or end a line for some readers, besides those of RFC 8259, section 7.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let fits = self.0.len() <= LOG_JSON_TEXT_BYTES_MAX && escaped_bytes(self.0) <= LOG_JSON_TEXT_BYTES_MAX;
        let mut room = if fits { usize::MAX } else { LOG_JSON_TEXT_BYTES_MAX - NOTE_BYTES_MAX };
        for c in self.0.chars() {
            match room.checked_sub(escaped_len(c)) {
                Some(rest) => room = rest,
                None => break,
            }
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // None of them is beyond U+FFFF.
                c if is_unprintable(c) => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        if !fits {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        f.write_char('"')
    }
}

fn escaped_bytes(text: &str) -> usize {
    text.chars().map(escaped_len).sum()
}

/// Returns the bytes of a character as it stands in a line.
fn escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if is_unprintable(c) => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> String {
        serde_json::from_str(json).expect("a text of JSON")
    }

    #[test]
    fn every_character_is_read_as_it_was_and_none_ends_the_line() {
        let all: String = (0..=0x3000).chain(0xF000..=0x1_0100).filter_map(char::from_u32).collect();
        for chunk in all.chars().collect::<Vec<_>>().chunks(500) {
            let text: String = chunk.iter().collect();

            let json = Text(&text).to_string();

            assert_eq!(read(&json), text);
            assert!(!json.chars().any(is_unprintable), "{json:?}");
        }
    }

    #[test]
    fn a_text_has_8_kib_at_most_as_it_stands_there() {
        for c in ['x', 'é', '\u{1F980}', '"', '\u{2028}', '\0'] {
            let most = LOG_JSON_TEXT_BYTES_MAX / escaped_len(c);
            let (whole, more) = (c.to_string().repeat(most), c.to_string().repeat(most + 1));
            assert_eq!(read(&Text(&whole).to_string()), whole);

            let cut = Text(&more).to_string();

            assert!(cut.len() <= LOG_JSON_TEXT_BYTES_MAX + 2, "{c:?}: {} bytes", cut.len());
            let cut = read(&cut);
            let front = cut.strip_suffix(&format!("… ({} bytes)", more.len())).expect("a note");
            assert!(more.starts_with(front) && front.len() > more.len() * 9 / 10, "{c:?}: {} bytes", front.len());
        }
    }
}
