//! The settings of recordings, and the program of one.

use std::path::PathBuf;

use crate::framing::Framing;

/// The settings of recordings (`--record`, `--record-bytes`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordOptions {
    /// The folder of the files. The first recording makes it.
    pub(crate) folder: PathBuf,
    /// The bytes of one file; `None` is no limit.
    pub(crate) bytes_max: Option<u64>,
    /// The limit of a message whose length the program's output tells (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
}

/// The program of a recording.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The settings.
    pub(crate) options: RecordOptions,
    /// `SCRIPT_NAME`: the path without what the client has added.
    pub(crate) route: String,
    /// The name of the program's file, without its arguments, which may be secret.
    pub(crate) program: String,
    /// The format of messages in the program's streams.
    pub(crate) framing: Framing,
    /// Whether standard output is a raw terminal (`--unbuffer`).
    pub(crate) is_unbuffered: bool,
}
