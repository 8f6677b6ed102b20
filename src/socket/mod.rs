//! A client over a WebSocket (RFC 6455), on any byte stream: reads frames, sends frames, and follows the protocol.

mod closing;
pub(crate) mod framed;
mod header;
mod outgoing;
pub(crate) mod reader;
mod records;
pub(crate) mod stream;
mod upkeep;
mod writer;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, ReadBuf};

use crate::{
    budget::{Owner, Share},
    buffers,
    client::{Client, Departure},
    close::Close,
    limits::READ_BYTES_WHEN_FULL,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};
use outgoing::Outgoing;
use reader::{Reader, SocketEvent};
use stream::{Stream, is_gone};
use upkeep::{Tick, Upkeep};

/// The settings of a WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    /// Bytes at most of one message of a client (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
    /// The time between two Pings (`--pingms`); `None` is no Pings.
    pub(crate) ping_interval: Option<Duration>,
}

/// Whether wsd may still send frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// It may.
    Open,
    /// It may not, since it has sent a Close frame (RFC 6455, section 5.5.1).
    Closed,
    /// The connection is broken. The next read reports the end.
    Broken,
}

/// The bytes that may still come from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientState {
    /// Frames, and at last a Close frame.
    Open,
    /// Anything, since it broke the protocol.
    Faulty,
    /// Nothing, since its Close frame has come.
    Closed,
    /// Nothing, since the connection is over.
    Gone,
}

/// The server's end of a WebSocket, after the handshake.
///
/// An idle socket holds no buffers: it reads into a buffer of the thread and writes from another. It keeps only an unfinished
/// message of the client, and frames that the kernel does not take.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    reader: Reader,
    /// Bytes that came with the handshake; the socket reads them first.
    early: Vec<u8>,
    outgoing: Outgoing,
    /// Whether frames were left after the last attempt to send.
    is_blocked: bool,
    /// The number of attempts at which the client took some of the frames that were left.
    progress: u64,
    sending: Sending,
    peer: ClientState,
    upkeep: Upkeep,
    /// The bytes that wait for the client while it closes. Before that, the session counts them.
    share: Share,
}

impl Socket {
    /// Returns a socket over `stream`. `early` are bytes that the client sent before the answer to its handshake. The budget
    /// of `owner` limits the bytes of a read.
    pub(crate) fn new(stream: Stream, early: Vec<u8>, options: &SocketOptions, owner: &Owner) -> Self {
        Self {
            stream,
            reader: Reader::new(options.message_bytes_max),
            early,
            outgoing: Outgoing::default(),
            is_blocked: false,
            progress: 0,
            sending: Sending::Open,
            peer: ClientState::Open,
            upkeep: Upkeep::new(options.ping_interval),
            share: owner.share(),
        }
    }

    /// Reads once into `buffer`. Ready with the number of bytes, 0 at the end or after an error.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let portion = if self.share.owner().budget().is_full() { READ_BYTES_WHEN_FULL } else { buffer.len() };
        let buffer = &mut buffer[..portion];
        if !self.early.is_empty() {
            let count = self.early.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.early[..count]);
            self.early.drain(..count);
            if self.early.is_empty() {
                self.early = Vec::new();
            }
            return Poll::Ready(count);
        }
        let mut buffer = ReadBuf::new(buffer);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        Poll::Ready(if read.is_err() { 0 } else { buffer.filled().len() })
    }

    /// Sends what waits, as far as the kernel takes it. If the connection is broken, drops what waits.
    fn send(&mut self, cx: &mut Context<'_>) {
        let before = self.outgoing.position();
        if self.sending != Sending::Broken && self.outgoing.send(cx, &mut self.stream).is_err() {
            self.sending = Sending::Broken;
            self.outgoing.clear();
        }
        if self.is_blocked && before != self.outgoing.position() {
            // A client that takes frames which waited is alive, although no Ping can go between them.
            self.progress += 1;
            self.upkeep.hear();
        }
        self.is_blocked = !self.outgoing.is_empty();
    }

    /// Appends a Close frame, the last frame that may be sent.
    fn append_close(&mut self, close: &Close) {
        if self.sending == Sending::Open {
            self.outgoing.append(|frames| writer::close(close, frames));
            self.sending = Sending::Closed;
        }
    }
}

