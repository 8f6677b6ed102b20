//! A client that may lose its connection and return over another one.
//!
//! All messages to the client go through the ring, which feeds the socket as the socket takes them. While the client is away, the
//! ring fills; then the program waits, or the oldest messages go: [`Overflow`].

use std::{
    borrow::Cow,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    Overflow, ResumeOptions,
    control::Greeting,
    door::{Arrival, OwnDoor},
    ending::Ending,
    inbound::Inbound,
    ring::{self, Ring},
};
use crate::{
    budget::Owner, client::Client, close::Close, event::Event, peer::Connection, shutdown::Shutdown, socket::Socket,
};

/// Bytes of messages that the socket gets at a time: a read of a pipe, framed, and some more.
const FED_BYTES: usize = 128 << 10;

/// The client of a resumable session.
#[derive(Debug)]
pub(crate) struct Resumable {
    /// The id of the first connection, for the log.
    conn: u64,
    pub(super) socket: Option<Socket>,
    /// The connection over which the client has returned, which counts as an open file.
    pub(super) connection: Option<Box<Connection>>,
    pub(super) door: OwnDoor,
    pub(super) options: Arc<ResumeOptions>,
    pub(super) overflow: Overflow,
    shutdown: Shutdown,
    pub(super) owner: Owner,
    pub(super) ring: Ring,
    pub(super) inbound: Inbound,
    /// The answer to the last ping of the page, until it can be sent.
    pub(super) pong: Option<Box<str>>,
    /// The time since when the client is away.
    pub(super) away: Option<Box<Away>>,
    /// Whether the client's messages are dropped.
    pub(super) is_forgetting: bool,
    /// Whether the client will not return.
    pub(super) is_final: bool,
    /// The end of the session, once it has begun to end.
    pub(super) ending: Option<Box<Ending>>,
}

/// The absence of a client.
#[derive(Debug)]
pub(super) struct Away {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Resumable {
    /// Returns the client of a new session. `is_lost` is whether the client wanted to return to another one.
    pub(crate) fn new(
        conn: u64,
        socket: Socket,
        door: OwnDoor,
        (options, overflow): (&Arc<ResumeOptions>, Overflow),
        (owner, shutdown): (&Owner, &Shutdown),
        is_lost: bool,
    ) -> Self {
        let mut client = Self {
            conn,
            socket: Some(socket),
            connection: None,
            door,
            options: Arc::clone(options),
            overflow,
            shutdown: shutdown.clone(),
            owner: owner.clone(),
            ring: Ring::default(),
            inbound: Inbound::default(),
            pong: None,
            away: None,
            is_forgetting: false,
            is_final: false,
            ending: None,
        };
        client.greet(false, is_lost.then_some("unknown"));
        client
    }

    /// Sends the first message of a connection.
    fn greet(&mut self, resumed: bool, lost: Option<&'static str>) {
        let Self { socket: Some(socket), door, options, inbound, .. } = self else { return };
        let (keep, window) = (options.keep.as_secs_f64(), options.replay_bytes_max);
        let (session, got, lost) = (door.token().clone(), inbound.got(), lost.map(Cow::Borrowed));
        let greeting = Greeting { session, got, resumed, keep, window, lost };
        ring::text(socket, greeting.text().as_bytes());
        inbound.forget_debt();
    }

    /// Notes that the connection is lost. The session goes on.
    pub(super) fn detach(&mut self, cx: &mut Context<'_>) {
        self.lose();
        cx.waker().wake_by_ref();
    }

    /// Notes that the connection is lost, or given up. The session's task must run soon.
    pub(super) fn lose(&mut self) {
        (self.socket, self.connection) = (None, None);
        let end = Box::pin(sleep(self.options.keep));
        self.away = Some(Box::new(Away { since: Instant::now(), end }));
        self.inbound.forget_debt();
        Event::SessionDetached { conn: self.conn }.emit();
    }

    /// Goes on with a client that has returned. Its old connection is closed, if it is still there.
    pub(super) fn attach(&mut self, arrival: Arrival, cx: &mut Context<'_>) {
        let Arrival { got, stream, early, connection } = arrival;
        // `None` if the old connection has acknowledged more meanwhile: then the client is not the one that had it.
        let Some(replayed) = self.ring.rewind(got) else { return };
        self.part(Close::new(Close::TAKEN_OVER, "taken over"));
        let away = self.away.take().map_or(Duration::ZERO, |away| away.since.elapsed());
        let away = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
        Event::SessionResumed { conn: self.conn, peer: connection.peer, away, replayed: replayed as u64 }.emit();
        self.socket = Some(Socket::new(stream, early, &self.options.socket, &self.owner));
        self.connection = Some(Box::new(connection));
        self.greet(true, None);
        if let Some(ending) = &mut self.ending {
            ending.begin_again();
        }
        cx.waker().wake_by_ref();
    }

    /// Closes the connection, if there is one, in a task of its own.
    pub(super) fn part(&mut self, close: Close) {
        let Some(mut socket) = self.socket.take() else { return };
        let (connection, shutdown) = (self.connection.take(), self.shutdown.clone());
        self.shutdown.spawn(async move {
            socket.begin_close(true);
            poll_fn(|cx| {
                socket.send_close(cx, Some(&close));
                Poll::Ready(())
            })
            .await;
            socket.finish(&shutdown).await;
            drop(connection);
        });
    }

    /// Feeds the socket from the ring. Ready when the socket has taken all, or there is none.
    pub(super) fn poll_feed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let fed = self.poll_feed_all(cx);
        self.door.note(self.ring.bounds());
        fed
    }

    fn poll_feed_all(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(socket) = &mut self.socket {
            ready!(socket.poll_flush(cx));
            if let Some(ack) = self.inbound.take_ack() {
                ring::text(socket, ack.as_bytes());
            }
            if let Some(pong) = self.pong.take() {
                ring::text(socket, pong.as_bytes());
            }
            if !self.ring.feed(socket, FED_BYTES) {
                if let Some(ending) = &mut self.ending {
                    ending.send_close(socket, cx);
                }
                ready!(socket.poll_flush(cx));
                break;
            }
        }
        Poll::Ready(())
    }

    /// Acknowledges the client's messages in time.
    pub(super) fn poll_ack(&mut self, cx: &mut Context<'_>) {
        if self.socket.is_some() && self.inbound.poll_due(cx) {
            let _ = self.poll_feed(cx);
        }
    }

    /// Ready when the client has been away for too long.
    pub(super) fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(away) = &mut self.away else { return Poll::Pending };
        ready!(away.end.as_mut().poll(cx));
        if !self.door.close() {
            // The client is about to arrive, or its handshake fails; either wakes this task.
            return Poll::Pending;
        }
        Event::SessionExpired { conn: self.conn }.emit();
        (self.is_final, self.away) = (true, None);
        Poll::Ready(())
    }
}
