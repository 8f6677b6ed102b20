//! How long a client may take: to send a request's head, between two requests, and to read some of an answer.
//!
//! Without this a client that sends one byte now and then, or reads none, holds a connection for ever (slowloris).

use std::{
    io, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::{
    budget::{Owner, Share},
    limits::{ANSWER_STALL_MAX, HEAD_TIME_MAX, HTTP_BUFFER_BYTES_MAX, IDLE_TIME_MAX},
    socket::stream::Stream,
};

/// A connection whose reads and writes fail with [`io::ErrorKind::TimedOut`] when the client is too slow.
#[derive(Debug)]
pub(super) struct Paced {
    stream: Stream,
    answering: Answering,
    waiting: Waiting,
    timer: Timer,
    /// Whether the client has taken nothing since `stall_timer` was set.
    is_stalled: bool,
    stall_timer: Timer,
    owner: Owner,
    /// Bytes that have come since the client was idle: hyper may hold them all.
    share: Share,
    received: usize,
}

/// Made when it is first needed, and then used again.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn set(&mut self, limit: Duration) {
        match &mut self.0 {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + limit),
            none => *none = Some(Box::pin(sleep(limit))),
        }
    }

    /// Fails when the time is up.
    fn poll<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(sleep) = &mut self.0 else { return Poll::Pending };
        sleep.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// What the client is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing: an answer is being made.
    Nothing,
    /// The first byte of a request.
    Request,
    /// The rest of its head.
    Head,
}

/// Tells a [`Paced`] that a request's head has come and its answer is being made.
#[derive(Clone, Debug, Default)]
pub(super) struct Answering(Arc<AtomicUsize>);

/// For as long as this lives, the client may take its time.
#[derive(Debug)]
pub(super) struct Answer(Arc<AtomicUsize>);

impl Answering {
    /// A request's head has come.
    pub(super) fn begin(&self) -> Answer {
        self.0.fetch_add(1, Ordering::Relaxed);
        Answer(Arc::clone(&self.0))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Paced {
    /// A connection just accepted: its first head is due.
    pub(super) fn new(stream: Stream, answering: Answering, owner: Owner) -> Self {
        let mut timer = Timer::default();
        timer.set(HEAD_TIME_MAX);
        let (waiting, stall_timer, share) = (Waiting::Head, Timer::default(), owner.share());
        Self { stream, answering, waiting, timer, is_stalled: false, stall_timer, owner, share, received: 0 }
    }

    /// The connection, unpaced.
    pub(super) fn into_inner(self) -> Stream {
        self.stream
    }

    fn wait_for(&mut self, waiting: Waiting) {
        if waiting == self.waiting {
            return;
        }
        self.waiting = waiting;
        match waiting {
            Waiting::Nothing => {}
            Waiting::Request => {
                self.receive(0);
                self.timer.set(IDLE_TIME_MAX);
            }
            Waiting::Head => self.timer.set(HEAD_TIME_MAX),
        }
    }

    /// Counts all that has come since the client was idle.
    fn receive(&mut self, received: usize) {
        self.received = received.min(HTTP_BUFFER_BYTES_MAX);
        self.count();
    }

    fn count(&mut self) {
        self.share.set(self.received + self.stream.held(), 0);
    }

    /// Fails if the connection is to give back what it holds.
    fn check_budget(&self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.owner.is_asked(cx) { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
    }

    /// Passes on what became of a write, or fails if none has come to anything for too long.
    fn pace_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.count();
        if written.is_ready() {
            // The client is idle from here on, not from when the end of the answer was put into a buffer.
            if mem::take(&mut self.is_stalled) && self.waiting == Waiting::Request {
                self.timer.set(IDLE_TIME_MAX);
            }
            return written;
        }
        self.check_budget(cx)?;
        if !mem::replace(&mut self.is_stalled, true) {
            self.stall_timer.set(ANSWER_STALL_MAX);
        }
        self.stall_timer.poll(cx)
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_budget(cx)?;
        if self.answering.0.load(Ordering::Relaxed) > 0 {
            self.wait_for(Waiting::Nothing);
        } else if self.waiting == Waiting::Nothing {
            self.wait_for(Waiting::Request);
        }
        let before = buffer.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            let received = self.received + buffer.filled().len() - before;
            self.receive(received);
            if self.waiting == Waiting::Request {
                self.wait_for(Waiting::Head);
            }
            return Poll::Ready(result);
        }
        if self.waiting == Waiting::Nothing { Poll::Pending } else { self.timer.poll(cx) }
    }
}

impl AsyncWrite for Paced {
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
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.pace_write(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.pace_write(cx, done)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixStream,
        time::{sleep, timeout},
    };

