//! `--http`: a session over an event stream.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::eventsource::{EventSource, Next};
use crate::harness::http::Connection;
use crate::harness::process::is_gone;
use crate::harness::returning::Returning;
use crate::harness::server::{Server, field, program, run, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Close, TEXT};
use crate::harness::{DEADLINE, eventually};

const HTTP: &[&str] = &["--http", "--resume=60"];

/// A header with which a client asks for an event stream.
const EVENTS: &str = "Accept: text/event-stream\r\n";

/// Takes what comes to the end of the session: the texts, and its close.
fn rest(client: &mut EventSource) -> (Vec<String>, Close) {
    let mut lines = Vec::new();
    loop {
        match client.next(DEADLINE) {
            Next::Text(text) => lines.push(text),
            Next::Closed(close) => return (lines, close),
            other => panic!("after {} lines came {other:?}", lines.len()),
        }
    }
}

#[test]
fn a_stream_is_a_session_with_a_program_of_its_own() {
    let server = Server::shell(HTTP, "echo \"$REQUEST_METHOD $PATH_INFO $HTTP_ACCEPT\"; exec cat", &[]);
    let mut client = EventSource::new(server.address, "/a/b", "");

    assert_eq!(client.connect().unwrap(), 200);

    assert_eq!(client.line(), "GET /a/b text/event-stream");
    assert_eq!(client.post("", "one\ntwo\n"), (204, Some(2)));
    assert_eq!((client.line(), client.line()), ("one".to_owned(), "two".to_owned()));
    assert_eq!(client.last_id, Some(format!("{}.3", client.token)));
    assert!(server.expect_log("session started").text.contains("path=/a/b"));
}

#[test]
fn the_head_tells_proxies_not_to_wait_and_the_first_event_comes_with_it() {
    let server = Server::command(&["--http", "--resume=60", "--replay=70000"], &["cat"]);
    let mut connection = server.http();
    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{EVENTS}\r\n", server.host()));

    let mut answer = Vec::new();
    while !answer.ends_with(b"\n\n") {
        answer.extend(connection.take(1).unwrap());
    }

    let answer = String::from_utf8(answer).unwrap();
    for line in [
        "HTTP/1.1 200 OK",
        "Content-Type: text/event-stream",
        "Cache-Control: no-cache, no-transform",
        "X-Accel-Buffering: no",
        "retry: 1000",
        "event: open",
    ] {
        assert!(answer.lines().any(|found| found == line), "no `{line}` in\n{answer}");
    }
    assert!(!answer.to_ascii_lowercase().contains("content-length"), "{answer}");
    let data = answer.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let token = data["session"].as_str().unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!((&data["got"], &data["resumed"], &data["keep"]), (&0.into(), &false.into(), &60.0.into()));
    assert_eq!((&data["window"], data.get("lost")), (&70_000.into(), None));
    assert!(answer.contains(&format!("\nid: {token}.0\n\n")), "{answer}");
    assert!(answer.contains(&format!("\nWsd-Session: {token}\r\n")), "{answer}");
}

#[test]
fn without_the_flag_or_the_type_a_get_is_as_ever() {
    let server = Server::command(HTTP, &["cat"]);
    for accept in ["", "Accept: */*\r\n", "Accept: text/html\r\n", "Accept: text/*\r\n"] {
        let answer = server.get("/", accept);
        assert_ne!(answer.header("content-type"), Some("text/event-stream"), "{accept}: {answer}");
    }
    let head = format!("HEAD / HTTP/1.1\r\nHost: {}\r\n{EVENTS}\r\n", server.host());
    assert_ne!(server.request(&head).header("content-type"), Some("text/event-stream"));
    let plain = Server::command(&[], &["cat"]);
    assert_ne!(plain.get("/", EVENTS).header("content-type"), Some("text/event-stream"));
    for server in [server, plain] {
        assert!(!server.log().iter().any(|line| line.contains("session started")), "{:?}", server.log());
    }
}

