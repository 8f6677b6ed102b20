//! The log: an event and its fields, a line each, and no way for anybody to forge one.

use std::io::Read;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::harness::http::Connection;
use crate::harness::server::{Server, field, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::upgrade_request;

/// The keys of a line's fields, in their order.
fn keys(line: &str) -> Vec<&str> {
    line.split(' ').filter_map(|word| word.split_once('=')).map(|(key, _)| key).collect()
}

#[test]
fn a_session_is_one_line_at_its_start_and_one_at_its_end() {
    let mut server = Server::command(&[], &["true"]);
    let mut client = server.connect("/some/path?token=secret");
    let peer = client.connection().local_address().to_string();
    client.rest();
    client.close(1000);
    client.drain();
    let log = server.stop();

    let lines: Vec<_> = log.lines().filter(|line| line.contains(" conn=")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    let (started, ended) = (lines[0], lines[1]);
    assert!(started.contains(" INFO session started conn="), "{started}");
    assert_eq!(keys(started), ["conn", "peer", "pid", "path"], "{started}");
    assert_eq!(field(started, "peer"), Some(peer), "{started}");
    assert_eq!(field(started, "path").as_deref(), Some("/some/path"), "{started}");
    assert!(ended.contains(" INFO session ended conn="), "{ended}");
    let mut wanted = vec!["conn", "end", "status", "code", "secs", "in", "out", "in_bytes", "out_bytes"];
    if cfg!(target_os = "linux") {
        wanted.extend(["cpu", "memory"]);
    }
    assert_eq!(keys(ended), wanted, "{ended}");
    assert_eq!(field(ended, "conn"), field(started, "conn"));
}

#[test]
fn a_query_is_not_logged() {
    // It often holds a token.
    let mut server = Server::command(&[], &["cat"]);
    server.connect("/path?token=secret").close(1000);
    server.refusal("/path?token=secret", "Origin: http://evil.example\r\n");
    server.get("/path?token=secret", "");

    let log = server.stop();

    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn every_line_has_a_time_and_a_level() {
    let mut server = Server::shell(&[], "echo text >&2", &[]);
    server.connect("/").rest();
    server.refusal("/", "Origin: http://evil.example\r\n");

    let log = server.stop();

    let digits = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(byte, shape)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape })
    };
    let lines: Vec<_> = log.lines().filter(|line| line.contains("session ") || line.contains("worker ")).collect();
    assert!(lines.len() >= 4, "{log}");
    for line in lines {
        let mut words = line.split_whitespace();
        assert!(digits(words.next().unwrap(), "0000-00-00T00:00:00.000Z"), "{line}");
        assert!(["DEBUG", "INFO", "WARN", "ERROR"].contains(&words.next().unwrap()), "{line}");
    }
}

#[test]
fn sessions_are_told_apart() {
    let server = Server::shell(&[], "echo \"from $$\" >&2; cat", &[]);
    let _clients = [server.connect("/"), server.connect("/")];
    server.expect_nth_log("worker stderr", 2);

    for count in 1..=2 {
        let started = server.expect_nth_log("session started", count).text;
        let said = server.expect_log(&format!("from {}", field(&started, "pid").unwrap())).text;

        assert_eq!(field(&said, "conn"), field(&started, "conn"));
    }
}

#[test]
fn standard_error_is_logged_line_by_line() {
    let server = Server::shell(&[], "echo bare >&2; echo >&2; echo 'two words' >&2; printf 'last' >&2", &[]);

    server.connect("/").rest();

    server.expect_log("line=last");
    let log = server.log();
    let said: Vec<_> =
        log.iter().filter(|line| line.contains("worker stderr")).map(|line| field(line, "line").unwrap()).collect();
    assert_eq!(said, ["bare", "", "two words", "last"]);
    assert!(log.iter().any(|line| line.contains(" INFO worker stderr conn=") && line.contains("line=\"two words\"")));
}

#[test]
fn a_long_line_of_standard_error_is_cut_between_characters() {
    const PIECE: usize = 4 << 10;
    for (before, after) in
        [(PIECE - 1, "\u{e9}"), (PIECE - 1, "\u{1f980}"), (PIECE - 3, "\u{1f980}"), (PIECE - 1, "\rx")]
    {
        let line = "x".repeat(before) + &after.repeat(2 * PIECE);
        let tree = Tree::new();
        tree.file("line", &line);
        let mut server = Server::shell(&[], "cat \"$1\" >&2", &[&tree.path("line")]);
        server.connect("/").rest();

        let log = server.stop();

        let said = log.lines().filter(|line| line.contains("worker stderr")).map(|line| field(line, "line").unwrap());
        let said: Vec<_> = said.collect();
        assert!(said.len() > 2 && said.iter().all(|piece| !piece.contains('\u{fffd}')), "{after:?} behind {before}");
        assert!(said.concat().replace("\\r", "\r") == line, "{after:?} behind {before}");
    }
}

