//! A client over a WebSocket (RFC 6455), on any byte stream: reads frames, sends frames, and follows the protocol.

mod closing;
mod duties;
pub(crate) mod framed;
mod header;
mod outgoing;
mod packing;
pub(crate) mod reader;
mod records;
pub(crate) mod stream;
mod upkeep;
mod writer;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, ReadBuf};

use crate::{
    budget::{Owner, Share},
    close::Close,
    deflate::{options::AgreedCompression, packer::Packer},
    limits::READ_BYTES_WHEN_FULL,
    message::Piece,
};
use outgoing::Outgoing;
use reader::Reader;
use stream::Stream;
use upkeep::Upkeep;

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
    /// Bytes that came with the handshake, or that the reader has left; the socket reads them first.
    early: Vec<u8>,
    outgoing: Outgoing,
    /// Compresses messages, if the client agreed.
    packer: Option<Box<Packer>>,
    /// Whether frames were left after the last attempt to send.
    is_blocked: bool,
    /// The number of attempts at which the client took some of the frames that were left.
    progress: u64,
    sending: Sending,
    peer: ClientState,
    /// The bytes of control frames since the session last took their number.
    control_bytes: usize,
    upkeep: Upkeep,
    /// The bytes that wait for the client while it closes. Before that, the session counts them.
    share: Share,
}

impl Socket {
    /// Returns a socket over `stream`, with compression if the client has agreed. `early` are bytes that the client sent before the answer
    /// to its handshake. The budget of `owner` limits the bytes of a read.
    pub(crate) fn new(
        stream: Stream,
        early: Vec<u8>,
        (options, agreed): (&SocketOptions, Option<AgreedCompression>),
        owner: &Owner,
    ) -> Self {
        let packer = agreed.map(|agreed| Box::new(Packer::new(agreed)));
        Self {
            stream,
            reader: Reader::new(options.message_bytes_max, packer.is_some()),
            early,
            outgoing: Outgoing::default(),
            packer,
            is_blocked: false,
            progress: 0,
            sending: Sending::Open,
            peer: ClientState::Open,
            control_bytes: 0,
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

    /// Keeps the end of a read for the next one.
    fn put_back(&mut self, left: &[u8]) {
        if !left.is_empty() {
            self.early.splice(..0, left.iter().copied());
        }
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

    /// Whether messages may be compressed.
    pub(crate) fn may_compress(&self) -> bool {
        self.packer.is_some()
    }

    /// Appends a piece of a message that is not compressed in any case.
    pub(crate) fn append_plain(&mut self, piece: Piece<'_>) {
        if self.sending == Sending::Open {
            self.outgoing.append(|frames| writer::piece(piece, frames));
        }
    }
}
