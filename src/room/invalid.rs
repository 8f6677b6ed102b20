//! Invalid lines of a worker, which are not commands: the first of each second are logged, the others counted.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::{event::Event, peer::Connection};

/// Lines in a second that are logged; of the others the log has the number.
const LOGGED_LINES_MAX: u64 = 10;

/// The lines that were skipped in the last second.
#[derive(Debug, Default)]
pub(super) struct InvalidLines {
    /// When the second began.
    began: Option<Instant>,
    logged: u64,
    /// Lines beyond those that were logged.
    counted: u64,
}

impl InvalidLines {
    /// Logs the beginning of a line and what is wrong with it, or counts it.
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

    /// Logs how many were counted, if the second is over.
    pub(super) fn log_count(&mut self, connection: &Connection) {
        if self.began.is_some_and(|began| began.elapsed() >= Duration::from_secs(1)) {
            self.finish(connection);
        }
    }

    /// Logs how many were counted.
    pub(super) fn finish(&mut self, connection: &Connection) {
        let Self { counted, .. } = mem::take(self);
        if counted > 0 {
            Event::LinesSkipped { conn: connection.id, lines: counted }.emit();
        }
    }
}
