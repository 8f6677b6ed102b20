//! The end of a session that a client is to be told.

use std::task::{Context, Poll};

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
    /// Whether the close has been sent over the current connection.
    is_sent: bool,
    /// Runs while the client takes nothing, or does not answer the close.
    watch: StallWatch,
    /// The bytes that wait for the client.
    pub(super) share: Share,
}

impl Ending {
    /// Returns an end that is not known.
    pub(super) fn new(owner: &Owner) -> Self {
        Self { close: None, is_sent: false, watch: StallWatch::new(), share: owner.share() }
    }

    /// Tells the end over a new connection.
    pub(super) fn begin_again(&mut self) {
        (self.is_sent, self.watch) = (false, StallWatch::new());
    }

    /// Whether the close has been sent over the current connection.
    pub(super) fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// Sends the close, since all messages have been sent.
    pub(super) fn send_close(&mut self, link: &mut Link, cx: &mut Context<'_>) {
        if self.close.is_some() && !self.is_sent {
            self.is_sent = true;
            link.send_close(cx, self.close.as_ref());
        }
    }

    /// Ready when the client has made no progress for too long.
    pub(super) fn poll_stall(&mut self, cx: &mut Context<'_>, progress: u64) -> Poll<()> {
        let limit = if self.is_sent { CLOSE_ANSWER } else { LAST_OUTPUT_STALL };
        while self.watch.poll_look(cx).is_ready() {
            if self.watch.stalled(progress + u64::from(self.is_sent), self.close.is_some()) >= limit {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
