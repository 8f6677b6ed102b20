//! Every limit and default of wsd: value, unit, reason, and what wsd does beyond it.

use std::time::Duration;

pub(crate) mod auth;
mod bus;
mod connect;
mod deflate;
mod http;
mod log;
pub(crate) mod mcp;
mod proxies;
pub(crate) mod record;
mod resume;
mod sources;
mod streams;

pub(crate) use bus::{
    BUS_ANSWER, BUS_BYTES_MAX, BUS_CONNECT, BUS_JOIN, BUS_PATIENCE, BUS_RETRY, IN_RECORDS, LEASE, LEASE_DOUBT,
    LEASE_RENEWAL, OUT_RECORDS, RECORD_BYTES,
};
pub(crate) use connect::{
    ACKED_WITHIN, CONNECT_KEEP_MAX, CONNECT_KEPT_BYTES, CONNECT_MCP_CALLS_MAX, CONNECT_MCP_ERROR_BYTES_MAX,
    CONNECT_MCP_IDLE, CONNECT_MCP_TRIES_MAX, CONNECT_MCP_WAIT, CONNECT_MCP_WAITING_MAX, CONNECT_MESSAGE_BYTES_MAX,
    CONNECT_PROGRAM_END, CONNECT_PROGRAM_TERM, CONNECT_STEADY, CONNECT_TIME_MAX, CONNECT_WAIT, CONNECT_WAITING_MAX,
    PONG_WITHIN, RETRY_MIN, RETURN_MIN,
};
pub(crate) use deflate::{COMPRESS_BYTES_MIN, COMPRESS_MEMORY, COMPRESS_SHARED_BYTES_MIN, COMPRESSOR_SILENCE};
pub(crate) use http::{
    BODY_RATE_MIN, BODY_STALL_MAX, BODY_TIME_MIN, CLIENT_LOOK, CLOSE_LINGER, POST_BYTES, POST_HEAD_WAIT,
    POST_STALL_MAX, RECENT_MAX, STATUS_INTERVAL, STATUS_WATCHERS_MAX, WATCHERS_MAX,
};
pub(crate) use log::{
    LOG_BYTES_MAX, LOG_END, LOG_FIELD_CHARS_MAX, LOG_JSON_TEXT_BYTES_MAX, LOG_LINES_A_SECOND_MAX,
    LOG_MESSAGE_CHARS_MAX, LOG_REPEATS_KNOWN_MAX, LOG_REPEATS_MAX, LOG_REPEATS_TIME,
};
pub(crate) use proxies::{PROXY_BYTES_MAX, PROXY_TIME_MAX};
pub(crate) use resume::{
    ACK_BYTES, ACK_DELAY, ACK_MESSAGES, AHEAD_BYTES_MAX, AHEAD_MESSAGES_MAX, CONTROL_BYTES_MIN, ENDED_SESSION_BYTES,
    ENDED_SESSIONS_MAX, FLOOD_ACK_BYTES, FLOOD_ACK_MESSAGES, REPLAY_BYTES_MAX,
};
pub(crate) use sources::{LIST_BYTES_MAX, RATE_IN_BURST, REQUESTS_PER_CLIENT, SOURCES_LOOK, SOURCES_MAX};
pub(crate) use streams::{
    HEARTBEAT_INTERVAL, INPUT_MESSAGES_MAX, INPUT_WAIT, INPUTS_WAITING_MAX, POLL_RETURN_MAX, POLL_WAIT_MAX,
    STREAM_KEEP_MIN,
};

/// Workers at a time by default (`--maxforks`); wsd answers the next upgrade with 429. websocketd's figure.
pub(crate) const FORKS_MAX: usize = 1024;

/// Bytes that wait anywhere in wsd by default (`--maxbuffer`). Near it wsd shortens histories, then closes clients with 1013,
/// and answers new sessions with 503.
///
/// 256 MiB: a thousand clients that each hold a quarter of a MiB.
pub(crate) const BUFFER_BYTES_MAX: usize = 256 << 20;

/// Time that a shared program stays by default (`--linger`) after its last client has left: enough to load a page again.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// Time that a room waits by default (`--slow-wait`) for a client that takes nothing (`--slow=wait`); then wsd closes that
/// client with 1013.
pub(crate) const SLOW_WAIT: Duration = Duration::from_mins(1);

