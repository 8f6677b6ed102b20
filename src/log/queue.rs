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
    layout::{Layout, Value},
    rates::{Decision, EventKind, Rates},
    sink::LogSink,
};
use crate::limits::{LOG_BYTES_MAX, LOG_END};

/// Bytes of the log in one write, when many lines wait.
const LOG_WRITE_BYTES: usize = 64 << 10;

/// The queue to the thread that writes. The first line starts that thread.
#[derive(Debug)]
pub(super) struct LogQueue {
    /// Whether the log goes to a file.
    has_file: bool,
    /// The thread that writes holds it, for as long as the target takes. Nobody who holds it waits for `state`, or the reverse.
    sink: Mutex<LogSink>,
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
    layout: Layout,
    /// Whether the file of the log is to be opened again.
    must_open: bool,
    /// Whether the thread waits for something to do.
    is_idle: bool,
    phase: Phase,
}

/// A part of the life of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Lines may come.
    #[default]
    Open,
    /// No further line will come.
    Over,
    /// The thread has ended.
    Ended,
}

/// The work of the thread.
enum Work {
    /// Write these bytes.
    Write,
    /// Open the file of the log again.
    Open,
    /// End: no further line will come.
    End,
}

impl LogQueue {
    /// Returns an empty queue to `sink`, whose lines have this layout.
    pub(super) fn new(sink: LogSink, layout: Layout) -> Arc<Self> {
        let (has_file, sink) = (sink.has_file(), Mutex::new(sink));
        let state = Mutex::new(QueueState { layout, ..QueueState::default() });
        Arc::new(Self { has_file, sink, state, changed: Condvar::new(), has_thread: OnceLock::new() })
    }

    /// Opens the file of the log again, if the log goes to one.
    pub(super) fn open_again(self: &Arc<Self>) {
        if !self.has_file {
            return;
        }
        if self.has_thread() {
            let mut state = self.lock();
            state.must_open = true;
            self.wake(state);
        } else {
            self.open();
        }
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
        state.phase = Phase::Over;
        self.changed.notify_all();
        if self.has_thread.get() == Some(&true) {
            let _ = self.changed.wait_timeout_while(state, LOG_END, |state| state.phase != Phase::Ended);
        } else {
            self.write_here(state);
        }
    }

    /// Writes all lines on this thread.
    fn write_here(&self, mut state: MutexGuard<'_, QueueState>) {
        let mut bytes = Vec::new();
        state.take(&mut bytes, usize::MAX);
        drop(state);
        self.sink().write(&bytes);
    }

    /// Opens the file of the log again, and logs the result.
    fn open(&self) {
        let told = self.sink().open_again();
        if let Some(line) = told {
            self.lock().push(line.as_bytes());
        }
    }

    fn sink(&self) -> MutexGuard<'_, LogSink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
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
        loop {
            match self.wait(&mut portion) {
                Work::Write => self.sink().write(&portion),
                Work::Open => self.open(),
                Work::End => break,
            }
        }
        self.lock().phase = Phase::Ended;
        self.changed.notify_all();
    }

    /// Waits for work; puts bytes to write into `portion`.
    fn wait(&self, portion: &mut Vec<u8>) -> Work {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.tell_left_out(Some(now));
            if mem::take(&mut state.must_open) {
                return Work::Open;
            }
            if state.take(portion, LOG_WRITE_BYTES) {
                return Work::Write;
            }
            if state.phase != Phase::Open {
                return Work::End;
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
        let line = self.layout.own(Level::ERROR, "lines lost", &[("lines", Value::Number(&lines))]);
        self.bytes.extend(line.as_bytes());
    }

    /// Adds a line for each count of [`Rates::take_over`].
    fn tell_left_out(&mut self, now: Option<Instant>) {
        for left_out in self.rates.take_over(now) {
            let EventKind { level, name, repeated } = &left_out.kind;
            let mut fields = vec![(self.layout.key_of_event(), Value::Text(name))];
            fields.extend(repeated.iter().flatten().map(|(key, text)| (*key, Value::Text(text))));
            fields.push(("lines", Value::Number(&left_out.lines)));
            self.push(self.layout.own(*level, "lines left out", &fields).as_bytes());
        }
    }

    /// Moves up to `count` bytes to `portion`, of whole lines if they have one. Returns whether there were any.
    fn take(&mut self, portion: &mut Vec<u8>, count: usize) -> bool {
        portion.clear();
        if self.bytes.is_empty() && self.lost > 0 {
            self.tell_lost();
        }
        let mut count = count.min(self.bytes.len());
        if count < self.bytes.len() {
            let end = self.bytes.range(..count).rposition(|byte| *byte == b'\n');
            count = end.map_or(count, |end| end + 1);
        }
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
