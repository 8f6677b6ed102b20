//! Laws of RFC 6455: what a broken frame gets, and what an unbroken one must not.

use std::fmt::Display;

use crate::harness::DEADLINE;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, program};
use crate::harness::websocket::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};

/// Sends each of the byte strings into a session of its own, and expects all to end with this code, workers included.
fn assert_end(table: &[(impl Display, Vec<u8>)], code: u16) {
    let server = Server::command(&[], &[&program("collect.sh"), "/dev/null"]);
    // All first, and only then a look at the ends: a client that broke the law is listened to for a second more.
    let mut clients: Vec<_> = table.iter().map(|_| server.connect("/")).collect();
    for ((_, bytes), client) in table.iter().zip(&mut clients) {
        client.raw(bytes);
    }
    for ((law, _), client) in table.iter().zip(&mut clients) {
        let close = client.expect_close();
        assert_eq!(close.code, Some(code), "{law}: {close:?}");
        client.expect_end();
        assert!(gone_within(server.expect_worker_of(client), DEADLINE), "{law}");
        assert!(server.expect_end_of(client).contains(&format!("code={code}")), "{law}");
    }
}

#[test]
fn a_broken_frame_is_close_1002() {
    let text = Frame::new(TEXT, "hello");
    let table = [
        ("a frame without a mask", text.unmasked()),
        ("a ping without a mask", Frame::new(PING, "hello").unmasked()),
        ("the first reserved bit", text.clone().with_reserved_bits(4).masked()),
        ("the second reserved bit", text.clone().with_reserved_bits(2).masked()),
        ("the third reserved bit", text.clone().with_reserved_bits(1).masked()),
        ("a reserved bit on a ping", Frame::new(PING, "").with_reserved_bits(4).masked()),
        ("a reserved data opcode", Frame::new(0x3, "hello").masked()),
        ("the last reserved data opcode", Frame::new(0x7, "hello").masked()),
        ("a reserved control opcode", Frame::new(0xB, "").masked()),
        ("the last reserved control opcode", Frame::new(0xF, "").masked()),
        ("a fragmented ping", Frame::new(PING, "hello").unfinished().masked()),
        ("a fragmented close", Frame::close(1000, "").unfinished().masked()),
        ("a ping of 126 bytes", Frame::new(PING, [b'x'; 126]).masked()),
        ("a close of 126 bytes", Frame::close(1000, &"x".repeat(124)).masked()),
        ("a continuation of nothing", Frame::new(CONTINUATION, "hello").masked()),
        ("an unfinished continuation of nothing", Frame::new(CONTINUATION, "hello").unfinished().masked()),
        ("a message inside a message", [text.clone().unfinished().masked(), text.masked()].concat()),
        ("a continuation after the end", [text.masked(), Frame::new(CONTINUATION, "x").masked()].concat()),
    ];
    assert_end(&table, 1002);
}

#[test]
fn a_broken_close_is_close_1002() {
    let codes = [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535];
    let mut table: Vec<_> = codes.map(|code| (format!("code {code}"), Frame::close(code, "").masked())).into();
    table.push(("half a code".to_owned(), Frame::new(CLOSE, "x").masked()));

    assert_end(&table, 1002);
}

#[test]
fn text_that_is_not_utf8_is_close_1007() {
    let table: [(&str, Vec<u8>); 5] = [
        ("a byte that is never valid", Frame::new(TEXT, b"a\xFF").masked()),
        ("half a character at the end", Frame::new(TEXT, b"a\xE2\x82").masked()),
        ("half of a surrogate pair", Frame::new(TEXT, b"\xED\xA0\x80").masked()),
        (
            "half a character at the end of the last fragment",
            [Frame::new(TEXT, b"a").unfinished().masked(), Frame::new(CONTINUATION, b"\xE2").masked()].concat(),
        ),
        ("a reason that is not UTF-8", Frame::new(CLOSE, b"\x03\xE8\xFF").masked()),
    ];
    assert_end(&table, 1007);
}

#[test]
fn a_character_cut_by_a_fragment_is_whole() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(TEXT, b"\xE2").unfinished());
    client.send(&Frame::new(CONTINUATION, b"\x82").unfinished());
    client.send(&Frame::new(CONTINUATION, b"\xAC"));

    assert_eq!(client.line(), "€");
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    for payload in [&b""[..], b"hello", b"\x00\xFF", &[b'x'; 125]] {
        client.send(&Frame::new(PING, payload));

        assert_eq!(client.frame(), Frame::new(PONG, payload));
    }
}

#[test]
fn a_ping_between_fragments_is_answered_at_once() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(TEXT, "one ").unfinished());
    client.send(&Frame::new(PING, "between"));
    assert_eq!(client.frame(), Frame::new(PONG, "between"));
    client.send(&Frame::new(CONTINUATION, "message"));

    assert_eq!(client.line(), "one message");
}

#[test]
fn a_ping_is_answered_while_the_program_floods() {
    let server = Server::command(&[], &["yes"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(PING, "are you there?"));

    while client.frame() != Frame::new(PONG, "are you there?") {}
}

#[test]
fn a_pong_that_nobody_asked_for_is_passed_over() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(PONG, "hello"));
    client.text("next");

    assert_eq!(client.line(), "next");
}

#[test]
fn a_frame_may_come_in_any_pieces() {
    let server = Server::command(&["--binary"], &["cat"]);
    // Lengths on both sides of each of the three forms of a header.
    for length in [0, 1, 125, 126, 127, 65535, 65536] {
        let mut client = server.connect("/");
        let payload = vec![7; length];
        let frame = Frame::new(BINARY, &payload).masked();
        let (head, rest) = frame.split_at(frame.len().min(20));

        for byte in head {
            client.raw([*byte]);
        }
        client.raw(rest);

        assert_eq!(client.bytes(length), payload, "{length} bytes");
    }
}

#[test]
fn empty_fragments_are_fragments() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(TEXT, "").unfinished());
    client.send(&Frame::new(CONTINUATION, "").unfinished());
    client.send(&Frame::new(CONTINUATION, "hello").unfinished());
    client.send(&Frame::new(CONTINUATION, ""));

    assert_eq!(client.line(), "hello");
}

#[test]
fn what_follows_a_close_is_not_read() {
    let tree = crate::harness::tree::Tree::new();
    let server = Server::command(&[], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");

    client.raw(
        [Frame::new(TEXT, "before").masked(), Frame::close(1000, "").masked(), Frame::new(TEXT, "after").masked()]
            .concat(),
    );

    server.expect_log("session ended");
    assert_eq!(tree.read("input"), b"before\n");
}

#[test]
fn a_broken_frame_in_the_packet_of_the_request_is_close_1002() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = server.http();
    let mut bytes = crate::harness::websocket::upgrade_request(&server.host(), "/", "").into_bytes();
    bytes.extend(Frame::new(TEXT, "hello").unmasked());

    connection.send(bytes);

    assert_eq!(connection.response("GET").status, 101);
    assert_eq!(crate::harness::websocket::Client::upgraded(connection).expect_close().code, Some(1002));
}
