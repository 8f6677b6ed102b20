//! Bounds of a request: how long its head may be, and how long it may take.

use std::time::{Duration, Instant};

use crate::harness::at_latest;
use crate::harness::http::Connection;
use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

const HEAD_BYTES_MAX: usize = 32 << 10;

fn files() -> (Tree, Server) {
    let tree = Tree::new();
    tree.file("index.html", "hello");
    let server = Server::serve(&["--staticdir", &tree.path("")]);
    (tree, server)
}

/// A request whose head has exactly so many bytes, the empty line at its end included, in lines of at most 1000.
fn head_of(server: &Server, bytes: usize) -> String {
    let mut head = format!("GET / HTTP/1.1\r\nHost: {}\r\n", server.host());
    let end = "\r\n";
    while head.len() + end.len() < bytes {
        let line = (bytes - head.len() - end.len()).min(1000);
        // What is left after this line must be nothing or enough for another.
        let line = if (1..20).contains(&(bytes - head.len() - end.len() - line)) { line - 20 } else { line };
        let pad = "x".repeat(line - "X-Pad: \r\n".len());
        head.extend(["X-Pad: ", &pad, end]);
    }
    head + end
}

#[test]
fn a_head_of_more_than_a_hundred_headers_is_a_431() {
    let server = Server::command(&[], &["cat"]);
    // With Host and Connection.
    for (count, status) in [(98, 200), (99, 431)] {
        assert_eq!(server.get("/", &"X-A: b\r\n".repeat(count)).status, status, "{count}");
    }
}

#[test]
fn a_head_of_32_kib_passes_and_one_byte_more_is_a_431() {
    let (_tree, server) = files();

    for (bytes, status) in
        [(HEAD_BYTES_MAX - 1, 200), (HEAD_BYTES_MAX, 200), (HEAD_BYTES_MAX + 1, 431), (2 * HEAD_BYTES_MAX, 431)]
    {
        let head = head_of(&server, bytes);
        assert_eq!(head.len(), bytes);

        assert_eq!(server.request(&head).status, status, "a head of {bytes} bytes");
    }
}

#[test]
fn the_limit_holds_for_a_target_and_for_one_header_too() {
    let (_tree, server) = files();
    let long = "x".repeat(HEAD_BYTES_MAX);

    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {long}\r\n\r\n"),
    ] {
        let status = server.request(&request).status;
        assert!(status == 431 || status == 414, "{status}");
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let (_tree, server) = files();
    let mut connection = server.http();

    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
    let line = format!("X-Pad: {}\r\n", "x".repeat(990));
    connection.send_until_blocked(line.repeat(100).as_bytes(), Duration::from_secs(1));

    let response = connection.try_response("GET");
    assert!(response.is_none_or(|response| response.status == 431));
}

#[test]
fn an_upgrade_has_the_same_limit() {
    let server = Server::command(&[], &["cat"]);

    let fits = format!("X-Pad: {}\r\n", "x".repeat(30_000));
    assert!(server.try_connect("/", &fits).is_ok());
    let exceeds = format!("X-Pad: {}\r\n", "x".repeat(HEAD_BYTES_MAX));
    assert_eq!(server.refusal("/", &exceeds).status, 431);
}

/// Ten seconds long, so three attacks share it: silence, half a head, and a byte now and then.
#[test]
fn a_head_has_ten_seconds() {
    const HEAD_TIME: Duration = Duration::from_secs(10);
    let (_tree, server) = files();
    let start = Instant::now();
    let mut silent = server.http();
    let mut half = server.http();
    half.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Half");
    let mut slow = server.http();
    slow.send("GET / HTTP/1.1\r\nHost: localhost\r\n");

    while slow.is_silent_for(Duration::from_millis(500)) {
        assert!(start.elapsed() < at_latest(HEAD_TIME), "a byte now and then keeps a connection open");
        slow.send("x");
    }

    for connection in [&mut slow, &mut silent, &mut half] {
        if let Some(response) = connection.try_response("GET") {
            assert_eq!(response.status, 408, "{response}");
        }
        let elapsed = start.elapsed();
        assert!(elapsed >= HEAD_TIME.checked_sub(Duration::from_millis(100)).unwrap(), "ended after {elapsed:?}");
        assert!(elapsed < at_latest(HEAD_TIME), "ended after {elapsed:?}");
    }
}

