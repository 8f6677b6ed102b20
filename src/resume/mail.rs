//! The client's POSTs, as the session takes them from its mailbox.

use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::{
    client::Resumable,
    mailbox::{Letter, Receipt},
};
use crate::{client::Departure, close::Close, message::Kind};

impl Resumable {
    /// Takes the next letter, and hands its messages to `on`. Ready if there was one, or if the client has left.
    pub(super) fn poll_mail(
        &mut self,
        cx: &mut Context<'_>,
        on: &mut dyn FnMut(Kind, &[u8]) -> bool,
    ) -> Poll<Option<Departure>> {
        // First: a letter that comes after the look wakes the session.
        self.door.register(cx);
        if let Some((letter, tell)) = self.door.mailbox().next() {
            self.read_letter(&letter, tell, on);
            return Poll::Ready(None);
        }
        self.left_by_request().map_or(Poll::Pending, |departure| Poll::Ready(Some(departure)))
    }

    /// Returns the departure of a client that has left with DELETE.
    pub(super) fn left_by_request(&mut self) -> Option<Departure> {
        if !self.door.mailbox().has_left() {
            return None;
        }
        self.is_final = true;
        self.door.shut();
        Some(Departure::Closed(Some(Close::NORMAL), String::new()))
    }

    fn read_letter(
        &mut self,
        letter: &Letter,
        tell: oneshot::Sender<Receipt>,
        on: &mut dyn FnMut(Kind, &[u8]) -> bool,
    ) {
        let inbound = &mut self.inbound;
        let next = inbound.got() + 1;
        let first = letter.first.unwrap_or(next);
        let receipt = if self.is_forgetting {
            Receipt::Over
        } else if first > next {
            Receipt::Gap(inbound.got())
        } else {
            // The session has the front of a letter that its client sends again.
            let known = usize::try_from(next - first).unwrap_or(usize::MAX);
            let messages = letter.messages(self.door.has_lines());
            let is_taken = messages.skip(known).all(|message| {
                inbound.note();
                on(letter.kind, message)
            });
            self.door.mailbox().set_got(inbound.got());
            if is_taken { Receipt::Taken(inbound.got()) } else { Receipt::Broken }
        };
        // Its sender may have left.
        let _ = tell.send(receipt);
    }

    /// Notes the last acknowledgement that came by POST.
    pub(super) fn take_acknowledgement(&mut self, cx: &mut Context<'_>) {
        let count = self.door.mailbox().acked();
        if count > self.ring.bounds().0 {
            let was_full = self.ring.is_full(self.options.replay_bytes_max);
            // It may have come over a connection from before the current one.
            let _ = self.ring.acknowledge(count);
            self.note_acknowledged(was_full, cx);
        }
    }

    /// Tells the door how far both sides are, and lets the session read the program again if the ring was full.
    pub(super) fn note_acknowledged(&self, was_full: bool, cx: &mut Context<'_>) {
        self.door.note(self.ring.bounds());
        self.door.mailbox().set_got(self.inbound.got());
        if was_full && !self.ring.is_full(self.options.replay_bytes_max) {
            cx.waker().wake_by_ref();
        }
    }
}
