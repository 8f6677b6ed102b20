//! When a silent client counts as gone. Pure: it is told of ticks, it has no clock.

/// Counts the ping intervals in which nothing was heard of a client.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    was_heard: bool,
    silent_ticks: u32,
}

/// What to do at the end of an interval.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Send a Ping.
    Ping,
    /// Nothing was heard for two intervals: the client is gone.
    Gone,
}

impl Keepalive {
    /// Something came of the client, whatever it was.
    pub(crate) fn hear(&mut self) {
        self.was_heard = true;
    }

    /// An interval is over.
    pub(crate) fn tick(&mut self) -> Tick {
        self.silent_ticks = if std::mem::take(&mut self.was_heard) { 0 } else { self.silent_ticks + 1 };
        if self.silent_ticks >= 2 { Tick::Gone } else { Tick::Ping }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_silent_intervals_in_a_row_are_the_end() {
        let table: [(&str, &[bool], Tick); 5] = [
            ("a fresh client is pinged", &[false], Tick::Ping),
            ("one that never spoke", &[false, false], Tick::Gone),
            ("one that answers", &[true, true, true], Tick::Ping),
            ("one that misses one", &[true, false, true, false], Tick::Ping),
            ("one that falls silent", &[true, false, false], Tick::Gone),
        ];
        for (what, heard, want) in table {
            let mut keepalive = Keepalive::default();
            let last = heard.iter().map(|&heard| {
                if heard {
                    keepalive.hear();
                }
                keepalive.tick()
            });
            assert_eq!(last.last(), Some(want), "{what}");
        }
    }
}
