//! Every bound and default of wsd: value, unit, reason, and what happens beyond it.

use std::time::Duration;

/// Sessions at a time by default (`--maxforks`); the next upgrade is answered 429. websocketd's figure.
pub(crate) const FORKS_MAX: usize = 1024;

/// Bytes that wait anywhere in wsd by default (`--maxbuffer`); near it histories are shortened and then clients cut off with
/// 1013, and new sessions are answered 503.
///
/// 256 MiB: a thousand clients that each hold a quarter of a MiB.
pub(crate) const BUFFER_BYTES_MAX: usize = 256 << 20;

/// Time that a room waits for a client that takes nothing (`--slow=wait`) by default (`--slow-wait`); then it is cut off with
/// 1013.
pub(crate) const SLOW_WAIT: Duration = Duration::from_mins(1);

/// Bytes of one read while `--maxbuffer` is nearly used up.
pub(crate) const READ_BYTES_WHEN_FULL: usize = 4 << 10;

/// Bytes of one message from a client by default (`--maxframesize`); a longer one ends the session with 1009.
///
/// 1 MiB, websocketd's figure: it counts the whole message, whatever the number of its frames.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes asked for by one read of a socket or a pipe, and so the most that is framed and written in one go.
///
/// 64 KiB, what a pipe holds as it comes, and some more for the headers of a message of that size. 4 times as much is a
/// tenth faster for one flood, and holds up its neighbours more than 3 times as long. The buffers are the thread's, not the
/// session.
pub(crate) const READ_BYTES: usize = PIPE_BYTES + (1 << 10);

/// Bytes that a Linux pipe holds as it comes; one that is found full is widened.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// Bytes that a pipe is widened to, if the kernel lets us: it has a limit for each user (`pipe-user-pages-soft`).
///
/// 256 KiB: a message of 1 MiB takes four changes between wsd and its worker, not sixteen; 128 sessions can have such
/// pipes both ways before an unprivileged user's share, 64 MiB at first, is used up.
pub(crate) const WIDE_PIPE_BYTES: usize = 256 << 10;

/// Bytes of one read of a served file, and so what a client that is slow to take one holds.
///
/// 64 KiB: so many clients that read nothing of a file take no more memory than other clients do.
pub(crate) const FILE_READ_BYTES: usize = 64 << 10;

/// How often a link may be found turned while it is looked at, before what it leads to counts as not there.
pub(crate) const LINK_TRIES_MAX: usize = 16;

/// Files that were once at the path of one that is never served, and so are not served either; the oldest is forgotten.
///
/// 8: of a private key that is renewed every two months, those of more than a year. Each takes a descriptor.
pub(crate) const GUARDED_FILES_MAX: usize = 8;

/// Reads in one turn of a session before others get theirs; of output, a read that gave all that was asked for is the last.
///
/// 64 KiB in lines of 64 bytes are framed and sent in about 50 µs, so much a flood delays its neighbours.
pub(crate) const READS_PER_TURN: usize = 2;

/// Bytes asked for by one read of standard error. Each line of it is an event of the log, a microsecond's work.
pub(crate) const STDERR_READ_BYTES: usize = 1 << 10;

/// Bytes of an unfinished line that are kept to send it as one frame; beyond, it leaves as fragments of one message.
pub(crate) const LINE_BYTES_HELD: usize = 64 << 10;

/// Bytes of a worker's stderr line in one line of the log; a longer one goes on in the next line of the log.
pub(crate) const STDERR_LINE_BYTES_MAX: usize = 4 << 10;

/// Time between the pings of a session by default (`--pingms`). Below the 60 s after which proxies drop a silent connection.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The ladder: what a worker is given to end by itself before each signal; `--closems` is added to each. websocketd's figures.
pub(crate) const UNTIL_SIGINT: Duration = Duration::from_millis(100);
/// See [`UNTIL_SIGINT`].
pub(crate) const UNTIL_SIGTERM: Duration = Duration::from_millis(250);
/// See [`UNTIL_SIGINT`].
pub(crate) const UNTIL_SIGKILL: Duration = Duration::from_millis(500);
/// After this an error is logged: SIGKILL works at once, except on a process that is stuck in the kernel, or that a debugger
/// holds.
pub(crate) const UNTIL_STUCK: Duration = Duration::from_secs(1);