#[test]
fn a_message_of_any_text_arrives_as_it_is() {
    let server = Server::command(&["--http", "--framing=nul"], &["cat"]);
    let mut client = EventSource::open(server.address);
    let texts =
        ["", " ", " a", "a\nb", "\n", "a\n\n", "\r", "a\r\nb", ":", "data: x", "\u{1F600} \u{2028}", "\u{FEFF}", "\t"];
    for text in texts {
        assert_eq!(client.post("Content-Type: application/vnd.wsd.texts+json\r\n", json!([text]).to_string()).0, 204);
        assert_eq!(client.line(), text, "{text:?}");
    }
    let lines = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(lines.address);
    client.post("", "a\0b\n");
    assert_eq!(client.line(), "a\0b");
}

#[test]
fn binary_messages_arrive_as_they_are() {
    let server = Server::command(&["--http", "--framing=length"], &["cat"]);
    let mut client = EventSource::open(server.address);
    let all: Vec<u8> = (0..=255).collect();
    for payload in [&b"\xFF"[..], b"\0\r\n", &all, &all[..254]] {
        assert_eq!(client.post("Content-Type: application/octet-stream\r\n", payload).0, 204);
        match client.next(DEADLINE) {
            Next::Binary(bytes) => assert_eq!(bytes, payload),
            Next::Text(text) => assert_eq!(text.as_bytes(), payload),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_line_of_5_mib_is_events_of_a_mebibyte_at_most() {
    let script = "head -c 5242880 /dev/zero | tr '\\0' x; echo; echo end";
    let server = Server::shell(&["--http"], script, &[]);
    let mut client = EventSource::open(server.address);

    let mut bytes = 0;
    loop {
        let line = client.line();
        if line == "end" {
            break;
        }
        assert!(line.bytes().all(|byte| byte == b'x') && line.len() <= 1 << 20, "{} bytes", line.len());
        bytes += line.len();
    }

    assert_eq!(bytes, 5 << 20);
}

#[test]
fn the_last_event_tells_the_status_and_a_browser_that_returns_stops() {
    let server = Server::shell(HTTP, "echo bye; exit 3", &[]);
    let mut client = EventSource::open(server.address);

    assert_eq!(rest(&mut client), (vec!["bye".to_owned()], Close::new(4003, "exit 3")));
    assert_eq!(client.next(DEADLINE), Next::Lost, "the answer ends");
    assert_eq!(client.last_id, Some(format!("{}.closed", client.token)));

    // It has told that it knows; the second time wsd has forgotten the session.
    for _ in 0..2 {
        assert_eq!(client.connect().unwrap(), 204);
    }
    client.last_id = Some(format!("{}.1", client.token));
    assert_eq!(client.connect().unwrap(), 200);
    assert_eq!(client.greeting()["lost"], "unknown");
    client.last_id = Some("anything.closed".to_owned());
    assert_eq!(client.connect().unwrap(), 204);
}

#[test]
fn a_client_that_was_away_at_the_end_gets_the_tail_and_the_status() {
    let tree = Tree::new();
    let script = "echo 0; until [ -e \"$1\" ]; do sleep 0.01; done; seq 1000; exit 3";
    let server = Server::shell(HTTP, script, &[&tree.path("go")]);
    let mut client = EventSource::open(server.address);
    assert_eq!(client.line(), "0");

    client.drop_connection();
    server.expect_log("session detached");
    tree.file("go", "");
    server.expect_log("session ended");

    let want: Vec<_> = (1..=1000).map(|number| number.to_string()).collect();
    for _ in 0..3 {
        client.last_id = Some(format!("{}.1", client.token));
        assert_eq!(client.connect().unwrap(), 200);
        let (lines, close) = rest(&mut client);
        assert_eq!(lines, want);
        assert_eq!(close, Close::new(4003, "exit 3"));
    }
    assert_eq!(client.leave(), 204);
    assert_eq!(client.leave(), 404);
}

#[test]
fn a_browser_that_returns_finds_its_program_and_gets_what_it_missed() {
    let server = Server::shell(HTTP, "echo $$; while read -r line; do echo \"$line\"; done", &[]);
    let mut client = EventSource::open(server.address);
    let program = client.line();

    for round in 1..=3 {
        client.drop_connection();
        server.expect_nth_log("session detached", round);
        let line = format!("round {round}");
        assert_eq!(client.post("", &line), (204, Some(round as u64)), "input works while the stream is away");
        assert_eq!(client.connect().unwrap(), 200);
        assert_eq!(client.greeting()["resumed"], true);
        assert_eq!(client.greeting()["got"], round);
        assert_eq!(client.line(), line);
    }

    assert_eq!(server.expect_worker(1).to_string(), program);
    assert!(server.expect_log("session resumed").text.contains("away="));
    // A return before any message does not count from 0.
    client.connect().unwrap();
    client.connect().unwrap();
    assert_eq!(client.greeting()["resumed"], true);
}

#[test]
fn a_token_in_a_header_or_the_query_returns_too() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);
    client.post("", "1\n2\n3");
    assert_eq!((client.line(), client.line()), ("1".to_owned(), "2".to_owned()));

    client.last_id = None;
    client.set_path(&format!("/?wsd-session={}", client.token));
    assert_eq!(client.connect().unwrap(), 200);

    assert_eq!(client.greeting()["resumed"], true);
    assert_eq!(client.line(), "1", "without a number, from the oldest that wsd has");
}

#[test]
fn the_newest_stream_takes_the_session_over() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);
    client.post("", "one");
    assert_eq!(client.line(), "one");

    let mut old = client.take_over();

    assert_eq!(old.expect_close(), Close::new(4409, "taken over"));
    assert_eq!(old.next(DEADLINE), Next::Lost);
    assert_eq!(old.connect().unwrap(), 204, "a browser does not fight for it");
    client.post("", "two");
    assert_eq!(client.line(), "two");
}

