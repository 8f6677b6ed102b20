//! A table whose entries expire, with a bound: beyond it, the table forgets the oldest. Pure.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::{Duration, Instant},
};

/// Entries by key; each lives for the same time.
#[derive(Debug)]
pub(super) struct Expiring<K, V> {
    entries: HashMap<K, ExpiringEntry<V>>,
    /// The keys in the order of their entries, some of which are gone.
    order: VecDeque<(u64, K)>,
    /// The number of the next entry.
    next: u64,
    entries_max: usize,
    lifetime: Duration,
}

#[derive(Debug)]
struct ExpiringEntry<V> {
    number: u64,
    end: Instant,
    value: V,
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    /// Returns a table of at most `entries_max` entries, each of which lives for `lifetime`.
    pub(super) fn new(entries_max: usize, lifetime: Duration) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), next: 0, entries_max, lifetime }
    }

    /// Adds an entry, or replaces the one of this key. Its life begins now.
    pub(super) fn insert(&mut self, key: K, value: V, now: Instant) {
        self.entries.remove(&key);
        self.prune(now);
        self.entries.insert(key.clone(), ExpiringEntry { number: self.next, end: now + self.lifetime, value });
        self.order.push_back((self.next, key));
        self.next += 1;
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.end > now).map(|entry| &entry.value)
    }

    /// Takes the value of a key out of the table.
    pub(super) fn remove(&mut self, key: &K, now: Instant) -> Option<V> {
        self.entries.remove(key).filter(|entry| entry.end > now).map(|entry| entry.value)
    }

    /// Makes room for one more entry.
    fn prune(&mut self, now: Instant) {
        while let Some((number, key)) = self.order.front() {
            let entry = self.entries.get(key).filter(|entry| entry.number == *number);
            let is_full = self.entries.len() >= self.entries_max || self.order.len() >= 2 * self.entries_max;
            if entry.is_some_and(|entry| entry.end > now) && !is_full {
                return;
            }
            if entry.is_some() {
                self.entries.remove(key);
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn entries_expire_and_the_oldest_goes_first() {
        let (mut table, start) = (Expiring::new(3, SECOND * 10), Instant::now());
        for key in 0..3 {
            table.insert(key, key, start + SECOND * key);
        }
        assert_eq!(table.get(&0, start + SECOND * 9), Some(&0));
        assert_eq!(table.get(&0, start + SECOND * 10), None, "it has expired");

        table.insert(1, 11, start + SECOND * 3);
        table.insert(3, 3, start + SECOND * 4);
        table.insert(4, 4, start + SECOND * 4);

        let left: Vec<_> = (0..5).filter(|key| table.get(key, start + SECOND * 5).is_some()).collect();
        assert_eq!(left, [1, 3, 4], "the replaced one is younger");
        assert_eq!(table.remove(&1, start + SECOND * 5), Some(11));
        assert_eq!(table.remove(&1, start + SECOND * 5), None);
    }

    #[test]
    fn a_table_with_much_coming_and_going_stays_small() {
        let (mut table, now) = (Expiring::new(4, SECOND), Instant::now());
        table.insert(u64::MAX, 0, now);
        for key in 0..10_000 {
            table.insert(key, key, now);
            table.remove(&key, now);
        }
        assert!(table.order.len() <= 8 && table.entries.len() <= 4, "{} keys", table.order.len());
    }
}