/// How often a worker that has ended is asked for its status while a debugger has not taken note of that.
pub(crate) const UNTRACED: Duration = Duration::from_millis(10);

/// What a client is given to answer a Close frame (RFC 6455, section 7.1.1) before its connection is dropped.
pub(crate) const CLOSE_ANSWER: Duration = Duration::from_secs(5);

/// The same when wsd itself ends; and what an unfinished HTTP request is given then.
pub(crate) const SHUTDOWN_ANSWER: Duration = Duration::from_secs(1);

/// What is waited for more of a dead worker's standard error, if some other process holds it open.
pub(crate) const STDERR_REST: Duration = Duration::from_millis(100);

/// What is given to the rest of a dead worker's standard error in all, however much more of it comes.
pub(crate) const STDERR_REST_MAX: Duration = Duration::from_secs(1);

/// What is given to calls that block, such as the look-up of a name, when wsd ends.
pub(crate) const BLOCKED_MAX: Duration = Duration::from_millis(500);

/// What a client that takes nothing at all is given to take the last output of a worker that has ended.
///
/// As long as two ping intervals by default: the same silence that ends a session in the middle.
pub(crate) const LAST_OUTPUT_STALL: Duration = Duration::from_mins(1);

/// What everything is given to end after SIGTERM or SIGINT: the longest ladder (1.85 s) and the answers to Close frames.
pub(crate) const DRAIN: Duration = Duration::from_secs(4);

/// Bytes of a request's head (RFC 9112, section 2.1); a longer one is answered 431.
pub(crate) const HEAD_BYTES_MAX: usize = 32 << 10;

/// Headers of the user's own on an answer (`--header`); more are refused at start. hyper has no room for 25,000.
pub(crate) const OWN_HEADERS_MAX: usize = 1000;

/// Bytes that hyper may buffer for one connection: a whole head and a bit.
pub(crate) const HTTP_BUFFER_BYTES_MAX: usize = 40 << 10;

/// What a client is given to send a request's head, against those that send a byte now and then (slowloris).
pub(crate) const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// What a connection may idle between two requests.
pub(crate) const IDLE_TIME_MAX: Duration = Duration::from_mins(1);

/// What a client that takes nothing at all of an HTTP answer is given to take some; then its connection is closed.
///
/// 60 s between two writes that come to anything, however long the whole takes. What the kernel holds for the client
/// counts as taken; with TLS the last 64 KiB count as one write.
pub(crate) const ANSWER_STALL_MAX: Duration = Duration::from_mins(1);

/// Connections at a time that are not (yet) sessions; beyond, one waits at each listener, more in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 8192;

/// Programs that are started at the same time where others are to go on; more wait for their turn. Loading them takes
/// processors and disks, which more at a time would not make faster.
pub(crate) const STARTS_MAX: usize = 4;

/// The pause after an accept failed for want of descriptors or memory: long enough not to spin, short enough to go unnoticed.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// TCP keepalive: an idle connection is probed after this, and then as often. websocketd's figure.
pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

/// Connections that the kernel may hold for us before they are accepted; it has a limit of its own (4096 on Linux).
pub(crate) const LISTEN_QUEUE: u32 = 4096;

/// What another wsd is given to make or remove its Unix socket at the same path, which takes it less than a millisecond.
pub(crate) const SOCKET_LOCK_MAX: Duration = Duration::from_secs(1);

/// How often is looked whether it has.
pub(crate) const SOCKET_LOCK_LOOK: Duration = Duration::from_millis(5);

/// The port, when none is given.
pub(crate) const PORT: u16 = 8080;

/// Bytes of the log that wait for a reader; beyond, lines are left out and counted.
///
/// 1 MiB: about 10,000 lines.
pub(crate) const LOG_BYTES_MAX: usize = 1 << 20;

/// Characters of a value in a line of the log; a longer one is cut, and its length told. A request's head has 32 KiB.
pub(crate) const LOG_FIELD_CHARS_MAX: usize = 256;

/// Lines in a second of one kind, an event and its level; of the others the log has the number when the second is over.
///
/// 20: about 170 MB a day at most of each kind that somebody outside can cause. Workers' standard error is logged whole.
pub(crate) const LOG_LINES_A_SECOND_MAX: u64 = 20;

