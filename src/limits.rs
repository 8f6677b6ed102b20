//! Every bound and default of wsd: value, unit, reason, and what happens beyond it.

use std::time::Duration;

/// Sessions at a time by default (`--maxforks`); the next upgrade is answered 429. websocketd's figure.
pub(crate) const FORKS_MAX: usize = 1024;

/// Bytes that wait anywhere in wsd by default (`--maxbuffer`); near it histories are shortened and then clients cut off with
/// 1013, and new sessions are answered 503.
///
/// 256 MiB: a thousand clients that each hold a quarter of a MiB.
pub(crate) const BUFFER_BYTES_MAX: usize = 256 << 20;

/// Seconds that a room waits for a client that takes nothing (`--slow=wait`) by default (`--slow-wait`); then it is cut off
/// with 1013.
pub(crate) const SLOW_WAIT_SECS: &str = "60";

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

/// The longest header of a frame that a server sends: two bytes, eight of length (RFC 6455, section 5.2).
pub(crate) const SENT_HEADER_BYTES_MAX: usize = 10;

/// Bytes of a message from which on it is written from where it was read, and read on at once where its front has come;
/// smaller ones are collected, so that many leave in one write.
pub(crate) const DIRECT_BYTES: usize = 16 << 10;

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

/// Half of the freed memory that a thread's allocator keeps for what comes next: what a session holds of one of the largest
/// messages both ways comes to more than 4 MiB, since vectors grow by doubling.
pub(crate) const FREED_BYTES_KEPT: usize = 4 << 20;

/// Reads in one turn of a session before others get theirs; of output, a read that gave all that was asked for is the last.
///
/// 64 KiB in lines of 64 bytes are framed and sent in about 50 µs, so much a flood delays its neighbours.
pub(crate) const READS_PER_TURN: usize = 2;

/// Messages in one read of output beyond which the next one asks for half as many bytes: 64 KiB can be 32,768 empty lines.
pub(crate) const MESSAGES_PER_READ_MAX: u64 = 2048;

/// The same where others share the thread. With fewer than half as many, the next read asks for twice as many bytes again.
///
/// 640: lines of 64 bytes are then read by 32 KiB. Beside two floods of them a neighbour's echo takes 0.22 ms instead of 0.35
/// (p99).
pub(crate) const MESSAGES_PER_READ_BESIDE_OTHERS: u64 = 640;

/// How long a session that polls busily waits for an answer.
///
/// 60 µs: about twice what one takes then. 80 µs gain 3 % for large messages, and cost where a program computes.
pub(crate) const BUSY_POLL: Duration = Duration::from_micros(60);

/// How soon an answer must come to count for it.
///
/// 200 µs: where both sides sleep, a message of 64 KiB is answered in 100 to 130.
pub(crate) const BUSY_POLL_GAP: Duration = Duration::from_micros(200);

/// Answers that pay for one wait in vain: what is always late costs 60 µs in 32 answers.
pub(crate) const BUSY_POLL_PRICE: u32 = 32;

/// Answers that are counted at most: of a machine that stalls for a moment, ten waits in vain are put up with.
pub(crate) const BUSY_POLL_CREDIT_MAX: u32 = 10 * BUSY_POLL_PRICE;

/// The least that is asked for where messages are many.
pub(crate) const READ_BYTES_MIN: usize = 4 << 10;

/// Bytes asked for by one read of standard error. Each line of it is an event of the log, a microsecond's work.
pub(crate) const STDERR_READ_BYTES: usize = 1 << 10;

/// Bytes of an unfinished line that are kept to send it as one frame; beyond, it leaves as fragments of one message.
pub(crate) const LINE_BYTES_HELD: usize = 64 << 10;

/// Bytes of a worker's stderr line in one line of the log; a longer one goes on in the next line of the log.
pub(crate) const STDERR_LINE_BYTES_MAX: usize = 4 << 10;

