//! What the log says of the messages that a client of a room loses (`--slow=drop`).

use tokio::time::Instant;
use tracing::warn;

use crate::{limits::LOST_LOG_INTERVAL, room::Member};

/// What has been logged of the messages that a slow client has lost.
#[derive(Debug, Default)]
pub(super) struct Lost {
    logged: u64,
    at: Option<Instant>,
}

impl Lost {
    /// Logs what has been lost since the last time, unless that was a moment ago.
    pub(super) fn log_now_and_then(&mut self, conn: u64, member: &Member) {
        if self.at.is_none_or(|at| at.elapsed() >= LOST_LOG_INTERVAL) {
            self.log(conn, member);
        }
    }

    /// Logs what has been lost since the last time.
    pub(super) fn log(&mut self, conn: u64, member: &Member) {
        let lost = member.seat.lost() - self.logged;
        if lost > 0 {
            warn!(conn, lost, hint = "--slow says what happens to slow clients", "messages lost");
            self.logged += lost;
            self.at = Some(Instant::now());
        }
    }
}
