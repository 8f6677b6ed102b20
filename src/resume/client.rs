//! A client that may lose its connection and return over another one.
//!
//! All messages to the client go through the ring, which feeds the connection as it takes them. While the client is away, the
//! ring fills; then the program waits, or the oldest messages go: [`Overflow`].

use std::{
    borrow::Cow,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Overflow, ResumeOptions,
    ahead::Ahead,
    away::Away,
    control::Greeting,
    door::{Arrival, Entrance, OwnDoor},
    ending::Ending,
    inbound::Inbound,
    link::Link,
    ring::Ring,
};
use crate::{
    budget::Owner, close::Close, deflate::BothTraffic, event::Event, peer::Connection, shutdown::Shutdown,
    socket::Socket,
};

/// Bytes of messages that the connection gets at a time: a read of a pipe, framed, and some more.
const FED_BYTES: usize = 128 << 10;

/// The client of a resumable session.
#[derive(Debug)]
pub(crate) struct Resumable {
    /// The id of the first connection, for the log.
    pub(super) conn: u64,
    /// Its connection; `None` while it is away.
    pub(super) link: Option<Link>,
    /// The connection over which the client has returned, which counts as an open file.
    pub(super) connection: Option<Box<Connection>>,
    pub(super) door: OwnDoor,
    pub(super) options: Arc<ResumeOptions>,
    pub(super) overflow: Overflow,
    shutdown: Shutdown,
    pub(super) owner: Owner,
    pub(super) ring: Ring,
    pub(super) inbound: Inbound,
    /// The messages that wsd has read ahead of its program.
    pub(super) ahead: Option<Box<Ahead>>,
    /// The answer to the last ping of the page, until it can be sent.
    pub(super) pong: Option<Box<str>>,
    /// The time since when the client is away.
    pub(super) away: Option<Box<Away>>,
    /// Whether the client's messages are dropped.
    pub(super) is_forgetting: bool,
    /// Whether the client will not return.
    pub(super) is_final: bool,
    /// The bytes of messages over earlier connections, if their clients agreed to compression.
    pub(super) past: Option<Box<BothTraffic>>,
    /// The end of the session, once it has begun to end.
    pub(super) ending: Option<Box<Ending>>,
}

impl Resumable {
    /// Returns the client of a new session. `is_lost` is whether the client wanted to return to another one.
    pub(crate) fn new(
        conn: u64,
        link: Link,
        door: OwnDoor,
        (options, overflow): (&Arc<ResumeOptions>, Overflow),
        (owner, shutdown): (&Owner, &Shutdown),
        is_lost: bool,
    ) -> Self {
        let mut client = Self {
            conn,
            link: Some(link),
            connection: None,
            door,
            options: Arc::clone(options),
            overflow,
            shutdown: shutdown.clone(),
            owner: owner.clone(),
            ring: Ring::default(),
            inbound: Inbound::default(),
            ahead: None,
            pong: None,
            away: None,
            is_forgetting: false,
            is_final: false,
            past: None,
            ending: None,
        };
        client.greet(false, is_lost.then_some("unknown"));
        client
    }

    /// Sends the first message of a connection.
    fn greet(&mut self, resumed: bool, lost: Option<&'static str>) {
        let Self { link: Some(link), door, options, inbound, ring, .. } = self else { return };
        let (keep, window) = (options.keep.as_secs_f64(), options.replay_bytes_max);
        let (session, got, lost) = (door.token().clone(), inbound.got(), lost.map(Cow::Borrowed));
        let greeting = Greeting { session, got, resumed, keep, window, lost };
        link.greet(&greeting, ring.bounds().1);
        inbound.forget_debt();
    }

    /// Notes that the connection is lost. The session goes on.
    pub(super) fn detach(&mut self, cx: &mut Context<'_>) {
        self.lose();
        cx.waker().wake_by_ref();
    }

    /// Notes that the connection is lost, or given up. The session's task must run soon.
    pub(super) fn lose(&mut self) {
        let is_between_polls = self.link.as_ref().is_some_and(Link::is_complete) && self.ending.is_none();
        self.note_traffic();
        (self.link, self.connection) = (None, None);
        let deadline = self.ending.as_ref().and_then(|ending| ending.deadline);
        let end = deadline.unwrap_or_else(|| Instant::now() + self.options.keep);
        let away = if is_between_polls { Away::between_polls(end) } else { Away::until(end) };
        self.away = Some(Box::new(away));
        self.inbound.forget_debt();
        if !is_between_polls {
            self.log_absence();
        }
    }

    /// Logs that the client is away, unless its session is over.
    fn log_absence(&self) {
        let is_over = self.ending.is_some() || self.door.mailbox().has_left() || self.shutdown.has_begun();
        if !is_over {
            Event::SessionDetached { conn: self.conn }.emit();
        }
    }

