//! The limits of sessions to which a client can return (`--resume`).

use std::time::Duration;

/// Bytes of messages that wsd keeps for a client by default (`--replay`), until the client acknowledges them. Then the program
/// waits; in a room the client misses the oldest messages.
pub(crate) const REPLAY_BYTES_MAX: usize = 1 << 20;

/// Time after which wsd acknowledges a message of a client that can return.
pub(crate) const ACK_DELAY: Duration = Duration::from_secs(1);
/// Bytes of messages that wsd acknowledges at once; see [`ACK_DELAY`].
pub(crate) const ACK_BYTES: usize = 64 << 10;
/// Messages that wsd acknowledges at once; see [`ACK_DELAY`].
pub(crate) const ACK_MESSAGES: u32 = 256;
/// Bytes of messages that wsd acknowledges while more of them come: a quarter of those that a client may have unacknowledged. Each
/// acknowledgement wakes a client that waits for room to send.
pub(crate) const FLOOD_ACK_BYTES: usize = AHEAD_BYTES_MAX / 4;
/// Messages that wsd acknowledges so; see [`FLOOD_ACK_BYTES`].
pub(crate) const FLOOD_ACK_MESSAGES: u32 = 2500;

/// Bytes of messages that a client may send without an acknowledgement. As many wsd reads ahead while the program waits for an
/// acknowledgement of the client, which may stand behind them. Beyond, wsd stops reading.
pub(crate) const AHEAD_BYTES_MAX: usize = 1 << 20;
/// Messages that a client may send so; see [`AHEAD_BYTES_MAX`].
pub(crate) const AHEAD_MESSAGES_MAX: usize = 10_000;

/// Bytes that a control message of a client may have at least, with any `--maxframesize`.
pub(crate) const CONTROL_BYTES_MIN: usize = 256;

/// Sessions that have ended, and whose clients are away and may return to be told the end. Beyond, wsd forgets the oldest.
///
/// 4096: 8 MiB. They hold no place within `--maxforks`.
pub(crate) const ENDED_SESSIONS_MAX: usize = 4096;

/// Bytes that such a session counts for beside its messages: its task, its timers and its token.
pub(crate) const ENDED_SESSION_BYTES: usize = 2 << 10;
