//! The limits of event streams and POST (`--http`).

use std::time::Duration;

/// Time at least that a session over an event stream waits for its client (`--http`). With `--resume` it may be longer.
pub(crate) const STREAM_KEEP_MIN: Duration = Duration::from_secs(15);

/// Time without an event after which wsd sends a comment over an event stream (`--http`). nginx drops a silent answer after 60 s.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(15);

/// Time at most that wsd waits for an event before it answers a poll (`Wsd-Poll`, `--http`). Proxies cut answers that take longer: some
/// do after 30 s.
pub(crate) const POLL_WAIT_MAX: Duration = Duration::from_secs(25);

/// Time after the answer to a poll within which its client comes back with the next one; else wsd logs `session detached`.
pub(crate) const POLL_RETURN_MAX: Duration = Duration::from_secs(5);

/// Time that messages in a POST to a session wait for its program (`--http`), which may not have taken earlier ones. Then wsd
/// answers 429.
pub(crate) const INPUT_WAIT: Duration = Duration::from_secs(10);

/// Messages in a POST at most (`--http`); wsd answers 413 beyond. It takes them in one turn, and other clients wait meanwhile.
pub(crate) const INPUT_MESSAGES_MAX: usize = 10_000;

/// Such POSTs of one session that wait at a time; wsd answers the next one with 429. A client that needs an order has one.
pub(crate) const INPUTS_WAITING_MAX: usize = 16;
