//! A stream of the server, read line by line in a thread of its own so that a test can wait for what it says.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use crate::time::deadline;

/// All lines of one stream so far, each with the moment it was read.
#[derive(Default)]
pub struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    is_ended: bool,
}

/// One line without its end. Bytes that are not UTF-8 show as U+FFFD.
#[derive(Clone)]
pub struct Line {
    /// The text without its `\n`.
    pub text: String,
    /// When the test read it: never earlier than what it tells of.
    pub at: Instant,
}

impl Lines {
    /// Reads `stream` to its end in the background.
    pub fn of(stream: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let reader = Arc::clone(&lines);
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            while matches!(stream.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
                bytes.clear();
                reader.state.lock().unwrap().lines.push(Line { text, at: Instant::now() });
                reader.changed.notify_all();
            }
            reader.state.lock().unwrap().is_ended = true;
            reader.changed.notify_all();
        });
        lines
    }

    /// Waits for the `count`th line that holds `text`; `None` when the stream ends or the deadline passes without it.
    pub fn wait_for(&self, text: &str, count: usize) -> Option<Line> {
        let end = Instant::now() + deadline();
        let (mut seen, mut found) = (0, 0);
        loop {
            let state = self.state.lock().unwrap();
            let wait = end.saturating_duration_since(Instant::now());
            let is_same = |state: &mut State| !state.is_ended && state.lines.len() == seen;
            let (state, _) = self.changed.wait_timeout_while(state, wait, is_same).unwrap();
            // Few at a time: the log does not wait for a reader that waits for a test.
            let news: Vec<Line> = state.lines[seen..].iter().take(1000).cloned().collect();
            drop(state);
            if news.is_empty() || Instant::now() >= end {
                return None;
            }
            seen += news.len();
            for line in news.into_iter().filter(|line| line.text.contains(text)) {
                found += 1;
                if found == count {
                    return Some(line);
                }
            }
        }
    }

    /// Waits until the stream has ended, then gives all it said. Fails the test at the deadline.
    pub fn wait_for_end(&self) -> String {
        let state = self.state.lock().unwrap();
        let (state, _) = self.changed.wait_timeout_while(state, deadline(), |state| !state.is_ended).unwrap();
        assert!(state.is_ended, "the stream is still open");
        drop(state);
        self.text()
    }

    /// The lines so far.
    pub fn so_far(&self) -> Vec<String> {
        self.state.lock().unwrap().lines.iter().map(|line| line.text.clone()).collect()
    }

    /// The lines so far as one text.
    pub fn text(&self) -> String {
        self.so_far().iter().flat_map(|line| [line, "\n"]).collect()
    }
}
