//! Limits how long a client takes: to send a request's head, between two requests, and to read a part of an answer.
//!
//! Otherwise a client that rarely sends a byte, or reads none, would hold a connection for ever (slowloris).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};
use tokio_util::task::TaskTracker;

use super::unread::Unread;
use crate::{
    budget::{Owner, Share},
    limits::{ANSWER_STALL_MAX, HEAD_TIME_MAX, HTTP_BUFFER_BYTES_MAX, IDLE_TIME_MAX},
    socket::stream::{self, Stream},
};

/// A connection whose reads and writes fail with [`io::ErrorKind::TimedOut`] when the client is too slow.
#[derive(Debug)]
pub(super) struct Timed {
    stream: Stream,
    /// The answers under way; meanwhile the client may be silent.
    answers: TaskTracker,
    waiting: Waiting,
    timer: Pin<Box<Sleep>>,
    /// Runs while the client reads nothing.
    stall_timer: Option<Pin<Box<Sleep>>>,
    unread: Unread,
    owner: Owner,
    share: Share,
    /// Bytes received since the client was idle; hyper may hold them all.
    received: usize,
}

/// The input that wsd expects of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing: wsd is answering.
    Nothing,
    /// The first byte of a request.
    Request,
    /// The rest of its head.
    Head,
}

impl Timed {
    /// Wraps a connection that was just accepted; the time for its first head begins.
    pub(super) fn new(stream: Stream, answers: TaskTracker, owner: Owner) -> Self {
        let (timer, share) = (Box::pin(sleep(HEAD_TIME_MAX)), owner.share());
        let unread = Unread::default();
        Self { stream, answers, waiting: Waiting::Head, timer, stall_timer: None, unread, owner, share, received: 0 }
    }

    /// Returns the connection, without limits of time.
    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }

    /// Notes that the client may still send when wsd closes its side.
    pub(super) fn expect_more(&mut self) {
        self.unread.expect_more();
    }

    fn wait_for(&mut self, waiting: Waiting) {
        self.waiting = waiting;
        match waiting {
            Waiting::Nothing => {}
            Waiting::Request => {
                self.receive(0);
                self.timer.as_mut().reset(Instant::now() + IDLE_TIME_MAX);
            }
            Waiting::Head => self.timer.as_mut().reset(Instant::now() + HEAD_TIME_MAX),
        }
    }

    /// Sets the number of bytes received since the client was idle.
    fn receive(&mut self, received: usize) {
        self.received = received.min(HTTP_BUFFER_BYTES_MAX);
        self.count();
    }

    fn count(&mut self) {
        self.share.set(self.received + stream::held(&self.stream), 0);
    }

    /// Fails with [`io::ErrorKind::OutOfMemory`] if the budget needs the memory of this connection.
    fn check_budget(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.owner.is_asked(cx) { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// Returns the result of a write, or fails if the client has read nothing for [`ANSWER_STALL_MAX`].
    fn pace_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.count();
        if written.is_ready() {
            // The client is idle from now on, not since the end of the answer entered a buffer.
            if self.stall_timer.take().is_some() && self.waiting == Waiting::Request {
                self.timer.as_mut().reset(Instant::now() + IDLE_TIME_MAX);
            }
            return written;
        }
        self.check_budget(cx)?;
        time_out(self.stall_timer.get_or_insert_with(|| Box::pin(sleep(ANSWER_STALL_MAX))), cx)
    }
}

