//! Whether Redis answers: as a whole, or for the keys of one room in a cluster, whose primary may be gone while the others go on.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

use super::error::BusError;
use crate::event::{Event, seconds};

/// Whether Redis answers for some keys.
#[derive(Debug)]
pub(crate) struct Loss {
    /// The time since which it does not.
    since: watch::Sender<Option<Instant>>,
    all: Arc<Losses>,
    scope: LossScope,
    /// Whether a task looks for the end of the loss.
    is_watched: AtomicBool,
}

/// The keys that a loss is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LossScope {
    /// All keys, or in a cluster that of the heartbeat.
    All,
    /// The keys of one room in a cluster.
    Room,
}

/// All losses of this node. The log tells when the first begins and when the last ends.
#[derive(Debug, Default)]
pub(super) struct Losses(Mutex<(usize, Option<Instant>)>);

impl Loss {
    /// Returns a loss that has not begun.
    pub(super) fn new(all: Arc<Losses>, scope: LossScope) -> Self {
        Self { since: watch::Sender::new(None), all, scope, is_watched: AtomicBool::new(false) }
    }

    /// Begins, unless it has begun.
    pub(super) fn begin(&self, at: Instant, error: &BusError) {
        let is_new = self.since.send_if_modified(|since| {
            let is_new = since.is_none();
            *since = since.or(Some(at));
            is_new
        });
        if is_new && self.all.begin(at) {
            Event::BusLost { cause: error, hint: error.hint() }.emit();
        }
    }

    /// Ends, if it has begun.
    pub(super) fn end(&self) {
        if self.since.send_if_modified(|since| since.take().is_some())
            && let Some(began) = self.all.end()
        {
            Event::BusBack { secs: seconds(began.elapsed()) }.emit();
        }
    }

    /// Returns the time of its begin; `None` while Redis answers.
    pub(crate) fn since(&self) -> Option<Instant> {
        *self.since.borrow()
    }

    /// Resolves when Redis answers. Cancel safe.
    pub(crate) async fn over(&self) {
        let _ = self.since.subscribe().wait_for(Option::is_none).await;
    }

    /// Returns a receiver of its begins and ends.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<Instant>> {
        self.since.subscribe()
    }

    /// Whether it has begun and no task looks for its end. The caller starts one. The heartbeat finds the end of a loss of all.
    pub(super) fn wants_watch(&self) -> bool {
        self.scope == LossScope::Room && self.since().is_some() && !self.is_watched.swap(true, Ordering::Relaxed)
    }

    /// Ends, and with it the task that looks for that.
    pub(super) fn end_watch(&self) {
        // First this: a loss that begins now gets a task of its own.
        self.is_watched.store(false, Ordering::Relaxed);
        self.end();
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        if self.scope == LossScope::Room {
            self.end();
        }
    }
}

impl Losses {
    /// Counts one more. Returns whether it is the first.
    fn begin(&self, at: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        all.1.get_or_insert(at);
        all.0 == 1
    }

    /// Counts one less. Returns the begin of the first if it was the last.
    fn end(&self) -> Option<Instant> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 -= 1;
        if all.0 == 0 { all.1.take() } else { None }
    }
}
