//! The log: one line for each event.
//!
//! A thread of its own writes the lines: if a reader stops reading, wsd goes on, and the reader misses lines.
//!
//! A line is `TIME LEVEL event key=value …`. `docs/log.md` lists the events. A value that is not a plain word is quoted, with
//! control characters escaped, so that no client can forge a line. No client can fill the log either: wsd cuts long values,
//! and beyond some lines of one event in a second, or of one refusal that repeats, it only counts them.

mod line;
mod queue;
mod rates;
mod stream;

use std::{fmt, io, sync::Arc};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use line::Length;
use queue::LogQueue;
use rates::EventKind;
pub(crate) use stream::LogStream;

/// Events that wsd always logs, with whole values: lines that the user's own program has meant for the log, whose length has a
/// limit already, and the addresses that wsd listens at.
const WHOLE: [&str; 2] = ["worker stderr", "server ready"];

/// An event that a page may repeat for as long as it is open, and the keys that do not differ then. Only the events with all
/// of them count as repeated.
const REPEATED: (&str, &[&str]) = ("session refused", &["why", "origin"]);

/// The settings of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// The lowest level of an event that is logged.
    pub(crate) level: LevelFilter,
    /// The stream that the lines go to.
    pub(crate) stream: LogStream,
}

/// Starts the log. Dropping it writes the lines that still wait.
pub(crate) fn start(options: LogOptions) -> Log {
    let queue = LogQueue::new(options.stream);
    let log = Log(Arc::clone(&queue));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(options.level)
        .log_internal_errors(false)
        .event_format(LineFormat(Arc::clone(&queue)))
        .with_writer(move || QueueWriter(Arc::clone(&queue)))
        .finish();
    // Fails only if another subscriber is set already.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
}

/// The log. Dropping it waits until all lines are written, or for [`LOG_END`](crate::limits::LOG_END) at most.
#[derive(Debug)]
pub(crate) struct Log(Arc<LogQueue>);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Puts lines into the queue, each in one write.
struct QueueWriter(Arc<LogQueue>);

impl io::Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Formats an event as a line, or leaves it out if the log only counts it.
#[derive(Debug)]
struct LineFormat(Arc<LogQueue>);

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let name = line::name(event);
        let length = if WHOLE.contains(&&*name) { Length::Whole } else { Length::Cut };
        if length == Length::Whole || self.0.admits(kind(event, &name)) {
            line::write(&mut writer, event, &name, length)?;
        }
        Ok(())
    }
}

/// Returns the kind of an event for the rate limit.
fn kind(event: &Event<'_>, name: &str) -> EventKind {
    let (repeated, keys) = REPEATED;
    let fields = (name == repeated).then(|| line::fields(event, keys));
    let is_whole = |fields: &String| keys.iter().all(|key| fields.contains(&format!(" {key}=")));
    EventKind { level: *event.metadata().level(), name: name.to_owned(), repeated: fields.filter(is_whole) }
}