    /// Goes on with a client that has returned. Its old connection is closed, if it is still there.
    pub(super) fn attach(&mut self, arrival: Arrival, cx: &mut Context<'_>) {
        // `None` if the old connection has acknowledged more meanwhile: then the client is not the one that had it.
        let Some(replayed) = self.ring.rewind(arrival.got) else { return self.refuse(arrival) };
        let is_next_poll = self.link.as_ref().is_some_and(Link::is_complete)
            || self.away.as_ref().is_some_and(|away| away.is_between_polls());
        self.part(taken_over());
        let away = self.away.take().map_or(Duration::ZERO, |away| away.elapsed());
        if !is_next_poll {
            let away = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
            let peer = arrival.connection.peer;
            Event::SessionResumed { conn: self.conn, peer, away, replayed: replayed as u64 }.emit();
        }
        self.link = Some(self.link(arrival.entrance));
        self.connection = Some(Box::new(arrival.connection));
        // It sends again what the program has not got.
        self.ahead = None;
        self.greet(true, None);
        if let Some(ending) = &mut self.ending {
            ending.begin_again();
        }
        cx.waker().wake_by_ref();
    }

    /// Closes a connection over which the client has returned: another one has the session.
    pub(super) fn refuse(&self, arrival: Arrival) {
        self.close(self.link(arrival.entrance), Some(Box::new(arrival.connection)), taken_over());
    }

    fn link(&self, entrance: Entrance) -> Link {
        match entrance {
            Entrance::WebSocket(stream, early, agreed) => {
                Link::Socket(Socket::new(stream, early, (&self.options.socket, agreed), &self.owner))
            }
            Entrance::Events(stream) => Link::Events(stream),
        }
    }

    /// Closes the connection, if there is one.
    pub(super) fn part(&mut self, close: Close) {
        self.note_traffic();
        if let Some(link) = self.link.take() {
            let connection = self.connection.take();
            self.close(link, connection, close);
        }
    }

    /// Closes a connection, in a task of its own.
    fn close(&self, link: Link, connection: Option<Box<Connection>>, close: Close) {
        let shutdown = self.shutdown.clone();
        self.shutdown.spawn(async move {
            link.finish(Some(&close), &shutdown).await;
            drop(connection);
        });
    }

    /// Adds the bytes of messages over the connection, which is about to go.
    fn note_traffic(&mut self) {
        if let Some(traffic) = self.link.as_ref().and_then(Link::traffic) {
            self.past.get_or_insert_default().join(&traffic);
        }
    }

    /// Feeds the connection from the ring. Ready when it has taken all, or there is none.
    pub(super) fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let fed = self.poll_feed_all(cx);
        if !self.acknowledges() {
            self.ring.trim_sent(self.options.replay_bytes_max);
        }
        self.door.note(self.ring.bounds());
        fed
    }

    fn poll_feed_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(link) = &mut self.link {
            ready!(link.poll_flush(cx));
            if link.is_gone() {
                self.detach(cx);
                break;
            }
            if link.is_complete() {
                break;
            }
            if let Some(ack) = self.inbound.take_ack() {
                link.ack(&ack);
            }
            if let Some(pong) = self.pong.take() {
                link.pong(&pong);
            }
            if !self.ring.feed(link, FED_BYTES) {
                if let Some(ending) = &mut self.ending {
                    ending.send_close(link, cx);
                }
                ready!(link.poll_flush(cx));
                break;
            }
        }
        Poll::Ready(())
    }

    /// Whether the client acknowledges messages, as far as wsd knows.
    pub(super) fn acknowledges(&self) -> bool {
        self.link.as_ref().is_none_or(Link::acknowledges)
    }

    /// Acknowledges the client's messages in time.
    pub(super) fn poll_ack(&mut self, cx: &mut Context<'_>) {
        if self.link.is_some() && self.inbound.poll_due(cx) {
            let _ = self.poll_feed(cx);
        }
    }

    /// Ready when the client has been away for too long.
    pub(super) fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.away.as_mut().is_some_and(|away| away.poll_missed(cx).is_ready()) {
            self.log_absence();
        }
        let Some(away) = &mut self.away else { return Poll::Pending };
        ready!(away.poll_over(cx));
        if !self.door.close() {
            // The client is about to arrive, or its handshake fails; either wakes this task. But it may never take its 101.
            ready!(away.poll_stalled(cx));
            self.door.shut();
        }
        Event::SessionExpired { conn: self.conn }.emit();
        (self.is_final, self.away) = (true, None);
        Poll::Ready(())
    }
}

fn taken_over() -> Close {
    Close::new(Close::TAKEN_OVER, "taken over")
}

#[cfg(test)]
mod tests;
