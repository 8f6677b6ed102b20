//! The two layouts of a line: text, and JSON. In front of either may be a priority for the journal.

use std::fmt;

use tracing::Level;
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime, SystemTime},
};

use super::{json, text::Quoted};

/// The format of lines (`--logformat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// `TIME LEVEL event key=value …`.
    #[default]
    Text,
    /// An object of JSON.
    Json,
}

/// The layout of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The format.
    pub(super) format: LogFormat,
    /// Whether lines begin with their priority (`sd-daemon(3)`). Text then has no time: the journal has its own.
    pub(super) has_priority: bool,
}

/// The value of a key.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A number, which is written alike in text and JSON.
    Number(&'a dyn fmt::Display),
}

/// A line that is being written.
pub(super) struct LineWriter<'a> {
    to: &'a mut dyn fmt::Write,
    format: LogFormat,
}

impl Layout {
    /// Begins the line of an event.
    pub(super) fn begin<'a>(self, to: &'a mut dyn fmt::Write, level: Level, name: &str) -> LineWriter<'a> {
        // Writing to a string cannot fail, here and below.
        if self.has_priority {
            let _ = write!(to, "<{}>", priority(level));
        }
        let _ = match self.format {
            LogFormat::Text if self.has_priority => write!(to, "{level} {name}"),
            LogFormat::Text => write!(to, "{} {level} {name}", time()),
            LogFormat::Json => {
                let level = level.as_str().to_ascii_lowercase();
                write!(to, r#"{{"ts":"{}","level":"{level}","event":{}"#, time(), json::Text(name))
            }
        };
        LineWriter { to, format: self.format }
    }

    /// Returns a line about the log itself.
    pub(super) fn own(self, level: Level, name: &str, fields: &[(&str, Value<'_>)]) -> String {
        let mut text = String::new();
        let mut line = self.begin(&mut text, level, name);
        for (key, value) in fields {
            line.field(key, *value);
        }
        line.end();
        text
    }

    /// Returns the key of the event that a line of the log itself is about. In JSON `event` is that of the line.
    pub(super) fn key_of_event(self) -> &'static str {
        match self.format {
            LogFormat::Text => "event",
            LogFormat::Json => "of",
        }
    }
}

impl LineWriter<'_> {
    /// Adds a key and its value.
    pub(super) fn field(&mut self, key: &str, value: Value<'_>) {
        let _ = match (self.format, value) {
            (LogFormat::Text, Value::Text(text)) => write!(self.to, " {key}={}", Quoted(text)),
            (LogFormat::Text, Value::Number(number)) => write!(self.to, " {key}={number}"),
            (LogFormat::Json, Value::Text(text)) => write!(self.to, ",{}:{}", json::Text(key), json::Text(text)),
            (LogFormat::Json, Value::Number(number)) => write!(self.to, ",{}:{number}", json::Text(key)),
        };
    }

    /// Ends the line.
    pub(super) fn end(self) {
        let _ = self.to.write_str(match self.format {
            LogFormat::Text => "\n",
            LogFormat::Json => "}\n",
        });
    }
}

/// Returns the time in UTC with milliseconds: `2026-11-21T08:00:00.123Z`.
fn time() -> String {
    let mut time = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    // `SystemTime` writes microseconds.
    time.truncate("2026-11-21T08:00:00.123".len());
    time.push('Z');
    time
}

/// Returns the priority of a level (`syslog(3)`).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_journal_has_its_priority_and_text_has_no_time_then() {
        let line = |format, level| {
            let fields = [("line", Value::Text("a b")), ("lines", Value::Number(&5))];
            Layout { format, has_priority: true }.own(level, "an event", &fields)
        };
        let levels = [(Level::ERROR, 3), (Level::WARN, 4), (Level::INFO, 6), (Level::DEBUG, 7), (Level::TRACE, 7)];
        for (level, priority) in levels {
            let want = format!("<{priority}>{level} an event line=\"a b\" lines=5\n");
            assert_eq!(line(LogFormat::Text, level), want);
            assert!(line(LogFormat::Json, level).starts_with(&format!("<{priority}>{{\"ts\":\"20")));
        }
    }
}
