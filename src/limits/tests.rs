//! Checks the documentation's table of limits against the values.

use super::{auth::*, bus::*, mcp::*, record::*, *};

/// Returns the rows of one of the documentation's tables, each as its cells.
fn rows(number: usize) -> Vec<Vec<&'static str>> {
    let table = include_str!("../../docs/limits.md").split("| what | limit | beyond it |\n").nth(1 + number);
    let table = table.expect("there are two").lines().skip(1);
    let rows = table.take_while(|row| row.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn number(number: usize) -> String {
    let text = number.to_string();
    let (thousands, rest) = text.split_at(text.len().saturating_sub(3));
    if number < 10_000 { text } else { format!("{thousands},{rest}") }
}

fn bytes(bytes: usize) -> String {
    if bytes.is_multiple_of(1 << 30) {
        return format!("{} GiB", bytes >> 30);
    }
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// The rows that no table has been compared with.
type RowsLeft = std::vec::IntoIter<Vec<&'static str>>;

/// Compares the next rows with a table of their names, and of the values that their second and third cells must contain.
fn check(rows: &mut RowsLeft, table: &[(&str, &[String], &[String])]) {
    for (what, in_limit, in_beyond) in table {
        let row = rows.next().unwrap_or_default();
        assert_eq!(row.first(), Some(what));
        assert!(in_limit.iter().all(|value| row[1].contains(value)), "{row:?}, but it is {in_limit:?}");
        assert!(in_beyond.iter().all(|value| row[2].contains(value)), "{row:?}, but it is {in_beyond:?}");
    }
}

#[test]
fn the_documented_limits_are_these() {
    let mut rows = rows(0).into_iter();
    check_programs(&mut rows);
    check_bus(&mut rows);
    check_waiting(&mut rows);
    check_auth(&mut rows);
    check_connections(&mut rows);
    check_records(&mut rows);
    assert_eq!(rows.next(), None);
    check_clients();
    check_mcp();
}

/// Compares the rows about the programs and the clients of a room.
fn check_programs(rows: &mut RowsLeft) {
    let table: &[(&str, &[String], &[String])] = &[
        ("programs at a time", &[number(FORKS_MAX)], &[]),
        ("a client's message", &[bytes(MESSAGE_BYTES_MAX)], &[]),
        ("the columns or rows of a terminal", &[WINDOW_MAX.to_string()], &[]),
        ("a program that prints nothing after a message", &[seconds(SILENCE_MAX)], &[]),
        ("the processor of a program after SIGXCPU, with `--limit=cpu=SECS`", &[seconds(CPU_GRACE)], &[]),
        ("a program's line", &[], &[bytes(LINE_BYTES_HELD), bytes(ROOM_MESSAGE_BYTES_MAX)]),
        ("a program's message with `--framing=nul`", &[], &[]),
        ("a program's message with `--framing=length`", &[bytes(ROOM_MESSAGE_BYTES_MAX)], &[]),
        ("a line with `--framing=json`", &[bytes(COMMAND_BYTES_MAX)], &[]),
        ("invalid lines with `--framing=json` in the log", &[LOGGED_LINES_MAX.to_string()], &[]),
        ("a header with `--framing=lsp`", &[bytes(LSP_HEADER_BYTES_MAX)], &[]),
        ("a body with `--framing=lsp`", &[bytes(LSP_BODY_BYTES_MAX)], &[]),
        ("clients of a room", &[number(SEATS_MAX)], &[]),
    ];
    check(rows, table);
}

/// Compares the rows about `--bus`.
fn check_bus(rows: &mut RowsLeft) {
    let table: &[(&str, &[String], &[String])] = &[
        ("a node that does not renew the lease of a room, with `--bus`", &[seconds(LEASE)], &[]),
        ("Redis away, with `--bus`", &[seconds(BUS_PATIENCE)], &[]),
        ("a client that waits for its room of the cluster", &[seconds(BUS_JOIN)], &[]),
        ("bytes of a room that wait for Redis, each way", &[bytes(BUS_BYTES_MAX)], &[]),
        ("records of a room in Redis", &[format!("{OUT_RECORDS} out"), format!("{} in", number(IN_RECORDS))], &[]),
    ];
    check(rows, table);
}

/// Compares the rows about what waits for clients and programs, and about requests.
fn check_waiting(rows: &mut RowsLeft) {
    let table: &[(&str, &[String], &[String])] = &[
        ("bytes that wait in wsd", &[bytes(BUFFER_BYTES_MAX)], &[]),
        ("compressors of sessions, with `--compress`", &[bytes(COMPRESS_MEMORY)], &[]),
        ("a compressor of a silent session", &[seconds(COMPRESSOR_SILENCE)], &[]),
        (
            "the shortest message that is compressed",
            &[COMPRESS_BYTES_MIN.to_string(), bytes(COMPRESS_SHARED_BYTES_MIN)],
            &[],
        ),
        ("bytes that wait for a client of a room", &[bytes(SEAT_BYTES_MAX)], &[]),
        ("messages that a client has not acknowledged, with `--resume`", &[bytes(REPLAY_BYTES_MAX)], &[]),
        ("messages read ahead, with `--resume`", &[bytes(AHEAD_BYTES_MAX), number(AHEAD_MESSAGES_MAX)], &[]),
        ("a session without its client, with `--resume`", &[number(ENDED_SESSIONS_MAX)], &[]),
        ("a session without its client, with `--http`", &[seconds(STREAM_KEEP_MIN)], &[]),
        ("the wait of a poll, with `--http`", &[seconds(POLL_WAIT_MAX)], &[]),
        ("a client between two polls, with `--http`", &[seconds(POLL_RETURN_MAX)], &[]),
        ("the status of a POST, with `--http`", &[seconds(POST_HEAD_WAIT)], &[]),
        ("a POST to a program whose client sends and gets nothing", &[seconds(POST_STALL_MAX)], &[]),
        ("a client that still sends after its answer", &[seconds(CLOSE_LINGER)], &[]),
        ("a client of a room that reads nothing, with `--slow=wait`", &[seconds(SLOW_WAIT)], &[]),
        ("a shared program without clients", &[seconds(LINGER)], &[]),
        ("a room's history", &[bytes(HISTORY_BYTES_MAX)], &[]),
        ("a request's head", &[bytes(HEAD_BYTES_MAX), seconds(HEAD_TIME_MAX)], &[]),
        ("headers that flags add to a response", &[number(OWN_HEADERS_MAX)], &[]),
    ];
    check(rows, table);
}

/// Compares the rows about `--auth`.
fn check_auth(rows: &mut RowsLeft) {
    let table: &[(&str, &[String], &[String])] = &[
        (
            "failed attempts of a source with `--auth`",
            &[AUTH_FAILURES_A_MINUTE_MAX.to_string(), AUTH_FAILURES_AN_HOUR_MAX.to_string()],
            &[],
        ),
        ("sources whose failed attempts wsd knows", &[number(AUTH_SOURCES_MAX)], &[]),
        (
            "passwords that wait to be checked",
            &[
                AUTH_HASHES_WAIT_MAX.to_string(),
                AUTH_LANE_MAX.to_string(),
                format!("/48 of IPv6 {AUTH_HASHES_OF_NETWORK_MAX}"),
            ],
            &[],
        ),
        ("a password", &[PASSWORD_BYTES_MAX.to_string()], &[]),
        ("the time for which wsd remembers a right password", &[seconds(AUTH_KNOWN_TIME), number(AUTH_KNOWN_MAX)], &[]),
        ("a file of `--auth`", &[bytes(AUTH_FILE_BYTES_MAX)], &[]),
        ("the cookie of a page", &[seconds(AUTH_COOKIE_TIME)], &[]),
        ("a ticket", &[seconds(TICKET_TIME), number(TICKETS_MAX)], &[]),
        (
            "the answer of `--auth=url:` or `--auth=command:`",
            &[
                seconds(AUTH_SERVER_TIME_MAX),
                seconds(AUTH_SCRIPT_TIME_MAX),
                AUTH_ASKS_MAX.to_string(),
                AUTH_ASKS_OF_SOURCE_MAX.to_string(),
                bytes(AUTH_HEAD_BYTES_MAX),
                bytes(AUTH_BODY_BYTES_MAX),
            ],
            &[],
        ),
    ];
    check(rows, table);
}

/// Compares the rows about connections, the log and `wsd connect`.
fn check_connections(rows: &mut RowsLeft) {
    let table: &[(&str, &[String], &[String])] = &[
        ("the TLS handshake", &[seconds(TLS_TIME_MAX)], &[]),
        ("a header of the PROXY protocol", &[bytes(PROXY_BYTES_MAX), seconds(PROXY_TIME_MAX)], &[]),
        ("an idle HTTP connection", &[seconds(IDLE_TIME_MAX)], &[]),
        ("an HTTP client that stops reading a response", &[seconds(ANSWER_STALL_MAX)], &[]),
        ("a silent client", &[], &[]),
        ("a CGI script's silence, and its time after a complete response", &[seconds(CGI_TIMEOUT)], &[]),
        (
            "the head of a CGI script's response",
            &[bytes(CGI_HEAD_BYTES_MAX), format!("{CGI_HEADERS_MAX} headers")],
            &[],
        ),
        ("local redirects of CGI scripts for one request", &[CGI_REDIRECTS_MAX.to_string()], &[]),
        ("connections that are not sessions", &[number(CONNECTIONS_MAX)], &[]),
        ("connections to the address of `--metrics`", &[number(WATCHERS_MAX)], &[]),
        ("clients that watch the [status](status.md) as an event stream", &[number(STATUS_WATCHERS_MAX)], &[]),
        ("ends of sessions that the status shows, and refusals", &[number(RECENT_MAX)], &[]),
        ("a client that does not answer a Close frame", &[seconds(CLOSE_ANSWER)], &[]),
        ("a client that does not read the last output", &[seconds(LAST_OUTPUT_STALL)], &[]),
        (
            "a program that does not read the last messages of a client that has closed",
            &[seconds(CLOSED_STALL_MAX)],
            &[],
        ),
        (
            "a shared program that does not read the last messages, without clients",
            &[seconds(LAST_INPUT_STALL_MAX)],
            &[],
        ),
        ("names in a folder of `--dir` that the console's list looks at", &[number(CONSOLE_NAMES_MAX)], &[]),
        ("a value in the log", &[number(LOG_FIELD_CHARS_MAX), bytes(STDERR_LINE_BYTES_MAX)], &[]),
        ("a text in the log as JSON, as it stands there", &[bytes(LOG_JSON_TEXT_BYTES_MAX)], &[]),
        ("a message in the log, with `--loglevel=trace`", &[LOG_MESSAGE_CHARS_MAX.to_string()], &[]),
        ("lines of one event and level in the log", &[LOG_LINES_A_SECOND_MAX.to_string()], &[]),
        (
            "lines of refusals of one origin in the log",
            &[LOG_REPEATS_MAX.to_string(), seconds(LOG_REPEATS_TIME)],
            &["each minute".to_owned()],
        ),
        ("bytes that wait for a reader of the log", &[bytes(LOG_BYTES_MAX)], &[]),
        ("a server's message to `wsd connect`", &[bytes(CONNECT_MESSAGE_BYTES_MAX)], &[]),
        ("an attempt of `wsd connect`", &[seconds(CONNECT_TIME_MAX)], &[]),
        (
            "messages that a server has not acknowledged to `wsd connect --resume`, and those that wait for its standard output",
            &[bytes(CONNECT_KEPT_BYTES), number(CONNECT_WAITING_MAX)],
            &[],
        ),
        ("a message from `wsd connect --resume`", &[bytes(CONNECT_MESSAGE_BYTES_MAX)], &[]),
        ("the silence of a server to `wsd connect --resume`", &[seconds(ACKED_WITHIN), seconds(PONG_WITHIN)], &[]),
        ("requests of `wsd connect --mcp` without an answer", &[number(CONNECT_MCP_CALLS_MAX)], &[]),
        (
            "the silence of a server to `wsd connect --mcp` after the end of standard input",
            &[seconds(CONNECT_MCP_WAIT)],
            &[],
        ),
        ("returns of `wsd connect --mcp` to an answer that broke off", &[CONNECT_MCP_TRIES_MAX.to_string()], &[]),
        ("the client's program after a close", &[seconds(CONNECT_PROGRAM_END)], &[seconds(CONNECT_PROGRAM_TERM)]),
        ("a silent event stream, with `--http`", &[seconds(HEARTBEAT_INTERVAL)], &[]),
        (
            "messages in a POST for a program that does not read",
            &[seconds(INPUT_WAIT), INPUTS_WAITING_MAX.to_string()],
            &[],
        ),
        ("the body of such a POST", &[number(INPUT_MESSAGES_MAX)], &[]),
    ];
    check(rows, table);
}

/// Compares the rows about bodies and recordings.
fn check_records(rows: &mut RowsLeft) {
    let waiting = [bytes(RECORD_WAITING_BYTES_MAX), bytes(RECORDS_WAITING_BYTES_MAX), seconds(RECORDS_END)];
    let table: &[(&str, &[String], &[String])] = &[
        (
            "the time for the body of a POST to a session, to a room or to a server of MCP",
            &[seconds(BODY_STALL_MAX), seconds(BODY_TIME_MIN), format!("{BODY_RATE_MIN} bytes")],
            &[],
        ),
        ("a recording", &[bytes(RECORD_BYTES_MAX)], &[]),
        ("lines of a recording that wait for the disk", &waiting, &[]),
    ];
    check(rows, table);
}

/// Compares the rows about each client and session, which are a table of their own.
fn check_clients() {
    let table: &[(&str, &[String], &[String])] = &[
        ("programs and seats in rooms of one source at a time", &[], &[]),
        ("new sessions and CGI scripts of one source", &[], &[]),
        ("requests of one source without a complete response", &[REQUESTS_PER_CLIENT.to_string()], &[]),
        ("sources that wsd remembers for `--rate`", &[number(SOURCES_MAX)], &[]),
        ("a file of `--allow` or `--deny`", &[bytes(LIST_BYTES_MAX)], &[]),
        ("the bytes and the messages of a client in a second", &[], &[]),
        ("a session without a message either way", &[], &[]),
        ("a session", &[], &[]),
    ];
    let mut rows = rows(1).into_iter();
    check(&mut rows, table);
    assert_eq!(rows.next(), None);
}

/// Compares the rows about MCP, which are a table of their own.
fn check_mcp() {
    let table: &[(&str, &[String], &[String])] = &[
        ("a message of a client", &[bytes(MCP_BODY_BYTES_MAX)], &[]),
        ("a line of a server", &[bytes(MCP_LINE_BYTES_MAX)], &[]),
        ("the nesting of a message", &[number(MCP_DEPTH_MAX)], &[]),
        ("an id of a request, and its progress token", &[bytes(MCP_ID_BYTES_MAX)], &[]),
        ("a server that nobody uses", &[seconds(MCP_IDLE)], &[]),
        ("the answer to `server/discover`", &[seconds(MCP_PROBE_WAIT)], &[seconds(MCP_SILENT_KNOWN)]),
        ("the answer of the next server of a session to `initialize`", &[seconds(MCP_REPLAY_WAIT)], &[]),
        ("an answer before it is an event stream", &[seconds(MCP_HEAD_WAIT)], &[]),
        ("requests in flight of an address", &[number(MCP_CALLS_OF_CLIENT_MAX)], &[]),
        ("subscriptions of an address", &[number(MCP_LISTENS_OF_CLIENT_MAX)], &[]),
        ("requests in flight of a route", &[number(MCP_CALLS_MAX)], &[]),
        ("tasks of a session whose progress wsd passes on", &[number(MCP_TASKS_MAX)], &[]),
        (
            "messages of a session that its client may get again",
            &[bytes(REPLAY_BYTES_MAX), number(MCP_RING_MESSAGES_MAX)],
            &[],
        ),
        (
            "messages that wait for the stream of a session",
            &[number(MCP_KEPT_MESSAGES_MAX), bytes(MCP_KEPT_BYTES_MAX), seconds(MCP_KEPT_TIME_MAX)],
            &[],
        ),
        ("bytes that wait for a server that does not read", &[bytes(MCP_INPUT_MAX)], &[]),
        ("bytes that wait for a client without a session", &[bytes(MCP_WAITING_MAX)], &[]),
        ("sessions of a route", &[number(MCP_SESSIONS_MAX), seconds(MCP_RECORD_TIME_MAX)], &[]),
        ("a message that wsd keeps for the next server of a session", &[bytes(MCP_RECORD_BYTES_MAX)], &[]),
        ("subscriptions to resources that wsd restores", &[number(MCP_SUBSCRIPTIONS_MAX)], &[]),
        (
            "tools of a route that the metrics name",
            &[number(MCP_TOOLS_COUNTED_MAX), format!("{MCP_TOOL_BYTES_MAX} bytes")],
            &[],
        ),
    ];
    let mut rows = rows(2).into_iter();
    check(&mut rows, table);
    assert_eq!(rows.next(), None);
}
