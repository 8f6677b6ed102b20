//! The duties of a client, by one that may be away: see [`Client`]. At the end it is told how the session ended, even if it has to
//! return for that.
//!
//! The client counts as told when its Close frame has come. Until then, wsd keeps the last messages and the close for as long as
//! a session waits for its client.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use super::{Overflow, client::Resumable, ending::Ending, link::Link, ring::Ring};
use crate::{
    client::{Client, Departure},
    close::Close,
    deflate::BothTraffic,
    limits::ROOM_MESSAGE_BYTES_MAX,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

impl Client for Resumable {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        // The acknowledgement is a duty of the upkeep, at the end of a turn: a flood gets one for several reads.
        if let Poll::Ready(polled) = self.give_ahead(on) {
            return Poll::Ready(polled);
        }
        if let Poll::Ready(polled) = self.poll_mail(cx, on) {
            return Poll::Ready(polled);
        }
        self.poll_link(cx, |inbound, kind, payload| {
            inbound.take(payload.len());
            on(kind, payload)
        })
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Option<Departure> {
        self.read_ahead(cx)
    }

    fn take_control_bytes(&mut self) -> usize {
        match &mut self.link {
            Some(Link::Socket(socket)) => socket.take_control_bytes(),
            Some(Link::Events(_)) | None => 0,
        }
    }

    #[inline]
    fn append(&mut self, piece: Piece<'_>) {
        self.ring.append(piece, ROOM_MESSAGE_BYTES_MAX);
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        self.ring.append_batch(batch);
        if self.overflow == Overflow::Drop || self.overflow == Overflow::DropWhileAway && self.is_away() {
            self.ring.trim(self.options.replay_bytes_max);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let fed = self.poll_feed(cx);
        match self.overflow {
            Overflow::Drop => Poll::Ready(()),
            Overflow::DropWhileAway if self.is_away() => Poll::Ready(()),
            _ if self.acknowledges() && self.ring.is_full(self.options.replay_bytes_max) => Poll::Pending,
            _ => fed,
        }
    }

    fn progress(&self) -> u64 {
        self.link.as_ref().map_or(0, Link::progress) + self.ring.bounds().0
    }

    fn is_away(&self) -> bool {
        self.link.is_none()
    }

    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        let mut arrivals = self.door.arrivals(cx);
        if let Some(newest) = arrivals.pop() {
            for earlier in arrivals {
                self.refuse(earlier);
            }
            self.attach(newest, cx);
        }
        self.take_acknowledgement(cx);
        let reads_ahead = self.reads_ahead();
        if let Some(link) = &mut self.link
            && link.poll_upkeep(cx, is_read || reads_ahead).is_ready()
        {
            self.detach(cx);
        }
        self.poll_ack(cx);
        self.poll_expiry(cx)
    }

    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        if self.link.as_mut().is_some_and(|link| link.probe(cx)) {
            self.detach(cx);
        }
        false
    }

    fn held(&self) -> (usize, usize) {
        let (own, shared) = self.link.as_ref().map_or((0, 0), Link::held);
        // A room counts the messages that its clients share. Those of a program of its own are frames of the ring that the
        // connection has without a copy. A client may acknowledge them before it takes them; then they are here only.
        let (own, shared) = if self.overflow == Overflow::Block { (own + shared, 0) } else { (own, shared) };
        let (kept, kept_shared) = self.ring.held();
        let inbound =
            self.pong.as_ref().map_or(0, |pong| pong.len()) + self.ahead.as_ref().map_or(0, |ahead| ahead.held());
        (own + kept + inbound, shared + kept_shared)
    }

    fn replay_bytes(&self) -> usize {
        let (own, shared) = self.ring.held();
        own + shared
    }

    fn traffic(&self) -> Option<BothTraffic> {
        let mut traffic = self.past.as_deref().copied();
        if let Some(now) = self.link.as_ref().and_then(Link::traffic) {
            traffic.get_or_insert_default().join(&now);
        }
        traffic
    }

    fn forget_messages(&mut self) {
        self.is_forgetting = true;
        if let Some(ahead) = &mut self.ahead {
            ahead.forget();
        }
    }

    fn begin_close(&mut self, is_reachable: bool) {
        self.begin_ending(is_reachable);
    }

    fn send_close(&mut self, cx: &mut Context<'_>, close: Option<&Close>) {
        self.end_with(close);
        let _ = self.poll_feed(cx);
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Infallible> {
        let _ = self.poll_told(cx);
        Poll::Pending
    }

    fn discard(&mut self) {
        self.ring = Ring::default();
        self.is_final = true;
        if let Some(link) = &mut self.link {
            link.discard();
        }
    }

    async fn finish(self, shutdown: &Shutdown) {
        self.tell_end(shutdown).await;
    }
}

impl Resumable {
    /// Drops the client's messages from now on. A client that is not reachable may still return.
    fn begin_ending(&mut self, is_reachable: bool) {
        self.forget_messages();
        self.owner.settle();
        if !is_reachable && !self.is_final && self.link.is_some() {
            self.lose();
        }
        self.ending();
    }

    /// Sets the close, unless there is one. Without one the client is gone for good.
    fn end_with(&mut self, close: Option<&Close>) {
        self.is_final |= close.is_none();
        self.door.note_end();
        let keep = self.options.keep;
        if let Some(close) = close {
            self.ending().set_close(close, keep);
        }
    }

    /// Whether the client has got the close over its connection, or will soon.
    pub(super) fn has_sent_close(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.is_sent())
    }

    /// Returns the end of the session.
    pub(super) fn ending(&mut self) -> &mut Ending {
        let Self { ending, owner, .. } = self;
        ending.get_or_insert_with(|| Box::new(Ending::new(owner)))
    }
}
