//! The messages that a slow client of a room loses (`--slow=drop`), in the log.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::Event;

/// The time between two lines of the log about messages that one client loses.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The number of lost messages that was logged, and the time of the last such line.
#[derive(Debug, Default)]
pub(super) struct Lost {
    logged: u64,
    at: Option<Instant>,
}

impl Lost {
    /// Logs the number of newly lost messages of all those `lost`, unless it did within [`LOG_INTERVAL`].
    pub(super) fn log(&mut self, conn: u64, lost: u64) {
        if self.at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            self.log_all(conn, lost);
        }
    }

    /// Logs the number of newly lost messages of all those `lost`.
    pub(super) fn log_all(&mut self, conn: u64, lost: u64) {
        let new = lost - self.logged;
        if new > 0 {
            let hint = "set --slow=wait or --slow=close to lose no messages";
            Event::MessagesLost { conn, lost: new, hint }.emit();
            *self = Self { logged: lost, at: Some(Instant::now()) };
        }
    }
}
