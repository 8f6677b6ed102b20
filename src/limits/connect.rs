//! The limits of `wsd connect`.

use std::time::Duration;

/// Bytes of one message of a server to `wsd connect`; the client closes with 1009 beyond.
///
/// 64 MiB: a client trusts its server more than a server its clients, and one line of a program has no limit.
pub(crate) const CONNECT_MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The time that one attempt of `wsd connect` may take: the name, the connection, the proxy, TLS and the handshake.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// The first pause of `wsd connect --retry`; it doubles each time, up to [`RESTART_MAX`](super::RESTART_MAX). The client waits for a random part of
/// it, half at least, so that many clients do not come at once.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(500);

/// The silence of the server after the end of standard input, after which `wsd connect` closes (`--wait`).
pub(crate) const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// The time that the program of `wsd connect` has to end after the server has closed; then it gets SIGTERM.
pub(crate) const CONNECT_PROGRAM_END: Duration = Duration::from_secs(5);
/// The time from that SIGTERM to SIGKILL.
pub(crate) const CONNECT_PROGRAM_TERM: Duration = Duration::from_secs(1);

/// Bytes that `wsd connect --resume` keeps for the server until that has them; then it reads no more standard input. As many may
/// wait for standard output.
pub(crate) const CONNECT_KEPT_BYTES: usize = 1 << 20;

/// Messages that may wait for standard output with `wsd connect --resume`: more than a server keeps in 1 MiB, where an empty one
/// costs 10 bytes. The client must be able to read the acknowledgements behind them.
pub(crate) const CONNECT_WAITING_MAX: usize = CONNECT_KEPT_BYTES / 8;

/// The longest time for which `wsd connect --resume` tries to return, however long the server keeps the session.
pub(crate) const CONNECT_KEEP_MAX: Duration = Duration::from_hours(24);

/// The first pause of `wsd connect --resume` after an attempt to return that has failed; it doubles each time, up to
/// [`RESTART_MAX`](super::RESTART_MAX), less a random part as with [`RETRY_MIN`]. There is none before the first attempt.
pub(crate) const RETURN_MIN: Duration = Duration::from_secs(1);

/// The length of a connection after which the pauses of [`RETURN_MIN`] begin again. So they do after any message.
pub(crate) const CONNECT_STEADY: Duration = Duration::from_secs(10);

/// The time within which a server acknowledges a message, or sends anything; beyond, `wsd connect --resume` takes the connection
/// for dead.
pub(crate) const ACKED_WITHIN: Duration = Duration::from_secs(20);

/// The time within which a server answers the question of `wsd connect --resume` whether it is alive, which comes before a close.
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(5);

/// The silence of the server after the end of standard input, after which `wsd connect --mcp` ends without the answers that it
/// waits for (`--wait`).
pub(crate) const CONNECT_MCP_WAIT: Duration = Duration::from_mins(1);

/// The time for which `wsd connect --mcp` keeps a connection without a request: less than servers do, which is 5 s for those of
/// Node and of uvicorn.
pub(crate) const CONNECT_MCP_IDLE: Duration = Duration::from_secs(4);

/// Requests of `wsd connect --mcp` without an answer; with so many it reads no more standard input.
pub(crate) const CONNECT_MCP_CALLS_MAX: usize = 1024;

/// Messages that may wait for standard output with `wsd connect --mcp`; with so many it reads no more answers.
pub(crate) const CONNECT_MCP_WAITING_MAX: usize = 16;

/// Bytes of an error of HTTP that `wsd connect --mcp` reads.
pub(crate) const CONNECT_MCP_ERROR_BYTES_MAX: usize = 64 << 10;

/// Returns to the stream of an answer, without a message in between, after which `wsd connect --mcp` gives the request up.
pub(crate) const CONNECT_MCP_TRIES_MAX: u32 = 5;
