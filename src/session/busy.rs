//! Busy polling: while a client and a program answer each other at once, the thread asks the kernel for the next answer
//! instead of sleeping.
//!
//! A processor that has gone to sleep has to be woken: 10 to 20 µs in a virtual machine, twice in each round of an echo,
//! more than wsd's own work. So such rounds take half the time. Where answers do not come soon, as from a program
//! that computes, or that waits for this very processor, they are hardly ever waited for. (The kernel does the same for
//! network cards: `SO_BUSY_POLL`, socket(7).)

use std::time::{Duration, Instant};

use crate::limits::{BUSY_POLL, BUSY_POLL_CREDIT_MAX, BUSY_POLL_GAP, BUSY_POLL_PRICE};

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The client.
    Client,
    /// The worker.
    Worker,
}

/// When a session polls busily: as long as it has earned it.
#[derive(Debug)]
pub(super) struct BusyPoll {
    /// Whose messages came last, and when the first of them had been handed on.
    last: (Instant, Side),
    /// One for each answer that came soon; what was waited for in vain has cost [`BUSY_POLL_PRICE`].
    credit: u32,
    /// The answer that is due has not come in time.
    was_in_vain: bool,
}

impl BusyPoll {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: (now, Side::Worker), credit: 0, was_in_vain: false }
    }

    /// Takes note that messages have been handed on.
    pub(super) fn hear(&mut self, now: Instant, from: Side) {
        if from == self.last.1 {
            return;
        }
        if self.since(now) < BUSY_POLL_GAP {
            self.credit = (self.credit + 1).min(BUSY_POLL_CREDIT_MAX);
        }
        self.last = (now, from);
        self.was_in_vain = false;
    }

    /// Whether an answer is likely to come at once.
    pub(super) fn is_on(&mut self, now: Instant) -> bool {
        if self.was_in_vain || self.credit < BUSY_POLL_PRICE {
            return false;
        }
        self.was_in_vain = self.since(now) >= BUSY_POLL;
        if self.was_in_vain {
            self.credit -= BUSY_POLL_PRICE;
        }
        !self.was_in_vain
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
    fn after(count: u32) -> (BusyPoll, Instant) {
        let start = Instant::now();
        let mut poll = BusyPoll::new(start);
        let last = talk(&mut poll, start, count);
        (poll, last)
    }

    fn talk(poll: &mut BusyPoll, mut now: Instant, count: u32) -> Instant {
        for number in 0..count {
            now += SOON;
            poll.hear(now, if number % 2 == 0 { Side::Client } else { Side::Worker });
        }
        now
    }

    #[test]
    fn an_answer_is_waited_for_once_enough_came_soon() {
        let (mut poll, last) = after(BUSY_POLL_PRICE - 1);
        assert!(!poll.is_on(last));

        let (mut poll, last) = after(BUSY_POLL_PRICE);
        assert!(poll.is_on(last));
        assert!(poll.is_on(last + BUSY_POLL.saturating_sub(SOON)));
    }

    #[test]
    fn but_not_for_long_and_then_only_after_as_many_more() {
        let (mut poll, last) = after(BUSY_POLL_PRICE);
        assert!(!poll.is_on(last + BUSY_POLL));

        let last = talk(&mut poll, last, BUSY_POLL_PRICE - 2);
        assert!(!poll.is_on(last));
        let last = talk(&mut poll, last, 2);
        assert!(poll.is_on(last));
    }

    #[test]
    fn long_quick_talk_earns_some_waits_in_vain() {
        let (mut poll, mut last) = after(3 * BUSY_POLL_CREDIT_MAX);
        let mut waits = 0;
        let mut sides = [Side::Client, Side::Worker].into_iter().cycle();

        while poll.is_on(last) {
            waits += 1;
            assert!(!poll.is_on(last + BUSY_POLL));
            assert!(!poll.is_on(last + BUSY_POLL), "one wait costs once");
            last += BUSY_POLL_GAP;
            poll.hear(last, sides.next().expect("without end"));
        }

        assert_eq!(waits, BUSY_POLL_CREDIT_MAX / BUSY_POLL_PRICE);
    }

    #[test]
    fn who_talks_alone_is_not_answered() {
        for from in [Side::Client, Side::Worker] {
            let (mut poll, mut now) = after(BUSY_POLL_CREDIT_MAX);
            let mut awake = Duration::ZERO;
            for _ in 0..10 * BUSY_POLL_PRICE {
                now += SOON;
                poll.hear(now, from);
                awake += if poll.is_on(now) { SOON } else { Duration::ZERO };
            }
            assert!(awake <= BUSY_POLL, "{awake:?}");
        }
    }

    #[test]
    fn a_client_that_thinks_is_hardly_ever_waited_for() {
        let mut now = Instant::now();
        let mut poll = BusyPoll::new(now);
        let mut in_vain = 0;
        for _ in 0..BUSY_POLL_PRICE {
            for _ in 0..BUSY_POLL_PRICE / 2 {
                now += BUSY_POLL_GAP.saturating_sub(SOON);
                poll.hear(now, Side::Client);
                now += SOON;
                poll.hear(now, Side::Worker);
                in_vain += u32::from(poll.is_on(now));
                poll.is_on(now + BUSY_POLL);
            }
        }

        assert_eq!(in_vain, BUSY_POLL_PRICE);
    }

    #[test]
    fn slow_answers_earn_nothing() {
        let mut now = Instant::now();
        let mut poll = BusyPoll::new(now);
        for _ in 0..10 * BUSY_POLL_PRICE {
            for from in [Side::Client, Side::Worker] {
                now += BUSY_POLL_GAP;
                poll.hear(now, from);
                assert!(!poll.is_on(now));
            }
        }
    }
}
