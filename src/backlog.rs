//! Bytes that a writer has not taken yet. Backpressure starts here.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use crate::buffers;

/// Bytes that wait for a writer.
///
/// Its user reads nothing new from the other side until [`Backlog::is_empty`] is true, so it holds the bytes of one read
/// at most, and of two at the end of a session. An empty backlog holds no memory: its buffer belongs to the thread.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
    /// The writer has taken everything but still holds some of it itself, as TLS does.
    unflushed: bool,
}

impl Backlog {
    /// Returns the number of bytes that wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns the bytes of memory that it takes up.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether nothing waits, here or in the writer.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() == 0 && !self.unflushed
    }

    /// Returns the buffer, for appending the bytes to write next.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take();
        }
        &mut self.bytes
    }

    /// Writes as many of the bytes that wait as the writer takes.
    ///
    /// The writer wakes the task of `cx` when it takes more. [`Backlog::is_empty`] tells whether bytes are left.
    pub(crate) fn write_on(&mut self, cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let had_some = self.waiting() > 0;
        while self.waiting() > 0 {
            match Pin::new(&mut *writer).poll_write(cx, &self.bytes[self.start..]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.start += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.fit();
                    break;
                }
            }
        }
        if self.waiting() == 0 {
            self.start = 0;
            buffers::give_back(&mut self.bytes);
        }
        if had_some || self.unflushed { self.flush(cx, writer) } else { Ok(()) }
    }

    /// Makes the writer pass on the bytes that it holds itself.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        self.unflushed = match Pin::new(writer).poll_flush(cx) {
            Poll::Ready(result) => result.map(|()| false)?,
            Poll::Pending => true,
        };
        Ok(())
    }

    /// Drops all bytes that wait.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Shrinks the buffer to the bytes that wait: a few bytes of a whole read may wait for long.
    fn fit(&mut self) {
        if self.bytes.capacity() > 2 * self.waiting() {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.shrink_to_fit();
        }
    }
}
