//! A client's WebSocket (RFC 6455) over any byte stream: frames in, frames out, and whether the client is still there.

pub(crate) mod close;
mod header;
pub(crate) mod keepalive;
pub(crate) mod reader;
pub(crate) mod stream;
pub(crate) mod writer;

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{backlog::Backlog, limits::SEAT_SLICES_MAX};
use reader::{Event, Fault, Reader};
use stream::Stream;

/// One end of a WebSocket connection, the server's, after the handshake.
///
/// It holds no buffers while nothing flows: reads go into a buffer of the thread, writes come from one, and only what is
/// cut by the end of a read or refused by the kernel is kept.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    reader: Reader,
    /// What came with the handshake; read before anything else.
    early: Vec<u8>,
    unsent: Backlog,
}

/// How one read of a socket went.
#[derive(Debug)]
pub(crate) enum Read {
    /// Bytes came; the events they completed have been handed over.
    Some,
    /// The client broke the protocol. Nothing more of it is read.
    Fault(Fault),
    /// The connection ended: FIN or RST.
    End,
}

impl Socket {
    /// A socket over `stream`. `early` are bytes that the client sent before it had the answer to its handshake;
    /// `message_bytes_max` is the limit of one message.
    pub(crate) fn new(stream: Stream, early: Vec<u8>, message_bytes_max: usize) -> Self {
        Self { stream, reader: Reader::new(message_bytes_max), early, unsent: Backlog::default() }
    }

    /// Reads what is there, into `buffer`, and hands over each event that this completes.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        on: &mut impl FnMut(Event<'_>),
    ) -> Poll<Read> {
        let count = ready!(self.poll_fill(cx, buffer));
        Poll::Ready(self.read(&mut buffer[..count], on))
    }

    /// Hands over each event that `bytes` complete, which came next; none are the end.
    pub(crate) fn read(&mut self, bytes: &mut [u8], on: &mut impl FnMut(Event<'_>)) -> Read {
        if bytes.is_empty() {
            return Read::End;
        }
        match self.reader.read(bytes, on) {
            Ok(()) => Read::Some,
            Err(fault) => Read::Fault(fault),
        }
    }

    /// Reads bytes, through `buffer`, and forgets them; ready with whether the connection goes on.
    pub(crate) fn poll_discard_once(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<bool> {
        self.poll_fill(cx, buffer).map(|count| count > 0)
    }

    /// Sends `frames`, which are whole frames; what the kernel does not take waits in [`Socket::unsent`].
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, frames: &[u8]) -> io::Result<()> {
        self.unsent.offer(cx, &mut self.stream, frames)
    }

    /// The same for a buffer, which may be taken.
    pub(crate) fn send_buffer(&mut self, cx: &mut Context<'_>, frames: &mut Vec<u8>) -> io::Result<()> {
        self.unsent.offer_buffer(cx, &mut self.stream, frames)
    }

    /// Sends frames that others send, too, without copying them; the first `sent` bytes of the first have gone already.
    /// Ready when all have gone. What waits in [`Socket::unsent`] must have gone before.
    pub(crate) fn poll_send_shared(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Bytes>,
        sent: &mut usize,
    ) -> Poll<io::Result<()>> {
        while !frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SEAT_SLICES_MAX];
            for (slice, frame) in slices.iter_mut().zip(frames.iter()) {
                *slice = IoSlice::new(frame);
            }
            slices[0] = IoSlice::new(&frames[0][*sent..]);
            let count = frames.len().min(SEAT_SLICES_MAX);
            let mut taken = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            taken += std::mem::take(sent);
            while frames.front().is_some_and(|frame| taken >= frame.len()) {
                taken -= frames.pop_front().map_or(0, |frame| frame.len());
            }
            *sent = taken;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Puts whole frames behind all that waits, for the next [`Socket::send_on`].
    pub(crate) fn unsent(&mut self) -> &mut Backlog {
        &mut self.unsent
    }

    /// Sends what waits, as far as the kernel takes it.
    pub(crate) fn send_on(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.unsent.write_on(cx, &mut self.stream)
    }

    /// Reads and forgets what the client says from now on: only Close, Ping and Pong frames are still told.
    pub(crate) fn forget_messages(&mut self) {
        self.reader.forget_messages();
    }

    /// Bytes that wait here: a message that has come in part, and frames that the client has not taken.
    pub(crate) fn held(&self) -> usize {
        self.reader.held() + self.early.len() + self.unsent.held() + self.stream.held()
    }

    /// Whether the client is known to be gone, be there unread bytes of it or not.
    pub(crate) fn is_gone(&self) -> bool {
        self.stream.is_gone()
    }

    /// Ends the connection in good order (FIN, and `close_notify` before it over TLS).
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Reads what is there, into `buffer`; ready with the number of bytes, 0 at the end.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            return Poll::Ready(count);
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        if read.is_err() {
            return Poll::Ready(0);
        }
        if buffer.remaining() > 0 && self.reader.is_front(buffer.filled()) {
            // A message that is whole in the buffer need not be put together elsewhere.
            let more = self.stream.read_now(buffer.initialize_unfilled());
            buffer.advance(more);
        }
        Poll::Ready(buffer.filled().len())
    }
}
