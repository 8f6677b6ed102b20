//! The log: one line an event.
//!
//! Lines are written by a thread of their own: a reader that stops reading stops nobody, it only misses lines.
//!
//! A line is `TIME LEVEL event key=value …`. The event is one of those in the README; a value that is not a plain word
//! is quoted, with control characters escaped, so that nobody outside can write a line of the log.

use std::{
    fmt::{self, Write as _},
    io::{self, BufWriter, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tracing::{Event, Level, Subscriber, field::Field};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
        writer::EitherWriter,
    },
    registry::LookupSpan,
};

use crate::limits::{LOG_LINES_MAX, LOG_WRITE_BYTES};

/// What is logged, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Events of this level and above.
    pub(crate) level: LevelFilter,
    /// Where their lines go.
    pub(crate) stream: Stream,
}

/// Where lines of the log go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard error.
    Error,
    /// Standard output, as websocketd has it.
    Output,
}

/// Logs from now on, and the last lines when the log is dropped.
pub(crate) fn start(options: Options) -> Log {
    let queue = Arc::new(Queue { stream: options.stream, started: OnceLock::new(), guard: Mutex::new(None) });
    let log = Log(Arc::clone(&queue));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(options.level)
        .log_internal_errors(false)
        .event_format(Line)
        .with_writer(move || queue.writer())
        .finish();
    // Fails only if it was done before.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
}

/// The log; dropped, it waits until all lines have been written.
#[derive(Debug)]
pub(crate) struct Log(Arc<Queue>);

impl Drop for Log {
    fn drop(&mut self) {
        drop(self.0.guard.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The way to the thread that writes, which is started with the first line: it costs 170 KiB.
#[derive(Debug)]
struct Queue {
    stream: Stream,
    started: OnceLock<NonBlocking>,
    guard: Mutex<Option<WorkerGuard>>,
}

impl Queue {
    /// The way to the thread; straight to the stream if the system has no thread left.
    fn writer(&self) -> EitherWriter<NonBlocking, Stream> {
        let start = || {
            let (writer, guard) = NonBlockingBuilder::default()
                .lossy(true)
                .buffered_lines_limit(LOG_LINES_MAX)
                .finish(BufWriter::with_capacity(LOG_WRITE_BYTES, self.stream));
            *self.guard.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
            writer
        };
        // The library knows no other way to say that there is none.
        match catch_unwind(AssertUnwindSafe(|| self.started.get_or_init(start).clone())) {
            Ok(writer) => EitherWriter::A(writer),
            Err(_) => EitherWriter::B(self.stream),
        }
    }
}

/// Nothing goes wrong if nobody listens there any more.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = match self {
            Self::Error => io::stderr().lock().write_all(bytes),
            Self::Output => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().flush()),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The layout of a line.
#[derive(Debug)]
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "{} {}", time()?, level_word(*event.metadata().level()))?;
        let mut fields = Fields { name: String::new(), rest: String::new() };
        event.record(&mut fields);
        writeln!(writer, " {}{}", fields.name, fields.rest)
    }
}

/// Now, in UTC, to the millisecond: `2026-11-21T08:00:00.123Z`.
fn time() -> Result<String, fmt::Error> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    // The library has microseconds.
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

/// An event's fields, the event itself apart.
struct Fields {
    name: String,
    rest: String,
}

impl tracing::field::Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.name.push_str(value);
        } else {
            let _ = write!(self.rest, " {}={}", field.name(), Value(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// A value as it stands in a line: a plain word as it is, all else quoted and escaped.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| !c.is_whitespace() && !is_unprintable(c) && !matches!(c, '"' | '\\' | '=');
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
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

/// Control characters, and those that turn a line around, or end it for some.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
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
            assert_eq!(Value(value).to_string(), want, "{value:?}");
        }
    }
}
