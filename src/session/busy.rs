//! Busy polling: while a client and a program answer each other at once, the thread asks the kernel for the next answer
//! instead of sleeping.
//!
//! A processor that has gone to sleep has to be woken: 10 to 20 µs in a virtual machine, twice in each round of an echo,
//! more than wsd's own work. So such rounds take half the time. Where the answer does not come soon, as from a program
//! that computes, or that waits for this very processor, nobody is waited for. (The kernel does the same for network
//! cards: `SO_BUSY_POLL`, socket(7).)

use std::time::{Duration, Instant};

use crate::limits::{BUSY_POLL, BUSY_POLL_AFTER, BUSY_POLL_GAP, BUSY_POLL_PENALTY};

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The client.
    Client,
    /// The worker.
    Worker,
}

/// When a session polls busily.
#[derive(Debug)]
pub(super) struct BusyPoll {
    /// When the last message came, and from where.
    last: (Instant, Side),
    /// Answers, without a pause, that came soon; below 0 after one was waited for in vain.
    answers: i32,
}

impl BusyPoll {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: (now, Side::Worker), answers: 0 }
    }

    /// Takes note that a message came.
    pub(super) fn hear(&mut self, now: Instant, from: Side) {
        if self.since(now) >= BUSY_POLL_GAP {
            self.answers = self.answers.min(0);
        } else if from != self.last.1 {
            self.answers = self.answers.saturating_add(1);
        }
        self.last = (now, from);
    }

    /// Whether an answer is likely to come at once.
    pub(super) fn is_on(&mut self, now: Instant) -> bool {
        if self.answers < BUSY_POLL_AFTER {
            return false;
        }
        let is_on = self.since(now) < BUSY_POLL;
        if !is_on {
            self.answers = -BUSY_POLL_PENALTY;
        }
        is_on
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(1);

    /// Has heard `count` messages, from both sides in turn, each soon after the one before; and when the last was.
    fn after(count: i32) -> (BusyPoll, Instant) {
        let start = Instant::now();
        let mut poll = BusyPoll::new(start);
        let last = talk(&mut poll, start, count);
        (poll, last)
    }

    fn talk(poll: &mut BusyPoll, mut now: Instant, count: i32) -> Instant {
        for number in 0..count {
            now += SOON;
            poll.hear(now, if number % 2 == 0 { Side::Client } else { Side::Worker });
        }
        now
    }

    #[test]
    fn quick_answers_are_waited_for_awake() {
        let (mut poll, last) = after(BUSY_POLL_AFTER);

        assert!(poll.is_on(last));
        assert!(poll.is_on(last + BUSY_POLL.saturating_sub(SOON)));
    }

    #[test]
    fn but_not_for_long_and_then_only_after_many_more() {
        let (mut poll, last) = after(2 * BUSY_POLL_AFTER);
        assert!(!poll.is_on(last + BUSY_POLL));

        let last = talk(&mut poll, last, BUSY_POLL_PENALTY + BUSY_POLL_AFTER - 2);
        assert!(!poll.is_on(last));
        let last = talk(&mut poll, last, 4);
        assert!(poll.is_on(last));
    }

    #[test]
    fn a_first_few_say_nothing() {
        let (mut poll, last) = after(BUSY_POLL_AFTER - 1);

        assert!(!poll.is_on(last));
    }

    #[test]
    fn who_talks_alone_is_not_answered() {
        let mut now = Instant::now();
        for from in [Side::Client, Side::Worker] {
            let mut poll = BusyPoll::new(now);
            for _ in 0..10 * BUSY_POLL_AFTER {
                now += SOON;
                poll.hear(now, from);
                assert!(!poll.is_on(now));
            }
        }
    }

    #[test]
    fn a_client_that_thinks_between_its_questions_is_never_waited_for() {
        let mut now = Instant::now();
        let mut poll = BusyPoll::new(now);
        for _ in 0..10 * BUSY_POLL_AFTER {
            now += BUSY_POLL_GAP;
            poll.hear(now, Side::Client);
            assert!(!poll.is_on(now), "the question");
            now += SOON;
            poll.hear(now, Side::Worker);
            assert!(!poll.is_on(now), "the answer");
        }
    }
}
