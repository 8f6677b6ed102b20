//! The connection of a client that may return: it sends numbered messages, and control messages in its own form.

use std::{
    future::poll_fn,
    ops::Range,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    carrier::Carrier,
    control::{self, Greeting},
    frames::Frames,
};
use crate::{
    client::{Client, Departure},
    close::Close,
    deflate::BothTraffic,
    events::EventStream,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
    socket::Socket,
};

/// A connection of a client.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is in the box of its client, which may change from one to the other")]
pub(crate) enum Link {
    /// A WebSocket with the subprotocol `wsd.resume.1`.
    Socket(Socket),
    /// An event stream. The client's messages come by POST: see [`mailbox`](super::mailbox).
    Events(EventStream),
}

impl Link {
    /// Whether the client acknowledges messages.
    pub(super) fn acknowledges(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Events(stream) => stream.acknowledges(),
        }
    }

    /// Sends the first message of a connection. The client has `number` messages.
    pub(super) fn greet(&mut self, greeting: &Greeting, number: u64) {
        match self {
            Self::Socket(socket) => text(socket, greeting.text().as_bytes()),
            Self::Events(stream) => {
                stream.open(number, &greeting.json());
                if !greeting.resumed {
                    // The client needs its token at once.
                    stream.complete_poll();
                }
            }
        }
    }

    /// Tells the client how many messages wsd has.
    pub(super) fn ack(&mut self, ack: &str) {
        match self {
            Self::Socket(socket) => text(socket, ack.as_bytes()),
            // The answer to a POST tells it.
            Self::Events(_) => {}
        }
    }

    /// Answers a ping of the client.
    pub(super) fn pong(&mut self, pong: &str) {
        match self {
            Self::Socket(socket) => text(socket, pong.as_bytes()),
            Self::Events(_) => {}
        }
    }

    /// Reads once and hands every message that this completes to `on`.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut on: impl FnMut(Kind, &[u8]) -> bool,
    ) -> Poll<Option<Departure>> {
        match self {
            Self::Socket(socket) => socket.poll_read(cx, &mut on),
            Self::Events(stream) => stream.poll_gone(cx).map(|()| Some(Departure::Left)),
        }
    }

    /// Sends what was appended. Ready once all has gone, or once the client cannot be reached any more.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Socket(socket) => socket.poll_flush(cx),
            Self::Events(stream) => stream.poll_flush(cx),
        }
    }

    /// Whether it is known that nothing more reaches the client. A WebSocket tells so when it is read.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Events(stream) if stream.is_gone())
    }

    /// Whether it is a poll that has what it brings: the client returns for more.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Events(stream) if stream.is_complete())
    }

    /// Returns a number that changes whenever the client takes bytes that waited for it.
    pub(super) fn progress(&self) -> u64 {
        match self {
            Self::Socket(socket) => socket.progress(),
            Self::Events(stream) => stream.progress(),
        }
    }

    /// Keeps the connection alive. Ready when the client has been silent for too long; see [`Client::poll_upkeep`].
    pub(super) fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        match self {
            Self::Socket(socket) => socket.poll_upkeep(cx, is_read),
            Self::Events(stream) => {
                stream.poll_heartbeat(cx);
                Poll::Pending
            }
        }
    }

    /// Whether the connection is known to have ended; see [`Client::probe`].
    pub(super) fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Socket(socket) => socket.probe(cx),
            Self::Events(stream) => stream.is_gone(),
        }
    }

    /// Returns the bytes that wait here: those of this client, and those that it shares with other clients.
    pub(super) fn held(&self) -> (usize, usize) {
        match self {
            Self::Socket(socket) => socket.held(),
            Self::Events(stream) => (stream.held(), 0),
        }
    }

    /// Returns the bytes of the messages so far; see [`Client::traffic`].
    pub(super) fn traffic(&self) -> Option<BothTraffic> {
        match self {
            Self::Socket(socket) => socket.traffic(),
            Self::Events(_) => None,
        }
    }

    /// Drops the messages that wait for the client, except the rest of one that it has in part.
    pub(super) fn discard(&mut self) {
        match self {
            Self::Socket(socket) => socket.discard(),
            Self::Events(stream) => stream.discard(),
        }
    }

    /// Appends a close behind all that waits, and sends as much as the client takes at once.
    pub(super) fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        match self {
            Self::Socket(socket) => socket.send_close(cx, close),
            Self::Events(stream) => {
                stream.close(close);
                let _ = stream.poll_flush(cx);
            }
        }
    }

    /// Sends a close, gives the client time to take all that waits for it, and closes the connection.
    pub(super) async fn finish(self, close: Option<&Close>, shutdown: &Shutdown) {
        match self {
            Self::Socket(mut socket) => {
                socket.begin_close(true);
                poll_fn(|cx| {
                    socket.send_close(cx, close);
                    Poll::Ready(())
                })
                .await;
                socket.finish(shutdown).await;
            }
            // The connection ends if the client takes nothing.
            Self::Events(mut stream) => {
                stream.close(close);
                poll_fn(|cx| stream.poll_empty(cx)).await;
            }
        }
    }
}

impl Carrier for Link {
    fn message(&mut self, number: u64, kind: Kind, payload: &[u8]) {
        match self {
            Self::Socket(socket) => {
                let first = kind != Kind::Text || payload.first() != Some(&0);
                if !first {
                    socket.append(Piece { kind, first: true, last: false, payload: b"\0" });
                }
                socket.append(Piece { kind, first, last: true, payload });
            }
            Self::Events(stream) => stream.message(number, kind, payload),
        }
    }

    fn gap(&mut self, number: u64, count: u64) {
        match self {
            Self::Socket(socket) => text(socket, control::gap(count).as_bytes()),
            Self::Events(stream) => stream.gap(number, count),
        }
    }

    fn frames(&mut self, first: u64, frames: &Frames, messages: Range<usize>) {
        match self {
            Self::Socket(socket) if !socket.may_compress() => match frames.shared(messages.clone()) {
                Some(frames) => socket.append_shared_frames(frames),
                None => socket.append_frames(frames.frames(messages)),
            },
            // The ring keeps plain frames, as each connection has a window of its own.
            Self::Socket(_) | Self::Events(_) => {
                for (number, index) in (first..).zip(messages) {
                    let (kind, payload) = frames.get(index);
                    self.message(number, kind, &payload);
                }
            }
        }
    }

    fn batch(&mut self, first: u64, batch: &Arc<Batch>) {
        match self {
            Self::Socket(socket) if !batch.has_nul_text() => socket.append_batch(batch),
            Self::Socket(_) => batch.messages().for_each(|(kind, payload)| self.message(0, kind, payload)),
            Self::Events(stream) => stream.batch(first, batch),
        }
    }
}

/// Appends a control message. The lengths of compressed messages behind it could tell the token that it may hold.
fn text(socket: &mut Socket, payload: &[u8]) {
    socket.append_plain(Piece::whole(Kind::Text, payload));
}
