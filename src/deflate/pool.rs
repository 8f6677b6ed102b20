//! The compressors that sessions borrow (`--compress-memory`).

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    compressor::{COMPRESSOR_BYTES, Compressor, WINDOW_BITS},
    negotiation::WINDOW_BITS_MIN,
};
use crate::sys;

/// Compressors that wait for the next session: making one takes 15 µs. More would be the memory of a peak that is over.
const FREE_MAX: usize = 8;

/// Bytes of dropped compressors after which wsd gives freed memory back: a peak of sessions that send may leave 64 MiB behind.
const DROPPED_BYTES_KEPT: usize = 4 << 20;

/// The compressors. Clones are the same pool.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<PoolState>);

#[derive(Debug)]
struct PoolState {
    bytes_max: AtomicUsize,
    lent_bytes: AtomicUsize,
    free: Mutex<Vec<Compressor>>,
    /// Bytes of compressors that were dropped since memory was last given back.
    dropped_bytes: AtomicUsize,
    /// The compressor of the messages that many clients get.
    shared: Mutex<Option<Compressor>>,
}

/// A compressor of a pool, which gets it back when this is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    /// `None` after the drop only.
    compressor: Option<Compressor>,
    pool: Pool,
}

impl Pool {
    /// Returns a pool whose loans take up at most `bytes_max`.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(PoolState {
            bytes_max: AtomicUsize::new(bytes_max),
            lent_bytes: AtomicUsize::new(0),
            free: Mutex::default(),
            dropped_bytes: AtomicUsize::new(0),
            shared: Mutex::default(),
        }))
    }

    /// Changes the limit. Loans that exceed it end as usual.
    pub(crate) fn resize(&self, bytes_max: usize) {
        self.0.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Lends a fresh compressor with a window of at most `window_bits`, unless too many are lent. There is none with a window
    /// below [`WINDOW_BITS_MIN`].
    pub(super) fn lend(&self, window_bits: u8) -> Option<Loan> {
        if window_bits < WINDOW_BITS_MIN {
            return None;
        }
        let bytes_max = self.0.bytes_max.load(Ordering::Relaxed);
        let more = |lent: usize| lent.checked_add(COMPRESSOR_BYTES).filter(|lent| *lent <= bytes_max);
        self.0.lent_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let window_bits = window_bits.min(WINDOW_BITS);
        let mut free = lock(&self.0.free);
        let place = free.iter().rposition(|compressor| compressor.window_bits() == window_bits);
        let reused = place.map(|place| free.remove(place));
        drop(free);
        let compressor = reused.unwrap_or_else(|| Compressor::of_session(window_bits));
        Some(Loan { compressor: Some(compressor), pool: self.clone() })
    }

    /// Calls `work` with the compressor of shared messages.
    pub(crate) fn with_shared<T>(&self, work: impl FnOnce(&mut Compressor) -> T) -> T {
        let mut shared = lock(&self.0.shared);
        work(shared.get_or_insert_with(Compressor::shared))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deref for Loan {
    type Target = Compressor;

    fn deref(&self) -> &Compressor {
        self.compressor.as_ref().expect("it was not dropped")
    }
}

impl DerefMut for Loan {
    fn deref_mut(&mut self) -> &mut Compressor {
        self.compressor.as_mut().expect("it was not dropped")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(mut compressor) = self.compressor.take() else { return };
        self.pool.0.lent_bytes.fetch_sub(COMPRESSOR_BYTES, Ordering::Relaxed);
        compressor.reset();
        let mut free = lock(&self.pool.0.free);
        free.push(compressor);
        if free.len() <= FREE_MAX {
            return;
        }
        // The one that was used the longest time ago, which may have a window that nobody asks for any more.
        let oldest = free.remove(0);
        drop(free);
        drop(oldest);
        let dropped = &self.pool.0.dropped_bytes;
        if dropped.fetch_add(COMPRESSOR_BYTES, Ordering::Relaxed) >= DROPPED_BYTES_KEPT {
            dropped.store(0, Ordering::Relaxed);
            // It takes milliseconds. If the system has no thread left, the next one will do.
            let _ = thread::Builder::new().name("trim".to_owned()).spawn(sys::give_back_freed_memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_lends_as_many_as_its_memory_holds() {
        let pool = Pool::new(2 * COMPRESSOR_BYTES + 1);
        let first = pool.lend(15).expect("there is room");
        let _second = pool.lend(9).expect("there is room");
        assert!(pool.lend(15).is_none());

        drop(first);

        assert!(pool.lend(15).is_some());
        pool.resize(0);
        assert!(pool.lend(15).is_none());
    }

    #[test]
    fn a_compressor_of_a_small_window_is_lent_again() {
        let pool = Pool::new(usize::MAX);
        drop((0..FREE_MAX).map(|_| pool.lend(15)).collect::<Vec<_>>());

        for _ in 0..10 {
            drop(pool.lend(9));
        }

        // The first one of 9 bits took the place of the oldest.
        assert_eq!(pool.0.dropped_bytes.load(Ordering::Relaxed), COMPRESSOR_BYTES);
    }

    #[test]
    fn a_window_is_no_larger_than_the_client_takes() {
        let pool = Pool::new(usize::MAX);
        drop(pool.lend(15));
        for (asked, got) in [(9, 9), (10, 10), (11, 11), (12, 11), (15, 11)] {
            assert_eq!(pool.lend(asked).map(|loan| loan.window_bits()), Some(got));
        }
    }
}
