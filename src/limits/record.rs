//! The limits of recordings.

use std::time::Duration;

/// Bytes of one recording by default (`--record-bytes`); wsd cuts a longer one, and the session goes on.
///
/// 16 MiB: an hour of a chat, seconds of a fast log. A mail can carry it when it is compressed.
pub(crate) const RECORD_BYTES_MAX: usize = 16 << 20;

/// Bytes of `--record-bytes` at least: room for the head, some messages and the end.
pub(crate) const RECORD_BYTES_MIN: usize = 4 << 10;

/// Bytes kept free in each recording for its last line: an end, or the reason of a cut.
pub(crate) const RECORD_END_BYTES: u64 = 256;

/// Bytes of lines that wait for the disk in one recording; wsd cuts it beyond. One line more may wait, however long.
///
/// 4 MiB: some milliseconds of the fastest program.
pub(crate) const RECORD_WAITING_BYTES_MAX: usize = 4 << 20;

/// Bytes of lines that wait for the disk in all recordings; wsd cuts the next one beyond.
pub(crate) const RECORDS_WAITING_BYTES_MAX: usize = 64 << 20;

/// Characters of a route in the name of a file.
pub(crate) const RECORD_NAME_BYTES_MAX: usize = 60;

/// The time for which wsd waits at its end until all recordings are written.
pub(crate) const RECORDS_END: Duration = Duration::from_secs(1);

/// The time that `wsd replay` waits for the next message of a program by default (`--timeout`), beyond that of the recording.
pub(crate) const REPLAY_WAIT: Duration = Duration::from_secs(10);
