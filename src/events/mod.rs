//! A client over an event stream: the session appends events, and the body of an HTTP answer takes them.
//!
//! The two halves share an [`Outlet`]. hyper takes the events when it has room for them, and drops its half when the client
//! has left.

mod format;
mod outlet;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use crate::{
    close::Close,
    limits::HEARTBEAT_INTERVAL,
    message::{Batch, Kind},
};
pub(crate) use outlet::Events;
use outlet::Outlet;

/// The session's half of an event stream.
///
/// An idle one holds no buffer. Dropping it ends the answer, after the events that the outlet has.
#[derive(Debug)]
pub(crate) struct EventStream {
    outlet: Arc<Outlet>,
    /// The token of the session, for the ids.
    token: Box<str>,
    /// Whether the client acknowledges messages.
    acknowledges: bool,
    /// Events that the outlet does not have yet.
    events: Vec<u8>,
    /// Whether the last event has been appended.
    is_closed: bool,
    end: AnswerEnd,
    /// When the outlet last got something.
    sent_at: Instant,
    heartbeat: Pin<Box<Sleep>>,
}

/// The end of an answer.
#[derive(Debug, PartialEq, Eq)]
enum AnswerEnd {
    /// It comes with the end of the session or of the connection.
    WithSession,
    /// The client polls: it comes after the first events.
    AfterEvents,
    /// The client polls, and the answer has all that it brings.
    Now,
}

/// Returns the two halves of an event stream for the session of a token. With `poll` the answer ends after the first events, or
/// without one after this time.
pub(crate) fn pair(token: &str, acknowledges: bool, poll: Option<Duration>) -> (EventStream, Events) {
    let outlet = Arc::<Outlet>::default();
    let stream = EventStream {
        outlet: Arc::clone(&outlet),
        token: token.into(),
        acknowledges,
        events: Vec::new(),
        is_closed: false,
        end: if poll.is_some() { AnswerEnd::AfterEvents } else { AnswerEnd::WithSession },
        sent_at: Instant::now(),
        heartbeat: Box::pin(sleep(poll.unwrap_or(HEARTBEAT_INTERVAL))),
    };
    (stream, Events::new(outlet))
}

impl EventStream {
    /// Whether the client acknowledges messages. A plain `EventSource` does not.
    pub(crate) fn acknowledges(&self) -> bool {
        self.acknowledges
    }

    /// Appends the first event. The client has `number` messages; `greeting` is JSON.
    pub(crate) fn open(&mut self, number: u64, greeting: &str) {
        format::open(&self.token, number, greeting, &mut self.events);
    }

    /// Appends a message.
    pub(crate) fn message(&mut self, number: u64, kind: Kind, payload: &[u8]) {
        if !self.is_closed {
            format::message(&self.token, number, kind, payload, &mut self.events);
            self.complete_poll();
        }
    }

    /// Appends messages; the first one has this number.
    pub(crate) fn batch(&mut self, first: u64, batch: &Batch) {
        for (number, (kind, payload)) in (first..).zip(batch.messages()) {
            self.message(number, kind, payload);
        }
    }

    /// Appends a note that `count` messages up to `number` no longer exist.
    pub(crate) fn gap(&mut self, number: u64, count: u64) {
        format::gap(&self.token, number, count, &mut self.events);
        self.complete_poll();
    }

    /// Ends the answer to a poll after what has been appended until the next flush. The client returns for more.
    pub(crate) fn complete_poll(&mut self) {
        if self.end == AnswerEnd::AfterEvents {
            self.end = AnswerEnd::Now;
        }
    }

    /// Whether this is a poll that has what it brings: it must get nothing more.
    pub(crate) fn is_complete(&self) -> bool {
        self.end == AnswerEnd::Now
    }

    /// Appends the last event, unless there is one, and ends the answer after it.
    pub(crate) fn close(&mut self, close: Option<&Close>) {
        if !self.is_closed {
            self.is_closed = true;
            if let Some(close) = close {
                format::close(&self.token, close, &mut self.events);
            }
        }
    }

    /// Ready once the client has left.
    pub(crate) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.outlet.poll_gone(cx)
    }

    /// Whether the client has left.
    pub(crate) fn is_gone(&self) -> bool {
        self.outlet.is_gone()
    }

    /// Hands what was appended to the answer. Ready once the answer has taken nearly all, or the client has left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.events.is_empty() {
            self.sent_at = Instant::now();
        }
        let is_ended = self.is_closed || self.is_complete();
        self.outlet.poll_put(cx, &mut self.events, is_ended)
    }

    /// Ready once the answer has taken all, or the client has left.
    pub(crate) fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = self.poll_flush(cx);
        self.outlet.poll_empty(cx)
    }

    /// Appends a comment after each [`HEARTBEAT_INTERVAL`] without an event, so that no proxy takes the stream for dead. A poll ends
    /// when its time is over.
    pub(crate) fn poll_heartbeat(&mut self, cx: &mut Context<'_>) {
        while self.heartbeat.as_mut().poll(cx).is_ready() {
            let is_poll = self.end != AnswerEnd::WithSession;
            if is_poll {
                self.complete_poll();
                let _ = self.poll_flush(cx);
            } else if self.sent_at.elapsed() >= HEARTBEAT_INTERVAL && !self.is_closed {
                self.events.extend_from_slice(format::HEARTBEAT);
                let _ = self.poll_flush(cx);
            }
            let since = if self.is_closed || is_poll { Instant::now() } else { self.sent_at };
            self.heartbeat.as_mut().reset(since + HEARTBEAT_INTERVAL);
        }
    }

    /// Returns a number that changes whenever the answer takes events.
    pub(crate) fn progress(&self) -> u64 {
        self.outlet.taken()
    }

    /// Returns the bytes that wait here.
    pub(crate) fn held(&self) -> usize {
        self.events.capacity() + self.outlet.held()
    }

    /// Drops the events that the answer has not taken.
    pub(crate) fn discard(&mut self) {
        self.events = Vec::new();
        self.outlet.discard();
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.outlet.end();
    }
}
