//! A text in a line of text.

use std::fmt::{self, Write as _};

/// A text in a line: a plain word as it is, all else quoted and escaped.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let is_plain = |c: char| !c.is_whitespace() && !is_unprintable(c) && !matches!(c, '"' | '\\' | '=');
        if !text.is_empty() && text.chars().all(is_plain) {
            return f.write_str(text);
        }
        f.write_char('"')?;
        for c in text.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if is_unprintable(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// Whether `c` is a control character, has no width, changes the direction of text, or ends a line for some readers.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_break_out_of_their_line() {
        let table = [
            ("plain", "plain"),
            ("/a/b?c", "/a/b?c"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"hi\" \\", "\"say \\\"hi\\\" \\\\\""),
            ("a\nINFO forged", "\"a\\nINFO forged\""),
            ("\u{1b}[31m", "\"\\u{1b}[31m\""),
            ("\u{202e}abc", "\"\\u{202e}abc\""),
            ("é€", "é€"),
        ];
        for (value, want) in table {
            assert_eq!(Quoted(value).to_string(), want, "{value:?}");
        }
    }

    #[test]
    fn characters_that_show_nothing_or_move_text_are_escaped() {
        let controls = ['\u{AD}', '\u{61C}', '\u{180E}', '\u{2028}', '\u{2029}', '\u{FEFF}'].into_iter();
        for c in controls.chain('\u{200B}'..='\u{200F}').chain('\u{202A}'..='\u{202E}').chain('\u{2060}'..='\u{206F}') {
            let want = format!("\"a\\u{{{:x}}}b\"", u32::from(c));
            assert_eq!(Quoted(&format!("a{c}b")).to_string(), want);
        }
    }
}
