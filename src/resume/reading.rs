//! Reads a client, and reads it ahead of its program: a program that waits for an acknowledgement of the client takes no
//! messages, and the acknowledgement may stand behind some.
//!
//! A message that was read ahead is not counted as received: a client that returns sends it again.

use std::task::{Context, Poll, ready};

use super::{
    client::Resumable,
    control::{self, Incoming},
    inbound::Inbound,
};
use crate::{
    client::{Departure, Fault},
    close::Close,
    limits::READS_PER_TURN,
    message::Kind,
    turn,
};

impl Resumable {
    /// Reads ahead while the program waits for the client, up to the messages that a client may have unacknowledged. Returns how
    /// the client has departed behind them, if it has.
    pub(super) fn read_ahead(&mut self, cx: &mut Context<'_>) -> Option<Departure> {
        for read in 0.. {
            if !self.reads_ahead() {
                break;
            }
            if read == READS_PER_TURN {
                let _ = turn::yield_turn::<()>(cx);
                break;
            }
            let mut ahead = self.ahead.take().unwrap_or_default();
            let polled = self.poll_link(cx, |_, kind, payload| {
                ahead.messages.push(kind, payload);
                true
            });
            if let Poll::Ready(departure) = &polled {
                ahead.departure.clone_from(departure);
            }
            self.ahead = Some(ahead).filter(|ahead| !ahead.messages.is_empty() || ahead.departure.is_some());
            if polled.is_pending() {
                break;
            }
        }
        self.ahead.as_ref().and_then(|ahead| ahead.departure.clone()).or_else(|| self.left_by_request())
    }

    /// Whether wsd reads ahead of the program.
    pub(super) fn reads_ahead(&self) -> bool {
        let has_room = self.ahead.as_ref().is_none_or(|ahead| ahead.departure.is_none() && ahead.has_room());
        has_room && self.link.is_some() && self.ring.is_full(self.options.replay_bytes_max)
    }

    /// Hands messages that wsd has read ahead to `on`. Ready if there are any, or a departure.
    pub(super) fn give_ahead(&mut self, on: &mut dyn FnMut(Kind, &[u8]) -> bool) -> Poll<Option<Departure>> {
        let Self { ahead: Some(ahead), inbound, .. } = self else { return Poll::Pending };
        let is_empty = ahead.give(|kind, payload| {
            inbound.take(payload.len());
            on(kind, payload)
        });
        let departure = if is_empty { self.ahead.take().and_then(|ahead| ahead.departure) } else { None };
        self.door.mailbox().set_got(self.inbound.got());
        Poll::Ready(departure)
    }

    /// Reads the connection once. Takes its control messages, and hands the others to `on`.
    ///
    /// Ready with a departure if the client will not return. Pending if it has lost its connection.
    pub(super) fn poll_link(
        &mut self,
        cx: &mut Context<'_>,
        mut on: impl FnMut(&mut Inbound, Kind, &[u8]) -> bool,
    ) -> Poll<Option<Departure>> {
        let Self { link: Some(link), inbound, ring, pong, is_forgetting, .. } = self else { return Poll::Pending };
        let was_full = ring.is_full(self.options.replay_bytes_max);
        let bytes_max = self.options.message_bytes_max;
        let mut fault = None;
        let read = link.poll_read(cx, |kind, payload| {
            match control::split(kind, payload) {
                _ if fault.is_some() => {}
                Ok(_) if *is_forgetting => {}
                Ok(message) if message.len() > bytes_max => fault = Some(Departure::Fault(Fault::TooBig)),
                Ok(message) => return on(inbound, kind, message),
                Err(control) => match control::read_control(control) {
                    Incoming::Ack(count) => {
                        if count.and_then(|count| ring.acknowledge(count)).is_none() {
                            fault = Some(Departure::Fault(Fault::Protocol("impossible acknowledgement")));
                        }
                    }
                    Incoming::Ping(value) => *pong = Some(control::pong(&value).into()),
                    Incoming::Message(_)
                    | Incoming::Gap(_)
                    | Incoming::Pong
                    | Incoming::Greeting(_)
                    | Incoming::Unknown => {}
                },
            }
            true
        });
        inbound.note_more(read.is_ready());
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
            // A page that goes away, or drops its connection: it has no other way to do so. Behind wsd's own close it is an answer.
            Some(Departure::Closed(code @ (None | Some(Close::GOING_AWAY)), _)) if !self.has_sent_close() => {
                self.part(Close::echo(code));
                self.detach(cx);
                return Poll::Pending;
            }
            Some(_) => {
                self.is_final = true;
                self.door.shut();
            }
        }
        Poll::Ready(departure)
    }
}