/// Milliseconds between the pings of a session by default (`--pingms`). Below the 60 s after which proxies drop a silent connection.
pub(crate) const PING_MS: u64 = 30_000;

/// How often a session whose client cannot be read, because its worker takes no more, looks whether the client is gone.
pub(crate) const PATROL_INTERVAL: Duration = Duration::from_millis(250);

/// Patrols in a row at which a worker has read nothing of what a vanished client left, before that is given up: half a
/// second, so that a client gone is noticed within one.
pub(crate) const GONE_STALL_PATROLS: u32 = 2;

/// The same for a client that took its leave with a Close frame: 5 s.
pub(crate) const CLOSED_STALL_PATROLS: u32 = 20;

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

/// After the end of a session a client is read and forgotten until it ends, too, or is silent for this long.
pub(crate) const LINGER_QUIET: Duration = Duration::from_secs(1);

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

/// Threads that serve, whatever `TOKIO_WORKER_THREADS` says.
pub(crate) const THREADS_MAX: usize = 512;

/// The pause after an accept failed for want of descriptors or memory: long enough not to spin, short enough to go unnoticed.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Seconds in the Retry-After of a 503.
pub(crate) const RETRY_AFTER_SECS: u32 = 1;

/// TCP keepalive: an idle connection is probed after this, and then as often. websocketd's figure.
pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(15);

/// Connections that the kernel may hold for us before they are accepted; it has a limit of its own (4096 on Linux).
pub(crate) const LISTEN_QUEUE: u32 = 4096;

/// The port, when none is given.
pub(crate) const PORT: u16 = 8080;

/// Lines of the log that wait for a reader; beyond, lines are left out. A line has about 100 bytes, 5 KiB at most.
pub(crate) const LOG_LINES_MAX: usize = 4096;

/// What a client is given for the handshake of TLS.
pub(crate) const TLS_TIME_MAX: Duration = Duration::from_secs(10);

/// How often the files of `--sslcert`, `--sslkey` and `--sslca` are looked at for a change.
pub(crate) const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);

/// Seconds that a CGI script is given to answer by default (`--cgi-timeout`), and then for each silence in its answer; then
/// 504, or a connection broken off within what it has begun.
pub(crate) const CGI_SECS: &str = "60";

/// Bytes of the header of a CGI script's answer; with more it is answered 502.
pub(crate) const CGI_HEAD_BYTES_MAX: usize = 64 << 10;

/// Redirects of CGI scripts from one to another within wsd (RFC 3875, section 6.2.2), against those that go round.
pub(crate) const CGI_REDIRECTS_MAX: u32 = 8;

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

/// Lines in a second of a worker's output that are no commands and are logged; of the others the log has the number.
pub(crate) const RUBBISH_LINES_MAX: u64 = 10;

/// What passes between two lines of the log that tell of messages which one slow client loses (`--slow=drop`).
pub(crate) const LOST_LOG_INTERVAL: Duration = Duration::from_secs(10);

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

/// Bytes that an item on a seat counts for beside its own: its place in the queue, and what its payload costs where no other
/// client has it.
pub(crate) const SEAT_ITEM_BYTES: usize = 192;

/// Bytes that a session takes from its seat at a time.
pub(crate) const SEAT_BYTES_TAKEN: usize = 128 << 10;

/// Frames in one write to a client of a room: what `writev` takes is 1024 on Linux; more than 64 gain nothing.
pub(crate) const SEAT_SLICES_MAX: usize = 64;

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

/// Bytes that a message of a history counts for beside its own: where it ends is noted down, with as much to spare.
pub(crate) const HISTORY_MESSAGE_BYTES: usize = 16;

/// Bytes of the pieces in which a history is kept, and so what is copied for a newcomer: less than 16 KiB. A piece is kept
/// as long as one of its messages is.
pub(crate) const HISTORY_CHUNK_BYTES: usize = 16 << 10;

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
