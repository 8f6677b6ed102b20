//! The duties of a client, by a WebSocket: see [`Client`].

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    ClientState, Sending, Socket, packing,
    reader::SocketEvent,
    stream::{self, is_gone},
    upkeep::Tick,
    writer,
};
use crate::{
    buffers,
    client::{Client, Departure},
    close::Close,
    deflate::BothTraffic,
    message::{Batch, Kind, Piece},
    shutdown::Shutdown,
};

/// Bytes of a control frame of a client before its payload: two, and four of the mask.
const CONTROL_HEAD_BYTES: usize = 6;

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
            let Self { reader, upkeep, outgoing, control_bytes, .. } = self;
            let mut on = |event: SocketEvent<'_>| {
                if let SocketEvent::Ping(payload) | SocketEvent::Pong(payload) = event {
                    *control_bytes += CONTROL_HEAD_BYTES + payload.len();
                }
                match event {
                    SocketEvent::Message(kind, payload) => {
                        on(kind, payload);
                    }
                    SocketEvent::Ping(payload) if must_wait => upkeep.delay_pong(payload),
                    SocketEvent::Ping(payload) => writer::pong(payload, outgoing.buffer()),
                    SocketEvent::Pong(_) => {}
                    SocketEvent::Close(code, reason) => closed = Some((code, reason.to_owned())),
                }
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
                (None, Ok(left)) => {
                    self.put_back(&buffer[count - left..count]);
                    None
                }
            };
            if self.outgoing.has_own() {
                self.send(cx);
            }
            Poll::Ready(departure)
        })
    }

    fn take_control_bytes(&mut self) -> usize {
        std::mem::take(&mut self.control_bytes)
    }

    fn append(&mut self, piece: Piece<'_>) {
        match &mut self.packer {
            None => self.append_plain(piece),
            Some(packer) if self.sending == Sending::Open => packing::append(packer, piece, &mut self.outgoing),
            Some(_) => {}
        }
    }

    fn append_batch(&mut self, batch: &Arc<Batch>) {
        if self.sending == Sending::Open {
            self.outgoing.append_shared(match &mut self.packer {
                None => batch.frames(writer::batch),
                Some(packer) => packing::batch(packer, batch),
            });
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
        if let Some(packer) = &mut self.packer {
            packer.poll_silence(cx);
        }
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

    fn traffic(&self) -> Option<BothTraffic> {
        self.packer.as_ref().map(|packer| BothTraffic { input: self.reader.traffic(), output: packer.traffic() })
    }

    fn forget_messages(&mut self) {
        self.reader.forget_messages();
    }

    fn begin_close(&mut self, is_reachable: bool) {
        if let Some(packer) = &mut self.packer {
            packer.rest();
        }
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
