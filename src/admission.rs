//! Permits: how many sessions there may be at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The fork slots (`--maxforks`).
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    /// `None` is no limit.
    slots: Option<Arc<Semaphore>>,
}

/// Held by a session until its worker has been reaped.
#[derive(Debug)]
pub(crate) struct Permit {
    _slot: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// At most `limit` sessions; `None` is no limit.
    pub(crate) fn new(limit: Option<usize>) -> Self {
        Self { slots: limit.map(|limit| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)))) }
    }

    /// A slot, unless all are taken.
    pub(crate) fn admit(&self) -> Option<Permit> {
        match &self.slots {
            None => Some(Permit { _slot: None }),
            Some(slots) => Arc::clone(slots).try_acquire_owned().ok().map(|slot| Permit { _slot: Some(slot) }),
        }
    }
}