    use super::*;
    use crate::{
        budget::{Budget, Kind},
        socket::stream::Plain,
    };

    /// More than the kernel holds for a client that does not read.
    const BYTES: usize = 16 << 20;

    fn connection() -> (Paced, UnixStream, Answering) {
        let (own, client) = UnixStream::pair().expect("a pair of sockets");
        let answering = Answering::default();
        let owner = Owner::new(&Budget::new(None), Kind::Client);
        (Paced::new(Stream::Plain(Plain::Unix(own)), answering.clone(), owner), client, answering)
    }

    /// What came of it, and after which time of the paused clock.
    async fn timed<T>(done: impl Future<Output = io::Result<T>>) -> (Result<T, io::ErrorKind>, Duration) {
        let start = Instant::now();
        let result = timeout(Duration::from_hours(1), done).await.expect("an end within the hour");
        (result.map_err(|error| error.kind()), start.elapsed())
    }

    /// Whether `time` is the limit; the clock of timers goes by milliseconds.
    fn is(time: Duration, limit: Duration) -> bool {
        time >= limit && time < limit + Duration::from_millis(10)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut paced, _client, _) = connection();

        let (written, time) = timed(paced.write_all(&vec![0; BYTES])).await;

        assert_eq!(written, Err(io::ErrorKind::TimedOut));
        assert!(is(time, ANSWER_STALL_MAX), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_waited_for() {
        let (mut paced, mut client, _) = connection();
        let read = tokio::spawn(async move {
            let mut some = vec![0; BYTES / 4];
            for _ in 0..4 {
                sleep(ANSWER_STALL_MAX * 9 / 10).await;
                client.read_exact(&mut some).await.expect("as much as was sent");
            }
        });

        let (written, time) = timed(paced.write_all(&vec![0; BYTES])).await;

        assert_eq!(written, Ok(()));
        assert!(time > 2 * ANSWER_STALL_MAX, "{time:?}");
        read.await.expect("the client has read it all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_idle_for_a_while_after_an_answer() {
        let (mut paced, mut client, answering) = connection();
        let mut byte = [0];
        client.write_all(b"x").await.expect("a byte of a request");
        paced.read_exact(&mut byte).await.expect("the same byte");

        // However long an answer takes, the client owes nothing meanwhile.
        let answer = answering.begin();
        assert!(timeout(10 * IDLE_TIME_MAX, paced.read(&mut byte)).await.is_err());
        drop(answer);
        let (read, time) = timed(paced.read(&mut byte)).await;

        assert_eq!(read, Err(io::ErrorKind::TimedOut));
        assert!(is(time, IDLE_TIME_MAX), "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_idle_only_once_it_has_taken_the_answer() {
        let (mut paced, mut client, answering) = connection();
        let mut byte = [0];
        let answer = answering.begin();
        assert!(timeout(Duration::from_secs(1), paced.read(&mut byte)).await.is_err());
        drop(answer);
        assert!(timeout(Duration::from_secs(1), paced.read(&mut byte)).await.is_err());
        tokio::spawn(async move {
            sleep(IDLE_TIME_MAX * 9 / 10).await;
            client.read_exact(&mut vec![0; BYTES]).await.expect("as much as was sent");
            sleep(2 * IDLE_TIME_MAX).await;
        });

        paced.write_all(&vec![0; BYTES]).await.expect("the client reads it");
        let (read, time) = timed(paced.read(&mut byte)).await;

        assert_eq!(read, Err(io::ErrorKind::TimedOut));
        assert!(is(time, IDLE_TIME_MAX), "{time:?}");
    }
}
