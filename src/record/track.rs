//! The track of a recording: its lines on the way to the file, limited in bytes.

use std::{
    borrow::Cow,
    fs,
    io::{self, Write as _},
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde::Serialize;
use tracing::Span;

use super::{
    file::{create, hint, name, open},
    format::{Dir, RecordHead, Step, VERSION, now},
    lines::TrackLines,
    options::Recorded,
    writer::{self, WaitingLines},
};
use crate::{event::Event, framing::Framing, limits::record::RECORD_END_BYTES, message::Kind};

/// The cause of a cut when too many bytes wait.
const SLOW: &str = "the disk is too slow";
const SLOW_HINT: &str = "record to a faster disk, or fewer routes";

/// The lines of one recording. The partner and its streams add lines; the writer takes them.
#[derive(Debug)]
pub(crate) struct Track {
    conn: u64,
    file: PathBuf,
    began: Instant,
    bytes_max: u64,
    /// The span of the session: it has the trace.
    span: Span,
    lines: Mutex<TrackLines>,
}

impl Track {
    /// Begins a recording: the head is its first line. `span` is for its lines in the log.
    pub(super) fn begin(recorded: &Recorded, conn: u64, span: Span) -> Arc<Self> {
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
            span,
            lines: Mutex::default(),
        });
        let mut lines = track.lock();
        if lines.are_too_many() {
            // Not even the head may wait: a disk that hangs could have any number of recordings.
            (lines.is_over, lines.is_cut) = (true, true);
            drop(lines);
            track.log_cut(SLOW, SLOW_HINT);
        } else {
            lines.push(&head);
            track.pass_on(lines);
        }
        track
    }

    /// Notes a message that the program gets; in a room from this client.
    pub(crate) fn input(self: &Arc<Self>, client: Option<&str>, kind: Kind, payload: &[u8]) {
        self.add(&mut Step { client: client.map(Cow::Borrowed), ..Step::message(Dir::In, kind, payload) });
    }

    /// Notes that the program gets no more, while wsd waits for its output: the body of a POST has ended.
    pub(crate) fn input_end(self: &Arc<Self>) {
        self.add(&mut Step::new(Dir::Eof));
    }

    /// Notes a line of standard error.
    pub(crate) fn stderr(self: &Arc<Self>, line: &str) {
        self.add(&mut Step { text: Some(line.into()), ..Step::new(Dir::Err) });
    }

    /// Whether no further step comes.
    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
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
        let bytes = lines.take_waiting();
        let is_first = lines.total == bytes.len() as u64;
        let total = (lines.is_over && !lines.is_cut).then_some(lines.total);
        (bytes, is_first, total)
    }

    /// Appends lines to the file. Makes it for the first ones.
    fn store(&self, bytes: &[u8], is_first: bool) -> io::Result<()> {
        let mut file = if is_first { create(&self.file) } else { open(&self.file) }?;
        if is_first {
            self.log(Event::RecordingStarted { conn: self.conn, file: &self.file.display() });
        }
        let written = file.write_all(bytes);
        if written.is_err() && is_first && file.metadata().is_ok_and(|about| about.len() == 0) {
            // It tells nothing, and clients decide how many there are.
            let _ = fs::remove_file(&self.file);
        }
        written
    }

    /// Breaks the recording off because of its file. Logs the first such cause.
    fn fail(&self, cause: &str, hint: &str) {
        let mut lines = self.lock();
        lines.is_over = true;
        lines.take_waiting();
        let was_cut = mem::replace(&mut lines.is_cut, true);
        drop(lines);
        if !was_cut {
            self.log_cut(cause, hint);
        }
    }

    /// Adds a line, unless the file or the lines that wait would get too long.
    fn append(self: &Arc<Self>, mut lines: MutexGuard<'_, TrackLines>, line: &impl Serialize) {
        if lines.are_too_many() {
            return self.cut(lines, SLOW, SLOW_HINT);
        }
        let before = lines.waiting_bytes();
        lines.push(line);
        if lines.total > self.bytes_max.saturating_sub(RECORD_END_BYTES) {
            lines.take_back(before);
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
        self.log(Event::RecordingCut { conn: self.conn, file: &self.file.display(), cause, hint });
    }

    fn log(&self, event: Event<'_>) {
        self.span.in_scope(|| event.emit());
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
                self.log(Event::RecordingEnded { conn: self.conn, file: &self.file.display(), bytes });
            }
            (Ok(()), None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::{
        limits::record::{RECORD_WAITING_BYTES_MAX, RECORDS_WAITING_BYTES_MAX},
        record::{lines::WAITING, options::RecordOptions},
    };

    /// Held by a test that changes [`WAITING`].
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    #[test]
    fn a_disk_that_takes_nothing_has_a_bounded_number_of_recordings() {
        let _one = ONE_AT_A_TIME.lock();
        let options = RecordOptions { folder: "none".into(), bytes_max: None, message_bytes_max: usize::MAX };
        let (route, program) = ("/".to_owned(), "cat".to_owned());
        let recorded = Recorded { options, route, program, framing: Framing::Nul, is_unbuffered: false };
        WAITING.fetch_add(RECORDS_WAITING_BYTES_MAX + 1, Ordering::Relaxed);

        let track = Track::begin(&recorded, 1, Span::none());

        WAITING.fetch_sub(RECORDS_WAITING_BYTES_MAX + 1, Ordering::Relaxed);
        let lines = track.lock();
        assert_eq!((lines.is_over, lines.is_queued, lines.waiting_bytes()), (true, false, 0));
    }

    #[test]
    fn a_disk_that_takes_nothing_cuts_the_recording_and_keeps_nobody_waiting() {
        const LINE: &[u8] = &[b'x'; 64 << 10];
        let _one = ONE_AT_A_TIME.lock();
        let mut lines = TrackLines::default();
        // The writer has no turn: it does not know of the track.
        lines.is_queued = true;
        let track = Arc::new(Track {
            conn: 1,
            file: PathBuf::new(),
            began: Instant::now(),
            bytes_max: u64::MAX,
            span: Span::none(),
            lines: Mutex::new(lines),
        });

        for _ in 0..2 * RECORD_WAITING_BYTES_MAX / LINE.len() {
            track.input(None, Kind::Text, LINE);
        }

        let waiting = track.lock().waiting_bytes();
        assert!((RECORD_WAITING_BYTES_MAX..RECORD_WAITING_BYTES_MAX + 2 * LINE.len()).contains(&waiting), "{waiting}");
        let (bytes, _, total) = track.take();
        let last = bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
        assert!(last.ends_with(br#""dir":"cut","why":"the disk is too slow"}"#), "{}", last.escape_ascii());
        assert_eq!((total, track.lock().is_over), (None, true));
    }
}