/// What the log is given to write the lines that wait when wsd ends: a reader may take nothing.
pub(crate) const LOG_END: Duration = Duration::from_secs(1);

/// Bytes that TLS holds for a client that takes no more, at most: a limit of rustls.
pub(crate) const TLS_BYTES: usize = 64 << 10;

/// What a client is given for the handshake of TLS.
pub(crate) const TLS_TIME_MAX: Duration = Duration::from_secs(10);

/// How often the files of `--sslcert`, `--sslkey` and `--sslca` are looked at for a change.
pub(crate) const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);

/// Time that a CGI script may be silent by default (`--cgi-timeout`), before its answer and within it. After that wsd answers
/// 504, or breaks off the answer that has begun.
pub(crate) const CGI_TIMEOUT: Duration = Duration::from_mins(1);

/// Bytes of the header of a CGI script's answer; with more it is answered 502.
pub(crate) const CGI_HEAD_BYTES_MAX: usize = 64 << 10;

/// Headers of a CGI script's answer; with more it is answered 502.
pub(crate) const CGI_HEADERS_MAX: usize = 100;

/// What a look-up of a client's name is given (`--reverselookup`); then its address stands for it.
pub(crate) const LOOKUP_TIME_MAX: Duration = Duration::from_secs(1);

/// Look-ups of names at a time; further clients get their address for a name.
pub(crate) const LOOKUPS_MAX: usize = 64;

/// Bytes of a line in one message of `--passstderr`; a longer line takes several.
pub(crate) const EVENT_LINE_BYTES_MAX: usize = 1 << 20;

/// The port with `--ssl`, when none is given.
pub(crate) const TLS_PORT: u16 = 8443;

/// Bytes of a line of a program with `--framing=json`; a longer one is logged and skipped. 4 MiB: 3 MiB in base64.
pub(crate) const COMMAND_BYTES_MAX: usize = 4 << 20;

/// Bytes of a message of a room's worker; a longer line takes several messages, one after the other.
///
/// 1 MiB: a message is put together before it is sent. As fragments of one message, a longer line could not be lost as a
/// whole by a client that is slow, or begun in the middle by one that is new.
pub(crate) const ROOM_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Bytes that may wait for a client of a room whose connection takes no more; what comes then is dealt with as `--slow`
/// says: by default the client is cut off with 1013.
///
/// 1 MiB: minutes of chat, a moment of a fast log. The payload is shared by all clients, so a thousand laggards cost
/// little more than one. What wsd itself has not tried to send is held against nobody: the worker is read again when it
/// has been. One message more may wait, however long.
pub(crate) const SEAT_BYTES_MAX: usize = 1 << 20;

/// Clients of one room; the next one is answered 503.
pub(crate) const SEATS_MAX: usize = 16_384;

/// Bytes of clients' messages that wait for a room's worker; beyond, nothing more is read of the clients.
pub(crate) const INBOX_BYTES_MAX: usize = 1 << 20;

/// Bytes that tell a room's worker of clients that come and go (`--framing=json`) and that it has not read; beyond, who
/// comes is answered 503.
///
/// 16 MiB: 1 KiB, the usual length of such a line, for each of [`SEATS_MAX`]. What clients say takes nothing of it: no
/// flood keeps others out.
pub(crate) const NEWS_BYTES_MAX: usize = 16 << 20;

/// Bytes of a room's history (`--history`); beyond, it holds fewer messages.
pub(crate) const HISTORY_BYTES_MAX: usize = 8 << 20;

/// Before an `--eager` worker that has ended is started again; doubled each time, up to [`RESTART_MAX`].
pub(crate) const RESTART_MIN: Duration = Duration::from_secs(1);

/// See [`RESTART_MIN`]. A worker that ran for longer than this begins with [`RESTART_MIN`] again.
pub(crate) const RESTART_MAX: Duration = Duration::from_secs(30);

/// Bytes of the log that are written at once, where many lines wait.
pub(crate) const LOG_WRITE_BYTES: usize = 64 << 10;

/// What is to be told to a systemd that takes nothing (`NOTIFY_SOCKET`); beyond, it is left out.
pub(crate) const MANAGER_QUEUE: usize = 64;

#[cfg(test)]
mod tests;
