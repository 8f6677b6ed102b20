//! The connection that takes the messages of a ring.

use std::{ops::Range, sync::Arc};

use super::frames::Frames;
use crate::message::{Batch, Kind};

/// A connection that takes numbered messages.
pub(crate) trait Carrier {
    /// Appends a message of the application.
    fn message(&mut self, number: u64, kind: Kind, payload: &[u8]);

    /// Appends a note that `count` messages up to `number` no longer exist.
    fn gap(&mut self, number: u64, count: u64);

    /// Appends some messages of `frames`; `first` is the number of the first one.
    fn frames(&mut self, first: u64, frames: &Frames, messages: Range<usize>) {
        for (number, index) in (first..).zip(messages) {
            let (kind, payload) = frames.get(index);
            self.message(number, kind, &payload);
        }
    }

    /// Appends messages that several clients share; `first` is the number of the first one.
    fn batch(&mut self, first: u64, batch: &Arc<Batch>) {
        for (number, (kind, payload)) in (first..).zip(batch.messages()) {
            self.message(number, kind, payload);
        }
    }
}
