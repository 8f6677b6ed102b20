//! A client over a WebSocket (RFC 6455), on any byte stream: frames in, frames out, and the duties of the protocol.

mod closing;
mod header;
pub(crate) mod reader;
mod state;
pub(crate) mod stream;
mod upkeep;
mod writer;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    backlog::Backlog,
    budget::Owner,
    buffers,
    client::{Client, Departure, Heard},
    close::Close,
    limits::READ_BYTES_WHEN_FULL,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};
use reader::{Event, Reader};
use state::{Closing, Peer, Sending};
use stream::Stream;
use upkeep::{Tick, Upkeep};

/// Shared frames in one write: `writev` takes 1024 on Linux; more than 64 gain nothing.
const SLICES_MAX: usize = 64;

/// Places for shared frames that an empty queue keeps: what a client needs that keeps up.
const PLACES_KEPT: usize = 64;

/// How a WebSocket is run.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    /// Bytes of one message of a client, at most (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
    /// The time between two Pings; `None` is none at all (`--pingms`).
    pub(crate) ping_interval: Option<Duration>,
}

/// The server's end of a WebSocket, after the handshake.
///
/// It holds no buffers while nothing flows: reads go into a buffer of the thread, writes come from one, and only what is
/// cut by the end of a read or refused by the kernel is kept.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    reader: Reader,
    /// Bytes that came with the handshake; read before anything else.
    early: Vec<u8>,
    /// Frames on their way, before all of `shared`.
    out: Backlog,
    /// Frames that other clients are sent, too; the first `sent` bytes of the first have gone.
    shared: VecDeque<Bytes>,
    sent: usize,
    /// Whether the client did not take all at the last attempt.
    is_blocked: bool,
    /// Counts the writes of what it had not taken that it took something of.
    progress: u64,
    is_open: Sending,
    peer: Peer,
    upkeep: Upkeep,
    closing: Option<Closing>,
    owner: Owner,
}

impl Socket {
    /// A socket over `stream`. `early` are bytes that the client sent before it had the answer to its handshake; `owner`
    /// is asked how much may be read.
    pub(crate) fn new(stream: Stream, early: Vec<u8>, options: &SocketOptions, owner: Owner) -> Self {
        Self {
            stream,
            reader: Reader::new(options.message_bytes_max),
            early,
            out: Backlog::default(),
            shared: VecDeque::new(),
            sent: 0,
            is_blocked: false,
            progress: 0,
            is_open: Sending::Open,
            peer: Peer::Talks,
            upkeep: Upkeep::new(options.ping_interval),
            closing: None,
            owner,
        }
    }

    /// Reads what is there, into `buffer`; ready with the number of bytes, 0 at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let portion = if self.owner.budget().is_full() { READ_BYTES_WHEN_FULL } else { buffer.len() };
        let buffer = &mut buffer[..portion];
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            return Poll::Ready(count);
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        Poll::Ready(if read.is_err() { 0 } else { buffer.filled().len() })
    }

    /// Whether nothing waits to be sent.
    fn is_sent(&self) -> bool {
        self.out.is_empty() && self.shared.is_empty()
    }

    /// Sends what waits, as far as the kernel takes it. A client that cannot be written to is forgotten.
    fn send(&mut self, cx: &mut Context<'_>) {
        let before = (self.out.waiting(), self.shared.len(), self.sent);
        if self.is_open != Sending::Broken && self.try_send(cx).is_err() {
            self.is_open = Sending::Broken;
            self.forget_unsent();
        }
        if self.is_blocked && before != (self.out.waiting(), self.shared.len(), self.sent) {
            // A client that takes what waited lives, though no Ping can be sent in between.
            self.progress += 1;
            self.upkeep.hear();
        }
        self.is_blocked = !self.is_sent();
    }

    fn try_send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.out.write_on(cx, &mut self.stream)?;
        if !self.out.is_empty() || self.shared.is_empty() {
            return Ok(());
        }
        if let Poll::Ready(sent) = self.poll_send_shared(cx) {
            sent?;
            // Over TLS the stream may still hold some of it.
            self.out.flush(cx, &mut self.stream)?;
        }
        Ok(())
    }

    /// Writes shared frames; ready when all have gone.
    fn poll_send_shared(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.shared.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            for (slice, frame) in slices.iter_mut().zip(&self.shared) {
                *slice = IoSlice::new(frame);
            }
            slices[0] = IoSlice::new(&self.shared[0][self.sent..]);
            let count = self.shared.len().min(SLICES_MAX);
            let mut taken = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            taken += std::mem::take(&mut self.sent);
            while self.shared.front().is_some_and(|frame| taken >= frame.len()) {
                taken -= self.shared.pop_front().map_or(0, |frame| frame.len());
            }
            self.sent = taken;
        }
        if self.shared.capacity() > PLACES_KEPT {
            self.shared = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Appends a frame behind all that waits.
    fn append_frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.shared.is_empty() {
            return write(self.out.buffer());
        }
        let mut frame = Vec::new();
        write(&mut frame);
        self.shared.push_back(frame.into());
    }

    /// Appends a Close frame, the last frame that may be sent.
    fn append_close(&mut self, close: &Close) {
        if self.is_open == Sending::Open {
            self.append_frame(|frames| writer::close(close, frames));
            self.is_open = Sending::Closed;
        }
    }

    fn forget_unsent(&mut self) {
        self.out.clear();
        (self.shared, self.sent) = (VecDeque::new(), 0);
    }
}

