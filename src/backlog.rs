//! What a writer has not taken yet: the one place where bytes wait, and so where backpressure starts.

use std::{
    io, mem,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;

use crate::limits::PIPE_BYTES;

/// The bytes that a writer refused when they were offered.
///
/// Its owner takes nothing new from the other side until [`Backlog::is_empty`] is true, so it never holds more than
/// one read's worth, at the end of a session two. Empty, it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    bytes: Vec<u8>,
    start: usize,
    /// The writer took everything but still holds some of it itself, as TLS does.
    unflushed: bool,
}

impl Backlog {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Bytes that it takes up.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether nothing waits, here or in the writer.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().is_empty() && !self.unflushed
    }

    /// Offers `bytes` to `writer` behind all that waits already, and keeps what it does not take.
    ///
    /// The task is woken when the writer takes more.
    pub(crate) fn offer(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> io::Result<()> {
        if !self.waiting().is_empty() {
            self.keep(bytes);
            return self.write_on(cx, writer);
        }
        let taken = write(cx, writer, bytes)?;
        self.keep(&bytes[taken..]);
        self.flush(cx, writer)
    }

    /// The same for a buffer: if much of it is refused, it is kept itself, not copied, and an empty one left in its place.
    pub(crate) fn offer_buffer(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut (impl AsyncWrite + Unpin),
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        if !self.waiting().is_empty() || buffer.len() <= PIPE_BYTES {
            return self.offer(cx, writer, buffer);
        }
        self.start = write(cx, writer, buffer)?;
        if self.start == buffer.len() {
            self.start = 0;
        } else {
            self.bytes = mem::take(buffer);
        }
        self.flush(cx, writer)
    }

    /// Puts `bytes` behind all that waits, without offering anything.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes as much of what waits as the writer takes.
    ///
    /// The task is woken when the writer takes more; [`Backlog::is_empty`] tells whether there is more.
    pub(crate) fn write_on(&mut self, cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        self.start += write(cx, writer, self.waiting())?;
        if self.waiting().is_empty() {
            *self = Self { unflushed: self.unflushed, ..Self::default() };
        }
        self.flush(cx, writer)
    }

    /// Forgets all that waits.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn flush(&mut self, cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        self.unflushed = match Pin::new(writer).poll_flush(cx) {
            Poll::Ready(result) => result.map(|()| false)?,
            Poll::Pending => true,
        };
        Ok(())
    }
}

/// Writes `bytes` until the writer takes no more; returns the number taken.
fn write(cx: &mut Context<'_>, writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match Pin::new(&mut *writer).poll_write(cx, &bytes[taken..]) {
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(count)) => taken += count,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => break,
        }
    }
    Ok(taken)
}
