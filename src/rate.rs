//! A rate: so many units in a time, and a burst. Pure.

use std::{fmt, time::Duration};

use tokio::time::Instant;

/// A rate with its burst: the units that may be taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowRate {
    count: u64,
    per: Duration,
    burst: u64,
}

/// The units that were taken at a rate, as one time: that at which the whole burst may be taken again.
///
/// Source: the generic cell rate algorithm (ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    whole_at: Option<Instant>,
}

impl FlowRate {
    /// Returns the rate of `count` units `per` time. Neither `count` nor `burst` is 0.
    pub(crate) fn new(count: u64, per: Duration, burst: u64) -> Self {
        Self { count, per, burst }
    }

    /// Returns the time in which the rate gives so many units.
    fn time_of(&self, units: u64) -> Duration {
        let nanos = self.per.as_nanos() * u128::from(units) / u128::from(self.count);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for FlowRate {
    /// Writes the rate with its unit, as `--rate` has it, and the burst.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            0..60 => "s",
            60..3600 => "m",
            _ => "h",
        };
        write!(f, "{}/{unit}, {} at once", self.count, self.burst)
    }
}

impl Meter {
    /// Returns the time until one more unit may be taken; `None` if it may be taken now.
    pub(crate) fn wait(&self, rate: &FlowRate, now: Instant) -> Option<Duration> {
        let spare = rate.time_of(rate.burst).saturating_sub(rate.time_of(1));
        self.owed(now).checked_sub(spare).filter(|wait| !wait.is_zero())
    }

    /// Takes units. More may be taken than the burst: then the next ones wait longer.
    pub(crate) fn take(&mut self, rate: &FlowRate, units: u64, now: Instant) {
        self.whole_at = (now + self.owed(now)).checked_add(rate.time_of(units));
    }

    /// Forgets the units beyond the burst, for a rate that was another one before.
    pub(crate) fn limit(&mut self, rate: &FlowRate, now: Instant) {
        self.whole_at = self.whole_at.map(|at| at.min(now + rate.time_of(rate.burst)));
    }

    /// Returns the time at which the whole burst may be taken again; `None` if it may be taken now.
    pub(crate) fn whole_at(&self, now: Instant) -> Option<Instant> {
        self.whole_at.filter(|at| *at > now)
    }

    fn owed(&self, now: Instant) -> Duration {
        self.whole_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes units one by one until the rate forbids it, and returns their number.
    fn take_all(meter: &mut Meter, rate: &FlowRate, now: Instant) -> u64 {
        let mut taken = 0;
        while meter.wait(rate, now).is_none() && taken < 1000 {
            meter.take(rate, 1, now);
            taken += 1;
        }
        taken
    }

    #[test]
    fn the_burst_may_be_taken_at_once_and_then_the_rate_holds() {
        for (count, per, burst) in [(1, 1, 1), (3, 1, 3), (3, 1, 5), (10, 60, 1), (7, 3600, 20), (100, 1, 1)] {
            let (rate, mut meter, start) =
                (FlowRate::new(count, SECOND * per, burst), Meter::default(), Instant::now());

            assert_eq!(take_all(&mut meter, &rate, start), burst, "{rate:?}");

            let wait = meter.wait(&rate, start).expect("the burst is used up");
            assert!(meter.wait(&rate, start + wait - Duration::from_nanos(1)).is_some(), "{rate:?}");
            assert_eq!(take_all(&mut meter, &rate, start + wait), 1, "{rate:?}");
            let later = start + SECOND * 20_000;
            assert_eq!(meter.whole_at(later), None, "{rate:?}");
            assert_eq!(take_all(&mut meter, &rate, later), burst, "{rate:?}");
        }
    }

    #[test]
    fn what_is_taken_beyond_the_burst_makes_the_next_one_wait() {
        let (rate, mut meter, now) = (FlowRate::new(1000, SECOND, 1000), Meter::default(), Instant::now());

        meter.take(&rate, 5000, now);

        assert_eq!(meter.wait(&rate, now), Some(Duration::from_millis(4001)));
        meter.limit(&rate, now);
        assert_eq!(meter.wait(&rate, now), Some(Duration::from_millis(1)));
    }
}