#[test]
fn nobody_can_write_control_characters_into_the_log() {
    let script =
        "printf 'esc\\033[2J bell\\007 cr\\r nul\\000 del\\177 c1\\302\\233 tab\\t quote\\\" slash\\\\ end\\n' >&2";
    let mut server = Server::shell(&[], script, &[]);
    server.connect("/").rest();
    server.connect("/%1b%5b2J%0aFORGED%0d%c2%9b%7f").rest();
    server.refusal("/%00%0aFORGED", "");
    server.get("/%1b%0aFORGED", "");
    server.refusal("/", "Origin: http://evil.example/\tFORGED\"\r\n");
    let mut connection = Connection::open(server.address);
    connection.send("GET /\x1b[2J HTTP/1.1\r\nHost: x\r\nOrigin: \x1b[2J\r\n\r\n");
    connection.try_response("GET");

    let log = server.stop();

    for line in log.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.starts_with("FORGED"), "{line:?}");
    }
    assert!(log.contains("end"), "{log}");
}

#[test]
fn a_quote_ends_no_field() {
    let server = Server::shell(&[], "printf '%s\\n' 'a\" code=1000 forged=\"x' >&2", &[]);

    server.connect("/").rest();

    let line = server.expect_log("worker stderr").text;
    assert!(line.contains("line=\"a\\\" code=1000 forged=\\\"x\""), "{line}");
}

#[test]
fn the_level_says_what_is_logged() {
    let table = [
        ("debug", true, true),
        ("trace", true, true),
        ("access", true, true),
        ("info", true, true),
        ("error", false, false),
        ("fatal", false, false),
        ("none", false, false),
    ];
    for (level, sessions, refusals) in table {
        let mut server = Server::shell(&[&format!("--loglevel={level}")], "exit 3", &[]);
        let mut client = server.connect("/");
        client.rest();
        client.close(1000);
        client.drain();
        server.refusal("/", "Origin: http://evil.example\r\n");

        let log = server.stop();

        assert_eq!(log.contains("session ended"), sessions, "--loglevel={level}:\n{log}");
        assert_eq!(log.contains("session refused"), refusals, "--loglevel={level}:\n{log}");
    }
}

