//! Reaps the processes that nobody waits for: orphans, and workers that wsd could not end.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
};

use rustix::process::Pid;
use tokio::time::{MissedTickBehavior, interval};

use super::{cgroup::tree::remove_left, descendants::Descendants, orphans, records::WorkerRecord, tally::ProgramTally};
use crate::{limits::REAP_INTERVAL, status::Status, sys};

/// The workers that wsd has stopped waiting for.
static LEFT: Mutex<Vec<(Pid, WorkerRecord, Option<ProgramTally>)>> = Mutex::new(Vec::new());

/// Kills and reaps a worker as soon as that is possible, and counts its end.
pub(super) fn leave(pid: Pid, record: WorkerRecord, tally: Option<ProgramTally>) {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((pid, record, tally));
}

/// Reaps at intervals: an orphan that has ended does no harm for a while, and a signal for each end of a worker takes time.
///
/// To be run by the first thread, whose children the orphans are.
pub(crate) fn watch() -> impl Future<Output = Infallible> {
    // Opens the list of orphans while there are descriptors.
    orphans::living();
    async {
        let mut looks = interval(REAP_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            orphans::living();
            orphans::reap_unlisted();
            remove_left();
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain(|(pid, record, tally)| {
                Descendants::of(*pid, record.id(), false).kill();
                let usage = sys::usage(pid.as_raw_nonzero().get());
                let is_gone = orphans::reap(*pid);
                if let Some(tally) = tally
                    && is_gone
                {
                    // wsd has killed it.
                    tally.count_end(Status::Signal(9), usage);
                }
                !is_gone
            });
        }
    }
}