#[test]
fn a_session_changes_from_a_websocket_to_a_stream_and_back() {
    let server = Server::command(HTTP, &["cat"]);
    let mut socket = Returning::open(server.address);
    socket.text("1");
    assert_eq!(socket.line(), "1");
    socket.drop_connection();

    let mut stream = EventSource::new(server.address, "/", "");
    (stream.acknowledges, stream.token, stream.got) = (true, socket.token.clone(), socket.got);
    assert_eq!(stream.connect().unwrap(), 200);
    assert_eq!(stream.greeting()["got"], 1);
    assert_eq!(stream.greeting()["resumed"], true);
    assert_eq!(stream.post("Wsd-Seq: 1\r\n", "1\n2\n3"), (204, Some(3)));
    assert_eq!((stream.line(), stream.line()), ("2".to_owned(), "3".to_owned()));

    (socket.got, socket.given) = (stream.got, 3);
    socket.connect().unwrap();

    assert_eq!(stream.expect_close(), Close::new(4409, "taken over"));
    assert_eq!(socket.greetings[1]["got"], 3);
    socket.send(TEXT, b"4");
    assert_eq!(socket.line(), "4");
    assert_eq!(server.log().iter().filter(|line| line.contains("session started")).count(), 1);
}

#[test]
fn a_plain_event_source_that_was_away_for_long_is_told_the_gap() {
    let flags = ["--http", "--resume=60", "--replay=65536"];
    let server = Server::shell(&flags, "seq 100000; exec cat", &[]);
    let mut client = EventSource::open(server.address);
    for number in 1..=100_000 {
        assert_eq!(client.line(), number.to_string(), "it acknowledges nothing, and does not stop the program");
    }

    client.last_id = Some(format!("{}.10", client.token));
    assert_eq!(client.connect().unwrap(), 200);

    let mut next = client.line().parse::<u64>().unwrap();
    assert_eq!(client.gaps, [next - 11]);
    assert!((90_000..99_999).contains(&next), "the newest are kept: {next}");
    while next < 100_000 {
        next += 1;
        assert_eq!(client.line(), next.to_string());
        assert_eq!(client.got, next);
    }
}

#[test]
fn what_a_plain_event_source_has_not_been_sent_is_never_dropped() {
    let flags = ["--http", "--resume=60", "--replay=65536"];
    let server = Server::command(&flags, &["perl", &program("flood.pl"), "3000", "100"]);
    let mut client = EventSource::open(server.address);
    client.drop_connection();
    server.expect_log("session detached");
    server.expect_log("blocked at ");

    client.last_id = Some(format!("{}.0", client.token));
    assert_eq!(client.connect().unwrap(), 200);

    let (lines, close) = rest(&mut client);
    assert_eq!(close, Close::new(1000, ""));
    // Some were sent to the lost connection and forgotten: that is the gap, and nothing else is missing.
    let gap = client.gaps.iter().sum::<u64>();
    let want: Vec<_> = (gap + 1..=3000).map(|number| format!("{number:<99}")).collect();
    assert!(lines == want, "{} lines, {gap} missing", lines.len());
}

