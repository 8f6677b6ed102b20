//! Permits, which limit the number of workers at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The fork slots (`--maxforks`) of wsd, or of wsd and a route.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    limits: Vec<Arc<Slots>>,
}

/// One limit, and the number of its slots that are taken.
#[derive(Debug)]
struct Slots {
    limit: AtomicUsize,
    taken: AtomicUsize,
}

/// A slot of each limit. A worker holds it until it has ended and wsd has logged all its standard error.
#[derive(Debug)]
pub(crate) struct Permit {
    slots: Vec<Arc<Slots>>,
}

impl Admission {
    /// Returns slots for at most `limit` workers; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limits: vec![Slots::new(limit)] }
    }

    /// Adds an inner limit: at most `limit` workers within the limits of `self`.
    pub(crate) fn within(&self, limit: Option<usize>) -> Self {
        Self { limits: self.limits.iter().cloned().chain([Slots::new(limit)]).collect() }
    }

    /// Changes the innermost limit. Workers that run already count.
    pub(crate) fn resize(&self, limit: Option<usize>) {
        self.innermost().limit.store(limit.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// Whether no worker runs within the innermost limit.
    pub(crate) fn is_idle(&self) -> bool {
        self.innermost().taken.load(Ordering::Relaxed) == 0
    }

    fn innermost(&self) -> &Slots {
        self.limits.last().expect("there is always one")
    }

    /// Whether all slots of a limit are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.limits.iter().any(|slots| slots.taken.load(Ordering::Relaxed) >= slots.limit.load(Ordering::Relaxed))
    }

    /// Takes a slot of each limit; `None` if one limit has no slot left.
    pub(crate) fn admit(&self) -> Option<Permit> {
        let mut permit = Permit { slots: Vec::new() };
        for slots in &self.limits {
            let limit = slots.limit.load(Ordering::Relaxed);
            let one_more = |taken| (taken < limit).then_some(taken + 1);
            slots.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
            permit.slots.push(Arc::clone(slots));
        }
        Some(permit)
    }
}

impl Slots {
    fn new(limit: Option<usize>) -> Arc<Self> {
        Arc::new(Self { limit: AtomicUsize::new(limit.unwrap_or(usize::MAX)), taken: AtomicUsize::new(0) })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for slots in &self.slots {
            slots.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
