//! The layout of a line, and of a value in it.

use std::fmt::{self, Write as _};

use tracing::{Event, Level, field::Field};
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

use crate::limits::LOG_FIELD_CHARS_MAX;

/// The length of values in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// At most [`LOG_FIELD_CHARS_MAX`] characters: a client's value may be of any length.
    Cut,
    /// Unlimited.
    Whole,
}

/// Returns the name of an event.
pub(super) fn name(event: &Event<'_>) -> String {
    let mut name = Name(String::new());
    event.record(&mut name);
    name.0
}

/// Writes an event's line, with the newline.
pub(super) fn write(to: &mut dyn fmt::Write, event: &Event<'_>, name: &str, length: Length) -> fmt::Result {
    write!(to, "{} {} {name}", time()?, level_word(*event.metadata().level()))?;
    let mut fields = Fields { to, length, only: None };
    event.record(&mut fields);
    fields.to.write_char('\n')
}

/// Returns some fields of an event as they stand in its line, each after a space.
pub(super) fn fields(event: &Event<'_>, only: &'static [&'static str]) -> String {
    let mut text = String::new();
    event.record(&mut Fields { to: &mut text, length: Length::Cut, only: Some(only) });
    text
}

/// Returns a line about the log itself.
pub(super) fn own(level: Level, name: &str, fields: fmt::Arguments<'_>) -> String {
    format!("{} {} {name} {fields}\n", time().unwrap_or_default(), level_word(level))
}

/// Returns the time in UTC with milliseconds: `2026-11-21T08:00:00.123Z`.
fn time() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    // `SystemTime` writes microseconds.
    time.truncate("2026-11-21T08:00:00.123".len());
    time.push('Z');
    Ok(time)
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

/// The field that holds an event's name.
const NAME: &str = "message";

/// Collects the name from an event's fields.
struct Name(String);

impl tracing::field::Visit for Name {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == NAME {
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Writes an event's fields, except the name.
struct Fields<'a> {
    to: &'a mut dyn fmt::Write,
    length: Length,
    /// The fields to write; `None` for all.
    only: Option<&'static [&'static str]>,
}

impl tracing::field::Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != NAME && self.only.is_none_or(|only| only.contains(&field.name())) {
            let _ = write!(self.to, " {}={}", field.name(), LogValue(value, self.length));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != NAME {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// A value in a line: a plain word as it is, all else quoted and escaped. The length of a cut value follows it.
pub(super) struct LogValue<'a>(pub(super) &'a str, pub(super) Length);

impl fmt::Display for LogValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(whole, length) = *self;
        let front = match whole.char_indices().nth(LOG_FIELD_CHARS_MAX) {
            Some((end, _)) if length == Length::Cut => whole.get(..end),
            _ => None,
        };
        let text = front.unwrap_or(whole);
        let is_plain = |c: char| !c.is_whitespace() && !is_unprintable(c) && !matches!(c, '"' | '\\' | '=');
        if front.is_none() && !text.is_empty() && text.chars().all(is_plain) {
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
        if front.is_some() {
            write!(f, "… ({} bytes)", whole.len())?;
        }
        f.write_char('"')
    }
}

/// Whether `c` is a control character, has no width, changes the direction of text, or ends a line for some readers.
fn is_unprintable(c: char) -> bool {
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
            assert_eq!(LogValue(value, Length::Cut).to_string(), want, "{value:?}");
        }
    }

    #[test]
    fn characters_that_show_nothing_or_move_text_are_escaped() {
        let controls = ['\u{AD}', '\u{61C}', '\u{180E}', '\u{2028}', '\u{2029}', '\u{FEFF}'].into_iter();
        for c in controls.chain('\u{200B}'..='\u{200F}').chain('\u{202A}'..='\u{202E}').chain('\u{2060}'..='\u{206F}') {
            let want = format!("\"a\\u{{{:x}}}b\"", u32::from(c));
            assert_eq!(LogValue(&format!("a{c}b"), Length::Cut).to_string(), want);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_its_length_told() {
        let text = |count| "é".repeat(count);
        let (most, more) = (text(LOG_FIELD_CHARS_MAX), text(LOG_FIELD_CHARS_MAX + 1));
        assert_eq!(LogValue(&most, Length::Cut).to_string(), most);
        assert_eq!(LogValue(&more, Length::Cut).to_string(), format!("\"{most}… ({} bytes)\"", more.len()));
        assert_eq!(LogValue(&more, Length::Whole).to_string(), more);
    }
}
