//! The bytes that wait anywhere in wsd: counted, and bounded by `--maxbuffer`.
//!
//! Each limit of wsd holds for one client, one room or one connection. A stranger can have many of each, so their sum is
//! bounded here. An owner of bytes that wait tells a [`Share`] how many it holds. When the sum comes near the bound, the
//! owners that hold most are asked to give back: histories first, which forget half of their messages, and then clients,
//! which are cut off.
//!
//! Lock order: the lock of the owners is the last that anyone takes, and nothing is called while it is held.

mod payload;
mod upkeep;

use std::{
    cmp::Reverse,
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::Context,
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;

/// How long a search for owners that found too few is not repeated.
const SEARCH_PAUSE: Duration = Duration::from_millis(10);

/// Bytes of a client that is never asked: an idle session takes as much that nobody counts.
const INNOCENT_BYTES: usize = 4 << 10;

/// The bound and what counts against it; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Of `used`, the bytes that owners have been asked for and still hold.
    asked: AtomicUsize,
    owners: Mutex<Owners>,
}

#[derive(Debug, Default)]
struct Owners {
    known: HashMap<u64, Weak<Entry>>,
    /// When a search for each [`Kind`] last found too few.
    searched: [Option<Instant>; 3],
    /// When the log last said that the bound is near.
    logged: Option<Instant>,
    /// When freed memory was last given back.
    trimmed: Option<Instant>,
}

/// What an owner does when it is asked to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It gives back half of what it holds. Asked first.
    History,
    /// It ends, and gives back all.
    Client,
    /// It cannot give back anything, and is never asked.
    Program,
}

/// An owner of bytes that wait; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Owner(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    id: u64,
    kind: Kind,
    budget: Budget,
    /// The bytes that it would give back at best: its own, and those that others hold, too.
    weight: AtomicUsize,
    /// The bytes that it has been asked for; 0 is not asked.
    asked: AtomicUsize,
    waker: AtomicWaker,
}

/// The bytes of an owner in one place; dropped, they are given back.
#[derive(Debug)]
pub(crate) struct Share {
    owner: Owner,
    own: usize,
    weight: usize,
}

impl Budget {
    /// At most `limit` bytes; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        let budget = Self(Arc::new(State {
            limit: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            owners: Mutex::default(),
        }));
        budget.resize(limit);
        budget
    }

    /// Changes the limit.
    pub(crate) fn resize(&self, limit: Option<usize>) {
        self.0.limit.store(limit.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether so much waits that no new session or room may begin, and reads are to be small.
    pub(crate) fn is_full(&self) -> bool {
        self.used() > self.parts(15)
    }

    fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Sixteenths of the limit.
    fn parts(&self, sixteenths: usize) -> usize {
        self.0.limit.load(Ordering::Relaxed) / 16 * sixteenths
    }

    /// Counts `after` bytes in place of `before`.
    fn change(&self, before: usize, after: usize) {
        if after <= before {
            self.0.used.fetch_sub(before - after, Ordering::Relaxed);
            return;
        }
        let used = self.0.used.fetch_add(after - before, Ordering::Relaxed) + (after - before);
        if used > self.parts(12) {
            self.relieve();
        }
    }

    /// Asks owners to give back: at three quarters of the limit histories, down to five eighths; close to the limit clients,
    /// down to seven eighths.
    fn relieve(&self) {
        let excess = |sixteenths| {
            let left = self.used().saturating_sub(self.0.asked.load(Ordering::Relaxed));
            left.saturating_sub(self.parts(sixteenths))
        };
        if excess(12) > 0 {
            self.ask(Kind::History, excess(10));
            self.log();
            self.trim();
        }
        if excess(15) > 0 {
            self.ask(Kind::Client, excess(14));
        }
    }

    /// Asks owners of `kind`, the largest first, until they are to give back `excess` bytes.
    fn ask(&self, kind: Kind, excess: usize) {
        let mut promised = 0;
        for (weight, owner) in self.search(kind) {
            let amount = match kind {
                Kind::History => weight.div_ceil(2),
                _ if weight < INNOCENT_BYTES => 0,
                _ => weight,
            };
            if promised >= excess || amount == 0 {
                break;
            }
            // In this order the sum of all that is asked for is never below 0.
            self.0.asked.fetch_add(amount, Ordering::Relaxed);
            if owner.asked.compare_exchange(0, amount, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                promised += amount;
                owner.waker.wake();
            } else {
                self.0.asked.fetch_sub(amount, Ordering::Relaxed);
            }
        }
        if promised < excess {
            self.owners().searched[kind as usize] = Some(Instant::now());
        }
    }

    /// The owners of `kind` and their bytes, the largest first; none if the last search found too few a moment ago.
    fn search(&self, kind: Kind) -> Vec<(usize, Arc<Entry>)> {
        let owners = self.owners();
        if owners.searched[kind as usize].is_some_and(|searched| searched.elapsed() < SEARCH_PAUSE) {
            return Vec::new();
        }
        let all: Vec<_> = owners.known.values().filter_map(Weak::upgrade).collect();
        // An owner that is dropped takes the lock.
        drop(owners);
        let of_kind = all.into_iter().filter(|owner| owner.kind == kind);
        let mut found: Vec<_> = of_kind.map(|owner| (owner.weight.load(Ordering::Relaxed), owner)).collect();
        found.sort_unstable_by_key(|(weight, _)| Reverse(*weight));
        found
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owner {
    /// An owner that holds nothing yet.
    pub(crate) fn new(budget: &Budget, kind: Kind) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let entry = Arc::new(Entry {
            id: COUNT.fetch_add(1, Ordering::Relaxed),
            kind,
            budget: budget.clone(),
            weight: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
        });
        if kind != Kind::Program {
            budget.owners().known.insert(entry.id, Arc::downgrade(&entry));
        }
        Self(entry)
    }

    /// A place where it holds bytes: none so far.
    pub(crate) fn share(&self) -> Share {
        Share { owner: self.clone(), own: 0, weight: 0 }
    }

    /// The budget that its bytes count against.
    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Whether it is asked to give back; the task of `cx` is woken when it is.
    pub(crate) fn is_asked(&self, cx: &mut Context<'_>) -> bool {
        self.0.waker.register(cx.waker());
        self.0.asked.load(Ordering::Relaxed) > 0
    }

    /// Whether it was asked; it has given back by now, and may be asked again.
    pub(crate) fn settle(&self) -> bool {
        self.0.settle() > 0
    }
}

impl Entry {
    fn settle(&self) -> usize {
        let asked = self.asked.swap(0, Ordering::Relaxed);
        self.budget.0.asked.fetch_sub(asked, Ordering::Relaxed);
        asked
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.settle();
        if self.kind != Kind::Program {
            self.budget.owners().known.remove(&self.id);
        }
    }
}

impl Share {
    /// The owner of the bytes.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The place holds `own` bytes now, and `shared` ones that are counted elsewhere, since others have them, too.
    pub(crate) fn set(&mut self, own: usize, shared: usize) {
        let weight = own + shared;
        if weight != self.weight {
            let before = mem::replace(&mut self.weight, weight);
            // In this order the sum of all shares is never below 0.
            self.owner.0.weight.fetch_add(weight, Ordering::Relaxed);
            self.owner.0.weight.fetch_sub(before, Ordering::Relaxed);
        }
        if own != self.own {
            let before = mem::replace(&mut self.own, own);
            self.owner.0.budget.change(before, own);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}

#[cfg(test)]
mod tests;
