//! The sources of requests: how much each uses at present, and how often it has come lately.
//!
//! The table is bounded: beyond, it forgets the source that it could forget soonest. It never forgets a source that uses
//! something, and the limits of connections and programs bound those. Each part of the table has a lock of its own, which
//! nobody holds for longer than a look at its sources takes.

use std::{
    array,
    collections::{
        HashMap,
        hash_map::{Entry, RandomState},
    },
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    limits::{SOURCES_LOOK, SOURCES_MAX},
    peer::ClientSource,
    rate::{FlowRate, Meter},
};

/// The parts of the table. A look at all sources of one takes some microseconds.
const PARTS: usize = 64;

/// The table of all sources; its copies are the same table.
#[derive(Clone, Debug)]
pub(crate) struct SourceTable(Arc<Parts>);

/// Sources are spread by a hash that no client knows, so that no client can fill one part.
#[derive(Debug)]
struct Parts {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Part {
    usages: HashMap<Key, Usage>,
    /// The time of the next look for sources to forget.
    next_look: Instant,
}

/// A source, and the limits that count for it: 0 for those at the top of the settings, or the number of a route with its own.
type Key = (u32, ClientSource);

/// The use of one source.
#[derive(Debug, Default)]
struct Usage {
    programs: usize,
    rooms: usize,
    requests: usize,
    sessions: Meter,
}

/// The things of which a source uses a number at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Used {
    /// Programs, and seats in rooms.
    Programs,
    /// Programs of rooms that the source has started.
    Rooms,
    /// Requests without a complete answer.
    Requests,
}

/// One program or request of a source. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct SourceSlot {
    table: SourceTable,
    key: Key,
    used: Used,
}

impl Default for SourceTable {
    fn default() -> Self {
        let part = |_| Mutex::new(Part { usages: HashMap::new(), next_look: Instant::now() });
        Self(Arc::new(Parts { parts: array::from_fn(part), hasher: RandomState::new() }))
    }
}

impl SourceTable {
    /// Takes one of the `max` things that a source may use at a time within `scope`; `None` if it uses all of them.
    pub(crate) fn take(&self, (scope, source): (u32, ClientSource), used: Used, max: usize) -> Option<SourceSlot> {
        let key = (scope, source);
        let mut part = self.part(&key);
        let count = part.usage(key, Instant::now()).count(used);
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(SourceSlot { table: self.clone(), key, used })
    }

    /// Counts a new session of a source within `scope`, or returns the time until the rate allows one.
    pub(crate) fn come(
        &self,
        (scope, source): (u32, ClientSource),
        rate: &FlowRate,
        now: Instant,
    ) -> Result<(), Duration> {
        let key = (scope, source);
        let mut part = self.part(&key);
        let sessions = &mut part.usage(key, now).sessions;
        sessions.limit(rate, now);
        if let Some(wait) = sessions.wait(rate, now) {
            return Err(wait);
        }
        sessions.take(rate, 1, now);
        Ok(())
    }

    fn part(&self, key: &Key) -> MutexGuard<'_, Part> {
        let [number, ..] = self.0.hasher.hash_one(key).to_ne_bytes();
        self.0.parts[usize::from(number) % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Returns the use of a source. For a new one it makes room.
    fn usage(&mut self, key: Key, now: Instant) -> &mut Usage {
        if !self.usages.contains_key(&key) {
            self.make_room(now);
        }
        self.usages.entry(key).or_default()
    }

    /// Forgets from time to time the sources that use nothing and may have the whole burst again. If there are too many
    /// sources nevertheless, it forgets the one of those in no use that could be forgotten soonest.
    fn make_room(&mut self, now: Instant) {
        if now >= self.next_look {
            self.usages.retain(|_, usage| usage.is_used() || usage.sessions.whole_at(now).is_some());
            self.usages.shrink_to(2 * self.usages.len());
            self.next_look = now + SOURCES_LOOK;
        }
        if self.usages.len() >= SOURCES_MAX / PARTS {
            let unused = self.usages.iter().filter(|(_, usage)| !usage.is_used());
            let first = unused.min_by_key(|(_, usage)| usage.sessions.whole_at(now)).map(|(key, _)| *key);
            first.and_then(|key| self.usages.remove(&key));
        }
    }
}

impl Usage {
    fn count(&mut self, used: Used) -> &mut usize {
        match used {
            Used::Programs => &mut self.programs,
            Used::Rooms => &mut self.rooms,
            Used::Requests => &mut self.requests,
        }
    }

