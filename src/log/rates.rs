//! The rate limit of the log: it logs the first events of one kind in a second, and the number of the others.
//!
//! So no client can fill a disk, or hide other events among thousands of one kind. Of refusals that repeat, however slowly, it
//! logs the first, and then a number a minute. Pure.

use std::{
    mem,
    time::{Duration, Instant},
};

use tracing::Level;

use crate::limits::{LOG_LINES_A_SECOND_MAX, LOG_REPEATS_KNOWN_MAX, LOG_REPEATS_MAX, LOG_REPEATS_TIME};

/// The recent events by kind. Names of events are constants, and repeated ones are limited, so the list is short.
#[derive(Debug, Default)]
pub(super) struct Rates(Vec<Rate>);

/// The events of one kind in a time, which began with the first.
#[derive(Debug)]
struct Rate {
    kind: EventKind,
    began: Instant,
    /// When the last event came.
    last: Instant,
    logged: u64,
    left_out: u64,
}

/// The events of a name and level; or those of them that only repeat each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventKind {
    /// Their level.
    pub(super) level: Level,
    /// Their event's name.
    pub(super) name: String,
    /// The keys that they have in common, with their texts; `None` for all of the name.
    pub(super) repeated: Option<Vec<(&'static str, String)>>,
}

/// Lines of one kind that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Their kind.
    pub(super) kind: EventKind,
    /// Their number.
    pub(super) lines: u64,
}

/// Whether to log an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Log it.
    Log,
    /// Count it only; it is the first such event in its time.
    CountFirst,
    /// Count it only.
    Count,
}

impl Rate {
    fn end(&self) -> Instant {
        self.began + if self.kind.repeated.is_some() { LOG_REPEATS_TIME } else { Duration::from_secs(1) }
    }

    /// Whether the kind is one of repeated events, of which some have come lately.
    fn goes_on(&self, now: Instant) -> bool {
        self.kind.repeated.is_some() && self.last + LOG_REPEATS_TIME > now
    }

    /// Counts an event, and decides whether to log it: the first `lines_max` are.
    fn decide(&mut self, lines_max: u64, now: Instant) -> Decision {
        self.last = now;
        if self.logged < lines_max {
            self.logged += 1;
            return Decision::Log;
        }
        self.left_out += 1;
        if self.left_out == 1 { Decision::CountFirst } else { Decision::Count }
    }
}

impl Rates {
    /// Counts an event, and decides whether to log it. Call [`Rates::take_over`] before, for the times that are over.
    pub(super) fn decide(&mut self, mut kind: EventKind, now: Instant) -> Decision {
        if kind.repeated.is_some() {
            let known = self.0.iter().filter(|rate| rate.kind.repeated.is_some()).count();
            if (known < LOG_REPEATS_KNOWN_MAX || self.0.iter().any(|rate| rate.kind == kind))
                && let decision = self.rate(&kind, now).decide(LOG_REPEATS_MAX, now)
                && decision != Decision::Log
            {
                return decision;
            }
            kind.repeated = None;
        }
        self.rate(&kind, now).decide(LOG_LINES_A_SECOND_MAX, now)
    }

