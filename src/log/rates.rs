//! The rate limit of the log: it logs the first events of one kind in a second, and the number of the others.
//!
//! So no client can fill a disk, or hide other events among thousands of one kind. Pure.

use std::time::{Duration, Instant};

use tracing::Level;

use crate::limits::LOG_LINES_A_SECOND_MAX;

/// The recent events by kind. Names of events are constants, so the list is short.
#[derive(Debug, Default)]
pub(super) struct Rates(Vec<Rate>);

/// The events of one name and level in a second, which began with the first.
#[derive(Debug)]
struct Rate {
    level: Level,
    name: String,
    began: Instant,
    logged: u64,
    left_out: u64,
}

/// Lines of one kind that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Their level.
    pub(super) level: Level,
    /// Their event's name.
    pub(super) name: String,
    /// Their number.
    pub(super) lines: u64,
}

/// Whether to log an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Log it.
    Log,
    /// Count it only; it is the first such event in its second.
    CountFirst,
    /// Count it only.
    Count,
}

impl Rate {
    fn end(&self) -> Instant {
        self.began + Duration::from_secs(1)
    }
}

impl Rates {
    /// Counts an event, and decides whether to log it. Call [`Rates::take_over`] before, for the seconds that are over.
    pub(super) fn decide(&mut self, level: Level, name: &str, now: Instant) -> Decision {
        let Some(kind) = self.0.iter_mut().find(|kind| kind.level == level && kind.name == name) else {
            self.0.push(Rate { level, name: name.to_owned(), began: now, logged: 1, left_out: 0 });
            return Decision::Log;
        };
        if kind.logged < LOG_LINES_A_SECOND_MAX {
            kind.logged += 1;
            return Decision::Log;
        }
        kind.left_out += 1;
        if kind.left_out == 1 { Decision::CountFirst } else { Decision::Count }
    }

    /// Takes the counts of events that were left out in seconds that are over by `now`; all counts if `now` is `None`.
    pub(super) fn take_over(&mut self, now: Option<Instant>) -> Vec<LeftOut> {
        let over = self.0.extract_if(.., |kind| now.is_none_or(|now| kind.end() <= now));
        let left_out = over.map(|kind| LeftOut { level: kind.level, name: kind.name, lines: kind.left_out });
        left_out.filter(|left_out| left_out.lines > 0).collect()
    }

    /// Returns the end of the next second in which an event was left out.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.iter().filter(|kind| kind.left_out > 0).map(Rate::end).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_so_many_a_second_events_of_one_kind_are_counted() {
        const SECOND: Duration = Duration::from_secs(1);
        let (mut rates, start) = (Rates::default(), Instant::now());
        for _ in 0..LOG_LINES_A_SECOND_MAX {
            assert_eq!(rates.decide(Level::WARN, "one", start), Decision::Log);
        }
        assert_eq!(rates.next_end(), None);
        assert_eq!(rates.decide(Level::WARN, "one", start), Decision::CountFirst);
        assert_eq!(rates.decide(Level::WARN, "one", start), Decision::Count);
        assert_eq!(rates.decide(Level::WARN, "other", start), Decision::Log, "another name");
        assert_eq!(rates.decide(Level::INFO, "one", start), Decision::Log, "another level");
        assert_eq!(rates.next_end(), Some(start + SECOND));

        assert_eq!(rates.take_over(Some(start + SECOND / 2)), [], "the second is not over");
        let told = rates.take_over(Some(start + SECOND));

        assert_eq!(told, [LeftOut { level: Level::WARN, name: "one".to_owned(), lines: 2 }]);
        assert_eq!(rates.decide(Level::WARN, "one", start + SECOND), Decision::Log, "the next second");
        assert_eq!(rates.take_over(None), []);
        assert!(rates.0.is_empty());
    }
}
