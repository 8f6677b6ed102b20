//! What is done while the bound is near, besides asking owners: the log says so, and freed memory is given back.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use super::Budget;
use crate::{event::Event, sys};

/// How often the log says that the bound is near.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// How often freed memory is given back while the bound is near.
const TRIM_INTERVAL: Duration = Duration::from_millis(500);

impl Budget {
    /// Logs that the limit is near, unless that was said a moment ago.
    pub(super) fn log(&self) {
        let now = Instant::now();
        let mut owners = self.owners();
        if owners.logged.is_some_and(|logged| now < logged + LOG_INTERVAL) {
            return;
        }
        owners.logged = Some(now);
        drop(owners);
        let (bytes, limit) = (self.used(), self.0.limit.load(Ordering::Relaxed));
        let hint = "histories are shortened, then clients cut off; --maxbuffer sets the limit";
        Event::BuffersNearlyFull { bytes, limit, hint }.emit();
    }

    /// Has the allocator give back what is free between what waits, unless it did a moment ago: of large messages that come and
    /// go as much may be left as waits. That takes milliseconds, so it has a thread of its own.
    pub(super) fn trim(&self) {
        let now = Instant::now();
        let mut owners = self.owners();
        if owners.trimmed.is_some_and(|trimmed| now < trimmed + TRIM_INTERVAL) {
            return;
        }
        owners.trimmed = Some(now);
        drop(owners);
        // Without a thread the next time will do.
        let _ = thread::Builder::new().name("trim".to_owned()).spawn(sys::give_back_freed_memory);
    }
}