/// Bytes of the payload of one frame. wsd sends a longer message in fragments.
///
/// 64 KiB: the default limit of Perl's `Protocol::WebSocket`.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 10;

/// Bytes asked for by one read while `--maxbuffer` is nearly used up.
pub(crate) const READ_BYTES_WHEN_FULL: usize = 4 << 10;

/// Bytes of one message of a client by default (`--maxframesize`); wsd closes the session with 1009 on a longer one.
///
/// 1 MiB, websocketd's figure. It counts the whole message, however many frames carry it.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes that a Linux pipe holds by default; wsd widens a pipe that it finds full.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// Bytes of one read of a served file, and so the memory that a client holds which takes a file slowly.
///
/// 64 KiB: clients that read nothing of a file then take no more memory than other clients.
pub(crate) const FILE_READ_BYTES: usize = 64 << 10;

/// Reads in one turn of a session, before it yields; a read of output that fills the buffer is the last of its turn.
///
/// wsd frames and sends 64 KiB in lines of 64 bytes in about 50 µs: a flood delays other sessions that long.
pub(crate) const READS_PER_TURN: usize = 2;

/// Bytes of an unfinished line that wsd keeps to send it as one frame; it sends a longer line as fragments of one message.
pub(crate) const LINE_BYTES_HELD: usize = 64 << 10;

/// Bytes of a line of a worker's standard error in one line of the log. A longer one continues in the next line of the log.
pub(crate) const STDERR_LINE_BYTES_MAX: usize = 4 << 10;

/// Time between the pings of a session by default (`--pingms`). Below the 60 s after which proxies drop a silent connection.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The time that a worker has to end by itself before SIGINT; `--closems` is added to each such time. websocketd's figures.
pub(crate) const UNTIL_SIGINT: Duration = Duration::from_millis(100);
/// `--closems` by default with `--acp`: an agent that reads the end of its input saves its session, and ends its own programs.
pub(crate) const ACP_PATIENCE: Duration = Duration::from_secs(2);
/// The time after SIGINT and before SIGTERM; see [`UNTIL_SIGINT`].
pub(crate) const UNTIL_SIGTERM: Duration = Duration::from_millis(250);
/// The time after SIGTERM and before SIGKILL; see [`UNTIL_SIGINT`].
pub(crate) const UNTIL_SIGKILL: Duration = Duration::from_millis(500);
/// The time after SIGKILL and before wsd logs an error. SIGKILL works at once, except on a process that is stuck in the
/// kernel or that a debugger holds.
pub(crate) const UNTIL_STUCK: Duration = Duration::from_secs(1);

/// The time of a processor between SIGXCPU, which a program may handle, and SIGKILL, with `--limit=cpu=SECS`.
pub(crate) const CPU_GRACE: Duration = Duration::from_secs(5);

/// The time between two looks for orphans that have ended, which wsd reaps.
pub(crate) const REAP_INTERVAL: Duration = Duration::from_secs(1);

/// The time that the guard has to end all programs after wsd has been killed. One look takes some milliseconds.
pub(crate) const GUARD_TIME_MAX: Duration = Duration::from_millis(800);

/// The time after the first message that a program may print nothing; then wsd names it in the log, once.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Columns and rows of a terminal (`--pty`); wsd answers a request for more, or for none, with 400.
///
/// 1000: more than any screen has, and little enough that programs which allocate a screen can.
pub(crate) const WINDOW_MAX: u16 = 1000;

/// The time after the end of a program's output within which the program itself is expected to end. After that, wsd takes
/// it that the program has closed its output and goes on.
pub(crate) const OUTPUT_END: Duration = Duration::from_millis(100);

/// The time between two looks whether the process group of a program that has closed its output still runs, after the program
/// itself has ended.
pub(crate) const GROUP_LOOK: Duration = Duration::from_millis(250);

/// The time that a client has to answer a Close frame (RFC 6455, section 7.1.1); then wsd drops its connection.
pub(crate) const CLOSE_ANSWER: Duration = Duration::from_secs(5);

