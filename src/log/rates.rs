//! Counts instead of lines: of each kind of event the log has the first lines of a second, and the number of the others.
//!
//! Nobody outside can fill a disk then, or hide other events among thousands of one kind. Pure.

use std::time::{Duration, Instant};

use tracing::Level;

use crate::limits::LOG_LINES_A_SECOND_MAX;

/// What was logged lately, by kind. Names of events are constants, so there are few.
#[derive(Debug, Default)]
pub(super) struct Rates(Vec<Kind>);

/// Events of one name and level, in a second that began with the first.
#[derive(Debug)]
struct Kind {
    level: Level,
    name: String,
    began: Instant,
    logged: u64,
    left_out: u64,
}

/// Lines of one kind that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) level: Level,
    pub(super) name: String,
    pub(super) lines: u64,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is logged.
    Logged,
    /// It is the first of its second that is only counted.
    First,
    /// It is only counted.
    Counted,
}

impl Kind {
    fn end(&self) -> Instant {
        self.began + Duration::from_secs(1)
    }
}

impl Rates {
    /// Takes note of an event. What was left out in a second that is over must have been taken.
    pub(super) fn note(&mut self, level: Level, name: &str, now: Instant) -> Fate {
        let Some(kind) = self.0.iter_mut().find(|kind| kind.level == level && kind.name == name) else {
            self.0.push(Kind { level, name: name.to_owned(), began: now, logged: 1, left_out: 0 });
            return Fate::Logged;
        };
        if kind.logged < LOG_LINES_A_SECOND_MAX {
            kind.logged += 1;
            return Fate::Logged;
        }
        kind.left_out += 1;
        if kind.left_out == 1 { Fate::First } else { Fate::Counted }
    }

    /// Takes what was left out in the seconds that are over by `now`; all, if there is no such time.
    pub(super) fn take_over(&mut self, now: Option<Instant>) -> Vec<LeftOut> {
        let over = self.0.extract_if(.., |kind| now.is_none_or(|now| kind.end() <= now));
        let left_out = over.map(|kind| LeftOut { level: kind.level, name: kind.name, lines: kind.left_out });
        left_out.filter(|left_out| left_out.lines > 0).collect()
    }

    /// When the next second is over of which there is something to tell.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.iter().filter(|kind| kind.left_out > 0).map(Kind::end).min()
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
            assert_eq!(rates.note(Level::WARN, "one", start), Fate::Logged);
        }
        assert_eq!(rates.next_end(), None);
        assert_eq!(rates.note(Level::WARN, "one", start), Fate::First);
        assert_eq!(rates.note(Level::WARN, "one", start), Fate::Counted);
        assert_eq!(rates.note(Level::WARN, "other", start), Fate::Logged, "another name");
        assert_eq!(rates.note(Level::INFO, "one", start), Fate::Logged, "another level");
        assert_eq!(rates.next_end(), Some(start + SECOND));

        assert_eq!(rates.take_over(Some(start + SECOND / 2)), [], "the second is not over");
        let told = rates.take_over(Some(start + SECOND));

        assert_eq!(told, [LeftOut { level: Level::WARN, name: "one".to_owned(), lines: 2 }]);
        assert_eq!(rates.note(Level::WARN, "one", start + SECOND), Fate::Logged, "the next second");
        assert_eq!(rates.take_over(None), []);
        assert!(rates.0.is_empty());
    }
}