#[test]
fn a_client_that_acknowledges_has_a_window() {
    let flags = ["--http", "--resume=60", "--replay=65536"];
    let server = Server::shell(&flags, "exec seq 1000000", &[]);
    let mut client = EventSource::acknowledging(server.address);
    client.acknowledges = false;
    while client.next(Duration::from_millis(500)) != Next::Silence {}
    assert!((2000..40_000).contains(&client.got), "{}", client.got);

    client.acknowledges = true;
    client.acknowledge();

    let seen = client.got;
    let (lines, close) = rest(&mut client);
    assert_eq!(lines.len() as u64, 1_000_000 - seen);
    assert_eq!(close, Close::new(1000, ""));
    assert!(client.gaps.is_empty());
}

#[test]
fn an_impossible_acknowledgement_is_refused_and_the_session_goes_on() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::acknowledging(server.address);
    for got in ["1", "-1", "x", "1.5", "99999999999999999999", ""] {
        assert_eq!(client.post(&format!("Wsd-Got: {got}\r\n"), "").0, 400, "{got}");
    }
    client.post("", "1\n2");
    assert_eq!((client.line(), client.line()), ("1".to_owned(), "2".to_owned()));
    // One POST may overtake another.
    assert_eq!(client.post("Wsd-Got: 2\r\n", ""), (204, Some(2)));
    assert_eq!(client.post("Wsd-Got: 1\r\n", ""), (204, Some(2)));
    client.connect().unwrap();
    assert_eq!(client.greeting()["resumed"], true);
}

#[test]
fn clients_of_both_kinds_share_a_room() {
    let server = Server::command(&["--http", "--shared"], &["cat"]);
    let mut stream = EventSource::open(server.address);
    let mut socket = server.connect("/");

    socket.text("from the socket");
    assert_eq!(stream.line(), "from the socket");
    assert_eq!(socket.line(), "from the socket");
    stream.post("", "from the stream");

    assert_eq!(stream.line(), "from the stream");
    assert_eq!(socket.line(), "from the stream");
}

#[test]
fn a_room_goes_on_without_a_stream_that_is_away_and_tells_it_the_gap() {
    let flags = ["--http", "--resume=60", "--replay=65536", "--shared"];
    let server = Server::shell(&flags, "read -r _; seq 100000; exec cat", &[]);
    let mut client = EventSource::acknowledging(server.address);
    let mut other = server.connect("/");
    client.drop_connection();
    server.expect_log("session detached");

    other.text("go");
    for number in 1..=100_000 {
        assert_eq!(other.line(), number.to_string());
    }
    assert_eq!(client.connect().unwrap(), 200);

    let next = client.line().parse::<u64>().unwrap();
    assert_eq!(client.gaps, [next - 1]);
    assert_eq!(client.got, next, "ids count the gap");
    assert!((80_000..100_000).contains(&next), "the newest are kept: {next}");
}

#[test]
fn a_room_hears_of_a_stream_once_a_session_and_of_each_by_a_name_of_its_own() {
    let tree = Tree::new();
    let script = "while read -r line; do echo \"$line\" >>\"$1\"; done";
    let server = Server::shell(&["--http", "--shared", "--framing=json"], script, &[&tree.path("events")]);
    let mut client = EventSource::open(server.address);
    for _ in 0..3 {
        client.connect().unwrap();
        assert_eq!(client.greeting()["resumed"], true);
    }
    let mut second = EventSource::open(server.address);
    assert_eq!(client.post("", "hello").0, 204);
    assert_eq!(second.leave(), 204);
    assert_eq!(second.expect_close(), Close::new(1000, ""));
    assert_eq!(client.leave(), 204);

    let events = eventually("both leave", || {
        let events = tree.holds("events").then(|| String::from_utf8(tree.read("events")).unwrap())?;
        (events.matches("\"event\":\"close\"").count() == 2).then_some(events)
    });
    assert_eq!(events.matches("\"event\":\"open\"").count(), 2, "{events}");
    assert_eq!(events.matches("\"code\":1000").count(), 2, "{events}");
    let open = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["client"].clone();
    let clients: Vec<_> = events.lines().filter(|line| line.contains("\"open\"")).map(open).collect();
    assert_ne!(clients[0], clients[1], "{events}");
}