/// [`CLOSE_ANSWER`] while wsd itself ends; also the time that an unfinished HTTP request has then.
pub(crate) const SHUTDOWN_ANSWER: Duration = Duration::from_secs(1);

/// The time that wsd waits for more standard error of a worker that has ended, if another process holds it open.
pub(crate) const STDERR_REST: Duration = Duration::from_millis(100);

/// The whole time that wsd reads standard error of a worker that has ended, however much more of it comes.
pub(crate) const STDERR_REST_MAX: Duration = Duration::from_secs(1);

/// The time that a client which takes nothing has to take the last output of a worker that has ended.
///
/// As long as two ping intervals by default, after which wsd closes a silent client.
pub(crate) const LAST_OUTPUT_STALL: Duration = Duration::from_mins(1);

/// The time that a program may take nothing of the last messages of a client that has sent a Close frame; then wsd drops them.
pub(crate) const CLOSED_STALL_MAX: Duration = Duration::from_secs(5);

/// The time that a room's worker may read nothing of the last messages once no client is left; then wsd stops it.
pub(crate) const LAST_INPUT_STALL_MAX: Duration = Duration::from_secs(5);

/// The time for a clean end after SIGTERM or SIGINT: the stop of a worker (1.85 s at most) and the closing handshakes.
pub(crate) const DRAIN: Duration = Duration::from_secs(4);

/// Bytes of a request's head (RFC 9112, section 2.1); wsd answers a longer one with 431.
pub(crate) const HEAD_BYTES_MAX: usize = 32 << 10;

/// Headers that the user adds to an answer (`--header`); wsd refuses more at its start. hyper has no room for 25,000.
pub(crate) const OWN_HEADERS_MAX: usize = 1000;

/// Bytes that hyper may buffer for one connection: a whole head and a bit.
pub(crate) const HTTP_BUFFER_BYTES_MAX: usize = 40 << 10;

/// The time that a client has to send a request's head: an attacker may send a byte now and then (slowloris).
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// The time that a connection may be idle between two requests.
pub(crate) const IDLE_TIME_MAX: Duration = Duration::from_mins(1);

/// The time that a client may take nothing of an HTTP answer; then wsd closes its connection.
///
/// 60 s between two writes that send anything, however long the whole answer takes. Bytes that the kernel holds for the
/// client count as taken; with TLS the last 64 KiB count as one write.
pub(crate) const ANSWER_STALL_MAX: Duration = Duration::from_mins(1);

/// Connections at a time that are not (yet) sessions. Beyond, one waits at each listener, and more in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 8192;

/// TCP keepalive: the idle time before the kernel's first probe, and between two probes. websocketd's figure.
pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

/// Connections that the kernel may hold until wsd accepts them; the kernel has its own limit, too (4096 on Linux).
pub(crate) const LISTEN_QUEUE: u32 = 4096;

/// Open files that wsd needs: about 20 of its own, a connection and the pipes of a program. Below it ends at its start.
pub(crate) const OPEN_FILES_MIN: usize = 32;

/// Open files from which on wsd does not warn that they are too few for the programs of the default of `--maxforks`.
///
/// 1024 is the usual limit of Linux and enough for about two hundred sessions; few servers have a thousand at a time.
pub(crate) const OPEN_FILES_ENOUGH: usize = 1024;

/// The port, if the user gives none.
pub(crate) const PORT: u16 = 8080;

/// Bytes at most that TLS holds for a client that takes no more: a limit of rustls.
pub(crate) const TLS_BYTES: usize = 64 << 10;

/// The time that a client has for the handshake of TLS.
pub(crate) const TLS_TIME_MAX: Duration = Duration::from_secs(10);

/// The time between two looks for a change in the files of `--sslcert`, `--sslkey` and `--sslca`.
pub(crate) const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);

/// Time that a CGI script may be silent by default (`--cgi-timeout`), before its answer and within it. Then wsd answers 504,
/// or breaks off the answer that has begun. Also the time that a script may go on after its whole answer.
pub(crate) const CGI_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of the header of a CGI script's answer; beyond, wsd answers 502.
pub(crate) const CGI_HEAD_BYTES_MAX: usize = 64 << 10;

