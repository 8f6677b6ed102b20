//! What a writer has not taken yet: the one place where bytes wait, and so where backpressure starts.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use crate::buffers;

/// Bytes on their way to a writer.
///
/// Its owner reads nothing new from the other side until [`Backlog::is_empty`] is true, so it never holds more than
/// one read's worth, at the end of a session two. Empty, it holds no memory: its buffer is the thread's.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
    /// The writer took everything but still holds some of it itself, as TLS does.
    unflushed: bool,
}

impl Backlog {
    /// Returns the number of bytes that wait here.
    pub(crate) fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns the bytes that it takes up.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether nothing waits, here or in the writer.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting() == 0 && !self.unflushed
    }

    /// Returns the buffer, to append what is written next.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take();
        }
        &mut self.bytes
    }

    /// Writes as much of what waits as the writer takes.
    ///
    /// The task is woken when the writer takes more; [`Backlog::is_empty`] tells whether there is more.
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

    /// Has the writer pass on what it holds itself.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        self.unflushed = match Pin::new(writer).poll_flush(cx) {
            Poll::Ready(result) => result.map(|()| false)?,
            Poll::Pending => true,
        };
        Ok(())
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes up no more than what waits: a buffer that was made for a whole read may hold a little for long.
    fn fit(&mut self) {
        if self.bytes.capacity() > 2 * self.waiting() {
            self.bytes.drain(..self.start);
            self.start = 0;
            self.bytes.shrink_to_fit();
        }
    }
}