#[test]
fn sessions_over_one_connection_have_numbers_of_their_own() {
    let server = Server::shell(HTTP, "exit 0", &[]);
    let mut connection = server.http();
    for _ in 0..2 {
        connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{EVENTS}\r\n", server.host()));
        let answer = connection.response("GET");
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("event: close"), "{answer}");
    }
    let conn = |count| field(&server.expect_nth_log("session started", count).text, "conn");
    assert_ne!(conn(1), conn(2));
}

#[test]
fn a_leave_ends_the_program_and_the_stream() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);
    let worker = server.expect_worker(1);

    assert_eq!(client.leave(), 204);

    assert_eq!(client.expect_close(), Close::new(1000, ""));
    let ended = server.expect_log("session ended").text;
    assert_eq!(field(&ended, "end").as_deref(), Some("closed"), "{ended}");
    assert!(is_gone(worker));
    assert_eq!(client.leave(), 404);
    assert_eq!(client.post("", "x").0, 404);
}

#[test]
fn a_leave_ends_a_program_that_reads_nothing() {
    let server = Server::shell(HTTP, "exec sleep 100", &[]);
    let mut client = EventSource::open(server.address);
    while client.post("", "x".repeat(100_000)).0 == 204 {
        if server.log().iter().filter(|line| line.contains("status=204")).count() > 3 {
            break;
        }
    }

    assert_eq!(client.leave(), 204);

    assert_eq!(client.expect_close(), Close::new(1000, ""));
    let ended = server.expect_log("session ended").text;
    assert!(ended.contains("end=closed") && ended.contains("code=1000"), "{ended}");
}

#[test]
fn a_session_that_has_ended_or_was_left_is_not_logged_as_detached() {
    for leaves in [true, false] {
        let mut server = Server::shell(HTTP, "read line; exit 3", &[]);
        let mut client = EventSource::open(server.address);

        if leaves {
            assert_eq!(client.leave(), 204);
        } else {
            assert_eq!(client.post("", "end\n").0, 204);
        }

        client.expect_close();
        client.drop_connection();
        server.expect_log("session ended");
        server.expect_log("method=GET");
        if !leaves {
            // wsd has noticed by then that the connection is lost.
            client.last_id = Some(format!("{}.0", client.token));
            assert_eq!(client.connect().unwrap(), 200);
            server.expect_log("session resumed");
        }
        let log = server.stop();
        assert!(!log.contains("session detached"), "{log}");
    }
}

#[test]
fn a_request_for_a_stream_has_no_body() {
    let server = Server::command(HTTP, &["cat"]);
    let with = |headers: &str| {
        format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{EVENTS}{headers}\r\n", server.host())
    };

    assert_eq!(server.request(&with("Content-Length: 500\r\n")).status, 400);
    assert_eq!(server.request(&with("Transfer-Encoding: chunked\r\n")).status, 400);

    assert!(server.expect_log("session refused").text.contains("why=body"));
    assert!(!server.log().iter().any(|line| line.contains("session started")), "{:?}", server.log());
    let mut client = EventSource::new(server.address, "/", "Content-Length: 0\r\n");
    assert_eq!(client.connect().unwrap(), 200);
}

