//! How far the worker has taken the records of the input.

use std::{collections::VecDeque, sync::Mutex};

use crate::{bus::records::RecordId, room::lock::lock};

/// The records that are in the inbox or went through it.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Marked>);

#[derive(Debug, Default)]
struct Marked {
    /// Records in the inbox, and how often the worker had taken the inbox before.
    waiting: VecDeque<(RecordId, u64)>,
    /// The last record that the worker has.
    written: RecordId,
}

impl Marks {
    /// Begins behind a record.
    pub(crate) fn begin(&self, at: RecordId) {
        *lock(&self.0) = Marked { waiting: VecDeque::new(), written: at };
    }

    /// Notes a record that is in the inbox now, which the worker has taken so often before.
    pub(crate) fn add(&self, id: RecordId, taken: u64) {
        lock(&self.0).waiting.push_back((id, taken));
    }

    /// Returns the last record that the worker has, if what it took up to `written` times is in its pipe.
    pub(crate) fn written(&self, written: u64) -> RecordId {
        let mut inner = lock(&self.0);
        while inner.waiting.front().is_some_and(|(_, taken)| *taken < written) {
            if let Some((id, _)) = inner.waiting.pop_front() {
                inner.written = id;
            }
        }
        inner.written
    }
}
