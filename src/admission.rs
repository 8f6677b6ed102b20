//! Permits: how many workers there may be at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The fork slots (`--maxforks`): of wsd, and of a route.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    limits: Vec<Arc<Slots>>,
}

/// One limit, and how much of it is taken.
#[derive(Debug)]
struct Slots {
    limit: AtomicUsize,
    taken: AtomicUsize,
}

/// Held until a worker has ended and all that it said is logged.
#[derive(Debug)]
pub(crate) struct Permit {
    slots: Vec<Arc<Slots>>,
}

impl Admission {
    /// At most `limit` workers; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { limits: vec![Slots::new(limit)] }
    }

    /// The same, and at most `limit` of them.
    pub(crate) fn within(&self, limit: Option<usize>) -> Self {
        Self { limits: self.limits.iter().cloned().chain([Slots::new(limit)]).collect() }
    }

    /// Changes the innermost limit; workers that run already count.
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

    /// A slot of each limit, unless all of one are taken.
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
