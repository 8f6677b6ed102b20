//! Permits: how many workers there may be at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The fork slots (`--maxforks`): of wsd, and of a route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// Each limit's slots; without a limit there is none.
    limits: Vec<Arc<Semaphore>>,
}

/// Held until a worker has been reaped.
#[derive(Debug)]
pub(crate) struct Permit {
    _slots: Vec<OwnedSemaphorePermit>,
}

impl Admission {
    /// At most `limit` workers; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self::default().within(limit)
    }

    /// The same, and at most `limit` of them.
    pub(crate) fn within(&self, limit: Option<usize>) -> Self {
        let own = limit.map(|limit| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))));
        Self { limits: self.limits.iter().cloned().chain(own).collect() }
    }

    /// A slot of each limit, unless all of one are taken.
    pub(crate) fn admit(&self) -> Option<Permit> {
        let slots = self.limits.iter().map(|slots| Arc::clone(slots).try_acquire_owned().ok());
        slots.collect::<Option<_>>().map(|slots| Permit { _slots: slots })
    }
}
