//! The end of a session that a client is to be told.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;

use super::link::Link;
use crate::{
    budget::{Owner, Share},
    close::Close,
    limits::{CLOSE_ANSWER, LAST_OUTPUT_STALL},
    stall::StallWatch,
};

/// The end of a session that the client is to be told.
#[derive(Debug)]
pub(super) struct Ending {
    /// The close; `None` while it is not known.
    pub(super) close: Option<Close>,
    /// The time after which the client cannot return; known with the close.
    pub(super) deadline: Option<Instant>,
    /// The time at which the close was sent over the current connection.
    sent_at: Option<Instant>,
    /// Runs while the client takes nothing, or does not answer the close.
    watch: StallWatch,
    /// The bytes that wait for the client.
    pub(super) share: Share,
}

impl Ending {
    /// Returns an end that is not known.
    pub(super) fn new(owner: &Owner) -> Self {
        Self { close: None, deadline: None, sent_at: None, watch: StallWatch::new(), share: owner.share() }
    }

    /// Sets the close, unless there is one. Its client may return for `keep` from now on, however often it does.
    pub(super) fn set_close(&mut self, close: &Close, keep: Duration) {
        if self.close.is_none() {
            (self.close, self.deadline) = (Some(close.clone()), Some(Instant::now() + keep));
        }
    }

    /// Whether the client cannot return any more.
    pub(super) fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Tells the end over a new connection.
    pub(super) fn begin_again(&mut self) {
        (self.sent_at, self.watch) = (None, StallWatch::new());
    }

    /// Whether the close has been sent over the current connection.
    pub(super) fn is_sent(&self) -> bool {
        self.sent_at.is_some()
    }

    /// Sends the close, since all messages have been sent.
    pub(super) fn send_close(&mut self, link: &mut Link, cx: &mut Context<'_>) {
        if self.close.is_some() && self.sent_at.is_none() {
            self.sent_at = Some(Instant::now());
            link.send_close(cx, self.close.as_ref());
        }
    }

    /// Ready when the client has made no progress for too long, or has not answered the close.
    pub(super) fn poll_stall(&mut self, cx: &mut Context<'_>, progress: u64) -> Poll<()> {
        while self.watch.poll_look(cx).is_ready() {
            let stalled = self.watch.stalled(progress, self.close.is_some());
            let is_over = match self.sent_at {
                // Acknowledgements are no answer.
                Some(sent_at) => sent_at.elapsed() >= CLOSE_ANSWER,
                None => stalled >= LAST_OUTPUT_STALL,
            };
            if is_over {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