/// Headers of a CGI script's answer; beyond, wsd answers 502.
pub(crate) const CGI_HEADERS_MAX: usize = 100;

/// The most local redirects (RFC 3875, section 6.2.2) that wsd follows for one request: scripts may redirect in a loop. Beyond,
/// wsd answers 502.
pub(crate) const CGI_REDIRECTS_MAX: u32 = 8;

/// Bytes that a running CGI script with a body counts for beside that body: its streams, its request and its task.
pub(crate) const CGI_BYTES: usize = 32 << 10;

/// The time for a look-up of a client's name (`--reverselookup`); then wsd uses its address instead.
pub(crate) const LOOKUP_TIME_MAX: Duration = Duration::from_secs(1);

/// Look-ups of names at a time; beyond, wsd uses a client's address as its name.
pub(crate) const LOOKUPS_MAX: usize = 64;

/// Bytes of a line in one message of `--passstderr`; a longer line takes several.
pub(crate) const EVENT_LINE_BYTES_MAX: usize = 1 << 20;

/// The port with `--ssl`, if the user gives none.
pub(crate) const TLS_PORT: u16 = 8443;

/// Bytes of a line of a program with `--framing=json`; wsd logs and skips a longer one. 4 MiB hold 3 MiB in base64.
pub(crate) const COMMAND_BYTES_MAX: usize = 4 << 20;

/// Bytes of the header of a message with `--framing=lsp`; the session ends with 1011 beyond. A usual one has 25.
pub(crate) const LSP_HEADER_BYTES_MAX: usize = 4 << 10;

/// Bytes of the body of such a message, in its header; the session ends with 1011 beyond. wsd keeps no body in memory.
pub(crate) const LSP_BODY_BYTES_MAX: usize = 1 << 31;

/// Invalid lines of such a program that wsd logs in a second; beyond, it logs their number.
pub(crate) const LOGGED_LINES_MAX: u64 = 10;

/// Bytes of a message of a room's worker; a longer line becomes several messages, in order.
///
/// 1 MiB: wsd joins a message before it sends it. If a longer line left as fragments of one message, a slow client could
/// not miss all of it, and a new client could not begin in its middle.
pub(crate) const ROOM_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes that may wait for a client of a room whose connection takes no more. Beyond, `--slow` decides: by default wsd
/// closes the client with 1013.
///
/// 1 MiB: minutes of chat, a moment of a fast log. All clients share the payload, so a thousand slow clients cost little
/// more than one. Messages that wsd has not tried to send count against no client: wsd sends them before it reads the
/// worker again. One message more may wait, however long.
pub(crate) const SEAT_BYTES_MAX: usize = 1 << 20;

/// Clients of one room; wsd answers the next one with 503.
pub(crate) const SEATS_MAX: usize = 16_384;

/// Bytes of clients' messages that wait for a room's worker; beyond, wsd stops reading the clients.
pub(crate) const INBOX_BYTES_MAX: usize = 1 << 20;

/// Bytes of `open` and `close` events (`--framing=json`) that a room's worker has not read; beyond, wsd answers new clients
/// with 503.
///
/// 16 MiB: 1 KiB, the usual length of such a line, for each of [`SEATS_MAX`]. Clients' messages do not count here, so a
/// flood of them keeps no client out.
pub(crate) const PRESENCE_BYTES_MAX: usize = 16 << 20;

/// Bytes of a room's history (`--history`); beyond, wsd keeps fewer messages.
pub(crate) const HISTORY_BYTES_MAX: usize = 8 << 20;

/// The pause before wsd starts an `--eager` worker again that has ended; wsd doubles it each time, up to [`RESTART_MAX`].
pub(crate) const RESTART_MIN: Duration = Duration::from_secs(1);

/// The longest such pause. After a worker that ran for longer than this, the pause is [`RESTART_MIN`] again.
pub(crate) const RESTART_MAX: Duration = Duration::from_secs(30);

/// Names in a folder of `--dir` that wsd looks at to list its programs for the console; beyond, the console offers fewer.
pub(crate) const CONSOLE_NAMES_MAX: usize = 1000;

#[cfg(test)]
mod tests;