impl Client for Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        buffers::with_read(|buffer| {
            let count = ready!(self.poll_fill(cx, buffer));
            self.upkeep.hear();
            if count == 0 {
                self.peer = ClientState::Gone;
                return Poll::Ready(Some(Departure::Left));
            }
            let must_wait = self.sending != Sending::Open || !self.outgoing.is_empty();
            let mut closed = None;
            let Self { reader, upkeep, outgoing, .. } = self;
            let mut on = |event: SocketEvent<'_>| match event {
                SocketEvent::Message(kind, payload) => {
                    on(kind, payload);
                }
                SocketEvent::Ping(payload) if must_wait => upkeep.delay_pong(payload),
                SocketEvent::Ping(payload) => writer::pong(payload, outgoing.buffer()),
                SocketEvent::Pong => {}
                SocketEvent::Close(code, reason) => closed = Some((code, reason.to_owned())),
            };
            let read = reader.read(&mut buffer[..count], &mut on);
            let departure = match (closed, read) {
                (Some((code, reason)), _) => {
                    self.peer = ClientState::Closed;
                    Some(Departure::Closed(code, reason))
                }
                (None, Err(fault)) => {
                    self.peer = ClientState::Faulty;
                    Some(Departure::Fault(fault))
                }
                (None, Ok(())) => None,
            };
            if self.outgoing.has_own() {
                self.send(cx);
            }
            Poll::Ready(departure)
        })
    }

    fn append(&mut self, piece: Piece<'_>) {
        if self.sending == Sending::Open {
            self.outgoing.append(|frames| writer::piece(piece, frames));
        }
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        if self.sending == Sending::Open {
            self.outgoing.append_shared(batch.frames(writer::batch));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.send(cx);
        if self.sending != Sending::Open {
            return Poll::Ready(());
        }
        if self.outgoing.is_empty() && self.upkeep.is_late() {
            self.upkeep.append_late(self.outgoing.buffer());
            self.send(cx);
        }
        if self.outgoing.is_empty() { Poll::Ready(()) } else { Poll::Pending }
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
                Tick::Ping if self.sending != Sending::Open => {}
                Tick::Ping if !self.outgoing.is_empty() => self.upkeep.delay_ping(),
                Tick::Ping => {
                    writer::ping(self.outgoing.buffer());
                    self.send(cx);
                }
            }
        }
    }

    /// The end of a client may stay hidden: its FIN waits behind its bytes that wsd does not read. So wsd sends a Pong
    /// without a Ping (RFC 6455, section 5.5.3): a client that is there ignores it, and the kernel of one that is gone answers
    /// it with a reset.
    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        if is_gone(&self.stream) {
            return true;
        }
        if self.sending == Sending::Open && self.outgoing.is_empty() {
            writer::pong(b"wsd", self.outgoing.buffer());
            self.send(cx);
        }
        false
    }

    fn held(&self) -> (usize, usize) {
        let (own, shared) = self.outgoing.held();
        (self.reader.held() + self.early.capacity() + own + stream::held(&self.stream), shared)
    }

    fn forget_messages(&mut self) {
        self.reader.forget_messages();
    }

    fn begin_close(&mut self, is_reachable: bool) {
        self.reader.forget_messages();
        self.share.owner().settle();
        if !is_reachable {
            self.give_up();
        }
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        if let Some(close) = close {
            self.append_close(close);
        }
        self.send(cx);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        self.send_on(cx);
        let _ = self.poll_peer(cx);
        Poll::Pending
    }

    fn discard(&mut self) {
        self.outgoing.discard();
    }

    async fn finish(self, shutdown: &Shutdown) {
        self.close_in_order(shutdown).await;
    }
}
