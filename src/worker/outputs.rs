//! Both output streams of a worker.

use std::task::{Context, Poll};

use super::output::{Output, Stderr};
use crate::peer::Connection;

/// Standard output, and standard error, which wsd logs and may send to the client, too (`--passstderr`).
#[derive(Debug)]
pub(crate) struct Outputs {
    output: Output,
    stderr: Stderr,
    /// Whether [`Outputs::poll_read`] gives standard error, too.
    wants_stderr: bool,
    /// The stream to read next. They take turns, so that a flood on one does not hide the other.
    turn: Source,
    is_output_over: bool,
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard output.
    Output,
    /// Standard error.
    Stderr,
}

impl Outputs {
    /// Joins both streams; `wants_stderr` is whether [`Outputs::poll_read`] gives standard error, too.
    pub(crate) fn new(output: Output, stderr: Stderr, wants_stderr: bool) -> Self {
        Self { output, stderr, wants_stderr, turn: Source::Stderr, is_output_over: false }
    }

    /// Reads once into `buffer`. Ready with the stream and the number of bytes; `None` at the end of all wanted streams.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        connection: &Connection,
    ) -> Poll<Option<(Source, usize)>> {
        for _ in 0..2 {
            let source = self.turn;
            self.turn = if source == Source::Output { Source::Stderr } else { Source::Output };
            let read = match source {
                Source::Output if !self.is_output_over => self.output.poll_read(cx, buffer),
                Source::Stderr if self.wants_stderr => self.stderr.poll_read(cx, buffer, connection),
                _ => continue,
            };
            match (read, source) {
                (Poll::Pending, _) | (Poll::Ready(0), Source::Stderr) => {}
                (Poll::Ready(0), Source::Output) => self.is_output_over = true,
                (Poll::Ready(count), _) => return Poll::Ready(Some((source, count))),
            }
        }
        let is_over = self.is_output_over && (!self.wants_stderr || self.stderr.is_over());
        if is_over { Poll::Ready(None) } else { Poll::Pending }
    }

    /// See [`Output::is_ending`].
    pub(crate) fn is_ending(&self) -> bool {
        self.output.is_ending()
    }

    /// Reads standard error and logs it, unless [`Outputs::poll_read`] gives it.
    pub(crate) fn log(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) {
        if !self.wants_stderr {
            let _ = self.stderr.poll_log(cx, buffer, connection);
        }
    }

    /// See [`Stderr::tidy`].
    pub(crate) fn tidy(&mut self) {
        self.stderr.tidy();
    }

    /// Reads both streams: logs standard error, and drops standard output.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) {
        let _ = self.stderr.poll_log(cx, buffer, connection);
        let _ = self.output.poll_discard(cx, buffer);
    }

    /// See [`Stderr::log_to_the_end`].
    pub(crate) async fn log_to_the_end(&mut self, connection: &Connection) {
        self.stderr.log_to_the_end(connection).await;
    }
}
