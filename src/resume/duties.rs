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
    ring::Ring,
};
use crate::{
    client::{Client, Departure, Fault},
    close::Close,
    limits::{READS_PER_TURN, ROOM_MESSAGE_BYTES_MAX},
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
    turn,
};

impl Client for Resumable {
    fn poll_read(&mut self, cx: &mut Context<'_>, on: &mut impl FnMut(Kind, &[u8])) -> Poll<Option<Departure>> {
        let Self { socket: Some(socket), inbound, ring, pong, is_forgetting, .. } = self else { return Poll::Pending };
        let was_full = ring.is_full(self.options.replay_bytes_max);
        let mut fault = None;
        let read = socket.poll_read(cx, &mut |kind, payload| match control::read(kind, payload) {
            _ if fault.is_some() => {}
            Incoming::Message(_) if *is_forgetting => {}
            Incoming::Message(payload) => {
                inbound.take(payload.len());
                on(kind, payload);
            }
            Incoming::Ack(count) => {
                if count.and_then(|count| ring.acknowledge(count)).is_none() {
                    fault = Some(Departure::Fault(Fault::Protocol("impossible acknowledgement")));
                }
            }
            Incoming::Ping(value) => *pong = Some(control::pong(&value).into()),
            Incoming::Gap(_) | Incoming::Pong | Incoming::Greeting(_) | Incoming::Unknown => {}
        });
        let departure = fault.or(ready!(read));
        self.door.note(self.ring.bounds());
        if was_full && !self.ring.is_full(self.options.replay_bytes_max) {
            // The session reads the program again.
            cx.waker().wake_by_ref();
        }
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
            _ if self.ring.is_full(self.options.replay_bytes_max) => Poll::Pending,
            _ => fed,
        }
    }

    fn progress(&self) -> u64 {
        self.socket.as_ref().map_or(0, Client::progress) + self.ring.bounds().0
    }

    fn is_away(&self) -> bool {
        self.socket.is_none()
    }

    fn poll_upkeep(&mut self, cx: &mut Context<'_>, is_read: bool) -> Poll<()> {
        if let Poll::Ready(arrival) = self.door.poll_arrival(cx) {
            self.attach(*arrival, cx);
        }
        if let Some(socket) = &mut self.socket
            && socket.poll_upkeep(cx, is_read).is_ready()
        {
            self.detach(cx);
        }
        self.poll_ack(cx);
        self.poll_expiry(cx)
    }

    fn probe(&mut self, cx: &mut Context<'_>) -> bool {
        if self.socket.as_mut().is_some_and(|socket| socket.probe(cx)) {
            self.detach(cx);
        }
        false
    }

    fn held(&self) -> (usize, usize) {
        let (own, shared) = self.socket.as_ref().map_or((0, 0), Client::held);
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
        if let Some(socket) = &mut self.socket {
            socket.discard();
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
        if !is_reachable && !self.is_final && self.socket.is_some() {
            self.lose();
        }
        self.ending();
    }

    /// Sets the close, unless there is one. Without one the client is gone for good.
    fn end_with(&mut self, close: Option<&Close>) {
        self.is_final |= close.is_none();
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
            match self.poll_read(cx, &mut |_, _| {}) {
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
        if self.socket.is_some() && self.ending().poll_stall(cx, progress).is_ready() {
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
        let Self { socket, mut ring, ending, door, connection, .. } = self;
        drop(door);
        let Some(mut socket) = socket else { return };
        while ring.feed(&mut socket, usize::MAX) {}
        drop(ring);
        socket.begin_close(true);
        let close = ending.and_then(|ending| ending.close);
        poll_fn(|cx| {
            socket.send_close(cx, close.as_ref());
            Poll::Ready(())
        })
        .await;
        socket.finish(shutdown).await;
        drop(connection);
    }
}
