//! A worker's standard output, and its standard error, which wsd logs line by line.

use std::{
    future::poll_fn,
    io, mem,
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use memchr::memchr;
use tokio::{
    io::{AsyncRead, Interest, ReadBuf},
    net::unix::pipe::Receiver,
    time::timeout,
};

use super::{pipe::widen, terminal::Master};
use crate::{
    buffers,
    event::Event,
    framing::lines::undecided,
    limits::{PIPE_BYTES, READS_PER_TURN, STDERR_LINE_BYTES_MAX, STDERR_REST, STDERR_REST_MAX},
    peer::Connection,
    record::track::Track,
    turn,
};

/// Bytes asked for by one read of standard error. Each line of it is an event of the log, which takes a microsecond.
const STDERR_READ_BYTES: usize = 1 << 10;

/// The pipe or the terminal from a worker's standard output.
#[derive(Debug)]
pub(crate) struct Output(OutputSource);

#[derive(Debug)]
enum OutputSource {
    /// A pipe, and whether it is widened. Both together keep an idle session small.
    Pipe(Receiver, bool),
    Terminal(Master),
    /// A terminal that controls the program, and wsd's own copy of the program's end: so a program may close its terminal and
    /// open it again, as `login` does. The end of the output is that of the program.
    Controlling(Master, #[expect(dead_code, reason = "it only stays open")] OwnedFd),
    /// A terminal that wsd has hung up.
    HungUp,
}

impl Output {
    /// Wraps wsd's end of a pipe, and makes it non-blocking.
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self(OutputSource::Pipe(receiver(pipe)?, false)))
    }

    /// Reads from a terminal.
    pub(super) fn of_terminal(master: Master) -> Self {
        Self(OutputSource::Terminal(master))
    }

    /// Reads from a terminal that controls the program.
    pub(super) fn of_controlling_terminal(master: Master, slave: OwnedFd) -> Self {
        Self(OutputSource::Controlling(master, slave))
    }

    /// Whether it is a terminal that controls the program.
    pub(super) fn is_controlling(&self) -> bool {
        matches!(self.0, OutputSource::Controlling(..))
    }

    /// Reads what a terminal holds into `buffer`, once its program has ended.
    pub(super) fn read_rest(&self, buffer: &mut [u8]) -> usize {
        if let OutputSource::Controlling(master, _) = &self.0 { master.read_now(buffer) } else { 0 }
    }

    /// Drops wsd's end of a controlling terminal. If it is the last one, the kernel sends SIGHUP to the program and its
    /// foreground group.
    pub(super) fn hang_up(&mut self) {
        if self.is_controlling() {
            self.0 = OutputSource::HungUp;
        }
    }

    /// Reads once into `buffer`. Ready with the number of bytes, 0 at the end of the output.
    ///
    /// Widens a pipe that it finds full, so that much output takes fewer reads.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let (pipe, is_wide) = match &mut self.0 {
            OutputSource::Pipe(pipe, is_wide) => (pipe, is_wide),
            OutputSource::Terminal(master) | OutputSource::Controlling(master, _) => {
                return master.poll_read(cx, buffer);
            }
            OutputSource::HungUp => return Poll::Ready(0),
        };
        let count = ready!(poll_read(pipe, cx, buffer));
        if count >= PIPE_BYTES && !mem::replace(is_wide, true) {
            widen(&*pipe);
        }
        Poll::Ready(count)
    }

    /// Whether every process that could write has closed its end, so that the bytes that wait are the last. Those of a
    /// controlling terminal are the last when the program has ended.
    pub(crate) fn is_ending(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let pipe = match &self.0 {
            OutputSource::Pipe(pipe, _) => pipe,
            OutputSource::Terminal(master) => return master.is_ending(&mut cx),
            OutputSource::Controlling(..) | OutputSource::HungUp => return true,
        };
        let ready = pin!(pipe.ready(Interest::READABLE)).poll(&mut cx);
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    /// Reads all output through `buffer`, and drops it. Ready at the end of the output.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            if ready!(self.poll_read(cx, buffer)) == 0 {
                return Poll::Ready(());
            }
        }
        turn::yield_turn(cx)
    }
}

/// The pipe from a worker's standard error.
#[derive(Debug)]
pub(crate) struct Stderr {
    pipe: Option<Receiver>,
    is_over: bool,
    /// The front of an unfinished line.
    held: Vec<u8>,
    /// The recording of the worker, if there is one.
    track: Option<Arc<Track>>,
}

