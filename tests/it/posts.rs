//! `--http`: a POST to a room is a message to it.

use std::thread;

use serde_json::{Value, json};

use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// The type of a body that is one message.
const ONE: &str = "Content-Type: application/json\r\n";

/// A program that appends its input to a file, at `$1`, and says each line to all.
const KEEPING: &str = r#"while read -r line; do echo "$line" >> "$1"; echo "$line"; done"#;

/// The lines of a file, once there are `count`.
fn lines(tree: &Tree, name: &str, count: usize) -> Vec<String> {
    crate::harness::eventually(&format!("{count} lines in {name}"), || {
        let text = if tree.holds(name) { String::from_utf8(tree.read(name)).unwrap() } else { String::new() };
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[test]
fn everybody_in_the_room_gets_the_lines_of_a_post() {
    let server = Server::command(&["--http", "--shared"], &["cat"]);
    let mut client = server.connect("/");

    let response = server.post("/", "", "one\ntwo");

    assert_eq!((response.status, response.text().as_str()), (202, ""), "{response}");
    assert_eq!((client.line(), client.line()), ("one".to_owned(), "two".to_owned()));
}

#[test]
fn a_post_to_an_empty_room_starts_its_program_which_gets_the_message() {
    let tree = Tree::new();
    for flags in [&["--http", "--shared"][..], &["--http", "--shared", "--linger=0"]] {
        let tree_name = format!("kept{}", flags.len());
        let server = Server::shell(flags, KEEPING, &[&tree.path(&tree_name)]);

        assert_eq!(server.post("/", "", "hello\n").status, 202, "{flags:?}");

        assert_eq!(lines(&tree, &tree_name, 1), ["hello"], "{flags:?}");
        server.expect_log("room started");
    }
}

#[test]
fn a_post_joins_the_history_that_the_next_client_gets() {
    let server = Server::command(&["--http", "--shared", "--history=10"], &["cat"]);
    let mut witness = server.connect("/");
    server.post("/", "", "earlier\n");
    witness.line();

    assert_eq!(server.connect("/").line(), "earlier");
}

#[test]
fn with_json_a_post_is_a_client_that_comes_says_one_thing_and_goes() {
    let tree = Tree::new();
    for flags in [&["--http", "--framing=json", "--shared"][..], &["--http", "--framing=json"]] {
        let name = format!("kept{}", flags.len());
        let server = Server::shell(flags, "cat >> \"$1\"", &[&tree.path(&name)]);

        assert_eq!(server.post("/path?a=1", ONE, "two\nlines").status, 202, "{flags:?}");

        let events: Vec<Value> =
            lines(&tree, &name, 3).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let client = events[0]["client"].as_str().unwrap();
        assert_eq!(events[0]["env"]["REQUEST_METHOD"], "POST", "{flags:?}: {events:?}");
        assert_eq!(events[0]["env"]["QUERY_STRING"], "a=1", "{flags:?}: {events:?}");
        assert_eq!(events[1], json!({ "event": "message", "client": client, "text": "two\nlines" }), "{flags:?}");
        let close = json!({ "event": "close", "client": client, "code": 1000, "reason": "" });
        assert_eq!(events[2], close, "{flags:?}");
    }
}

#[test]
fn a_body_of_bytes_is_one_binary_message() {
    let server = Server::command(&["--http", "--shared", "--framing=length"], &["cat"]);
    let mut client = server.connect("/");

    server.post("/", "Content-Type: application/octet-stream\r\n", [0, b'\n', 0xFF]);

    assert_eq!(client.frame().payload, [0, b'\n', 0xFF]);
}

#[test]
fn an_invalid_body_starts_no_program() {
    let server = Server::command(&["--http", "--shared", "--maxframesize=10"], &["cat"]);
    let host = server.host();
    let chunked = format!("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n");

    assert_eq!(server.post("/", "", [0xFF]).status, 400);
    assert_eq!(server.post("/", "", "12345678901").status, 413);
    assert_eq!(server.request(&format!("{chunked}b\r\n12345678901\r\n0\r\n\r\n")).status, 413);
    assert_eq!(server.request(&format!("{chunked}nonsense\r\n")).status, 400);

    assert!(!server.log().iter().any(|line| line.contains("room started")), "{:?}", server.log());
    assert_eq!(server.post("/", "", "1234567890").status, 202);
}

#[test]
fn a_room_that_waits_for_slow_clients_does_not_wait_for_a_post() {
    // The program says a mebibyte and more before it reads the message.
    let script = "read -r first; head -c 3000000 /dev/zero | tr '\\0' x; echo; cat";
    let server = Server::shell(&["--http", "--shared", "--slow=wait"], script, &[]);
    let mut client = server.connect("/");

    assert_eq!(server.post("/", "", "first\nsecond\n").status, 202);

    let mut last = client.message();
    while last.payload != b"second" {
        last = client.message();
    }
}

#[test]
fn many_posts_at_once_each_arrive_once() {
    const COUNT: usize = 200;
    let server = Server::command(&["--http", "--shared"], &["cat"]);
    let mut client = server.connect("/");

    thread::scope(|scope| {
        for worker in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for number in 0..COUNT / 4 {
                    assert_eq!(server.post("/", "", format!("{worker} {number}\n")).status, 202);
                }
            });
        }
    });

    let mut got: Vec<_> = (0..COUNT).map(|_| client.line()).collect();
    got.sort();
    let mut want: Vec<_> =
        (0..4).flat_map(|worker| (0..COUNT / 4).map(move |number| format!("{worker} {number}"))).collect();
    want.sort();
    assert_eq!(got, want);
}
