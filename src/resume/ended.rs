//! The sessions that have ended, and whose clients are away and may return to be told the end. Their number has a limit: they
//! have no program, so `--maxforks` does not limit it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::lock::lock;
use crate::limits::ENDED_SESSIONS_MAX;

/// Sessions from which on the memory of those that have gone is worth giving back.
const MANY: usize = 256;

/// The doors of these sessions.
#[derive(Debug)]
pub(super) struct Ended<D>(Mutex<EndedState<D>>);

#[derive(Debug)]
struct EndedState<D> {
    /// The oldest first.
    doors: BTreeMap<u64, Arc<D>>,
    last: u64,
    /// The most sessions since freed memory was last given back.
    most: usize,
}

impl<D> Default for Ended<D> {
    fn default() -> Self {
        Self(Mutex::new(EndedState { doors: BTreeMap::new(), last: 0, most: 0 }))
    }
}

impl<D> Ended<D> {
    /// Adds a session. Returns its number, and beyond the limit the oldest one, which may wait no more.
    pub(super) fn add(&self, door: &Arc<D>) -> (u64, Option<Arc<D>>) {
        let mut ended = lock(&self.0);
        ended.last += 1;
        let number = ended.last;
        ended.doors.insert(number, Arc::clone(door));
        ended.most = ended.most.max(ended.doors.len());
        let oldest = if ended.doors.len() > ENDED_SESSIONS_MAX { ended.doors.pop_first() } else { None };
        (number, oldest.map(|(_, door)| door))
    }

    /// Removes a session. Returns whether so many have gone that their memory is worth giving back.
    pub(super) fn remove(&self, number: u64) -> bool {
        let mut ended = lock(&self.0);
        ended.doors.remove(&number);
        let left = ended.doors.len();
        let is_much = ended.most >= MANY && left <= ended.most / 2;
        if is_much {
            ended.most = left;
        }
        is_much
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_the_oldest_may_wait_no_more() {
        let ended = Ended::default();
        for number in 1..=ENDED_SESSIONS_MAX as u64 {
            assert_eq!(ended.add(&Arc::new(number)), (number, None));
        }
        assert!(!ended.remove(1));

        assert_eq!(ended.add(&Arc::new(0)).1, None);
        assert_eq!(ended.add(&Arc::new(0)).1.as_deref(), Some(&2));

        let trims = (3..=4098).filter(|number| ended.remove(*number)).count();
        assert_eq!(trims, 5, "from 4096 to below 256 by halves");
    }
}
