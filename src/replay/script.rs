//! Reads a recording.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _},
    path::Path,
};

use crate::{
    framing::Framing,
    message::Kind,
    record::format::{Dir, Ender, RecordHead, Step, VERSION},
};

/// Bytes of the first line at most, which has a path and the name of a file. A file that is no recording may have no lines.
const HEAD_BYTES_MAX: u64 = 64 << 10;

/// A recording, read whole: its file is limited (`--record-bytes`).
#[derive(Debug)]
pub(super) struct Recording {
    /// The framing of the program.
    pub(super) framing: Framing,
    /// The limit of a message; [`usize::MAX`] is no limit.
    pub(super) message_bytes_max: usize,
    /// Whether standard output was a raw terminal.
    pub(super) is_unbuffered: bool,
    /// The messages, in order.
    pub(super) messages: Vec<RecordedMessage>,
    /// The end; `None` if the recording breaks off.
    pub(super) end: Option<RecordedEnd>,
    /// Why it breaks off, if it tells.
    pub(super) why: Option<String>,
}

/// A message of a recording.
#[derive(Debug)]
pub(super) struct RecordedMessage {
    /// Its line in the file, from 1.
    pub(super) line: usize,
    /// Microseconds since the beginning.
    pub(super) us: u64,
    /// Its direction.
    pub(super) way: Way,
    /// Its type.
    pub(super) kind: Kind,
    /// Its content.
    pub(super) payload: Vec<u8>,
}

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// To the program.
    In,
    /// Of the program.
    Out,
    /// The end of the program's input. It has no content.
    Eof,
}

/// The end of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordedEnd {
    /// Microseconds since the beginning.
    pub(super) us: u64,
    /// Whether the program ended by itself.
    pub(super) is_of_program: bool,
    /// The exit status as a shell shows it.
    pub(super) status: u16,
}

/// The exit statuses of programs that wsd stops: those of SIGINT, SIGTERM and SIGKILL.
const STOPPED: [u16; 3] = [130, 143, 137];

impl RecordedEnd {
    /// Whether a signal of wsd ended the program. The status depends on time then: the program may end by itself before it.
    pub(super) fn is_stop(&self) -> bool {
        !self.is_of_program && STOPPED.contains(&self.status)
    }
}

impl Recording {
    /// Reads the file. The error says what is wrong with it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut lines = BufReader::new(File::open(path).map_err(|cause| cause.to_string())?);
        let first = next(&mut lines.by_ref().take(HEAD_BYTES_MAX))?.ok_or("it is empty")?;
        let head: RecordHead = serde_json::from_slice(&first).map_err(|_| "it is not a recording".to_owned())?;
        if head.recording != VERSION {
            return Err(format!("its format has version {}, this wsd reads version {VERSION}", head.recording));
        }
        let framing = Framing::of_word(&head.framing);
        let framing = framing.ok_or_else(|| format!("its framing `{}` is not known", head.framing))?;
        let message_bytes_max = if head.maxframesize == 0 { usize::MAX } else { head.maxframesize };
        let is_unbuffered = head.unbuffer;
        let (messages, end, why) = (Vec::new(), None, None);
        let mut recording = Self { framing, message_bytes_max, is_unbuffered, messages, end, why };
        let mut part = Vec::new();
        for line in 2.. {
            // A line without its end is one that the disk had no room for.
            let Some(text) = next(&mut lines)?.filter(|text| text.ends_with(b"\n")) else { break };
            let step: Step<'_> = serde_json::from_slice(&text).map_err(|error| format!("line {line}: {error}"))?;
            recording.add(line, &step, &mut part).map_err(|why| format!("line {line}: {why}"))?;
        }
        Ok(recording)
    }

    fn add(&mut self, line: usize, step: &Step<'_>, part: &mut Vec<u8>) -> Result<(), String> {
        let us = step.us;
        let way = match step.dir {
            Dir::In => Way::In,
            Dir::Out => Way::Out,
            Dir::Eof => {
                let (way, kind, payload) = (Way::Eof, Kind::Binary, Vec::new());
                self.messages.push(RecordedMessage { line, us, way, kind, payload });
                return Ok(());
            }
            Dir::Err => return Ok(()),
            Dir::Cut => {
                self.why = step.why.as_ref().map(|why| why.clone().into_owned());
                return Ok(());
            }
            Dir::End => {
                let (Some(by), Some(status)) = (step.by, step.status) else {
                    return Err("an end has `by` and `status`".to_owned());
                };
                self.end = Some(RecordedEnd { us, is_of_program: by == Ender::Program, status });
                return Ok(());
            }
        };
        let kind = step.kind.ok_or("a message has a `type`")?.into();
        let mut payload = step.payload()?;
        if way == Way::Out {
            part.append(&mut payload);
            if step.more {
                return Ok(());
            }
            payload = std::mem::take(part);
        }
        self.messages.push(RecordedMessage { line, us, way, kind, payload });
        Ok(())
    }
}

/// Reads the next line, with its end if it has one.
fn next(lines: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line).map_err(|cause| cause.to_string())?;
    Ok((!line.is_empty()).then_some(line))
}