impl Stderr {
    /// Wraps wsd's end of the pipe, and makes it non-blocking.
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Some(receiver(pipe)?), is_over: false, held: Vec::new(), track: None })
    }

    /// Returns a stream that has ended: the program's errors go to its terminal.
    pub(super) fn none() -> Self {
        Self { pipe: None, is_over: true, held: Vec::new(), track: None }
    }

    /// Records the lines, too.
    pub(super) fn record(&mut self, track: Arc<Track>) {
        self.track = Some(track);
    }

    /// Reads once into `buffer` and logs each line. Ready with the number of bytes, 0 at the end.
    ///
    /// A line longer than [`STDERR_LINE_BYTES_MAX`] becomes several lines of the log. It logs a last line without a newline
    /// at the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        connection: &Connection,
    ) -> Poll<usize> {
        let (false, Some(pipe)) = (self.is_over, &mut self.pipe) else { return Poll::Ready(0) };
        let count = ready!(poll_read(pipe, cx, &mut buffer[..STDERR_READ_BYTES]));
        self.is_over = count == 0;
        if self.is_over {
            self.log_rest(connection);
        }
        self.log_lines(&buffer[..count], connection);
        Poll::Ready(count)
    }

    /// Reads all standard error through `buffer`, and logs it. Ready at its end.
    pub(crate) fn poll_log(&mut self, cx: &mut Context<'_>, buffer: &mut [u8], connection: &Connection) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            if ready!(self.poll_read(cx, buffer, connection)) == 0 {
                return Poll::Ready(());
            }
        }
        turn::yield_turn(cx)
    }

    /// Logs the rest of a worker that has ended. An orphan may hold the pipe open for ever, so this stops after
    /// [`STDERR_REST`] without output, and after [`STDERR_REST_MAX`] in any case.
    pub(crate) async fn log_to_the_end(&mut self, connection: &Connection) {
        let rest = async {
            loop {
                let next = poll_fn(|cx| buffers::with_read(|buffer| self.poll_read(cx, buffer, connection)));
                let Ok(1..) = timeout(STDERR_REST, next).await else { break };
            }
        };
        let _ = timeout(STDERR_REST_MAX, rest).await;
        self.log_rest(connection);
    }

    /// Whether wsd has read it to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Closes the pipe if it has ended. For a session that goes on.
    pub(crate) fn tidy(&mut self) {
        if self.is_over {
            self.pipe = None;
        }
    }

    fn log_rest(&mut self, connection: &Connection) {
        if !self.held.is_empty() {
            let line = mem::take(&mut self.held);
            self.log_line(&line, connection);
        }
    }

    fn log_lines(&mut self, mut bytes: &[u8], connection: &Connection) {
        while !bytes.is_empty() {
            let room = STDERR_LINE_BYTES_MAX - self.held.len();
            let end = memchr(b'\n', &bytes[..bytes.len().min(room + 1)]);
            if end.is_none() && bytes.len() <= room {
                return self.held.extend_from_slice(bytes);
            }
            let (front, rest) = bytes.split_at(end.unwrap_or(room));
            self.held.extend_from_slice(front);
            // A long line is split between characters.
            let kept_bytes = if end.is_some() { 0 } else { undecided(&self.held) };
            let line = mem::take(&mut self.held);
            let (line, kept) = line.split_at(line.len() - kept_bytes);
            self.log_line(line, connection);
            self.held.extend_from_slice(kept);
            bytes = if end.is_some() { &rest[1..] } else { rest };
        }
    }

    fn log_line(&self, line: &[u8], connection: &Connection) {
        let line = &String::from_utf8_lossy(without_end(line));
        Event::WorkerStderr { conn: connection.id, line }.emit();
        if let Some(track) = &self.track {
            track.stderr(line);
        }
    }
}

/// Logs a line of standard output that is no message. A line longer than [`STDERR_LINE_BYTES_MAX`] becomes several lines of
/// the log.
pub(crate) fn log_junk(line: &[u8], connection: &Connection) {
    let line = without_end(line);
    if !line.is_empty() {
        Event::WorkerJunk { conn: connection.id, line: &String::from_utf8_lossy(line) }.emit();
    }
}

/// Returns a line without its `\n` or `\r\n`, or without a `\r` at its end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Makes a receiver, unchecked, since the standard library has just made this pipe.
fn receiver(pipe: OwnedFd) -> io::Result<Receiver> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    Receiver::from_owned_fd_unchecked(pipe)
}

/// Reads once; 0 bytes are the end. The pipe stays open then: wsd first sends the client its close.
fn poll_read(pipe: &mut Receiver, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
    let mut buffer = ReadBuf::new(buffer);
    // Any error of a pipe means its end.
    let _ = ready!(Pin::new(pipe).poll_read(cx, &mut buffer));
    Poll::Ready(buffer.filled().len())
}
