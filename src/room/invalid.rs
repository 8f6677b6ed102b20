//! Invalid lines of a worker, which are not commands: logs the first of each second, and counts the others.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::{event::Event, limits::LOGGED_LINES_MAX, peer::Connection};

/// The invalid lines of the current second.
#[derive(Debug, Default)]
pub(super) struct InvalidLines {
    /// When the second began.
    began: Option<Instant>,
    logged: u64,
    /// The number of further lines.
    counted: u64,
}

impl InvalidLines {
    /// Logs the beginning of a line and the reason why it is invalid, or counts it.
    pub(super) fn add(&mut self, connection: &Connection, beginning: &[u8], why: &str) {
        self.log_count(connection);
        self.began.get_or_insert_with(Instant::now);
        if self.logged == LOGGED_LINES_MAX {
            self.counted += 1;
            return;
        }
        self.logged += 1;
        Event::LineSkipped { conn: connection.id, line: &String::from_utf8_lossy(beginning), why }.emit();
    }

    /// Logs the number of further lines, if the second is over.
    pub(super) fn log_count(&mut self, connection: &Connection) {
        if self.began.is_some_and(|began| began.elapsed() >= Duration::from_secs(1)) {
            self.finish(connection);
        }
    }

    /// Logs the number of further lines, if there were any, and begins anew.
    pub(super) fn finish(&mut self, connection: &Connection) {
        let Self { counted, .. } = mem::take(self);
        if counted > 0 {
            Event::LinesSkipped { conn: connection.id, lines: counted }.emit();
        }
    }
}