#[test]
fn bytes_that_are_not_http_get_a_400_or_nothing() {
    let (_tree, server) = files();

    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
    ] {
        let mut connection = server.http();
        connection.send(bytes);
        connection.finish();

        let response = connection.try_response("GET");
        assert!(response.is_none_or(|response| (400..600).contains(&response.status)), "{bytes:?}");
        assert_eq!(server.get("/", "").text(), "hello", "after {bytes:?}");
    }
}

#[test]
fn a_request_of_http_1_1_names_its_host() {
    let (_tree, server) = files();

    assert_eq!(server.request("GET / HTTP/1.1\r\n\r\n").status, 400);
}

#[test]
fn two_files_come_over_one_connection() {
    let tree = Tree::new();
    tree.file("a.txt", "first").file("b.txt", "second");
    let server = Server::serve(&["--staticdir", &tree.path("")]);
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.host());
    let mut connection = server.http();

    connection.send(request("/a.txt"));
    assert_eq!(connection.response("GET").text(), "first");
    connection.send(request("/b.txt"));
    assert_eq!(connection.response("GET").text(), "second");
    // Errors do not end it either.
    connection.send(request("/none.txt"));
    assert_eq!(connection.response("GET").status, 404);
    // Nor does it matter if requests come before the answers are out.
    connection.send(request("/a.txt") + &request("/b.txt"));
    assert_eq!(
        (connection.response("GET").text(), connection.response("GET").text()),
        ("first".to_owned(), "second".to_owned())
    );
}

#[test]
fn a_connection_ends_after_the_answer_when_the_client_asks_for_it() {
    let (_tree, server) = files();

    for request in ["GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let mut connection = server.http();
        connection.send(request);

        assert_eq!(connection.response("GET").text(), "hello", "{request}");
        assert_eq!(connection.rest(), b"", "{request}");
    }
}

#[test]
fn a_connection_can_be_upgraded_after_files_were_read_over_it() {
    let tree = Tree::new();
    tree.file("index.html", "hello");
    let server = Server::command(&["--staticdir", &tree.path("")], &["echo", "the program"]);
    let mut connection = Connection::open(server.address);

    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    assert_eq!(connection.response("GET").text(), "hello");

    let mut client = Client::upgrade(connection, &upgrade_request(&server.host(), "/", "")).ok().unwrap();
    assert_eq!(client.line(), "the program");
}

#[test]
fn a_connection_goes_on_after_a_refused_upgrade_or_ends() {
    let server = Server::command(&[], &["echo", "the program"]);
    let mut connection = Connection::open(server.address);

    connection.send(upgrade_request(&server.host(), "/", "Origin: http://evil.example\r\n"));
    let refusal = connection.response("GET");
    assert_eq!(refusal.status, 403);

    if refusal.header("connection").is_some_and(|connection| connection.eq_ignore_ascii_case("close")) {
        assert_eq!(connection.rest(), b"");
    } else {
        let mut client = Client::upgrade(connection, &upgrade_request(&server.host(), "/", "")).ok().unwrap();
        assert_eq!(client.line(), "the program");
    }
}

#[test]
fn the_refusal_of_an_impossible_length_names_it() {
    let server = Server::command(&[], &["cat"]);

    let answer = server.get("/", &format!("Content-Length: {}\r\n", u64::MAX));

    assert_eq!(answer.status, 431, "{answer}");
    assert!(answer.text().contains("or an impossible Content-Length"), "{answer}");
}