    /// Returns the events of this kind; `now` is when they begin, if there is none yet.
    fn rate(&mut self, kind: &EventKind, now: Instant) -> &mut Rate {
        let at = self.0.iter().position(|rate| rate.kind == *kind).unwrap_or_else(|| {
            self.0.push(Rate { kind: kind.clone(), began: now, last: now, logged: 0, left_out: 0 });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// Takes the counts of events that were left out in times that are over by `now`; all counts if `now` is `None`.
    ///
    /// While repeated events come, the next time follows.
    pub(super) fn take_over(&mut self, now: Option<Instant>) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        self.0.retain_mut(|rate| {
            if now.is_some_and(|now| rate.end() > now) {
                return true;
            }
            let lines = mem::take(&mut rate.left_out);
            if lines > 0 {
                left_out.push(LeftOut { kind: rate.kind.clone(), lines });
            }
            let Some(now) = now.filter(|now| rate.goes_on(*now)) else { return false };
            rate.began = now;
            true
        });
        left_out
    }

    /// Returns the end of the next time in which an event was left out.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.iter().filter(|rate| rate.left_out > 0).map(Rate::end).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(level: Level, name: &str, repeated: Option<&str>) -> EventKind {
        let repeated = repeated.map(|text| vec![("origin", text.to_owned())]);
        EventKind { level, name: name.to_owned(), repeated }
    }

    #[test]
    fn events_that_repeat_are_counted_until_none_comes_for_a_minute() {
        const MINUTE: Duration = LOG_REPEATS_TIME;
        let (mut rates, start) = (Rates::default(), Instant::now());
        let evil = || kind(Level::WARN, "refused", Some("evil"));
        let mut logged = 0;
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            assert_eq!(rates.take_over(Some(now)), []);
            logged += u64::from(rates.decide(evil(), now) == Decision::Log);
        }
        assert_eq!(logged, LOG_REPEATS_MAX);
        let other = kind(Level::WARN, "refused", Some("other"));
        assert_eq!(rates.decide(other, start + MINUTE / 2), Decision::Log, "another origin");

        assert_eq!(rates.take_over(Some(start + MINUTE)), [LeftOut { kind: evil(), lines: 30 - LOG_REPEATS_MAX }]);
        assert_eq!(rates.decide(evil(), start + MINUTE), Decision::CountFirst, "they go on");
        assert_eq!(rates.take_over(Some(start + MINUTE * 2)), [LeftOut { kind: evil(), lines: 1 }]);
        assert_eq!(rates.take_over(Some(start + MINUTE * 3)), []);
        assert_eq!(rates.decide(evil(), start + MINUTE * 3), Decision::Log, "none came for a minute");
    }

    #[test]
    fn events_that_repeat_slowly_are_counted_too() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let mut logged = 0;
        for number in 0..100 {
            let now = start + LOG_REPEATS_TIME / 2 * number;
            rates.take_over(Some(now));
            let decision = rates.decide(kind(Level::WARN, "refused", Some("evil")), now);
            logged += u64::from(decision == Decision::Log);
        }
        assert_eq!(logged, LOG_REPEATS_MAX);
    }

    #[test]
    fn events_of_ever_new_kinds_count_as_those_of_their_name() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let decide = |number| rates.decide(kind(Level::WARN, "refused", Some(&format!("{number}"))), now);

        let logged = (0..1000).map(decide).filter(|decision| *decision == Decision::Log).count();

        assert_eq!(logged as u64, LOG_LINES_A_SECOND_MAX);
        assert!(rates.0.len() <= LOG_REPEATS_KNOWN_MAX + 1, "{}", rates.0.len());
    }

    #[test]
    fn beyond_so_many_a_second_events_of_one_kind_are_counted() {
        const SECOND: Duration = Duration::from_secs(1);
        let (mut rates, start) = (Rates::default(), Instant::now());
        for _ in 0..LOG_LINES_A_SECOND_MAX {
            assert_eq!(rates.decide(kind(Level::WARN, "one", None), start), Decision::Log);
        }
        assert_eq!(rates.next_end(), None);
        assert_eq!(rates.decide(kind(Level::WARN, "one", None), start), Decision::CountFirst);
        assert_eq!(rates.decide(kind(Level::WARN, "one", None), start), Decision::Count);
        assert_eq!(rates.decide(kind(Level::WARN, "other", None), start), Decision::Log, "another name");
        assert_eq!(rates.decide(kind(Level::INFO, "one", None), start), Decision::Log, "another level");
        assert_eq!(rates.next_end(), Some(start + SECOND));

        assert_eq!(rates.take_over(Some(start + SECOND / 2)), [], "the second is not over");
        let told = rates.take_over(Some(start + SECOND));

        assert_eq!(told, [LeftOut { kind: kind(Level::WARN, "one", None), lines: 2 }]);
        assert_eq!(rates.decide(kind(Level::WARN, "one", None), start + SECOND), Decision::Log, "the next second");
        assert_eq!(rates.take_over(None), []);
        assert!(rates.0.is_empty());
    }
}
