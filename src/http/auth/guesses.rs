//! Slows down guessing: counts the failures of each source, and lets a source that has too many wait.
//!
//! All clients of Unix sockets are one source. There the failures of each user count apart, so that a guesser lets nobody else wait.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use super::expiring::Expiring;
use crate::{
    limits::auth::{AUTH_FAILURES_A_MINUTE_MAX, AUTH_FAILURES_AN_HOUR_MAX, AUTH_LANE_MAX, AUTH_SOURCES_MAX},
    peer::{ClientSource, Peer},
    sources::SourceTable,
};

/// A minute and an hour: the times in which failures count.
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// The failures of all sources.
#[derive(Debug)]
pub(super) struct Guesses {
    failures: Mutex<Expiring<Guesser, VecDeque<Instant>>>,
    lanes: Arc<Mutex<HashMap<Guesser, Lane>>>,
    /// The turns of each network of IPv6.
    pub(super) networks: SourceTable,
    /// Hashes the names of users, which may be long.
    hasher: RandomState,
}

/// A client that may guess: a source, with the user whose password it shows if it comes over a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Guesser(pub(super) ClientSource, Option<u64>);

/// The turn of a source: its passwords are checked one after the other, so that a flood of guesses is counted in time.
#[derive(Debug, Default)]
struct Lane {
    lock: Arc<Lock<()>>,
    /// The requests that have the turn or wait for it.
    requests: usize,
}

/// The turn of a request. Dropping it gives the turn to the next one of its source.
#[derive(Debug)]
pub(super) struct Turn {
    guard: Option<OwnedMutexGuard<()>>,
    guesser: Guesser,
    lanes: Arc<Mutex<HashMap<Guesser, Lane>>>,
}

impl Guesses {
    /// Returns a table without failures.
    pub(super) fn new() -> Self {
        let failures = Mutex::new(Expiring::new(AUTH_SOURCES_MAX, HOUR));
        Self { failures, lanes: Arc::default(), networks: SourceTable::default(), hasher: RandomState::new() }
    }

    /// Returns the client as it counts here. `user` is the one whose password it shows.
    pub(super) fn guesser(&self, peer: Peer, user: Option<&str>) -> Guesser {
        let user = user.filter(|_| peer.ip().is_none()).map(|user| self.hasher.hash_one(user));
        Guesser(peer.source(), user)
    }

    /// Returns how long a source has to wait until it may try again; `None` if it may now.
    pub(super) fn wait(&self, guesser: Guesser, now: Instant) -> Option<Duration> {
        let failures = lock(&self.failures);
        let times = failures.get(&guesser, now)?;
        let limits = [(AUTH_FAILURES_A_MINUTE_MAX, MINUTE), (AUTH_FAILURES_AN_HOUR_MAX, HOUR)];
        let waits = limits.into_iter().filter_map(|(count, time)| {
            let first = times.get(times.len().checked_sub(count)?)?;
            (*first + time).checked_duration_since(now).filter(|wait| !wait.is_zero())
        });
        waits.max()
    }

    /// Counts a failure.
    pub(super) fn failed(&self, guesser: Guesser, now: Instant) {
        let mut failures = lock(&self.failures);
        let mut times = failures.remove(&guesser, now).unwrap_or_default();
        if times.len() == AUTH_FAILURES_AN_HOUR_MAX {
            times.pop_front();
        }
        times.push_back(now);
        failures.insert(guesser, times, now);
    }

    /// Waits for the turn of a request; `None` if too many of its source wait already.
    pub(super) async fn turn(&self, guesser: Guesser) -> Option<Turn> {
        let wait = {
            let mut lanes = lock(&self.lanes);
            let lane = lanes.entry(guesser).or_default();
            if lane.requests == AUTH_LANE_MAX {
                return None;
            }
            lane.requests += 1;
            Arc::clone(&lane.lock)
        };
        // Before the wait: a client that leaves gives its place back.
        let mut turn = Turn { guard: None, guesser, lanes: Arc::clone(&self.lanes) };
        turn.guard = Some(wait.lock_owned().await);
        Some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get_mut(&self.guesser) {
            lane.requests -= 1;
            if lane.requests == 0 {
                lanes.remove(&self.guesser);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Guesser {
        Guesser(Peer::Tcp(address.parse().expect("an address")).source(), None)
    }

    #[test]
    fn five_failures_a_minute_and_twenty_an_hour_make_a_source_wait() {
        let (guesses, start) = (Guesses::new(), Instant::now());
        let (one, other) = (source("192.0.2.1:1"), source("192.0.2.2:1"));
        for _ in 0..4 {
            guesses.failed(one, start);
        }
        assert_eq!(guesses.wait(one, start), None);
        guesses.failed(one, start);
        assert_eq!(guesses.wait(one, start), Some(MINUTE));
        assert_eq!(guesses.wait(other, start), None);
        assert_eq!(guesses.wait(one, start + MINUTE), None);

        let later = |minutes: u32| start + MINUTE * minutes;
        for minute in 1..4 {
            for _ in 0..5 {
                guesses.failed(one, later(minute));
            }
        }
        assert_eq!(guesses.wait(one, later(5)), Some(MINUTE * 55));
        assert_eq!(guesses.wait(one, later(60)), None);
    }

    #[test]
    fn the_addresses_of_one_network_of_ipv6_are_one_source() {
        assert_eq!(source("[2001:db8:1:2:3::1]:1"), source("[2001:db8:1:2:ffff::2]:9"));
        assert_ne!(source("[2001:db8:1:2::1]:1"), source("[2001:db8:1:3::1]:1"));
        assert_eq!(source("[::ffff:192.0.2.1]:1"), source("192.0.2.1:2"));
        assert_ne!(source("192.0.2.1:1"), source("192.0.2.2:1"));
    }

    #[test]
    fn the_users_at_a_unix_socket_count_apart_and_those_of_an_address_do_not() {
        let guesses = Guesses::new();
        let of = |peer: Peer, user| guesses.guesser(peer, user);
        let address = Peer::Tcp("192.0.2.1:1".parse().expect("an address"));

        assert_ne!(of(Peer::Unix, Some("ada")), of(Peer::Unix, Some("bob")));
        assert_eq!(of(Peer::Unix, Some("ada")), of(Peer::Unix, Some("ada")));
        assert_ne!(of(Peer::Unix, Some("ada")), of(Peer::Unix, None));
        assert_eq!(of(address, Some("ada")), of(address, None));
    }

    #[tokio::test]
    async fn a_source_has_one_turn_at_a_time_and_a_bounded_number_that_wait() {
        let guesses = Arc::new(Guesses::new());
        let one = source("192.0.2.1:1");
        let first = guesses.turn(one).await.expect("a turn");
        let waiting: Vec<_> = (1..AUTH_LANE_MAX)
            .map(|_| {
                let guesses = Arc::clone(&guesses);
                tokio::spawn(async move { guesses.turn(one).await.is_some() })
            })
            .collect();
        tokio::task::yield_now().await;

        assert!(guesses.turn(one).await.is_none(), "too many wait");
        assert!(guesses.turn(source("192.0.2.2:1")).await.is_some(), "another source");
        drop(first);
        for waiting in waiting {
            assert!(waiting.await.expect("it does not panic"));
        }
        assert!(lock(&guesses.lanes).is_empty());
    }
}
