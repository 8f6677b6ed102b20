//! The limits of the gateway for MCP (`--mcp`).

use std::time::Duration;

/// Bytes of a message of a client by default (`--maxbody`); wsd answers 413 beyond.
///
/// 4 MiB, as Python's SDK: 3 MiB in base64.
pub(crate) const MCP_BODY_BYTES_MAX: usize = 4 << 20;

/// Bytes of a line of a server; wsd logs and skips a longer one. As with `--framing=json`.
pub(crate) const MCP_LINE_BYTES_MAX: usize = 4 << 20;

/// Nesting of a message; wsd answers -32700 beyond, and skips such a line. `serde_json`'s figure.
pub(crate) const MCP_DEPTH_MAX: usize = 128;

/// Time without use after which wsd ends a server by default (`--mcp-idle`).
pub(crate) const MCP_IDLE: Duration = Duration::from_mins(10);

/// Time that a server has to answer `server/discover`; a silent one is taken for an older one.
pub(crate) const MCP_PROBE_WAIT: Duration = Duration::from_secs(5);

/// Time for which wsd takes a silent server for an older one. Then it asks again: perhaps it only started slowly.
pub(crate) const MCP_SILENT_KNOWN: Duration = Duration::from_mins(1);

/// Time that a new server of a session has to answer `initialize`, if `--mcp-idle` is shorter; then wsd ends it.
pub(crate) const MCP_REPLAY_WAIT: Duration = Duration::from_mins(1);

/// Bytes of an id and of a progress token of a client; wsd answers 400 beyond, since it keeps them with the request.
pub(crate) const MCP_ID_BYTES_MAX: usize = 1 << 10;

/// Time that the answer waits for the server's own: a fast one is JSON, with a status of its own; beyond, it is a stream.
pub(crate) const MCP_HEAD_WAIT: Duration = Duration::from_secs(5);

/// Tasks of a session whose progress wsd passes on; beyond, it drops that of the oldest.
pub(crate) const MCP_TASKS_MAX: usize = 64;

/// Requests in flight of a client's address; wsd answers 429 beyond.
pub(crate) const MCP_CALLS_OF_CLIENT_MAX: usize = 64;

/// Subscriptions at a time of a client's address (`subscriptions/listen`); wsd answers 429 beyond.
pub(crate) const MCP_LISTENS_OF_CLIENT_MAX: usize = 16;

/// Requests in flight of a route; wsd answers 429 beyond.
pub(crate) const MCP_CALLS_MAX: usize = 1024;

/// Messages in the ring of a session, for `Last-Event-ID`; `--replay` limits their bytes. wsd forgets the oldest.
pub(crate) const MCP_RING_MESSAGES_MAX: usize = 1000;

/// Messages of a server that wait for a stream of the client; beyond, wsd drops the oldest, and refuses requests among them.
pub(crate) const MCP_KEPT_MESSAGES_MAX: usize = 64;
/// Bytes of such messages; see [`MCP_KEPT_MESSAGES_MAX`].
pub(crate) const MCP_KEPT_BYTES_MAX: usize = 256 << 10;
/// Time that such a message waits; see [`MCP_KEPT_MESSAGES_MAX`].
pub(crate) const MCP_KEPT_TIME_MAX: Duration = Duration::from_mins(1);

/// Bytes that wait for a server; beyond, the answers to messages of clients wait until it has read.
pub(crate) const MCP_INPUT_MAX: usize = 1 << 20;

/// Bytes that wait for a modern client; beyond, wsd drops its request, since the shared server waits for nobody.
///
/// 8 MiB: two of the longest lines.
pub(crate) const MCP_WAITING_MAX: usize = 8 << 20;

/// Sessions of a route that wsd knows, with a server or without; beyond, it forgets the one that has slept longest.
pub(crate) const MCP_SESSIONS_MAX: usize = 10_000;

/// Time that wsd knows a session without a server; then it answers 404.
pub(crate) const MCP_RECORD_TIME_MAX: Duration = Duration::from_hours(24);

/// Bytes of a message that wsd keeps to replay it; a session with a longer `initialize` ends with its server.
pub(crate) const MCP_RECORD_BYTES_MAX: usize = 64 << 10;

/// Subscriptions to resources of a session that wsd restores with a new server.
pub(crate) const MCP_SUBSCRIPTIONS_MAX: usize = 64;

/// Time that requests in flight have while wsd itself ends; then wsd answers them with -32603.
///
/// Below [`SHUTDOWN_ANSWER`](super::SHUTDOWN_ANSWER), so that clients still get that answer.
pub(crate) const MCP_STOP_WAIT: Duration = Duration::from_millis(700);

/// The longest time between two looks of a server's task at its clock.
pub(crate) const MCP_LOOK_MAX: Duration = Duration::from_hours(1);

/// Tools of a route that the metrics count by name, of those that its server lists; all others are one.
pub(crate) const MCP_TOOLS_COUNTED_MAX: usize = 200;
/// Bytes of the name of such a tool; see [`MCP_TOOLS_COUNTED_MAX`].
pub(crate) const MCP_TOOL_BYTES_MAX: usize = 128;
