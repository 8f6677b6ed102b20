//! Busy polling: while things follow each other closely, the thread asks the kernel for the next one instead of sleeping.
//!
//! A processor that has gone to sleep has to be woken: 10 to 20 µs in a virtual machine, twice in each round of an echo,
//! more than wsd's own work. So a client and a program that answer each other at once are carried at twice the rate, for
//! the same processor time a message. Those that take their time are not waited for. (The kernel does the same for network
//! cards: `SO_BUSY_POLL`, socket(7).)

use std::time::{Duration, Instant};

use crate::limits::{BUSY_POLL, BUSY_POLL_AFTER};

/// When a session polls busily.
#[derive(Debug)]
pub(super) struct BusyPoll {
    /// When something was last carried, either way.
    last: Instant,
    /// How many times, without a pause, that was soon after the time before.
    in_a_row: u32,
}

impl BusyPoll {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, in_a_row: 0 }
    }

    /// Takes note that something is carried.
    pub(super) fn carry(&mut self, now: Instant) {
        self.in_a_row = if self.since(now) < BUSY_POLL { self.in_a_row.saturating_add(1) } else { 0 };
        self.last = now;
    }

    /// Whether the next thing is likely to come soon.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.in_a_row >= BUSY_POLL_AFTER && self.since(now) < BUSY_POLL
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(1);

    /// What has seen `times` things carried, each `apart` from the one before, and when the last of them was.
    fn after(times: u32, apart: Duration) -> (BusyPoll, Instant) {
        let start = Instant::now();
        let mut poll = BusyPoll::new(start);
        (1..=times).for_each(|time| poll.carry(start + apart * time));
        (poll, start + apart * times)
    }

    #[test]
    fn things_in_quick_succession_are_waited_for_awake() {
        let (poll, last) = after(BUSY_POLL_AFTER, SOON);

        assert!(poll.is_on(last));
        assert!(poll.is_on(last + BUSY_POLL.saturating_sub(SOON)));
    }

    #[test]
    fn but_not_for_long() {
        let (poll, last) = after(BUSY_POLL_AFTER, SOON);

        assert!(!poll.is_on(last + BUSY_POLL));
    }

    #[test]
    fn a_first_few_say_nothing() {
        let (poll, last) = after(BUSY_POLL_AFTER - 1, SOON);

        assert!(!poll.is_on(last));
    }

    #[test]
    fn after_a_pause_the_count_begins_again() {
        let (mut poll, last) = after(2 * BUSY_POLL_AFTER, SOON);
        let late = last + BUSY_POLL;
        poll.carry(late);
        assert!(!poll.is_on(late));

        (1..BUSY_POLL_AFTER).for_each(|time| poll.carry(late + SOON * time));
        assert!(!poll.is_on(late + SOON * BUSY_POLL_AFTER));
        poll.carry(late + SOON * BUSY_POLL_AFTER);
        assert!(poll.is_on(late + SOON * BUSY_POLL_AFTER));
    }

    #[test]
    fn a_client_that_thinks_between_its_questions_is_never_waited_for() {
        let mut now = Instant::now();
        let mut poll = BusyPoll::new(now);
        for _ in 0..10 * BUSY_POLL_AFTER {
            now += BUSY_POLL;
            poll.carry(now);
            assert!(!poll.is_on(now), "the question");
            now += SOON;
            poll.carry(now);
            assert!(!poll.is_on(now), "the answer");
        }
    }
}
