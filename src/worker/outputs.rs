//! Both output streams of a worker.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::sleep;

use super::{
    child::{Child, Leader},
    output::{Output, Stderr},
    silence::Silence,
};
use crate::{
    limits::{GROUP_LOOK, OUTPUT_END},
    peer::Connection,
    record::tape::Tape,
};

/// The most reads of a terminal whose program has ended. The kernel holds some 16 KiB, and a read may have 4 KiB only.
const TERMINAL_REST_READS: u8 = 16;

/// Standard output, and standard error, which wsd logs and may send to the client, too (`--passstderr`).
pub(crate) struct Outputs {
    leader: Leader,
    output: Output,
    stderr: Stderr,
    /// Whether [`Outputs::poll_read`] gives standard error, too.
    wants_stderr: bool,
    /// The stream to read next. They take turns, so that a flood on one does not hide the other.
    turn: Source,
    is_output_over: bool,
    /// Whether the program has closed its output and goes on.
    is_closed: bool,
    /// The reads that remain of a terminal whose program has ended. Other processes may write for ever.
    rest_reads: u8,
    /// The watch for the first output.
    silence: Option<Silence>,
    /// Resolves when the program has ended, with `true`, or when it is clear that it goes on.
    end: Option<Pin<Box<dyn Future<Output = bool> + Send + Sync>>>,
}

/// The result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many bytes of a stream.
    Bytes(Source, usize),
    /// The program has closed all wanted streams, and goes on. Told once.
    Closed,
    /// The program has ended, and so have all wanted streams.
    Over,
}

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard output.
    Output,
    /// Standard error.
    Stderr,
}

impl Source {
    /// Records the next bytes of the stream, as far as clients get it.
    pub(crate) fn record(self, tape: &mut Option<Box<Tape>>, bytes: &[u8]) {
        match (tape, self) {
            (None, _) => {}
            (Some(tape), Self::Output) => tape.output(bytes),
            (Some(tape), Self::Stderr) => tape.errors(bytes),
        }
    }
}

impl Outputs {
    /// Joins both streams of `child`; `wants_stderr` is whether [`Outputs::poll_read`] gives standard error, too.
    pub(crate) fn new(
        child: &Child,
        output: Output,
        stderr: Stderr,
        silence: Option<Silence>,
        wants_stderr: bool,
    ) -> Self {
        let (leader, turn) = (child.leader(), Source::Stderr);
        Self {
            leader,
            output,
            stderr,
            wants_stderr,
            turn,
            is_output_over: false,
            is_closed: false,
            rest_reads: TERMINAL_REST_READS,
            silence,
            end: None,
        }
    }

    /// Notes that the program was sent a message.
    pub(crate) fn expect_output(&mut self) {
        if let Some(silence) = &mut self.silence {
            silence.expect_output();
        }
    }

    /// Logs a program that prints nothing for too long; see [`Silence`]. To be called after each message.
    pub(crate) fn watch_silence(&mut self, cx: &mut Context<'_>, connection: &Connection) {
        if let Some(silence) = &mut self.silence
            && silence.poll(cx, connection).is_ready()
        {
            self.silence = None;
        }
    }

    /// Reads once into `buffer`.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) -> Poll<Read> {
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
                (Poll::Ready(0), Source::Output) => (self.is_output_over, self.silence) = (true, None),
                (Poll::Ready(count), Source::Stderr) => return Poll::Ready(Read::Bytes(source, count)),
                (Poll::Ready(count), Source::Output) => {
                    self.silence = None;
                    return Poll::Ready(Read::Bytes(source, count));
                }
            }
        }
        if self.output.is_controlling() {
            return self.poll_terminal_end(cx, buffer);
        }
        let is_over = self.is_output_over && (!self.wants_stderr || self.stderr.is_over());
        if is_over { self.poll_end(cx) } else { Poll::Pending }
    }

    /// Ready when the program of a terminal has ended: first with what the terminal holds.
    fn poll_terminal_end(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Read> {
        if !self.is_output_over {
            let leader = self.leader;
            let end = self.end.get_or_insert_with(|| {
                Box::pin(async move {
                    leader.gone().await;
                    true
                })
            });
            ready!(end.as_mut().poll(cx));
            (self.is_output_over, self.end) = (true, None);
        }
        let count = if self.rest_reads == 0 { 0 } else { self.output.read_rest(buffer) };
        self.rest_reads = self.rest_reads.saturating_sub(1);
        Poll::Ready(if count == 0 { Read::Over } else { Read::Bytes(Source::Output, count) })
    }

    /// Ready when the program has ended, or once when it has not ended within [`OUTPUT_END`].
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        // Usually the program has ended by the time that wsd reads the end of its output.
        if !self.is_closed && self.leader.status().is_some() {
            return Poll::Ready(Read::Over);
        }
        let (leader, is_closed) = (self.leader, self.is_closed);
        let end = self.end.get_or_insert_with(|| Box::pin(ended(leader, is_closed)));
        let is_over = ready!(end.as_mut().poll(cx));
        self.end = None;
        self.is_closed = true;
        Poll::Ready(if is_over { Read::Over } else { Read::Closed })
    }

    /// Whether the bytes in the pipe are the last, and the program has ended, so that it reads nothing more.
    pub(crate) fn is_over(&self) -> bool {
        self.output.is_ending() && self.leader.status().is_some()
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

    /// See [`Output::hang_up`].
    pub(crate) fn hang_up(&mut self) {
        self.output.hang_up();
    }

    /// See [`Stderr::log_to_the_end`].
    pub(crate) async fn log_to_the_end(&mut self, connection: &Connection) {
        self.stderr.log_to_the_end(connection).await;
    }
}

/// Resolves with `true` when the program has ended; with `false` if it has closed its output and goes on.
///
/// The group of a program that goes on may outlive its first process: then the end is the group's.
async fn ended(leader: Leader, is_closed: bool) -> bool {
    if !is_closed {
        return leader.ended_within(OUTPUT_END).await.is_some();
    }
    leader.gone().await;
    while leader.has_group() {
        sleep(GROUP_LOOK).await;
    }
    true
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs")
            .field("leader", &self.leader)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}
