//! The log: one line an event.
//!
//! Lines are written by a thread of their own: a reader that stops reading stops nobody, it only misses lines.
//!
//! A line is `TIME LEVEL event key=value …`. The event is one of those in the README; a value that is not a plain word
//! is quoted, with control characters escaped, so that nobody outside can write a line of the log. Nor can anybody fill
//! it: a long value is cut, and of many lines of one kind in a second most are counted.

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
use queue::Queue;
pub(crate) use stream::Stream;

/// Events of which every line is logged, and no value cut: what the user's own program says, in portions that have a
/// limit already, and where wsd listens.
const WHOLE: [&str; 2] = ["worker stderr", "server ready"];

/// What is logged, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Events of this level and above.
    pub(crate) level: LevelFilter,
    /// Where their lines go.
    pub(crate) stream: Stream,
}

/// Logs from now on, and the last lines when the log is dropped.
pub(crate) fn start(options: Options) -> Log {
    let queue = Queue::new(options.stream);
    let log = Log(Arc::clone(&queue));
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(options.level)
        .log_internal_errors(false)
        .event_format(Line(Arc::clone(&queue)))
        .with_writer(move || Pen(Arc::clone(&queue)))
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
        self.0.finish();
    }
}

/// Puts lines into the queue, each in one write.
struct Pen(Arc<Queue>);

impl io::Write for Pen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a line of an event; none, if it is only counted.
#[derive(Debug)]
struct Line(Arc<Queue>);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let name = line::name(event);
        let length = if WHOLE.contains(&&*name) { Length::Whole } else { Length::Cut };
        if length == Length::Whole || self.0.admits(*event.metadata().level(), &name) {
            line::write(&mut writer, event, &name, length)?;
        }
        Ok(())
    }
}
