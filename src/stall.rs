//! Watches for a side that has stopped taking what waits for it.

use std::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Looks now and then whether a side still takes something.
#[derive(Debug)]
pub(crate) struct StallWatch {
    looks: Interval,
    /// The side's progress at the last look.
    progress: u64,
    /// Since when it has made none.
    since: Instant,
}

impl StallWatch {
    /// Looks every `period` from now on.
    pub(crate) fn new(period: Duration) -> Self {
        Self { looks: ticks(period), progress: 0, since: Instant::now() }
    }

    /// Ready when it is time for a look.
    pub(crate) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.looks.poll_tick(cx));
        Poll::Ready(())
    }

    /// Returns for how long the side has made no progress while `is_due`: as long as it is not, it owes none.
    pub(crate) fn stalled(&mut self, progress: u64, is_due: bool) -> Duration {
        let has_moved = mem::replace(&mut self.progress, progress) != progress;
        if has_moved || !is_due {
            self.since = Instant::now();
        }
        self.since.elapsed()
    }
}

/// Returns a tick every `period` from now on; those that were missed are not made up for.
pub(crate) fn ticks(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
