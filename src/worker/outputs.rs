//! What a worker says on both of its output streams.

use std::task::{Context, Poll};

use super::output::{Output, Stderr};
use crate::{
    limits::{MESSAGES_PER_READ_BESIDE_OTHERS, MESSAGES_PER_READ_MAX, READ_BYTES, READ_BYTES_MIN},
    peer::Connection,
};

/// Standard output, and standard error, which goes to the log and may be wanted besides (`--passstderr`).
#[derive(Debug)]
pub(crate) struct Outputs {
    output: Output,
    stderr: Stderr,
    /// Standard error is not only for the log.
    wants_stderr: bool,
    /// Whose turn it is: a stream that never ends must not hide the other.
    turn: Source,
    is_output_over: bool,
    /// Bytes to ask standard output for, [`READ_BYTES`] at most.
    portion: usize,
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
    /// Both streams; `wants_stderr` says whether [`Outputs::poll_read`] gives standard error, too.
    pub(crate) fn new(output: Output, stderr: Stderr, wants_stderr: bool) -> Self {
        Self { output, stderr, wants_stderr, turn: Source::Stderr, is_output_over: false, portion: READ_BYTES }
    }

    /// Reads once into `buffer`, and tells how many bytes came from where; `None` is the end of all that is wanted.
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
                Source::Output if !self.is_output_over => self.output.poll_read(cx, &mut buffer[..self.portion]),
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

    /// Whether a read gave all that was asked for, so that there is likely more.
    pub(crate) fn is_full(&self, count: usize) -> bool {
        count >= self.portion
    }

    /// Whether a read of `count` bytes was most likely the last that gives any. What was written behind it before the end
    /// comes with the next.
    pub(crate) fn was_last(&self, count: usize) -> bool {
        !self.wants_stderr && !self.is_full(count) && self.output.is_ending()
    }

    /// Whether all that there is to read of standard output is the last.
    pub(crate) fn is_ending(&self) -> bool {
        self.output.is_ending()
    }

    /// Takes note of the number of messages in a read: where they are many, the next asks for less, and for still less where
    /// others wait for their turn.
    pub(crate) fn measure(&mut self, messages: u64, is_alone: bool) {
        let max = if is_alone { MESSAGES_PER_READ_MAX } else { MESSAGES_PER_READ_BESIDE_OTHERS };
        if messages >= max {
            self.portion = (self.portion / 2).max(READ_BYTES_MIN);
        } else if messages < max / 2 {
            self.portion = (self.portion * 2).min(READ_BYTES);
        }
    }

    /// Logs what came on standard error, unless [`Outputs::poll_read`] gives it.
    pub(crate) fn log(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) {
        if !self.wants_stderr {
            let _ = self.stderr.poll_log(cx, buffer, connection);
        }
    }

    /// See [`Stderr::tidy`].
    pub(crate) fn tidy(&mut self) {
        self.stderr.tidy();
    }

    /// Reads all there is: standard error for the log, standard output for nobody.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) {
        let _ = self.stderr.poll_log(cx, buffer, connection);
        let _ = self.output.poll_discard(cx, buffer);
    }

    /// See [`Stderr::log_to_the_end`].
    pub(crate) async fn log_to_the_end(&mut self, connection: &Connection) {
        self.stderr.log_to_the_end(connection).await;
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        io::{self, Write as _},
    };

    use super::*;
    use crate::limits::PIPE_BYTES;

    #[tokio::test]
    async fn many_messages_make_the_next_read_smaller_and_few_larger_again() {
        let (stdout, mut worker) = io::pipe().expect("a pipe");
        let (stderr, _silent) = io::pipe().expect("a pipe");
        let stdout = Output::new(stdout.into()).expect("it can be watched");
        let stderr = Stderr::new(stderr.into()).expect("it can be watched");
        let mut outputs = Outputs::new(stdout, stderr, false);
        let mut buffer = vec![0; READ_BYTES];
        let connection = Connection::none();

        let mut sizes = Vec::new();
        let reads = [
            (MESSAGES_PER_READ_MAX, true),
            (MESSAGES_PER_READ_BESIDE_OTHERS, false),
            (0, true),
            (0, false),
            (MESSAGES_PER_READ_BESIDE_OTHERS, true),
            (0, true),
        ];
        for (messages, is_alone) in reads {
            worker.write_all(&vec![b'\n'; PIPE_BYTES]).expect("it takes all");
            let read = poll_fn(|cx| outputs.poll_read(cx, &mut buffer, &connection)).await;
            sizes.push(read.expect("there is some").1);
            outputs.measure(messages, is_alone);
            while let Poll::Ready(Some(_)) =
                outputs.poll_read(&mut Context::from_waker(std::task::Waker::noop()), &mut buffer, &connection)
            {
            }
        }

        assert_eq!(sizes, [PIPE_BYTES, READ_BYTES / 2, READ_BYTES / 4, READ_BYTES / 2, PIPE_BYTES, PIPE_BYTES]);
    }
}
