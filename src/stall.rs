//! Watches for a stall: a side that takes nothing of what waits for it.

use std::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Checks at intervals whether a side still makes progress.
#[derive(Debug)]
pub(crate) struct StallWatch {
    looks: Interval,
    /// The side's progress at the last look.
    progress: u64,
    /// When it last made progress, or owed none.
    since: Instant,
}

impl StallWatch {
    /// Returns a watch that looks every `period` from now on.
    pub(crate) fn new(period: Duration) -> Self {
        Self { looks: ticks(period), progress: 0, since: Instant::now() }
    }

    /// Ready when the next look is due.
    pub(crate) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.looks.poll_tick(cx));
        Poll::Ready(())
    }

    /// Returns how long the side has made no progress. Only time counts in which it owed some (`is_due`).
    pub(crate) fn stalled(&mut self, progress: u64, is_due: bool) -> Duration {
        let has_moved = mem::replace(&mut self.progress, progress) != progress;
        if has_moved || !is_due {
            self.since = Instant::now();
        }
        self.since.elapsed()
    }
}

/// Returns a timer that ticks every `period` from now on. It does not make up for missed ticks.
pub(crate) fn ticks(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
