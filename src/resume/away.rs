//! The absence of a client, which may return.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::{ANSWER_STALL_MAX, POLL_RETURN_MAX};

/// The absence of a client.
#[derive(Debug)]
pub(super) struct Away {
    since: Instant,
    /// The end of the time in which it may return, or then of the time in which one arrives that is about to. Before, between two
    /// polls, the end of the time in which the client comes with the next one.
    timer: Pin<Box<Sleep>>,
    is_over: bool,
    /// The end of the time in which it may return, while the client is expected with its next poll.
    between_polls: Option<Instant>,
}

impl Away {
    /// Returns the absence of a client that has lost its connection. It may return until `end`.
    pub(super) fn until(end: Instant) -> Self {
        let since = Instant::now();
        let is_over = end <= since;
        let end = if is_over { end + ANSWER_STALL_MAX } else { end };
        Self { since, timer: Box::pin(sleep_until(end)), is_over, between_polls: None }
    }

    /// Returns the absence of a client that has the answer to a poll. It may return until `end`.
    pub(super) fn between_polls(end: Instant) -> Self {
        let since = Instant::now();
        let timer = Box::pin(sleep_until(end.min(since + POLL_RETURN_MAX)));
        Self { since, timer, is_over: false, between_polls: Some(end) }
    }

    /// Whether the client is expected with its next poll: for the log it is there.
    pub(super) fn is_between_polls(&self) -> bool {
        self.between_polls.is_some()
    }

    /// Returns how long the client has been away.
    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Ready when the client should have come with its next poll, and has not. Only once.
    pub(super) fn poll_missed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(end) = self.between_polls else { return Poll::Pending };
        ready!(self.timer.as_mut().poll(cx));
        self.between_polls = None;
        self.timer.as_mut().reset(end);
        Poll::Ready(())
    }

    /// Ready at the end of the time in which the client may return.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_between_polls() {
            return Poll::Pending;
        }
        if !self.is_over {
            ready!(self.timer.as_mut().poll(cx));
            self.is_over = true;
            self.timer.as_mut().reset(Instant::now() + ANSWER_STALL_MAX);
        }
        Poll::Ready(())
    }

    /// Ready when a client that was about to arrive at the end of the time has not arrived.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }
}
