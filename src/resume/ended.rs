//! The sessions that have ended, and whose clients are away and may return to be told the end. Their number has a limit: they
//! have no program, so `--maxforks` does not limit it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{door::Door, lock::lock};
use crate::limits::ENDED_SESSIONS_MAX;

/// Sessions from which on the memory of those that have gone is worth giving back.
const MANY: usize = 256;

/// The sessions that wait.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// The oldest first.
    doors: BTreeMap<u64, Arc<Door>>,
    last: u64,
    /// The most sessions since freed memory was last given back.
    most: usize,
}

impl Ended {
    /// Adds a session, and returns its number. Beyond the limit, the oldest one is given up.
    pub(super) fn add(&self, door: &Arc<Door>) -> u64 {
        let mut waiting = lock(&self.0);
        waiting.last += 1;
        let number = waiting.last;
        waiting.doors.insert(number, Arc::clone(door));
        waiting.most = waiting.most.max(waiting.doors.len());
        let oldest = if waiting.doors.len() > ENDED_SESSIONS_MAX { waiting.doors.pop_first() } else { None };
        drop(waiting);
        if let Some((_, door)) = oldest {
            door.give_up();
        }
        number
    }

    /// Removes a session. Returns whether so many have gone that their memory is worth giving back.
    pub(super) fn remove(&self, number: u64) -> bool {
        let mut waiting = lock(&self.0);
        waiting.doors.remove(&number);
        let left = waiting.doors.len();
        let is_much = waiting.most >= MANY && left <= waiting.most / 2;
        if is_much {
            waiting.most = left;
        }
        is_much
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume::door::Doors;

    #[test]
    fn beyond_the_limit_the_oldest_is_given_up() {
        let doors = Doors::default();
        let owns: Vec<_> = (0..=ENDED_SESSIONS_MAX).map(|_| doors.open(0, false)).collect();
        let numbers: Vec<_> = owns.iter().map(|own| own.begin_waiting()).collect();

        let given_up = owns.iter().filter(|own| own.is_given_up()).count();

        assert!(given_up == 1 && owns[0].is_given_up(), "{given_up}");
        let trims = numbers.into_iter().filter(|number| owns[0].end_waiting(*number)).count();
        // From 4096 to below 256 by halves.
        assert_eq!(trims, 5);
    }
}
