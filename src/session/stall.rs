//! How long a client that takes nothing may keep others waiting.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// How often a client is looked at again once its time is up.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A timer that runs while a client takes nothing of what waits for it.
#[derive(Debug)]
pub(super) struct Stall {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    has_given_up: bool,
}

impl Stall {
    /// A timer of `limit`, which does not run yet.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, timer: None, has_given_up: false }
    }

    /// Starts the timer, unless it runs.
    pub(super) fn start(&mut self) {
        self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
    }

    /// Stops the timer: the client has taken something, or nothing waits.
    pub(super) fn stop(&mut self) {
        self.timer = None;
    }

    /// Notes that the client is not waited for any more.
    pub(super) fn give_up(&mut self) {
        self.has_given_up = true;
    }

    /// Whether the client is not waited for any more.
    pub(super) fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    /// Ready when the time is up, and then again every second.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        timer.as_mut().reset(Instant::now() + LOOK_AGAIN);
        Poll::Ready(())
    }
}
