//! The exchange over one connection of a link that may return: reads, acknowledges, writes, and finds a dead connection.

use std::task::{Context, Poll, ready};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    end::Finish,
    intake::IntakeItem,
    resumable::{Hearing, LifeCheck, LinkState, ResumableLink},
};
use crate::{
    limits::{ACKED_WITHIN, FRAME_BYTES_MAX, PONG_WITHIN},
    message::Kind,
    resume::control::{self, Incoming},
};

impl ResumableLink {
    /// Ready when the connection is lost, or has ended after a Close frame of the server.
    pub(super) fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.close.is_some() {
            // Reading a flood can use up all that tokio allows a task in one turn, in each turn: the close would never leave.
            let _ = self.poll_write(cx);
        }
        if self.poll_read(cx).is_ready() {
            return Poll::Ready(());
        }
        if self.inbound.poll_due(cx)
            && self.closed_at.is_none()
            && let Some(ack) = self.inbound.take_ack()
        {
            self.outbox.text(&ack);
        }
        match self.poll_write(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) if self.hearing == Hearing::Broken && self.closed_at.is_some() => Poll::Ready(()),
            _ => self.poll_deadline(cx),
        }
    }

    /// Ready when nothing more will come.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.intake.is_full() && self.hearing != Hearing::Broken {
            let LinkState::Open(socket) = &mut self.state else { return Poll::Pending };
            let next = socket.poll_next_unpin(cx);
            self.heard_at = socket.get_ref().heard_at();
            match ready!(next) {
                Some(Ok(Message::Close(_))) if let Some(code) = socket.get_ref().invalid_code() => {
                    self.failure.get_or_insert(Finish::of_invalid_code(code));
                    self.hearing = Hearing::Deaf;
                }
                Some(Ok(message)) => {
                    if self.hearing == Hearing::Open {
                        self.hear(&message);
                    }
                }
                Some(Err(error)) => match Finish::of_error(error) {
                    fault @ Finish::Fault(..) if self.hearing == Hearing::Open => {
                        self.failure = Some(fault);
                        self.hearing = Hearing::Broken;
                    }
                    _ => return Poll::Ready(()),
                },
                None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Takes a message of the server.
    fn hear(&mut self, message: &Message) {
        let (kind, payload) = match message {
            Message::Text(text) => (Kind::Text, text.as_bytes()),
            Message::Binary(payload) => (Kind::Binary, &**payload),
            Message::Close(frame) => {
                self.intake.push(IntakeItem::Close(frame.clone()));
                self.hearing = Hearing::Deaf;
                return;
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return,
        };
        match control::read(kind, payload) {
            Incoming::Message(payload) => {
                self.has_progress = true;
                // A copy: while a message holds a part of tungstenite's buffer, that takes a new one of 14 bytes for each read.
                let copy = match kind {
                    Kind::Text => Message::text(str::from_utf8(payload).expect("tungstenite checks texts")),
                    Kind::Binary => Message::binary(payload.to_vec()),
                };
                self.intake.push(IntakeItem::Message(copy));
            }
            Incoming::Ack(count) => {
                let before = self.ring.bounds().0;
                match count.and_then(|count| self.ring.acknowledge(count)) {
                    None => self.fault("an impossible acknowledgement"),
                    Some(()) if self.ring.bounds().0 > before => {
                        self.has_progress = true;
                        self.unacknowledged_since = None;
                    }
                    Some(()) => {}
                }
            }
            Incoming::Gap(Some(count)) => self.intake.push(IntakeItem::Gap(count)),
            Incoming::Gap(None) => self.fault("a gap without a number"),
            Incoming::Ping(value) if self.closed_at.is_none() => {
                self.outbox.text(&control::pong(&value));
            }
            Incoming::Pong => {
                if let LifeCheck::Asked(_) = self.check {
                    self.check = LifeCheck::Answered;
                }
            }
            Incoming::Ping(_) | Incoming::Greeting(_) | Incoming::Unknown => {}
        }
    }

    /// Ready when the connection has taken all, or fails.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let LinkState::Open(socket) = &mut self.state else { return Poll::Pending };
        // After the server's Close frame only the answer may follow; after a fault, only the client's own.
        while self.hearing == Hearing::Open || self.close.is_some() {
            ready!(socket.poll_ready_unpin(cx))?;
            if let Some(frame) = self.outbox.0.pop_front() {
                socket.start_send_unpin(frame)?;
                continue;
            }
            if self.closed_at.is_some() {
                break;
            }
            if self.ring.feed(&mut self.outbox, FRAME_BYTES_MAX) {
                continue;
            }
            match (&self.close, self.check) {
                (None, _) | (Some(_), LifeCheck::Asked(_)) => break,
                (Some(_), LifeCheck::Due) if self.hearing == Hearing::Open => {
                    self.outbox.text(&control::ping());
                    self.check = LifeCheck::Asked(Instant::now());
                }
                (Some(frame), _) => {
                    self.outbox.0.push_back(Message::Close(Some(frame.clone())));
                    self.closed_at = Some(Instant::now());
                }
            }
        }
        socket.poll_flush_unpin(cx)
    }

    /// Ready when the connection is dead: the server has acknowledged nothing, and sent nothing, for too long, or has not
    /// answered the question before the close.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (acked, sent) = self.ring.bounds();
        let end = if sent > acked {
            // A server whose program takes nothing acknowledges nothing, but it still sends pings.
            let since = *self.unacknowledged_since.get_or_insert_with(Instant::now);
            since.max(self.heard_at) + ACKED_WITHIN
        } else if let LifeCheck::Asked(at) = self.check {
            at.max(self.heard_at) + PONG_WITHIN
        } else {
            (self.unacknowledged_since, self.deadline) = (None, None);
            return Poll::Pending;
        };
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if deadline.deadline() > end {
            deadline.as_mut().reset(end);
        }
        // The end moves with each frame of the server; the timer follows when it fires.
        ready!(deadline.as_mut().poll(cx));
        if end <= Instant::now() {
            return Poll::Ready(());
        }
        deadline.as_mut().reset(end);
        deadline.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        rc::Rc,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{
        io::{AsyncWriteExt as _, duplex},
        task::yield_now,
    };
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::protocol::{Role, WebSocketConfig},
    };
    use tokio_util::io::InspectReader;

    use super::{
        super::{call::Call, socket::ClientSocket, unpacked::UnpackedStream, watched::WatchedStream},
        *,
    };
    use crate::{
        cli::connect::parse,
        resume::{control::Greeting, door::Token},
    };

    #[tokio::test]
    async fn messages_that_wait_do_not_make_reads_short() {
        const MESSAGES: usize = 20_000;
        let typed =
            parse(&["wsd", "connect", "--resume", "ws://server/"].map(Into::into)).expect("a line of `wsd connect`");
        let call = Rc::new(Call::new(&typed.expect("a valid line")).expect("a valid call"));
        let session = Token::parse(&"A".repeat(43)).expect("a token");
        let greeting = Greeting { session, got: 0, resumed: false, keep: 60.0, window: 1 << 20, lost: None };
        let (wire, mut server) = duplex(1 << 20);
        let reads = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reads);
        let wire = InspectReader::new(wire, move |_| _ = count.fetch_add(1, Ordering::Relaxed));
        let config = WebSocketConfig::default().read_buffer_size(16 << 10);
        let wire = UnpackedStream::plain(WatchedStream::new(Box::new(wire), b""));
        let socket = WebSocketStream::from_partially_read(wire, Vec::new(), Role::Client, Some(config)).await;
        let mut link = ResumableLink::new(&call, ClientSocket::new(socket, None), greeting);

        server.write_all(&b"\x81\x04line".repeat(MESSAGES)).await.expect("it has room");
        for _ in 0..10 {
            poll_fn(|cx| {
                link.drive(cx);
                Poll::Ready(())
            })
            .await;
            yield_now().await;
        }

        let mut messages = 0;
        while link.intake.pop(&mut link.inbound).is_some() {
            messages += 1;
        }
        let reads = reads.load(Ordering::Relaxed);
        assert!(messages == MESSAGES && reads < 100, "{messages} messages in {reads} reads");
    }
}