    fn is_used(&self) -> bool {
        self.programs > 0 || self.rooms > 0 || self.requests > 0
    }
}

impl Drop for SourceSlot {
    fn drop(&mut self) {
        let mut part = self.table.part(&self.key);
        let Entry::Occupied(mut source) = part.usages.entry(self.key) else { return };
        let usage = source.get_mut();
        *usage.count(self.used) -= 1;
        if !usage.is_used() && usage.sessions.whole_at(Instant::now()).is_none() {
            source.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::peer::Peer;

    const HOUR: Duration = Duration::from_hours(1);

    fn source(number: u32) -> ClientSource {
        Peer::Portless(Ipv4Addr::from_bits(number).into()).source()
    }

    fn count(table: &SourceTable) -> usize {
        table.0.parts.iter().map(|part| part.lock().expect("nobody panics").usages.len()).sum()
    }

    #[test]
    fn a_source_uses_so_many_at_a_time_and_gives_them_back() {
        let table = SourceTable::default();
        let take = |source, used| table.take((0, source), used, 2);

        let slots = [take(source(1), Used::Programs), take(source(1), Used::Programs)];
        assert!(slots.iter().all(Option::is_some) && take(source(1), Used::Programs).is_none());
        assert!(take(source(1), Used::Requests).is_some(), "they count apart");
        assert!(take(source(2), Used::Programs).is_some(), "another source");
        assert!(table.take((1, source(1)), Used::Programs, 1).is_some(), "a route with its own limit");
        drop(slots);

        assert!(take(source(1), Used::Programs).is_some());
        assert_eq!(count(&table), 0, "a source that uses nothing is forgotten");
    }

    #[test]
    fn the_table_is_bounded_and_forgets_no_source_in_use() {
        let (table, now, rate) = (SourceTable::default(), Instant::now(), FlowRate::new(1, HOUR, 1));
        let slot = table.take((0, source(0)), Used::Programs, 1);
        for number in 0..80_000 {
            assert_eq!(table.come((0, source(number)), &rate, now), Ok(()));
        }

        assert!(count(&table) <= SOURCES_MAX + PARTS, "{}", count(&table));
        assert!(table.take((0, source(0)), Used::Programs, 1).is_none());
        assert_eq!(table.come((0, source(0)), &rate, now), Err(HOUR), "it is in use");
        assert_eq!(table.come((0, source(79_999)), &rate, now), Err(HOUR), "it is the newest");
        drop(slot);
        assert!(table.take((0, source(0)), Used::Programs, 1).is_some());
    }

    #[test]
    fn sources_that_have_not_come_for_long_are_forgotten() {
        let (table, start, rate) = (SourceTable::default(), Instant::now(), FlowRate::new(1, HOUR, 1));
        for number in 0..1000 {
            assert_eq!(table.come((0, source(number)), &rate, start), Ok(()));
        }
        assert_eq!(count(&table), 1000);

        // As many come as are needed to look at each part.
        for number in 0..1000 {
            assert_eq!(table.come((0, source(1_000_000 + number)), &rate, start + HOUR + SOURCES_LOOK), Ok(()));
        }

        assert_eq!(count(&table), 1000, "those of the beginning are gone");
    }

    #[test]
    fn a_new_rate_does_not_wait_for_the_old_one() {
        let (table, now, second) = (SourceTable::default(), Instant::now(), Duration::from_secs(1));
        assert_eq!(table.come((0, source(1)), &FlowRate::new(1, HOUR, 1), now), Ok(()));

        let wait = table.come((0, source(1)), &FlowRate::new(1, second, 1), now);

        assert_eq!(wait, Err(second));
    }
}
