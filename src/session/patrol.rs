//! Looks now and then after a client that cannot be read, because its worker takes nothing.

use std::{
    mem,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::end::End;
use crate::limits::{CLOSED_STALL_PATROLS, GONE_STALL_PATROLS, PATROL_INTERVAL};

/// The looks at one such client.
#[derive(Debug)]
pub(super) struct Patrol {
    looks: Interval,
    /// What the worker's progress was at the last look.
    progress: u64,
    /// Looks in a row at which the client was gone and the worker had made none.
    stalled: u32,
}

impl Patrol {
    pub(super) fn new() -> Self {
        Self { looks: ticks(PATROL_INTERVAL), progress: 0, stalled: 0 }
    }

    /// Ready when it is time for a look.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.looks.poll_tick(cx));
        Poll::Ready(())
    }

    /// Whether the client is gone, for the reason `end`, and the worker has stopped reading what it left: `progress`, which
    /// changes as it reads, is what it was.
    ///
    /// A client that took its leave with a Close frame has earned more patience for its last words than one that is
    /// just gone.
    pub(super) fn finds_stall(&mut self, progress: u64, end: Option<End>) -> bool {
        let has_moved = mem::replace(&mut self.progress, progress) != progress;
        self.stalled = if end.is_some() && !has_moved { self.stalled + 1 } else { 0 };
        let stalled_max = if matches!(end, Some(End::Closed(_))) { CLOSED_STALL_PATROLS } else { GONE_STALL_PATROLS };
        self.stalled >= stalled_max
    }
}

/// A tick every `period` from now on; those that were missed are not made up for.
pub(super) fn ticks(period: std::time::Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
