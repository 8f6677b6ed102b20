//! Counts the bytes that wait anywhere in wsd, and limits them (`--maxbuffer`).
//!
//! Every other limit of wsd holds for one client, one room or one connection. An attacker can have many of each, so this
//! module limits their sum. An owner of bytes that wait reports its number to a [`Share`]. When the sum comes near the limit,
//! the budget asks the owners that hold most to give back. Histories come first: they forget half of their messages. Then
//! come clients: their sessions end. Where clients hold too little, rooms come, whose worker does not read: they end.
//!
//! Lock order: a thread takes the lock of the owners last, and calls nothing while it holds it.

pub(crate) mod payload;
mod upkeep;

use std::{
    cmp::Reverse,
    collections::HashMap,
    future::poll_fn,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;

/// The time after which a search may follow one that found too few owners.
const SEARCH_PAUSE: Duration = Duration::from_millis(10);

/// The fewest bytes for which the budget asks a client: an idle session takes as much memory uncounted.
const ASKED_BYTES_MIN: usize = 4 << 10;

/// The limit and the bytes that count against it. Clones share one budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// The part of `used` that the budget has asked for and owners still hold.
    asked: AtomicUsize,
    owners: Mutex<Owners>,
}

#[derive(Debug, Default)]
struct Owners {
    known: HashMap<u64, Weak<Entry>>,
    /// When a search for each [`OwnerKind`] last found too few.
    searched: [Option<Instant>; 3],
    /// When the budget last logged that the limit is near.
    logged: Option<Instant>,
    /// When the budget last gave freed memory back.
    trimmed: Option<Instant>,
}

/// The kind of an owner: how it gives bytes back when the budget asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerKind {
    /// Gives back half of its bytes. The budget asks these first.
    History,
    /// Ends, and gives back all its bytes.
    Client,
    /// Ends with all its sessions, and gives back all that waits for its worker. The budget asks these last.
    Room,
}

/// An owner of bytes that wait. Clones share one owner.
#[derive(Clone, Debug)]
pub(crate) struct Owner(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    id: u64,
    kind: OwnerKind,
    budget: Budget,
    /// The most bytes that it could give back: its own, and those that it shares with other owners.
    weight: AtomicUsize,
    /// The bytes that the budget has asked it for; 0 if it has not.
    asked: AtomicUsize,
    waker: AtomicWaker,
}

/// The bytes of an owner in one place. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Share {
    owner: Owner,
    own: usize,
    weight: usize,
}

impl Budget {
    /// Returns a budget of at most `limit` bytes; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self(Arc::new(BudgetState {
            limit: AtomicUsize::new(limit.unwrap_or(usize::MAX)),
            used: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            owners: Mutex::default(),
        }))
    }

    /// Changes the limit.
    pub(crate) fn resize(&self, limit: Option<usize>) {
        self.0.limit.store(limit.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether the budget is nearly used up. Then no new session or room may begin, and reads must be small.
    pub(crate) fn is_full(&self) -> bool {
        let is_full = self.used() > self.parts(15);
        if is_full {
            // Otherwise nobody would be asked while nothing changes.
            self.relieve();
        }
        is_full
    }

    /// Whether so many bytes more stay within the limit.
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.used().saturating_add(bytes) <= self.0.limit.load(Ordering::Relaxed)
    }

    fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Returns so many sixteenths of the limit.
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

    /// Asks owners to give back. Above three quarters of the limit it asks histories, down to five eighths. Above fifteen
    /// sixteenths it asks clients, and then rooms, down to seven eighths.
    fn relieve(&self) {
        let excess = |sixteenths| {
            let left = self.used().saturating_sub(self.0.asked.load(Ordering::Relaxed));
            left.saturating_sub(self.parts(sixteenths))
        };
        if excess(12) > 0 {
            self.ask(OwnerKind::History, excess(10));
            self.log();
            self.trim();
        }
        if excess(15) > 0 {
            self.ask(OwnerKind::Client, excess(14));
        }
        if excess(15) > 0 {
            self.ask(OwnerKind::Room, excess(14));
        }
    }

    /// Asks owners of `kind`, the largest first, until they have promised `excess` bytes.
    fn ask(&self, kind: OwnerKind, excess: usize) {
        let mut promised = 0;
        for (weight, owner) in self.search(kind) {
            let amount = match kind {
                OwnerKind::History => weight.div_ceil(2),
                _ if weight < ASKED_BYTES_MIN => 0,
                _ => weight,
            };
            if promised >= excess || amount == 0 {
                break;
            }
            // The addition comes first, so that the sum never falls below 0.
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

    /// Returns the owners of `kind` and their bytes, the largest first; none within [`SEARCH_PAUSE`] of a search in vain.
    fn search(&self, kind: OwnerKind) -> Vec<(usize, Arc<Entry>)> {
        let owners = self.owners();
        if owners.searched[kind as usize].is_some_and(|searched| searched.elapsed() < SEARCH_PAUSE) {
            return Vec::new();
        }
        let all: Vec<_> = owners.known.values().filter_map(Weak::upgrade).collect();
        // Dropping an owner takes the lock.
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
    /// Returns an owner that holds nothing yet.
    pub(crate) fn new(budget: &Budget, kind: OwnerKind) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let entry = Arc::new(Entry {
            id: COUNT.fetch_add(1, Ordering::Relaxed),
            kind,
            budget: budget.clone(),
            weight: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
        });
        budget.owners().known.insert(entry.id, Arc::downgrade(&entry));
        Self(entry)
    }

    /// Returns a share of this owner, with no bytes so far.
    pub(crate) fn share(&self) -> Share {
        Share { owner: self.clone(), own: 0, weight: 0 }
    }

    /// Returns the budget that its bytes count against.
    pub(crate) fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// Whether the budget asks it to give back. The budget wakes the task of `cx` when it does.
    pub(crate) fn is_asked(&self, cx: &mut Context<'_>) -> bool {
        self.0.waker.register(cx.waker());
        self.0.asked.load(Ordering::Relaxed) > 0
    }

    /// Waits until the budget asks it to give back.
    pub(crate) async fn asked(&self) {
        poll_fn(|cx| if self.is_asked(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Notes that it has given back, so that the budget may ask again.
    pub(crate) fn settle(&self) {
        self.0.settle();
    }
}

impl Entry {
    fn settle(&self) {
        let asked = self.asked.swap(0, Ordering::Relaxed);
        self.budget.0.asked.fetch_sub(asked, Ordering::Relaxed);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.settle();
        self.budget.owners().known.remove(&self.id);
    }
}

impl Share {
    /// Returns the owner of the bytes.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Sets the bytes in this place: `own`, and `shared`, which count elsewhere because other owners have them, too.
    pub(crate) fn set(&mut self, own: usize, shared: usize) {
        let weight = own + shared;
        if weight != self.weight {
            let before = mem::replace(&mut self.weight, weight);
            // The addition comes first, so that the sum never falls below 0.
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
