//! The duties of a client, by one that may be away: see [`Client`]. At the end it is told how the session ended, even if it has to
//! return for that.
//!
//! The client counts as told when its Close frame has come. Until then, wsd keeps the last messages and the close for as long as
//! a session waits for its client.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    Overflow,
    client::Resumable,
    control::{self, Incoming},
    ending::Ending,
    link::Link,
    ring::Ring,
};
use crate::{
    client::{Client, Departure, Fault},
    close::Close,
    limits::READS_PER_TURN,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
    turn,
};

impl Client for Resumable {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        if let Poll::Ready(polled) = self.read_mail(on) {
            return Poll::Ready(polled);
        }
        let Self { link: Some(link), inbound, ring, pong, is_forgetting, .. } = self else { return Poll::Pending };
        let was_full = ring.is_full(self.options.replay_bytes_max);
        let mut fault = None;
        let read = link.poll_read(cx, |kind, incoming| {
            match incoming {
                _ if fault.is_some() => {}
                Incoming::Message(_) if *is_forgetting => {}
                Incoming::Message(payload) => {
                    inbound.got += 1;
                    inbound.messages += 1;
                    inbound.bytes += payload.len();
                    return on(kind, payload);
                }
                Incoming::Ack(count) => {
                    if count.and_then(|count| ring.acknowledge(count)).is_none() {
                        fault = Some(Departure::Fault(Fault::Protocol("impossible acknowledgement")));
                    }
                }
                Incoming::Ping(value) => *pong = Some(control::pong(&value).into()),
                Incoming::Unknown => {}
            }
            true
        });
        let departure = fault.or(ready!(read));
        self.note_acknowledged(was_full, cx);
        match departure {
            None if self.pong.is_some() => {
                let _ = self.poll_feed(cx);
            }
            None => {}
            Some(Departure::Left) => {
                self.detach(cx);
                return Poll::Pending;
            }
            // A page that goes away, or drops its connection: it has no other way to do so.
            Some(Departure::Closed(code @ (None | Some(Close::GOING_AWAY)), _)) => {
                self.part(Close::echo(code));
                self.detach(cx);
                return Poll::Pending;
            }
            Some(_) => {
                self.is_final = true;
                self.door.shut();
            }
        }
        self.poll_ack(cx);
        Poll::Ready(departure)
    }

    fn append(&mut self, piece: Piece<'_>) {
        self.ring.append(piece);
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
        if let Poll::Ready(arrival) = self.door.poll_arrival(cx) {
            self.attach(*arrival, cx);
        }
        self.take_acknowledgement(cx);
        if let Some(link) = &mut self.link
            && link.poll_upkeep(cx, is_read).is_ready()
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
        self.door.mailbox().has_left()
    }

    fn held(&self) -> (usize, usize) {
        let (own, shared) = self.link.as_ref().map_or((0, 0), Link::held);
        let (kept, kept_shared) = self.ring.held();
        (own + kept + self.pong.as_ref().map_or(0, |pong| pong.len()), shared + kept_shared)
    }

    fn forget_messages(&mut self) {
        self.is_forgetting = true;
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
        self.tell_and_finish(shutdown).await;
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
        let ending = self.ending();
        ending.close = ending.close.take().or_else(|| close.cloned());
    }

    fn ending(&mut self) -> &mut Ending {
        let Self { ending, owner, .. } = self;
        ending.get_or_insert_with(|| Box::new(Ending::new(owner)))
    }

    /// Sends what waits. Ready when the client has been told the end, or will not return.
    fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.owner.is_asked(cx) {
            (self.ring, self.is_final) = (Ring::default(), true);
            self.owner.settle();
        }
        let _ = self.poll_feed(cx);
        let held = self.held();
        self.ending().share.set(held.0, held.1);
        if self.is_final {
            return Poll::Ready(());
        }
        for read in 0.. {
            match self.poll_read(cx, &mut |_, _| false) {
                Poll::Ready(Some(_)) => return Poll::Ready(()),
                Poll::Ready(None) if read < READS_PER_TURN => {}
                Poll::Ready(None) => {
                    let _ = turn::yield_turn::<()>(cx);
                    break;
                }
                Poll::Pending => break,
            }
        }
        if self.poll_upkeep(cx, true).is_ready() {
            return Poll::Ready(());
        }
        let progress = self.progress();
        if self.link.is_some() && self.ending().poll_stall(cx, progress).is_ready() {
            self.detach(cx);
        }
        Poll::Pending
    }

    /// Waits until the client has been told the end, and closes its connection.
    async fn tell_and_finish(mut self, shutdown: &Shutdown) {
        tokio::select! {
            biased;
            () = shutdown.begun() => {}
            () = poll_fn(|cx| self.poll_told(cx)) => {}
        }
        let Self { link, mut ring, ending, door, connection, .. } = self;
        drop(door);
        let Some(mut link) = link else { return };
        while ring.feed(&mut link, usize::MAX) {}
        drop(ring);
        let close = ending.and_then(|ending| ending.close);
        link.finish(close.as_ref(), shutdown).await;
        drop(connection);
    }
}
