//! Checks the documentation's table of limits against the values.

use super::*;

/// Returns the rows of the documentation's table, each as its cells.
fn rows() -> Vec<Vec<&'static str>> {
    let table =
        include_str!("../../docs/limits.md").lines().skip_while(|line| *line != "| what | limit | beyond it |").skip(2);
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

/// Compares the rows with a table of their names, and of the values that their second and third cells must contain.
fn check(table: &[(&str, Vec<String>, Vec<String>)]) {
    let rows = rows();
    assert_eq!(
        rows.iter().map(|row| row[0]).collect::<Vec<_>>(),
        table.iter().map(|(what, ..)| *what).collect::<Vec<_>>()
    );
    for (row, (_, in_limit, in_beyond)) in rows.iter().zip(table) {
        assert!(in_limit.iter().all(|value| row[1].contains(value)), "{row:?}, but it is {in_limit:?}");
        assert!(in_beyond.iter().all(|value| row[2].contains(value)), "{row:?}, but it is {in_beyond:?}");
    }
}

#[test]
fn the_documented_limits_are_these() {
    // The row, and the values that its second and third cells must contain.
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
        ("bytes that wait in wsd", &[bytes(BUFFER_BYTES_MAX)], &[]),
        ("bytes that wait for a client of a room", &[bytes(SEAT_BYTES_MAX)], &[]),
        ("messages that a client has not acknowledged, with `--resume`", &[bytes(REPLAY_BYTES_MAX)], &[]),
        ("messages read ahead, with `--resume`", &[bytes(AHEAD_BYTES_MAX), number(AHEAD_MESSAGES_MAX)], &[]),
        ("a session without its client, with `--resume`", &[number(ENDED_SESSIONS_MAX)], &[]),
        ("a session without its client, with `--http`", &[seconds(STREAM_KEEP_MIN)], &[]),
        ("the status of a POST, with `--http`", &[seconds(POST_HEAD_WAIT)], &[]),
        ("a POST to a program whose client sends and gets nothing", &[seconds(POST_STALL_MAX)], &[]),
        ("a client that still sends after its answer", &[seconds(CLOSE_LINGER)], &[]),
        ("a client of a room that reads nothing, with `--slow=wait`", &[seconds(SLOW_WAIT)], &[]),
        ("a shared program without clients", &[seconds(LINGER)], &[]),
        ("a room's history", &[bytes(HISTORY_BYTES_MAX)], &[]),
        ("a request's head", &[bytes(HEAD_BYTES_MAX), seconds(HEAD_TIME_MAX)], &[]),
        ("headers that flags add to a response", &[number(OWN_HEADERS_MAX)], &[]),
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
        ("a client that does not answer a Close frame", &[seconds(CLOSE_ANSWER)], &[]),
        ("a client that does not read the last output", &[seconds(LAST_OUTPUT_STALL)], &[]),
        (
            "a program that does not read the last messages of a client that has closed",
            &[seconds(CLOSED_STALL_MAX)],
            &[],
        ),
    ];

    let table = table.iter().map(|&(what, at, beyond)| (what, at.to_vec(), beyond.to_vec()));
    check(&table.chain(last_rows()).collect::<Vec<_>>());
}

/// Returns the last rows: those of stopping, of the console, of the log, of `wsd connect`, and of event streams and POST.
fn last_rows() -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let value = vec![number(LOG_FIELD_CHARS_MAX), bytes(STDERR_LINE_BYTES_MAX)];
    let repeats = vec![LOG_REPEATS_MAX.to_string(), seconds(LOG_REPEATS_TIME)];
    let end = vec![seconds(CONNECT_PROGRAM_END)];
    let waiting = vec![seconds(INPUT_WAIT), INPUTS_WAITING_MAX.to_string()];
    vec![
        (
            "a shared program that does not read the last messages, without clients",
            vec![seconds(LAST_INPUT_STALL_MAX)],
            vec![],
        ),
        ("names in a folder of `--dir` that the console's list looks at", vec![number(CONSOLE_NAMES_MAX)], vec![]),
        ("a value in the log", value, vec![]),
        ("lines of one event and level in the log", vec![LOG_LINES_A_SECOND_MAX.to_string()], vec![]),
        ("lines of refusals of one origin in the log", repeats, vec!["each minute".to_owned()]),
        ("bytes that wait for a reader of the log", vec![bytes(LOG_BYTES_MAX)], vec![]),
        ("a server's message to `wsd connect`", vec![bytes(CONNECT_MESSAGE_BYTES_MAX)], vec![]),
        ("an attempt of `wsd connect`", vec![seconds(CONNECT_TIME_MAX)], vec![]),
        ("the client's program after a close", end, vec![seconds(CONNECT_PROGRAM_TERM)]),
        ("a silent event stream, with `--http`", vec![seconds(HEARTBEAT_INTERVAL)], vec![]),
        ("messages in a POST for a program that does not read", waiting, vec![]),
        ("the body of such a POST", vec![seconds(INPUT_STALL_MAX)], vec![]),
    ]
}
