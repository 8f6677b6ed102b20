//! How much of a file is read at a time: as much as its client takes in a moment.

use std::time::Instant;

use crate::limits::{FILE_MOMENT, FILE_READ_BYTES_MAX, FILE_READ_BYTES_MIN};

/// The bytes of a file to read next.
///
/// Where a client is fast, large portions spare it and wsd falling asleep and being woken between them; where it is slow,
/// small ones spare memory.
#[derive(Debug)]
pub(super) struct Portion {
    bytes: usize,
    /// When the last one was asked for.
    last: Instant,
}

impl Portion {
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: FILE_READ_BYTES_MIN, last: now }
    }

    /// The next one: twice the last if that was taken within [`FILE_MOMENT`], or else half of it.
    pub(super) fn next(&mut self, now: Instant) -> usize {
        let is_fast = now.saturating_duration_since(self.last) < FILE_MOMENT;
        let next = if is_fast { self.bytes * 2 } else { self.bytes / 2 };
        self.bytes = next.clamp(FILE_READ_BYTES_MIN, FILE_READ_BYTES_MAX);
        self.last = now;
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_client_gets_more_at_a_time_and_a_slow_one_less() {
        let mut now = Instant::now();
        let mut portion = Portion::new(now);

        let mut last = FILE_READ_BYTES_MIN;
        while last < FILE_READ_BYTES_MAX {
            let next = portion.next(now);
            assert_eq!(next, 2 * last);
            last = next;
        }
        assert_eq!(portion.next(now), FILE_READ_BYTES_MAX);

        while last > FILE_READ_BYTES_MIN {
            now += FILE_MOMENT;
            let next = portion.next(now);
            assert_eq!(next, last / 2);
            last = next;
        }
        assert_eq!(portion.next(now + FILE_MOMENT), FILE_READ_BYTES_MIN);
    }
}