impl Client for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8])) -> Poll<Heard> {
        buffers::with_read(|buffer| {
            let count = ready!(self.poll_fill(cx, buffer));
            self.upkeep.hear();
            if count == 0 {
                self.peer = Peer::Gone;
                return Poll::Ready(Heard::End(Departure::Left));
            }
            let must_wait = self.is_open != Sending::Open || !self.is_sent();
            let mut closed = None;
            let Self { reader, upkeep, out, .. } = self;
            let mut on = |event: Event<'_>| match event {
                Event::Message(kind, payload) => on(kind, payload),
                Event::Ping(payload) if must_wait => upkeep.delay_pong(payload),
                Event::Ping(payload) => writer::pong(payload, out.buffer()),
                Event::Pong => {}
                Event::Close(code, reason) => closed = Some((code, reason.to_owned())),
            };
            let read = reader.read(&mut buffer[..count], &mut on);
            let heard = match (closed, read) {
                (Some((code, reason)), _) => {
                    self.peer = Peer::Closed;
                    Heard::End(Departure::Closed(code, reason))
                }
                (None, Err(fault)) => {
                    self.peer = Peer::Faulty;
                    Heard::End(Departure::Fault(fault))
                }
                (None, Ok(())) => Heard::Some,
            };
            if self.out.waiting() > 0 {
                self.send(cx);
            }
            Poll::Ready(heard)
        })
    }

    fn append(&mut self, piece: Piece<'_>) {
        if self.is_open == Sending::Open {
            self.append_frame(|frames| writer::piece(piece, frames));
        }
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        if self.is_open == Sending::Open {
            self.shared.push_back(batch.frames(writer::batch));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.send(cx);
        if self.is_open != Sending::Open {
            return Poll::Ready(());
        }
        if self.is_sent() && self.upkeep.is_late() {
            self.upkeep.append_late(self.out.buffer());
            self.send(cx);
        }
        if self.is_sent() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn progress(&self) -> u64 {
        self.progress
    }

    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        loop {
            if !is_read {
                self.upkeep.hear();
            }
            match ready!(self.upkeep.poll_tick(cx)) {
                Tick::Gone => return Poll::Ready(()),
                Tick::Ping if self.is_open != Sending::Open => {}
                Tick::Ping if !self.is_sent() => self.upkeep.delay_ping(),
                Tick::Ping => {
                    writer::ping(self.out.buffer());
                    self.send(cx);
                }
            }
        }
    }

    /// A client that left while its own sending was stuck cannot tell: its FIN waits behind what is not read. Its kernel
    /// answers anything sent to it with a reset. A Pong asks nothing of one that is there.
    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        if self.stream.is_gone() {
            return true;
        }
        if self.is_open == Sending::Open && self.is_sent() {
            writer::probe(self.out.buffer());
            self.send(cx);
        }
        false
    }

    fn held(&self) -> (usize, usize) {
        let own = self.reader.held() + self.early.len() + self.out.held() + self.stream.held();
        let queue = self.shared.capacity() * size_of::<Bytes>();
        (own + queue, self.shared.iter().map(Bytes::len).sum())
    }

    fn forget_messages(&mut self) {
        self.reader.forget_messages();
    }

    fn begin_close(&mut self, owner: Owner, is_reachable: bool) {
        self.reader.forget_messages();
        owner.settle();
        self.closing = Some(Closing::new(owner.share()));
        self.owner = owner;
        if !is_reachable {
            self.give_up();
        }
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<Close>) {
        if let Some(close) = close {
            self.append_close(&close);
        }
        self.send(cx);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        self.send_on(cx);
        let _ = self.poll_peer(cx);
        Poll::Pending
    }

    fn discard(&mut self) {
        self.shared.truncate(usize::from(self.sent > 0));
    }

    async fn finish(self, shutdown: &Shutdown) {
        self.close_in_order(shutdown).await;
    }
}
