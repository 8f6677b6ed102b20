//! The limits of the log.

use std::time::Duration;

/// Bytes of the log that wait for a reader; beyond, wsd counts lines instead of logging them.
///
/// 1 MiB: about 10,000 lines.
pub(crate) const LOG_BYTES_MAX: usize = 1 << 20;

/// Characters of a value in a line of the log; wsd cuts a longer one and adds its length. A request's head has 32 KiB.
pub(crate) const LOG_FIELD_CHARS_MAX: usize = 256;

/// Lines of one event and level in a second; wsd counts the others and logs their number when the second is over.
///
/// 20: at most about 170 MB a day of each event that a client can cause. wsd logs all of workers' standard error.
pub(crate) const LOG_LINES_A_SECOND_MAX: u64 = 20;

/// Lines of the refusals of one reason and origin, until none has come for [`LOG_REPEATS_TIME`]; wsd counts the others and logs
/// their number after each such time. A page that tries again and again says nothing new.
pub(crate) const LOG_REPEATS_MAX: u64 = 3;
/// The time between two such numbers.
pub(crate) const LOG_REPEATS_TIME: Duration = Duration::from_mins(1);
/// Reasons and origins that wsd counts in this way at a time; a client may name any origin. Others count by event only.
pub(crate) const LOG_REPEATS_KNOWN_MAX: usize = 64;

/// The time that wsd has at its end to write the lines that wait: a reader may take nothing.
pub(crate) const LOG_END: Duration = Duration::from_secs(1);

/// Bytes of a text in a line of the log as JSON, as it stands there; wsd cuts a longer one and adds its length.
///
/// 8 KiB: collectors cut or split lines from 16 KiB on, and a line of standard error may be escaped throughout.
pub(crate) const LOG_JSON_TEXT_BYTES_MAX: usize = 8 << 10;

/// Characters of a message that the log shows, with `--loglevel=trace`.
pub(crate) const LOG_MESSAGE_CHARS_MAX: usize = 80;
