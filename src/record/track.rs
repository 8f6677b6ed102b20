//! The track of a recording: its lines on the way to the file, limited in bytes.

use std::{
    borrow::Cow,
    io::{self, Write as _},
    mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde::Serialize;

use super::{
    file::{create, hint, open},
    format::{Dir, RecordHead, Step, VERSION, now},
    options::Recorded,
    writer::{self, WaitingLines},
};
use crate::{
    event::Event,
    framing::Framing,
    limits::record::{RECORD_END_BYTES, RECORD_NAME_BYTES_MAX, RECORD_WAITING_BYTES_MAX, RECORDS_WAITING_BYTES_MAX},
    message::Kind,
};

/// The bytes that wait in all tracks.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The lines of one recording. The partner and its streams add lines; the writer takes them.
#[derive(Debug)]
pub(crate) struct Track {
    conn: u64,
    file: PathBuf,
    began: Instant,
    bytes_max: u64,
    lines: Mutex<TrackLines>,
}

#[derive(Debug, Default)]
struct TrackLines {
    /// Whole lines that the writer has not taken.
    waiting: Vec<u8>,
    /// The bytes of all lines so far.
    total: u64,
    /// Whether the writer knows that lines wait.
    is_queued: bool,
    /// Whether no further line comes.
    is_over: bool,
    /// Whether the recording has broken off.
    is_cut: bool,
}

impl Track {
    /// Begins a recording: the head is its first line.
    pub(super) fn begin(recorded: &Recorded, conn: u64) -> Arc<Self> {
        let (began, options) = (now(), &recorded.options);
        let head = RecordHead {
            recording: VERSION,
            wsd: env!("CARGO_PKG_VERSION").to_owned(),
            conn,
            route: recorded.route.clone(),
            program: recorded.program.clone(),
            framing: Framing::word(recorded.framing).to_owned(),
            maxframesize: if options.message_bytes_max == usize::MAX { 0 } else { options.message_bytes_max },
            unbuffer: recorded.is_unbuffered,
            began,
        };
        let track = Arc::new(Self {
            conn,
            file: options.folder.join(name(&head.began, conn, &recorded.route)),
            began: Instant::now(),
            bytes_max: options.bytes_max.unwrap_or(u64::MAX),
            lines: Mutex::default(),
        });
        let mut lines = track.lock();
        lines.push(&head);
        track.pass_on(lines);
        track
    }

    /// Notes a message that the program gets; in a room from this client.
    pub(crate) fn input(self: &Arc<Self>, client: Option<&str>, kind: Kind, payload: &[u8]) {
        self.add(&mut Step { client: client.map(Cow::Borrowed), ..Step::message(Dir::In, kind, payload) });
    }

    /// Notes a line of standard error.
    pub(crate) fn stderr(self: &Arc<Self>, line: &str) {
        self.add(&mut Step { text: Some(line.into()), ..Step::new(Dir::Err) });
    }

    /// Adds a step with the present time. Never waits for the file.
    pub(super) fn add(self: &Arc<Self>, step: &mut Step<'_>) {
        let lines = self.lock();
        if lines.is_over {
            return;
        }
        step.us = self.micros();
        self.append(lines, step);
    }

    /// Adds the last step.
    pub(super) fn end(self: &Arc<Self>, step: &mut Step<'_>) {
        let mut lines = self.lock();
        step.us = self.micros();
        if !mem::replace(&mut lines.is_over, true) {
            // There is room for it: `RECORD_END_BYTES`.
            lines.push(step);
            self.pass_on(lines);
        }
    }

    /// Ends a recording that has no last step.
    pub(super) fn close(self: &Arc<Self>) {
        let mut lines = self.lock();
        if !mem::replace(&mut lines.is_over, true) {
            self.pass_on(lines);
        }
    }

    /// Takes the lines that wait. Returns them, whether they are the first ones, and the bytes of the whole recording if it is
    /// complete.
    fn take(&self) -> (Vec<u8>, bool, Option<u64>) {
        let mut lines = self.lock();
        lines.is_queued = false;
        let bytes = mem::take(&mut lines.waiting);
        WAITING.fetch_sub(bytes.len(), Ordering::Relaxed);
        let is_first = lines.total == bytes.len() as u64;
        let total = (lines.is_over && !lines.is_cut).then_some(lines.total);
        (bytes, is_first, total)
    }

    /// Appends lines to the file. Makes it for the first ones.
    fn store(&self, bytes: &[u8], is_first: bool) -> io::Result<()> {
        let mut file = if is_first { create(&self.file) } else { open(&self.file) }?;
        if is_first {
            Event::RecordingStarted { conn: self.conn, file: &self.file.display() }.emit();
        }
        file.write_all(bytes)
    }

    /// Breaks the recording off because of its file. Logs the first such cause.
    fn fail(&self, cause: &str, hint: &str) {
        let mut lines = self.lock();
        lines.is_over = true;
        WAITING.fetch_sub(mem::take(&mut lines.waiting).len(), Ordering::Relaxed);
        let was_cut = mem::replace(&mut lines.is_cut, true);
        drop(lines);
        if !was_cut {
            self.log_cut(cause, hint);
        }
    }

    /// Adds a line, unless the file or the lines that wait would get too long.
    fn append(self: &Arc<Self>, mut lines: MutexGuard<'_, TrackLines>, line: &impl Serialize) {
        let is_slow = lines.waiting.len() > RECORD_WAITING_BYTES_MAX
            || WAITING.load(Ordering::Relaxed) > RECORDS_WAITING_BYTES_MAX;
        if is_slow {
            return self.cut(lines, "the disk is too slow", "record to a faster disk, or fewer routes");
        }
        let before = lines.waiting.len();
        lines.push(line);
        if lines.total > self.bytes_max.saturating_sub(RECORD_END_BYTES) {
            let length = lines.waiting.len() - before;
            lines.waiting.truncate(before);
            lines.total -= length as u64;
            WAITING.fetch_sub(length, Ordering::Relaxed);
            return self.cut(lines, "it has reached --record-bytes", "raise --record-bytes");
        }
        self.pass_on(lines);
    }

    /// Ends the recording before its session ends, with a line that says why, and logs it.
    fn cut(self: &Arc<Self>, mut lines: MutexGuard<'_, TrackLines>, cause: &'static str, hint: &str) {
        let us = self.micros();
        lines.push(&Step { us, why: Some(cause.into()), ..Step::new(Dir::Cut) });
        (lines.is_over, lines.is_cut) = (true, true);
        self.pass_on(lines);
        self.log_cut(cause, hint);
    }

    fn log_cut(&self, cause: &str, hint: &str) {
        Event::RecordingCut { conn: self.conn, file: &self.file.display(), cause, hint }.emit();
    }

    /// Tells the writer, unless it knows.
    fn pass_on(self: &Arc<Self>, mut lines: MutexGuard<'_, TrackLines>) {
        if !mem::replace(&mut lines.is_queued, true) {
            drop(lines);
            if !writer::push(Arc::clone(self) as Arc<dyn WaitingLines>) {
                self.fail("the system has no thread left", "raise the limit of processes, and restart wsd");
            }
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, TrackLines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingLines for Track {
    fn write(&self) {
        let (bytes, is_first, total) = self.take();
        if bytes.is_empty() && total.is_none() {
            // It has broken off meanwhile.
            return;
        }
        match (self.store(&bytes, is_first), total) {
            (Err(cause), _) => self.fail(&cause.to_string(), hint(&cause)),
            (Ok(()), Some(bytes)) => {
                Event::RecordingEnded { conn: self.conn, file: &self.file.display(), bytes }.emit();
            }
            (Ok(()), None) => {}
        }
    }
}

impl TrackLines {
    /// Appends a line, and counts it.
    fn push(&mut self, line: &impl Serialize) {
        let before = self.waiting.len();
        serde_json::to_writer(&mut self.waiting, line).expect("a vector takes all");
        let _ = self.waiting.write_all(b"\n");
        let length = self.waiting.len() - before;
        self.total += length as u64;
        WAITING.fetch_add(length, Ordering::Relaxed);
    }
}

/// Returns the name of a file: names sort by the time of the beginning, which has microseconds.
fn name(began: &str, conn: u64, route: &str) -> String {
    let time: String = began.chars().filter(|character| !matches!(character, '-' | ':')).collect();
    let safe = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    let route = route.trim_matches('/').chars().map(|character| if safe(character) { character } else { '_' });
    let route: String = route.take(RECORD_NAME_BYTES_MAX).collect();
    let separator = if route.is_empty() { "" } else { "-" };
    format!("{time}-c{conn}{separator}{route}.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_cuts_the_recording_and_keeps_nobody_waiting() {
        const LINE: &[u8] = &[b'x'; 64 << 10];
        // The writer has no turn: it does not know of the track.
        let track = Arc::new(Track {
            conn: 1,
            file: PathBuf::new(),
            began: Instant::now(),
            bytes_max: u64::MAX,
            lines: Mutex::new(TrackLines { is_queued: true, ..TrackLines::default() }),
        });

        for _ in 0..2 * RECORD_WAITING_BYTES_MAX / LINE.len() {
            track.input(None, Kind::Text, LINE);
        }

        let waiting = track.lock().waiting.len();
        assert!((RECORD_WAITING_BYTES_MAX..RECORD_WAITING_BYTES_MAX + 2 * LINE.len()).contains(&waiting), "{waiting}");
        let (bytes, _, total) = track.take();
        let last = bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
        assert!(last.ends_with(br#""dir":"cut","why":"the disk is too slow"}"#), "{}", last.escape_ascii());
        assert_eq!((total, track.lock().is_over), (None, true));
    }

    #[test]
    fn the_name_of_a_file_has_safe_characters_only() {
        let table = [
            ("/", "20261127T200000.000001Z-c7.jsonl"),
            ("/chat", "20261127T200000.000001Z-c7-chat.jsonl"),
            ("/a/../b c\n", "20261127T200000.000001Z-c7-a_.._b_c_.jsonl"),
            ("/\u{e9}", "20261127T200000.000001Z-c7-_.jsonl"),
        ];
        for (route, want) in table {
            assert_eq!(name("2026-11-27T20:00:00.000001Z", 7, route), want);
        }
        assert!(name("2026-11-27T20:00:00.000001Z", 7, &"x".repeat(5000)).len() < 120);
    }
}
