//! The log: one line for each event.
//!
//! A thread of its own writes the lines: if a reader stops reading, or a disk is full, wsd goes on, and the log misses lines.
//!
//! A line is `TIME LEVEL event key=value …`, or an object of JSON. `docs/log.md` lists the events. Control characters in a value
//! are escaped, so that no client can forge a line. No client can fill the log either: wsd cuts long values, and beyond some
//! lines of one event in a second, or of one refusal that repeats, it only counts them.

mod json;
mod layout;
mod line;
mod queue;
mod rates;
mod sink;
mod text;

use std::{fmt, io, sync::Arc};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use layout::Layout;
pub(crate) use layout::LogFormat;
use line::{Length, TRACE};
use queue::LogQueue;
use rates::EventKind;
use sink::LogSink;
pub(crate) use sink::{LogFileError, LogTarget};

/// Events that wsd always logs, with whole values: lines that the user's own program has meant for the log, whose length has a
/// limit already, the addresses that wsd listens at, and the messages that the user wants to see.
const WHOLE: [&str; 3] = ["worker stderr", "server ready", "message"];

/// An event that a page may repeat for as long as it is open, and the keys that do not differ then. Only the events with all
/// of them count as repeated.
const REPEATED: (&str, &[&str]) = ("session refused", &["why", "origin"]);

/// The settings of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogOptions {
    /// The lowest level of an event that is logged.
    pub(crate) level: LevelFilter,
    /// The format of the lines.
    pub(crate) format: LogFormat,
    /// The place that the lines go to.
    pub(crate) target: LogTarget,
}

impl LogOptions {
    /// Whether nothing but lines of JSON may be on standard error.
    pub(crate) fn has_json_on_stderr(&self) -> bool {
        self.format == LogFormat::Json && self.target == LogTarget::Error
    }

    /// Checks whether the log could start. Makes no file.
    pub(crate) fn check(&self) -> Result<(), LogFileError> {
        self.target.check()
    }
}

/// Starts the log. Dropping it writes the lines that still wait.
pub(crate) fn start(options: &LogOptions) -> Result<Log, LogFileError> {
    let layout = Layout { format: options.format, has_priority: options.target.is_journal() };
    let queue = LogQueue::new(LogSink::open(options.target.clone(), layout, options.level)?, layout);
    let log = Log(Arc::clone(&queue));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(options.level)
        .log_internal_errors(false)
        .event_format(LineFormat { queue: Arc::clone(&queue), layout })
        .with_writer(move || QueueWriter(Arc::clone(&queue)))
        .finish();
    // Fails only if another subscriber is set already.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(log)
}

/// The log. Dropping it waits until all lines are written, or for [`LOG_END`](crate::limits::LOG_END) at most.
#[derive(Debug)]
pub(crate) struct Log(Arc<LogQueue>);

impl Log {
    /// Opens the file of the log again, which may have another name now. Does nothing if the log goes to a stream.
    pub(crate) fn open_again(&self) {
        self.0.open_again();
    }
}

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
struct LineFormat {
    queue: Arc<LogQueue>,
    layout: Layout,
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let name = line::name(event);
        let length = if WHOLE.contains(&&*name) { Length::Whole } else { Length::Cut };
        if length == Length::Cut && !self.queue.admits(kind(event, &name)) {
            return Ok(());
        }
        let span = ctx.lookup_current();
        let extensions = span.as_ref().map(tracing_subscriber::registry::SpanRef::extensions);
        let fields = extensions.as_ref().and_then(|extensions| extensions.get::<FormattedFields<N>>());
        let trace = fields.and_then(|fields| fields.strip_prefix(TRACE)?.strip_prefix('='));
        line::write(&mut writer, self.layout, (event, &name, length), trace);
        Ok(())
    }
}

/// Returns the kind of an event for the rate limit.
fn kind(event: &Event<'_>, name: &str) -> EventKind {
    let (repeated, keys) = REPEATED;
    let repeated = if name == repeated { line::texts(event, keys) } else { None };
    EventKind { level: *event.metadata().level(), name: name.to_owned(), repeated }
}
