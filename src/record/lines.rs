//! The lines of a recording that wait for its file, counted in each recording and in all of them.

use std::{
    io::Write as _,
    mem,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde::Serialize;

use crate::limits::record::{RECORD_WAITING_BYTES_MAX, RECORDS_WAITING_BYTES_MAX};

/// The bytes that wait in all recordings.
pub(super) static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The lines of a recording, and its state.
#[derive(Debug, Default)]
pub(super) struct TrackLines {
    /// Whole lines that the writer has not taken.
    waiting: Vec<u8>,
    /// The bytes of all lines so far.
    pub(super) total: u64,
    /// Whether the writer knows that lines wait.
    pub(super) is_queued: bool,
    /// Whether no further line comes.
    pub(super) is_over: bool,
    /// Whether the recording has broken off.
    pub(super) is_cut: bool,
}

impl TrackLines {
    /// Appends a line, and counts it.
    pub(super) fn push(&mut self, line: &impl Serialize) {
        let before = self.waiting.len();
        serde_json::to_writer(&mut self.waiting, line).expect("a vector takes all");
        let _ = self.waiting.write_all(b"\n");
        let length = self.waiting.len() - before;
        self.total += length as u64;
        WAITING.fetch_add(length, Ordering::Relaxed);
    }

    /// Removes the lines behind the first bytes that wait.
    pub(super) fn take_back(&mut self, bytes: usize) {
        let length = self.waiting.len() - bytes;
        self.waiting.truncate(bytes);
        self.total -= length as u64;
        WAITING.fetch_sub(length, Ordering::Relaxed);
    }

    /// Takes all lines that wait.
    pub(super) fn take_waiting(&mut self) -> Vec<u8> {
        let bytes = mem::take(&mut self.waiting);
        WAITING.fetch_sub(bytes.len(), Ordering::Relaxed);
        bytes
    }

    /// Returns the number of bytes that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no further line may wait, here or in all recordings.
    pub(super) fn are_too_many(&self) -> bool {
        self.waiting.len() > RECORD_WAITING_BYTES_MAX || WAITING.load(Ordering::Relaxed) > RECORDS_WAITING_BYTES_MAX
    }
}
