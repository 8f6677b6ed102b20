//! Watches for a stall: a side that takes nothing of what waits for it.

use std::{
    mem,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// The time between two looks at a side that takes nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Checks every [`LOOK_INTERVAL`] whether a side still makes progress.
#[derive(Debug)]
pub(crate) struct StallWatch {
    looks: Interval,
    /// The side's progress at the last look.
    progress: u64,
    /// When it last made progress, or owed none.
    since: Instant,
    /// When the watch began.
    began: Instant,
}

impl StallWatch {
    /// Returns a watch that begins now.
    pub(crate) fn new() -> Self {
        Self { looks: ticks(LOOK_INTERVAL), progress: 0, since: Instant::now(), began: Instant::now() }
    }

    /// Ready when the next look is due.
    pub(crate) fn poll_look(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.looks.poll_tick(cx));
        Poll::Ready(())
    }

    /// Returns how long the side has had something to take.
    pub(crate) fn time(&self) -> Duration {
        self.began.elapsed()
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
