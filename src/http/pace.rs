//! How long a client may take: to send a request's head, and between two requests.
//!
//! Without this a client that sends one byte now and then holds a connection for ever (slowloris).

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::{
    limits::{HEAD_TIME_MAX, IDLE_TIME_MAX},
    socket::stream::Stream,
};

/// A connection whose reads fail with [`io::ErrorKind::TimedOut`] when the client is too slow.
#[derive(Debug)]
pub(super) struct Paced {
    stream: Stream,
    answering: Answering,
    waiting: Waiting,
    timer: Option<Pin<Box<Sleep>>>,
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
    pub(super) fn new(stream: Stream, answering: Answering) -> Self {
        Self { stream, answering, waiting: Waiting::Head, timer: Some(Box::pin(sleep(HEAD_TIME_MAX))) }
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
        let limit = match waiting {
            Waiting::Nothing => return,
            Waiting::Request => IDLE_TIME_MAX,
            Waiting::Head => HEAD_TIME_MAX,
        };
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(Instant::now() + limit),
            timer => *timer = Some(Box::pin(sleep(limit))),
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.answering.0.load(Ordering::Relaxed) > 0 {
            self.wait_for(Waiting::Nothing);
        } else if self.waiting == Waiting::Nothing {
            self.wait_for(Waiting::Request);
        }
        if let Poll::Ready(result) = Pin::new(&mut self.stream).poll_read(cx, buffer) {
            if self.waiting == Waiting::Request {
                self.wait_for(Waiting::Head);
            }
            return Poll::Ready(result);
        }
        if self.waiting != Waiting::Nothing
            && let Some(timer) = &mut self.timer
        {
            ready!(timer.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
