//! `--http`: how a POST ends: by an exit status, a signal, a client that leaves, or a limit.

use std::time::Duration;

use crate::harness::http::Response;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, field};
use crate::harness::{DEADLINE, eventually};

/// A header line of a client that takes trailers.
const TAKES_TRAILERS: &str = "TE: trailers\r\n";

#[test]
fn a_program_that_ends_without_output_is_a_status() {
    let table = [
        ("exit 0", 200, "0", ""),
        ("exit 3", 500, "3", "exit 3\n"),
        ("exit 255", 500, "255", "exit 255\n"),
        ("kill -9 $$", 500, "137", "signal 9\n"),
        ("exec >&-; sleep 0.3; exit 4", 500, "4", "exit 4\n"),
        ("cat >&2; exit 5", 500, "5", "exit 5\n"),
    ];
    for (script, status, exit, body) in table {
        let server = Server::shell(&["--http"], script, &[]);

        let response = server.post("/", "", "input");

        assert_eq!((response.status, response.text().as_str()), (status, body), "{script}: {response}");
        assert_eq!(response.header("wsd-exit"), Some(exit), "{script}: {response}");
        assert_eq!(response.header("content-length"), Some(&*body.len().to_string()), "{script}: {response}");
    }
}

#[test]
fn the_exit_status_after_output_is_a_trailer_for_clients_that_take_one() {
    for (script, exit) in [("echo out", "0"), ("echo out; exit 3", "3")] {
        let server = Server::shell(&["--http"], script, &[]);

        let answer = |headers: &str| String::from_utf8(server.posting("/", headers, "").rest()).unwrap();
        let (with, without) = (answer(TAKES_TRAILERS), answer(""));

        assert!(with.contains("\r\nTrailer: Wsd-Exit\r\n"), "{script}: {with}");
        assert!(with.ends_with(&format!("\r\nout\n\r\n0\r\nWsd-Exit: {exit}\r\n\r\n")), "{script}: {with}");
        assert!(!without.contains("Wsd-Exit"), "{script}: {without}");
        assert!(without.ends_with("\r\nout\n\r\n0\r\n\r\n"), "{script}: {without}");
    }
}

#[test]
fn the_exit_status_of_a_program_that_was_silent_for_a_second_is_a_trailer() {
    let server = Server::shell(&["--http"], "sleep 1.2; exit 3", &[]);

    let answer = String::from_utf8(server.posting("/", TAKES_TRAILERS, "").rest()).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n0\r\nWsd-Exit: 3\r\n\r\n"), "{answer}");
}

#[test]
fn a_signal_after_output_breaks_the_answer_off() {
    let server = Server::shell(&["--http"], "echo out; kill -9 $$", &[]);

    let answer = String::from_utf8(server.posting("/", TAKES_TRAILERS, "").rest()).unwrap();

    assert!(answer.ends_with("\r\nout\n\r\n"), "{answer}");
    assert!(server.expect_log("post ended").text.contains(" end=exit status=137 "));
}