#[test]
fn the_server_outlives_the_reader_of_its_log() {
    let mut server = Server::spawn_unheard(wsd(&["--port=0", "sh", "-c", "echo to the log >&2; cat"]));

    for session in 1..=5 {
        let mut client = server.connect("/");
        client.text("served");
        assert_eq!(client.line(), "served", "session {session}");
    }

    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    const LOG_BYTES: &str = "1000000";
    let script = "head -c \"$1\" /dev/zero | tr '\\0' 'x' >&2; echo done";
    let mut server = Server::spawn_unread(wsd(&["--port=0", "sh", "-c", script, "sh", LOG_BYTES]));

    for session in 1..=3 {
        assert_eq!(server.connect("/").line(), "done", "session {session}");
    }

    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_value_over_256_characters_is_cut_and_its_length_told() {
    let mut server = Server::command(&[], &["cat"]);
    let path = |count: usize| format!("/{}", "p".repeat(count - 1));
    server.connect(&path(256)).close(1000);
    server.connect(&path(257)).close(1000);
    server.refusal("/", &format!("Origin: http://{}\r\n", "o".repeat(20_000)));
    let mut connection = server.http();
    let request = upgrade_request(&server.host(), "/", "Origin: \r\n");
    let (front, back) = request.split_once("Origin: ").unwrap();
    // Each of these bytes becomes a character of three.
    connection.send([front.as_bytes(), b"Origin: ", &vec![0xFF; 20_000], back.as_bytes()].concat());
    assert_eq!(connection.response("GET").status, 403);

    let log = server.stop();

    let fields = |event: &str, key: &str| -> Vec<_> {
        log.lines().filter(|line| line.contains(event)).map(|line| field(line, key).unwrap()).collect()
    };
    assert_eq!(fields("session started", "path"), [path(256), format!("{}… (257 bytes)", path(256))]);
    let origins = fields("session refused", "origin");
    assert_eq!(origins[0], format!("http://{}… (20007 bytes)", "o".repeat(249)));
    assert_eq!(origins[1], format!("{}… (60000 bytes)", "\u{FFFD}".repeat(256)));
    assert!(log.lines().all(|line| line.len() < 4096), "{log}");
}

#[test]
fn beyond_20_a_second_lines_of_one_kind_are_counted_and_others_are_not() {
    const COUNT: usize = 300;
    let mut server = Server::command(&[], &["cat"]);
    // Of different origins: one that repeats is another law's.
    let refused = |number| upgrade_request(&server.host(), "/", &format!("Origin: http://evil{number}.example\r\n"));
    let start = Instant::now();
    let mut connection = server.http();
    connection.send((0..COUNT).map(refused).collect::<String>());
    for _ in 0..COUNT {
        assert_eq!(connection.response("GET").status, 403);
    }
    server.connect("/").close(1000);
    server.expect_log("session started");
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap() + 1;

    // Nothing more happens: the second is over by itself.
    server.expect_events("session refused", COUNT.try_into().unwrap());

    let log = server.log();
    let logged = log.iter().filter(|line| line.contains(" WARN session refused ")).count();
    assert!((20..=20 * seconds).contains(&logged), "{logged} lines in {seconds} s");
    assert!(log.iter().any(|line| line.contains(" WARN lines left out event=\"session refused\" lines=")));
    let log = server.stop();
    assert_eq!(log.matches("session started").count(), 1, "{log}");
}

#[test]
fn a_refusal_that_repeats_is_logged_three_times_and_counted() {
    let mut server = Server::command(&[], &["cat"]);
    for _ in 0..12 {
        server.refusal("/", "Origin: http://evil.example\r\n");
        server.refusal("/", "Origin: null\r\n");
    }

    let log = server.stop();

    for origin in ["http://evil.example", "null"] {
        let keys = format!(" why=origin origin={origin} ");
        let logged = log.lines().filter(|line| line.contains(&format!("{keys}host="))).count();
        assert_eq!(logged, 3, "{log}");
        assert!(log.contains(&format!("lines left out event=\"session refused\"{keys}lines=9\n")), "{log}");
    }
}

#[test]
fn the_last_count_is_told_before_the_end() {
    const COUNT: usize = 100;
    let mut server = Server::command(&[], &["cat"]);
    let mut connection = server.http();
    connection.send(upgrade_request(&server.host(), "/", "Origin: http://evil.example\r\n").repeat(COUNT));
    (0..COUNT).for_each(|_| assert_eq!(connection.response("GET").status, 403));

    server.stop();

    server.expect_events("session refused", COUNT.try_into().unwrap());
}

#[test]
fn every_line_of_standard_error_is_logged() {
    let mut server = Server::shell(&[], "seq 1 1000 >&2", &[]);
    server.connect("/").rest();

    let log = server.stop();

    let said = log.lines().filter(|line| line.contains("worker stderr")).map(|line| field(line, "line").unwrap());
    assert!(said.eq((1..=1000).map(|number| number.to_string())), "{log}");
}

#[test]
fn lines_that_nobody_takes_in_time_are_counted() {
    const LINES: usize = 40_000;
    let command = wsd(&["--port=0", "sh", "-c", "seq 1 \"$1\" >&2; echo done", "sh", &LINES.to_string()]);
    let (mut server, mut log) = Server::spawn_unread_yet(command);
    assert_eq!(server.connect("/").line(), "done");
    server.connect("/").rest();

    let log = thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    });
    server.connect("/").rest();
    server.stop();

    let log = log.join().unwrap();
    let lost = log.lines().filter(|line| line.contains(" ERROR lines lost ")).map(|line| field(line, "lines").unwrap());
    let lost: usize = lost.map(|lines| lines.parse::<usize>().unwrap()).sum();
    let told = log.lines().filter(|line| line.contains(" INFO ")).count();
    // Each session has a line at its start and its end besides; the server at its own start and end.
    assert!(lost > LINES / 2, "{lost} lines were lost");
    assert_eq!(told + lost, 3 * (LINES + 2) + log.matches("server ready").count() + 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_that_nobody_reads_takes_up_no_more_than_a_megabyte() {
    use crate::harness::process::linux::peak_memory;
    const LOG_BYTES: &str = "40000000";
    let script = "[ $PATH_INFO = / ] || exec cat; head -c \"$1\" /dev/zero | tr '\\0' 'x' >&2; echo done";
    let server = Server::spawn_unread(wsd(&["--port=0", "sh", "-c", script, "sh", LOG_BYTES]));
    server.connect("/nothing").text("for the buffers");
    let before = peak_memory(server.pid());

    assert_eq!(server.connect("/").line(), "done");

    let grown = peak_memory(server.pid()) - before;
    assert!(grown < 6 << 10, "{grown} KiB more");
}

#[test]
fn a_request_that_has_lost_its_upgrade_is_told_once_for_each_route() {
    let server = Server::serve(&["--route=/a=cat", "--route=/b=cat"]);
    let get = |path: &str| server.get(path, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: close\r\n");
    for path in ["/a?token=geheim", "/a", "/a", "/b"] {
        get(path);
    }

    let last = server.expect_nth_log("upgrade dropped", 2).text;

    assert!(last.contains("path=/b hint=\"a proxy has dropped Upgrade: see docs/proxies.md\""), "{last}");
    let log = server.log();
    let told: Vec<_> = log.iter().filter(|line| line.contains("upgrade dropped")).collect();
    assert!(told.len() == 2 && told[0].contains("path=/a hint="), "{told:?}");
}

#[test]
fn a_refusal_tells_the_path_and_never_the_query() {
    let server = Server::command(&[], &["cat"]);
    server.refusal("/chat?token=geheim", "Origin: http://evil.example\r\n");

    let line = server.expect_log("session refused").text;

    assert!(line.contains(" path=/chat why=origin ") && !line.contains("geheim"), "{line}");
}
