//! The thread that writes recordings. A slow disk delays it, and nobody else.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use crate::limits::record::RECORDS_END;

/// The queue to the thread. The first recording starts the thread.
static QUEUE: RecordQueue =
    RecordQueue { state: Mutex::new(RecordQueueState::new()), changed: Condvar::new(), has_thread: OnceLock::new() };

/// Lines that wait for the thread.
pub(super) trait WaitingLines: Send + Sync {
    /// Writes them, on the thread.
    fn write(&self);
}

struct RecordQueue {
    state: Mutex<RecordQueueState>,
    /// Notified when there is something to write, or all is written.
    changed: Condvar,
    /// Whether the thread runs: the system may have no thread left.
    has_thread: OnceLock<bool>,
}

struct RecordQueueState {
    /// The recordings whose lines wait, each once.
    waiting: VecDeque<Arc<dyn WaitingLines>>,
    /// Whether the thread writes.
    is_busy: bool,
}

impl RecordQueueState {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), is_busy: false }
    }
}

/// Adds lines that wait. Returns whether there is a thread to write them.
pub(super) fn push(lines: Arc<dyn WaitingLines>) -> bool {
    let has_thread = QUEUE
        .has_thread
        .get_or_init(|| thread::Builder::new().name("record".to_owned()).spawn(|| QUEUE.write_all()).is_ok());
    if !has_thread {
        return false;
    }
    let mut state = QUEUE.lock();
    state.waiting.push_back(lines);
    if !state.is_busy {
        drop(state);
        QUEUE.changed.notify_all();
    }
    true
}

/// Waits until all lines are written, but at most [`RECORDS_END`]: a disk may not answer.
pub(crate) fn finish() {
    if QUEUE.has_thread.get() == Some(&true) {
        let is_writing = |state: &mut RecordQueueState| state.is_busy || !state.waiting.is_empty();
        let _ = QUEUE.changed.wait_timeout_while(QUEUE.lock(), RECORDS_END, is_writing);
    }
}

impl RecordQueue {
    /// Writes as long as wsd runs.
    fn write_all(&self) {
        let mut state = self.lock();
        loop {
            if let Some(lines) = state.waiting.pop_front() {
                state.is_busy = true;
                drop(state);
                lines.write();
                state = self.lock();
            } else {
                if mem::take(&mut state.is_busy) {
                    self.changed.notify_all();
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, RecordQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
