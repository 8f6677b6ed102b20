//! The queue of lines for the thread that writes them: limited in bytes, with a count of the lines beyond.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Instant,
};

use tracing::Level;

use super::{
    line::{self, Length, LogValue},
    rates::{Decision, EventKind, Rates},
    stream::LogStream,
};
use crate::limits::{LOG_BYTES_MAX, LOG_END};

/// Bytes of the log in one write, when many lines wait.
const LOG_WRITE_BYTES: usize = 64 << 10;

/// The queue to the thread that writes. The first line starts that thread.
#[derive(Debug)]
pub(super) struct LogQueue {
    stream: LogStream,
    state: Mutex<QueueState>,
    /// Notified when the thread has something to do, or has ended.
    changed: Condvar,
    /// Whether the thread runs: the system may have no thread left.
    has_thread: OnceLock<bool>,
}

#[derive(Debug, Default)]
struct QueueState {
    /// Lines, the first of which may have been written in part.
    bytes: VecDeque<u8>,
    /// The number of lines for which there was no room.
    lost: u64,
    rates: Rates,
    /// Whether the thread waits for something to do.
    is_idle: bool,
    /// Whether no further line will come.
    is_over: bool,
    has_ended: bool,
}

impl LogQueue {
    /// Returns an empty queue to `stream`.
    pub(super) fn new(stream: LogStream) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Arc::new(Self { stream, state, changed, has_thread: OnceLock::new() })
    }

    /// Whether to log an event now. If not, the queue counts it, and logs the count later.
    pub(super) fn admits(&self, kind: EventKind) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        state.tell_left_out(Some(now));
        let decision = state.rates.decide(kind, now);
        if decision == Decision::CountFirst {
            // The thread must wait for the end of this time.
            self.wake(state);
        }
        decision == Decision::Log
    }

    /// Adds a line, with its newline. Never blocks on the reader: if the queue is full, the line is lost and counted.
    pub(super) fn push(self: &Arc<Self>, line: &[u8]) {
        let mut state = self.lock();
        state.push(line);
        if self.has_thread() {
            self.wake(state);
        } else {
            self.write_here(state);
        }
    }

    /// Writes all lines that wait. Waits for the thread, but at most [`LOG_END`]: the reader may take nothing.
    pub(super) fn finish(&self) {
        let mut state = self.lock();
        state.tell_left_out(None);
        state.is_over = true;
        self.changed.notify_all();
        if self.has_thread.get() == Some(&true) {
            let _ = self.changed.wait_timeout_while(state, LOG_END, |state| !state.has_ended);
        } else {
            self.write_here(state);
        }
    }

    /// Writes all lines on this thread.
    fn write_here(&self, mut state: MutexGuard<'_, QueueState>) {
        let mut bytes = Vec::new();
        state.take(&mut bytes, usize::MAX);
        self.stream.write(&bytes);
    }

    fn has_thread(self: &Arc<Self>) -> bool {
        *self.has_thread.get_or_init(|| {
            let queue = Arc::clone(self);
            thread::Builder::new().name("log".to_owned()).spawn(move || queue.write_all()).is_ok()
        })
    }

    fn wake(&self, mut state: MutexGuard<'_, QueueState>) {
        if mem::take(&mut state.is_idle) {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Writes until no further line will come.
    fn write_all(&self) {
        let mut portion = Vec::with_capacity(LOG_WRITE_BYTES);
        while self.wait(&mut portion) {
            self.stream.write(&portion);
        }
        self.lock().has_ended = true;
        self.changed.notify_all();
    }

    /// Waits for bytes to write and puts them into `portion`; `false` if no further bytes will come.
    fn wait(&self, portion: &mut Vec<u8>) -> bool {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.tell_left_out(Some(now));
            if state.take(portion, LOG_WRITE_BYTES) {
                return true;
            }
            if state.is_over {
                return false;
            }
            state.is_idle = true;
            state = match state.rates.next_end() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let wait = self.changed.wait_timeout(state, end.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.is_idle = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// Adds a line if there is room. After a lost line it waits for room for many, so that one count covers all lost lines.
    fn push(&mut self, line: &[u8]) {
        let room = LOG_BYTES_MAX.saturating_sub(self.bytes.len());
        if self.lost > 0 && room >= LOG_WRITE_BYTES {
            self.tell_lost();
        }
        if self.lost > 0 || room < line.len() {
            self.lost += 1;
        } else {
            self.bytes.extend(line);
        }
    }

    fn tell_lost(&mut self) {
        let lines = mem::take(&mut self.lost);
        self.bytes.extend(line::own(Level::ERROR, "lines lost", format_args!("lines={lines}")).as_bytes());
    }

    /// Adds a line for each count of [`Rates::take_over`].
    fn tell_left_out(&mut self, now: Option<Instant>) {
        for left_out in self.rates.take_over(now) {
            let EventKind { level, name, repeated } = &left_out.kind;
            let event = LogValue(name, Length::Cut);
            let repeated = repeated.as_deref().unwrap_or_default();
            let fields = format_args!("event={event}{repeated} lines={}", left_out.lines);
            self.push(line::own(*level, "lines left out", fields).as_bytes());
        }
    }

    /// Moves up to `count` bytes to `portion`. Returns whether there were any.
    fn take(&mut self, portion: &mut Vec<u8>, count: usize) -> bool {
        portion.clear();
        if self.bytes.is_empty() && self.lost > 0 {
            self.tell_lost();
        }
        let count = count.min(self.bytes.len());
        portion.extend(self.bytes.drain(..count));
        if self.bytes.is_empty() && self.bytes.capacity() > LOG_WRITE_BYTES {
            self.bytes = VecDeque::new();
        }
        count > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_takes_nothing_until_there_is_room_for_much_and_tells_how_much_was_lost() {
        const LINE: &[u8] = &[b'x'; 1024];
        let (mut state, mut portion) = (QueueState::default(), Vec::new());
        for _ in 0..LOG_BYTES_MAX / LINE.len() + 5 {
            state.push(LINE);
        }
        assert_eq!((state.bytes.len(), state.lost), (LOG_BYTES_MAX, 5));

        state.take(&mut portion, LOG_WRITE_BYTES - 1);
        state.push(LINE);
        assert_eq!(state.lost, 6);

        state.take(&mut portion, 1);
        state.push(LINE);
        assert_eq!(state.lost, 0);
        state.take(&mut portion, usize::MAX);
        let end = String::from_utf8_lossy(&portion[portion.len() - LINE.len() - 40..]).into_owned();
        assert!(end.contains(" ERROR lines lost lines=6\nx"), "{end}");
        assert!(!state.take(&mut portion, 1));
    }
}
