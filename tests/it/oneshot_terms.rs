//! `--http`: the terms of a session hold for a POST, too: `--idle`, `--lifetime`, `--rate-in`.

use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, field};
use crate::harness::{DEADLINE, assert_in_time, eventually};

/// Sends the head of a POST whose body comes in chunks.
fn begin(server: &Server) -> Connection {
    let mut connection = server.http();
    connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.host()));
    connection
}

/// Sends a part of a body.
fn chunk(connection: &mut Connection, part: &str) {
    connection.send(format!("{:x}\r\n{part}\r\n", part.len()));
}

#[test]
fn a_program_that_does_not_answer_in_its_time_is_a_504_and_ends() {
    for (flag, word) in [("--lifetime=0.3", "lifetime"), ("--idle=0.3", "idle")] {
        let server = Server::command(&["--http", flag], &["sleep", "1000"]);
        let start = Instant::now();

        let response = server.post("/", "", "input");

        assert_eq!(response.status, 504, "{flag}: {response}");
        assert_in_time(start, Duration::from_millis(300));
        let end = server.expect_log("post ended").text;
        assert_eq!(field(&end, "end").as_deref(), Some(word), "{end}");
        assert!(gone_within(server.expect_post(1), DEADLINE));
    }
}

#[test]
fn a_body_that_does_not_come_in_its_time_is_a_408_and_is_not_the_end_of_input() {
    for flag in ["--lifetime=0.3", "--idle=0.3"] {
        let server = Server::shell(&["--http", flag], "cat >&2 && echo EOF >&2", &[]);
        let mut connection = begin(&server);
        chunk(&mut connection, "half\n");

        let response = connection.response("POST");

        assert_eq!((response.status, response.header("connection")), (408, Some("close")), "{flag}: {response}");
        server.expect_log("post ended");
        assert!(!server.log().iter().any(|line| line.contains("line=EOF")), "{:?}", server.log());
    }
}

#[test]
fn an_answer_that_has_begun_breaks_off_at_its_time() {
    for (flag, word, script) in [
        ("--lifetime=1", "lifetime", "while echo out; do sleep 0.1; done"),
        ("--idle=0.5", "idle", "echo out; exec sleep 1000"),
    ] {
        let server = Server::shell(&["--http", flag], script, &[]);
        let start = Instant::now();

        let answer = String::from_utf8(server.posting("/", "TE: trailers\r\n", "").rest()).unwrap();

        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("out\n\r\n"), "{flag}: {answer}");
        assert!(start.elapsed() >= Duration::from_millis(500), "{flag}: {:?}", start.elapsed());
        let end = server.expect_log("post ended").text;
        assert_eq!(field(&end, "end").as_deref(), Some(word), "{end}");
    }
}

#[test]
fn each_byte_either_way_puts_the_end_of_an_idle_post_off() {
    let server = Server::shell(&["--http", "--idle=1"], "for i in 1 2 3 4; do sleep 0.5; echo $i; done; cat", &[]);
    let mut connection = begin(&server);
    let mut answer = Vec::new();
    while !answer.ends_with(b"4\n\r\n") {
        answer.extend(connection.take(1).expect("more of the answer"));
    }

    for _ in 0..3 {
        assert!(connection.is_silent_for(Duration::from_millis(500)));
        chunk(&mut connection, "x");
        while !answer.ends_with(b"x\r\n") {
            answer.extend(connection.take(1).expect("more of the answer"));
        }
        answer.clear();
    }
    connection.send("0\r\n\r\n");

    assert!(String::from_utf8(connection.rest()).unwrap().ends_with("0\r\n\r\n"));
}

#[test]
fn the_messages_of_a_post_pass_at_the_rate_of_its_client_and_all_of_them() {
    for (framing, end) in [("lines", '\n'), ("nul", '\0')] {
        let flags = ["--http", "--idle=0.3", "--rate-in=0/s,20/s", &format!("--framing={framing}")];
        let server = Server::command(&flags, &["cat"]);
        let body: String = (0..50).flat_map(|number| [number.to_string(), end.to_string()]).collect();
        let start = Instant::now();

        let answer = server.post("/", "", &body);

        assert_eq!((answer.status, answer.text()), (200, body), "{framing}");
        // 20 at once, and 30 at 20 a second: while wsd makes a client wait, it is not idle.
        assert!(start.elapsed() >= Duration::from_millis(1500), "{framing}: {:?}", start.elapsed());
        assert_in_time(start, Duration::from_millis(1500));
    }
}

#[test]
fn the_bytes_of_a_post_pass_at_the_rate_of_its_client() {
    let server = Server::command(&["--http", "--idle=0.3", "--rate-in=1000/s"], &["cat"]);
    let (mut connection, start, mut answer) = (begin(&server), Instant::now(), Vec::new());
    let mut until = |connection: &mut Connection, end: &[u8]| {
        while !answer.ends_with(end) {
            answer.extend(connection.take(1).expect("more of the answer"));
        }
    };

    chunk(&mut connection, &("x".repeat(2499) + "\n"));
    until(&mut connection, b"x\n\r\n");
    chunk(&mut connection, "next\n");
    until(&mut connection, b"next\n\r\n");

    // 1000 at once, and 1501 at 1000 a second.
    assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
    assert_in_time(start, Duration::from_millis(1500));
}

#[test]
fn a_post_to_a_room_has_the_same_terms() {
    for (flag, status) in [("--lifetime=0.3", 408), ("--idle=0.3", 408)] {
        let server = Server::command(&["--http", "--shared", flag], &["cat"]);
        let mut connection = begin(&server);
        chunk(&mut connection, "half\n");

        assert_eq!(connection.response("POST").status, status, "{flag}");

        let line = server.expect_log("session refused").text;
        assert!(flag.contains(&field(&line, "why").unwrap()), "{line}");
        assert!(!server.log().iter().any(|line| line.contains("room started")), "{:?}", server.log());
    }
    let server = Server::command(&["--http", "--shared", "--rate-in=0/s,20/s"], &["cat"]);
    let mut client = server.connect("/");
    let start = Instant::now();

    assert_eq!(server.post("/", "", "x\n".repeat(50)).status, 202);

    assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
    assert_eq!((0..50).map(|_| client.line()).collect::<String>(), "x".repeat(50));
}

#[test]
fn a_post_to_a_room_that_takes_nothing_is_a_504_at_its_time() {
    let server = Server::command(&["--http", "--shared", "--lifetime=1"], &["sleep", "1000"]);
    let start = Instant::now();

    // The pipe and the inbox take some.
    let refused = eventually("the room takes nothing more", || {
        let response = server.post("/", "", "x".repeat(1 << 20));
        (response.status != 202).then_some(response)
    });

    assert_eq!(refused.status, 504, "{refused}");
    assert_in_time(start, Duration::from_secs(1));
}
