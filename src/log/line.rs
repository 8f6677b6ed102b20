//! The line of an event.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use tracing::{Event, field::Field};

use super::layout::{Layout, LineWriter, Value};
use crate::limits::LOG_FIELD_CHARS_MAX;

/// The length of values in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// At most [`LOG_FIELD_CHARS_MAX`] characters: a client's value may be of any length.
    Cut,
    /// Unlimited.
    Whole,
}

/// The field of a span that each event in it has as its last key: the id of a trace.
pub(super) const TRACE: &str = "trace";

/// The field that holds an event's name.
const NAME: &str = "message";

/// Returns the name of an event.
pub(super) fn name(event: &Event<'_>) -> String {
    let mut name = Name(String::new());
    event.record(&mut name);
    name.0
}

/// Writes an event's line, with the newline. `trace` is the id of its trace.
pub(super) fn write(
    to: &mut dyn fmt::Write,
    layout: Layout,
    (event, name, length): (&Event<'_>, &str, Length),
    trace: Option<&str>,
) {
    let mut fields = Fields { line: layout.begin(to, *event.metadata().level(), name), length };
    event.record(&mut fields);
    let mut line = fields.line;
    if let Some(trace) = trace {
        line.field(TRACE, Value::Text(trace));
    }
    line.end();
}

/// Returns the texts of these keys of an event, as long as in its line; `None` unless it has all.
pub(super) fn texts(event: &Event<'_>, keys: &'static [&'static str]) -> Option<Vec<(&'static str, String)>> {
    let mut texts = FieldTexts(keys, Vec::new());
    event.record(&mut texts);
    Some(texts.1).filter(|texts| texts.len() == keys.len())
}

/// Cuts a text that is too long for a line, and adds its length.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LOG_FIELD_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()).into(),
        None => text.into(),
    }
}

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
    line: LineWriter<'a>,
    length: Length,
}

impl tracing::field::Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() != NAME {
            let text = if self.length == Length::Cut { cut(value) } else { value.into() };
            self.line.field(field.name(), Value::Text(&text));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.line.field(field.name(), Value::Number(&value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.line.field(field.name(), Value::Number(&value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            // With one decimal at least, and never with an exponent as long as it counts seconds.
            self.line.field(field.name(), Value::Number(&format_args!("{value:?}")));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != NAME {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// Collects the texts of these keys.
struct FieldTexts(&'static [&'static str], Vec<(&'static str, String)>);

impl tracing::field::Visit for FieldTexts {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.0.contains(&field.name()) {
            self.1.push((field.name(), cut(value).into_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.0.contains(&field.name()) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_its_length_told() {
        let text = |count| "é".repeat(count);
        let (most, more) = (text(LOG_FIELD_CHARS_MAX), text(LOG_FIELD_CHARS_MAX + 1));
        assert_eq!(cut(&most), most);
        assert_eq!(cut(&more), format!("{most}… ({} bytes)", more.len()));
    }
}
