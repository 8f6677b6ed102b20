//! The limits of a program that answers one POST (`--http`), and of all requests with a body.

use std::time::Duration;

/// The time that the status of a POST without a session waits for the program's first output, or its end. A fast failure is a
/// 500, and a slow program does not keep its client waiting for an answer.
pub(crate) const POST_HEAD_WAIT: Duration = Duration::from_secs(1);

/// Time that a client may send nothing of a body that wsd needs as a whole: a POST of `--http` to a session or a room, a message of
/// MCP. Then wsd answers 408.
pub(crate) const BODY_STALL_MAX: Duration = Duration::from_secs(10);

/// Time for such a body, plus a second for each [`BODY_RATE_MIN`] bytes; then wsd answers 408. Otherwise a byte now and then would
/// hold the request for ever.
///
/// 20 s and 500 bytes: the default of Apache's `RequestReadTimeout`.
pub(crate) const BODY_TIME_MIN: Duration = Duration::from_secs(20);
/// Bytes a second of such a body; see [`BODY_TIME_MIN`].
pub(crate) const BODY_RATE_MIN: u32 = 500;

/// The time that a client may send nothing of a POST that its program waits for, and get nothing of the answer; then wsd
/// breaks it off.
///
/// 60 s, nginx's figure. The program holds a fork slot meanwhile.
pub(crate) const POST_STALL_MAX: Duration = Duration::from_mins(1);

/// Bytes that a program which gets a POST counts for beside that body: its streams, its request and its task.
pub(crate) const POST_BYTES: usize = 32 << 10;

/// The time between two looks whether a client has left that sends more than a program takes.
pub(crate) const CLIENT_LOOK: Duration = Duration::from_secs(1);

/// The time that wsd reads on from a client that still sends after the end of its answer; then the client may lose that end.
pub(crate) const CLOSE_LINGER: Duration = Duration::from_secs(5);

/// Clients at a time to which wsd tells its status each second (`/.wsd/status` as an event stream). Beyond, wsd answers 503.
///
/// 16: some administrators with some windows each. With a thousand sessions each gets 250 KB a second.
pub(crate) const STATUS_WATCHERS_MAX: usize = 16;

/// Ends of sessions that the status shows, and as many refusals. wsd forgets older ones.
pub(crate) const RECENT_MAX: usize = 100;

/// The time between two events of the status.
pub(crate) const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// Connections at a time at the address of the metrics (`--metrics`); more wait.
pub(crate) const WATCHERS_MAX: usize = 16;