#[test]
fn a_client_that_leaves_ends_its_program_by_the_ladder() {
    let server = Server::start(&["--http"], "signals.sh");
    let connection = server.posting("/", "", "");
    server.expect_log("post started");

    drop(connection);

    server.expect_log("got INT");
    server.expect_log("got TERM");
    let end = server.expect_log("post ended").text;
    assert!(end.contains(" end=left status=137 "), "{end}");
    assert!(gone_within(server.expect_post(1), DEADLINE));
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_is_no_end_of_input() {
    let server = Server::shell(&["--http"], "trap 'exit 9' INT; cat >&2 && echo EOF >&2; sleep 5 & wait", &[]);
    let mut connection = server.http();
    connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\r\nhalf\n", server.host()));
    server.expect_log("line=half");

    drop(connection);

    let end = server.expect_log("post ended").text;
    assert!(end.contains(" end=left "), "{end}");
    assert!(!server.log().iter().any(|line| line.contains("line=EOF")), "{:?}", server.log());
}

#[test]
fn a_client_that_leaves_while_its_program_reads_nothing_is_noticed() {
    let server = Server::command(&["--http"], &["sleep", "1000"]);
    let mut connection = server.http();
    let length = 64 << 20;
    connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n\r\n", server.host()));
    let sent = connection.send_until_blocked(&vec![b'x'; length], Duration::from_millis(500));
    assert!(sent < length, "wsd holds a whole body");

    drop(connection);

    let end = server.expect_log("post ended").text;
    assert!(end.contains(" end=left "), "{end}");
}

#[test]
fn a_body_that_is_no_http_is_a_400() {
    let server = Server::command(&["--http"], &["sleep", "1000"]);
    let mut connection = server.http();
    connection
        .send(format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", server.host()));

    assert_eq!(connection.response("POST").status, 400);
    let end = server.expect_log("post ended").text;
    assert!(end.contains(" end=protocol "), "{end}");
}

#[test]
fn a_program_that_ends_before_the_body_has_answered_nevertheless() {
    let table = [("head -c 1; exit 0", 200, "x"), ("exit 0", 200, ""), ("exit 3", 500, "exit 3\n")];
    for (script, status, body) in table {
        let server = Server::shell(&["--http"], script, &[]);
        let host = server.host();
        let mut connection = server.http();
        let length = 32 << 20;
        connection.send(format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"));

        // A client that reads nothing before it has sent all.
        connection.send(vec![b'x'; length]);

        let response = connection.response("POST");
        assert_eq!((response.status, response.text().as_str()), (status, body), "{script}: {response}");
        assert_eq!(response.header("connection"), Some("close"), "{script}: {response}");
    }
}

#[test]
fn a_program_that_no_slot_is_left_for_is_a_429() {
    let server = Server::command(&["--http", "--maxforks=1"], &["cat"]);
    let mut first = server.http();
    first.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\n\r\n", server.host()));
    server.expect_post(1);

    let refused = server.post("/", "Expect: 100-continue\r\n", "x");

    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{refused}");
    first.send("x");
    // The slot is free as soon as the client has the whole answer.
    assert_eq!(first.response("POST").text(), "x");
    for _ in 0..20 {
        let response = server.post("/", "", "y");
        assert_eq!((response.status, response.text().as_str()), (200, "y"), "{response}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_a_500_and_one_with_a_terminal_a_426() {
    let tree = crate::harness::tree::Tree::new();
    tree.program("broken", "#!/no/such/interpreter\n");
    let server = Server::serve(&["--http", &format!("--dir={}", tree.path(""))]);
    assert_eq!(server.post("/broken", "", "").status, 500);

    let server = Server::command(&["--http", "--pty"], &["cat"]);
    let refused = server.post("/", "", "");

    assert_eq!((refused.status, refused.header("upgrade")), (426, Some("websocket")), "{refused}");
    assert!(refused.text().contains("terminal"), "{refused}");
    let line = server.expect_log("session refused").text;
    assert!(line.contains(" why=pty ") && field(&line, "hint").unwrap().contains("without --pty"), "{line}");
}

#[test]
fn a_stop_of_the_server_ends_the_program_and_breaks_the_answer_off() {
    let mut server = Server::shell(
        &["--http"],
        "trap 'echo got TERM >&2; exit' TERM; trap '' INT; echo out; cat; sleep 5 & wait",
        &[],
    );
    let mut connection = server.http();
    connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.host()));
    let mut answer = Vec::new();
    while !answer.ends_with(b"out\n\r\n") {
        answer.extend(connection.take(1).expect("more of the answer"));
    }

    let log = server.stop();

    assert!(log.contains("got TERM") && log.contains(" end=shutdown "), "{log}");
    assert_eq!(connection.rest(), b"");
}

#[test]
fn a_reload_lets_a_program_go_on() {
    let tree = crate::harness::tree::Tree::new();
    let settings = "http = true\n[[route]]\npath = '/'\ncommand = ['cat']\n";
    tree.file("wsd.toml", settings);
    let server = Server::serve(&[&format!("--config={}", tree.path("wsd.toml"))]);
    let mut connection = server.http();
    connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nx", server.host()));
    server.expect_post(1);

    tree.file("wsd.toml", settings.replace("http = true", "http = false"));
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("settings loaded");
    connection.send("y");

    assert_eq!(connection.response("POST").text(), "xy");
    let status = |response: Response| (response.status != 200).then_some(response.status);
    assert_eq!(eventually("the new settings hold", || status(server.post("/", "", ""))), 405);
}
