//! Logs that the limit is near, and gives freed memory back meanwhile.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use super::Budget;
use crate::{event::Event, sys};

/// The time between two lines of the log that say that the limit is near.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The time between two trims while the limit is near.
const TRIM_INTERVAL: Duration = Duration::from_millis(500);

impl Budget {
    /// Logs that the limit is near, unless it did within [`LOG_INTERVAL`].
    pub(super) fn log(&self) {
        let now = Instant::now();
        let mut owners = self.owners();
        if owners.logged.is_some_and(|logged| now < logged + LOG_INTERVAL) {
            return;
        }
        owners.logged = Some(now);
        drop(owners);
        let (bytes, limit) = (self.used(), self.0.limit.load(Ordering::Relaxed));
        let hint = "raise --maxbuffer; near it wsd shortens histories, then closes clients";
        Event::BuffersNearlyFull { bytes, limit, hint }.emit();
    }

    /// Gives freed memory back to the kernel, unless it did within [`TRIM_INTERVAL`]: large messages may leave as much free
    /// memory behind as waits. That takes milliseconds, so it runs on a thread of its own.
    pub(crate) fn trim(&self) {
        let now = Instant::now();
        let mut owners = self.owners();
        if owners.trimmed.is_some_and(|trimmed| now < trimmed + TRIM_INTERVAL) {
            return;
        }
        owners.trimmed = Some(now);
        drop(owners);
        // If the system has no thread left, the next trim will do.
        let _ = thread::Builder::new().name("trim".to_owned()).spawn(sys::give_back_freed_memory);
    }
}
