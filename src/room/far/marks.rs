//! How far the worker has taken the records of the input.

use std::{collections::VecDeque, sync::Mutex};

use crate::{bus::place::Id, room::lock::lock};

/// The records that are in the inbox or went through it.
#[derive(Debug, Default)]
pub(in crate::room) struct Marks(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Records in the inbox, and how often the worker had taken the inbox before.
    waiting: VecDeque<(Id, u64)>,
    /// The last record that the worker has.
    written: Id,
}

impl Marks {
    /// Begins behind a record.
    pub(in crate::room) fn begin(&self, at: Id) {
        *lock(&self.0) = Inner { waiting: VecDeque::new(), written: at };
    }

    /// Notes a record that is in the inbox now, which the worker has taken so often before.
    pub(in crate::room) fn add(&self, id: Id, taken: u64) {
        lock(&self.0).waiting.push_back((id, taken));
    }

    /// Returns the last record that the worker has, if what it took up to `written` times is in its pipe.
    pub(in crate::room) fn written(&self, written: u64) -> Id {
        let mut inner = lock(&self.0);
        while inner.waiting.front().is_some_and(|(_, taken)| *taken < written) {
            if let Some((id, _)) = inner.waiting.pop_front() {
                inner.written = id;
            }
        }
        inner.written
    }
}
