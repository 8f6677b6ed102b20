//! The terms of a session: the times at which wsd ends it, whatever its sides do.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::close::Close;

/// The deadlines of a session. A session without any has no [`Terms`], which costs it a pointer.
#[derive(Debug)]
pub(crate) struct Terms {
    deadlines: Vec<Deadline>,
    /// Wakes the session at the first of the deadlines.
    timer: Pin<Box<Sleep>>,
}

/// A time at which the session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// The time.
    pub(crate) at: Instant,
    /// The close for the client.
    pub(crate) close: Close,
    /// The end in the log.
    pub(crate) word: &'static str,
}

impl Terms {
    /// Returns the terms with these deadlines; `None` if there is none.
    pub(crate) fn new(deadlines: Vec<Deadline>) -> Option<Box<Self>> {
        let first = deadlines.iter().map(|deadline| deadline.at).min()?;
        Some(Box::new(Self { deadlines, timer: Box::pin(sleep_until(first)) }))
    }

    /// Ready with the first deadline once its time has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let first = self.deadlines.iter().min_by_key(|deadline| deadline.at);
        first.cloned().map_or(Poll::Pending, Poll::Ready)
    }
}