/// Fails with [`io::ErrorKind::TimedOut`] when the time is up.
fn time_out<T>(timer: &mut Pin<Box<Sleep>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_budget(cx)?;
        if !self.answers.is_empty() {
            self.wait_for(Waiting::Nothing);
        } else if self.waiting == Waiting::Nothing {
            self.wait_for(Waiting::Request);
        }
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            let received = self.received + buffer.filled().len() - before;
            self.receive(received);
            let is_answering = self.waiting == Waiting::Nothing;
            self.unread.set(is_answering && buffer.filled().len() > before);
            if self.waiting == Waiting::Request {
                self.wait_for(Waiting::Head);
            }
            return Poll::Ready(result);
        }
        self.unread.set(false);
        self.count();
        if self.waiting == Waiting::Nothing { Poll::Pending } else { time_out(&mut self.timer, cx) }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pace_write(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.pace_write(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper does not read while a script holds up the body of a request, but flushes whenever it has a turn.
        self.check_budget(cx)?;
        let Self { unread, stream, .. } = &mut *self;
        unread.check_client(cx, stream)?;
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.pace_write(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_lingering() {
            let done = Pin::new(&mut self.stream).poll_shutdown(cx);
            ready!(self.pace_write(cx, done))?;
        }
        let Self { unread, stream, .. } = &mut *self;
        unread.poll_drop(cx, stream).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::{
        budget::{Budget, OwnerKind},
        socket::stream::Plain,
    };

    /// More bytes than the kernel holds for a client that does not read.
    const BYTES: usize = 16 << 20;

    fn connection() -> (Timed, UnixStream, TaskTracker) {
        let (own, client) = UnixStream::pair().expect("a pair of sockets");
        let answers = TaskTracker::new();
        let owner = Owner::new(&Budget::new(None), OwnerKind::Client);
        (Timed::new(Stream::Left(Plain::Right(own)), answers.clone(), owner), client, answers)
    }

    /// Checks that `done` times out after `limit` of the paused clock; timers round to milliseconds.
    async fn assert_times_out<T>(done: impl Future<Output = io::Result<T>>, limit: Duration) {
        let start = Instant::now();
        let result = timeout(Duration::from_hours(1), done).await.expect("an end within the hour");
        let time = start.elapsed();
        assert_eq!(result.err().map(|error| error.kind()), Some(io::ErrorKind::TimedOut));
        assert!(time >= limit && time < limit + Duration::from_millis(10), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut timed, _client, _) = connection();

        assert_times_out(timed.write_all(&vec![0; BYTES]), ANSWER_STALL_MAX).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let (mut timed, mut client, _) = connection();
        let read = tokio::spawn(async move {
            let mut some = vec![0; BYTES / 4];
            for _ in 0..4 {
                sleep(ANSWER_STALL_MAX * 9 / 10).await;
                client.read_exact(&mut some).await.expect("as much as was sent");
            }
        });

        let start = Instant::now();
        timed.write_all(&vec![0; BYTES]).await.expect("the client reads it all");

        assert!(start.elapsed() > 2 * ANSWER_STALL_MAX, "{:?}", start.elapsed());
        read.await.expect("the client has read it all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_idle_for_a_while_after_an_answer() {
        let (mut timed, mut client, answers) = connection();
        let mut byte = [0];
        client.write_all(b"x").await.expect("a byte of a request");
        timed.read_exact(&mut byte).await.expect("the same byte");

        // The client may be silent however long an answer takes.
        let answer = answers.token();
        assert!(timeout(10 * IDLE_TIME_MAX, timed.read(&mut byte)).await.is_err());
        drop(answer);
        assert_times_out(timed.read(&mut byte), IDLE_TIME_MAX).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_idle_only_once_it_has_taken_the_answer() {
        let (mut timed, mut client, answers) = connection();
        let mut byte = [0];
        let answer = answers.token();
        assert!(timeout(Duration::from_secs(1), timed.read(&mut byte)).await.is_err());
        drop(answer);
        assert!(timeout(Duration::from_secs(1), timed.read(&mut byte)).await.is_err());
        tokio::spawn(async move {
            sleep(IDLE_TIME_MAX * 9 / 10).await;
            client.read_exact(&mut vec![0; BYTES]).await.expect("as much as was sent");
            sleep(2 * IDLE_TIME_MAX).await;
        });

        timed.write_all(&vec![0; BYTES]).await.expect("the client reads it");

        assert_times_out(timed.read(&mut byte), IDLE_TIME_MAX).await;
    }
}