#[test]
fn a_session_that_nobody_returns_to_expires_and_gives_its_slot_back() {
    let server = Server::command(&["--http", "--maxforks=1"], &["cat"]);
    let mut client = EventSource::open(server.address);
    assert_eq!(client.greeting()["keep"], 15.0, "a stream will be cut");
    let worker = server.expect_worker(1);
    client.drop_connection();
    let began = Instant::now();
    server.expect_log("session detached");
    assert_eq!(server.get("/", EVENTS).status, 429);

    server.expect_log("session expired");
    server.expect_log("session ended");

    assert!(began.elapsed() >= Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(is_gone(worker));
    assert_eq!(client.connect().unwrap(), 200);
    assert_eq!(client.greeting()["lost"], "unknown");
}

#[test]
fn a_program_that_cannot_start_has_a_true_status() {
    let tree = Tree::new();
    tree.program("bad", "#!/nonexistent/interpreter\n");
    let server = Server::serve(&["--http", &format!("--dir={}", tree.path(""))]);

    assert_eq!(server.get("/bad", EVENTS).status, 500);
    assert_eq!(server.get("/missing", EVENTS).status, 404);
    assert!(!server.log().iter().any(|line| line.contains("session started")), "{:?}", server.log());
}

#[test]
fn the_end_of_wsd_is_told_without_an_id_so_that_a_browser_comes_back() {
    let mut server = Server::command(HTTP, &["cat"]);
    let mut away = EventSource::open(server.address);
    let mut here = EventSource::open(server.address);
    away.drop_connection();
    server.expect_log("session detached");
    let began = Instant::now();

    let log = server.stop();

    assert_eq!(here.expect_close(), Close::new(1001, "server is stopping"));
    assert_eq!(here.next(DEADLINE), Next::Lost);
    assert_eq!(here.last_id, Some(format!("{}.0", here.token)));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(log.matches("end=shutdown").count(), 2, "{log}");
    assert_eq!(log.matches("session detached").count(), 1, "{log}");
}

#[test]
fn a_session_outlives_a_reload_of_its_route() {
    let tree = Tree::new();
    let settings = |keep: u64| format!("[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\nhttp = true\nresume = {keep}\n");
    tree.file("wsd.toml", settings(60));
    let server = Server::spawn(wsd(&["--port=0", &format!("--config={}", tree.path("wsd.toml"))]));
    let mut client = EventSource::new(server.address, "/a", "");
    assert_eq!(client.connect().unwrap(), 200);

    tree.file("wsd.toml", settings(30));
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("settings loaded");

    assert_eq!(client.post("", "x").0, 204);
    assert_eq!(client.line(), "x");
    assert_eq!(client.connect().unwrap(), 200);
    assert_eq!(client.greeting()["resumed"], true);
}

#[test]
fn a_token_reaches_neither_the_program_nor_the_log() {
    let server = Server::shell(&["--http"], "env; exec cat", &[]);
    let token = "B".repeat(43);
    let mut client = EventSource::new(server.address, &format!("/?a=1&wsd-session={token}&b=2"), "");
    client.last_id = Some(format!("{token}.7"));
    client.set_headers(&format!("Wsd-Session: {token}\r\n"));
    assert_eq!(client.connect().unwrap(), 200);
    client.set_headers("");
    assert_eq!(client.post("", "end").0, 204);

    let mut variables = Vec::new();
    while variables.last().is_none_or(|line| line != "end") {
        variables.push(client.line());
    }

    assert!(variables.iter().any(|line| line == "QUERY_STRING=a=1&b=2"), "{variables:#?}");
    let log = server.log().join("\n");
    for text in [&variables.join("\n"), &log] {
        assert!(!text.contains("BBBB") && !text.contains(&client.token), "{text}");
    }
}

#[test]
fn a_silent_stream_has_a_heartbeat() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);
    let began = Instant::now();

    while client.comments == 0 {
        assert_eq!(client.next(Duration::from_millis(200)), Next::Silence);
        assert!(began.elapsed() < Duration::from_secs(25), "no heartbeat came");
    }

    assert!(began.elapsed() > Duration::from_secs(14), "{:?}", began.elapsed());
}

#[test]
fn a_client_that_leaves_is_noticed_at_once_however_it_leaves() {
    let server = Server::command(HTTP, &["cat"]);
    for (count, is_rude) in [(1, false), (2, true)] {
        let mut connection = Connection::open(server.address);
        connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{EVENTS}\r\n", server.host()));
        connection.take(100).unwrap();
        if is_rude {
            connection.reset();
        } else {
            drop(connection);
        }
        server.expect_nth_log("session detached", count);
    }
}

#[test]
fn http_is_refused_without_a_program() {
    let outcome = run(&["--http", "--staticdir=."]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("cannot use --http without a program"), "{outcome:?}");
}
