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
fn frames_after_a_close_are_not_read() {
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

#[test]
fn after_a_fault_the_client_is_heard_out() {
    // Closing at once would reset the connection, and the client might lose the Close that is on its way to it.
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    client.raw(Frame::new(TEXT, "x").unmasked());
    client.expect_close();
    client.expect_end();

    // The first write to a closed connection is answered with a reset, and the second one fails.
    client.raw(Frame::new(TEXT, "still talking").masked());
    client.raw(Frame::new(TEXT, "still talking").masked());
}

#[test]
fn bytes_after_a_close_do_not_cost_the_client_its_answer() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    let rest = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(300);
    client.raw([Frame::close(1000, "").masked(), rest].concat());

    assert_eq!(client.close_at_last().code, Some(1000));
    client.expect_end();
}

#[test]
fn text_that_cannot_become_utf8_is_refused_before_its_rest_comes() {
    let header_of_five = Frame::new(TEXT, b"a\xFFxyz").masked();
    let table = [
        ("a first fragment", Frame::new(TEXT, b"a\xFF").unfinished().masked()),
        (
            "a later fragment",
            [Frame::new(TEXT, b"\xE2").unfinished().masked(), Frame::new(CONTINUATION, b"\xE2").unfinished().masked()]
                .concat(),
        ),
        ("the front of a frame", header_of_five[..header_of_five.len() - 2].to_vec()),
    ];
    assert_end(&table, 1007);
}

#[test]
fn bytes_that_utf8_never_has_are_close_1007() {
    let table: [&[u8]; 12] = [
        b"\xFE",
        b"\xFF",
        b"\xC0\xAF",
        b"\xC1\xBF",
        b"\xE0\x80\xAF",
        b"\xF0\x80\x80\xAF",
        b"\xF8\x88\x80\x80\x80",
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xF4\x90\x80\x80",
        b"\x80",
        b"abc\xC3",
    ];
    assert_end(&table.map(|bytes| (format!("{bytes:X?}"), Frame::new(TEXT, bytes).masked())), 1007);
}

#[test]
fn every_character_comes_back_as_it_was() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    for character in [
        '\u{0}',
        '\u{7F}',
        '\u{80}',
        '\u{7FF}',
        '\u{800}',
        '\u{D7FF}',
        '\u{E000}',
        '\u{FFFD}',
        '\u{FFFE}',
        '\u{FFFF}',
        '\u{10000}',
        '\u{10FFFF}',
    ] {
        client.text(&character.to_string());

        assert_eq!(client.line(), character.to_string());
    }
}

#[test]
fn text_in_fragments_of_one_byte_is_whole() {
    let text = "Grüße, 世界, \u{1F600}!";
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(TEXT, "").unfinished());
    for byte in text.as_bytes() {
        client.send(&Frame::new(CONTINUATION, [*byte]).unfinished());
    }
    client.send(&Frame::new(CONTINUATION, ""));

    assert_eq!(client.line(), text);
}

#[test]
fn ten_pings_are_ten_pongs_in_order() {
    let server = Server::command(&[], &["cat"]);
    let pings: Vec<u8> = (0..10).flat_map(|number| Frame::new(PING, [number]).masked()).collect();
    for bytes_at_a_time in [pings.len(), 1] {
        let mut client = server.connect("/");

        for bytes in pings.chunks(bytes_at_a_time) {
            client.raw(bytes);
        }

        for number in 0..10 {
            assert_eq!(client.frame(), Frame::new(PONG, [number]));
        }
    }
}

#[test]
fn a_pong_is_never_answered() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.raw([Frame::new(PONG, "pong").masked(), Frame::new(PING, "ping").masked()].concat());
    client.text("next");

    assert_eq!(client.frame(), Frame::new(PONG, "ping"));
    assert_eq!(client.frame(), Frame::new(TEXT, "next"));
}

#[test]
fn nothing_is_answered_after_a_close() {
    let server = Server::command(&[], &["cat"]);
    for after in [Frame::close(1000, "again"), Frame::new(PING, "there?"), Frame::new(TEXT, "\u{1F600}")] {
        let mut client = server.connect("/");

        client.raw([Frame::close(1000, "").masked(), after.masked()].concat());

        assert_eq!(client.expect_close().code, Some(1000));
        client.expect_end();
    }
}

#[test]
fn an_unfinished_message_before_a_close_is_not_read() {
    let tree = crate::harness::tree::Tree::new();
    let server = Server::command(&[], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");

    client.send(&Frame::new(TEXT, "whole"));
    client.send(&Frame::new(TEXT, "unfinished").unfinished());
    client.close(1000);

    assert_eq!(client.expect_close().code, Some(1000));
    server.expect_log("session ended");
    assert_eq!(tree.read("input"), b"whole\n");
}

#[test]
fn a_reason_may_have_123_bytes() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::close(4000, &"x".repeat(123)));

    assert_eq!(client.expect_close().code, Some(4000));
}

#[test]
fn codes_that_nobody_has_defined_are_close_1002() {
    assert_end(&[1016, 1100, 2000].map(|code| (format!("code {code}"), Frame::close(code, "").masked())), 1002);
}

#[test]
fn a_code_of_a_client_is_echoed() {
    let server = Server::command(&[], &["cat"]);
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999] {
        let mut client = server.connect("/");

        client.close(code);

        assert_eq!(client.expect_close().code, Some(code));
    }
}

#[test]
fn messages_before_a_broken_frame_count_and_later_ones_do_not() {
    let tree = crate::harness::tree::Tree::new();
    let server = Server::command(&[], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");
    let frames = [
        Frame::new(TEXT, "before").masked(),
        Frame::new(TEXT, "broken").with_reserved_bits(4).masked(),
        Frame::new(TEXT, "after").masked(),
        Frame::new(PING, "after").masked(),
    ];

    client.raw(frames.concat());

    assert_eq!(client.expect_close().code, Some(1002));
    client.expect_end();
    server.expect_log("session ended");
    assert_eq!(tree.read("input"), b"before\n");
}

#[test]
fn reserved_bits_are_close_1002_on_any_frame() {
    let table = [
        ("a bit on a close", Frame::close(1000, "").with_reserved_bits(4).masked()),
        ("a bit on a continuation", {
            [Frame::new(TEXT, "x").unfinished().masked(), Frame::new(CONTINUATION, "y").with_reserved_bits(1).masked()]
                .concat()
        }),
        ("all bits", Frame::new(TEXT, "x").with_reserved_bits(7).masked()),
        ("all bits on a pong", Frame::new(PONG, "").with_reserved_bits(7).masked()),
    ];
    assert_end(&table, 1002);
}

#[test]
fn a_message_of_any_length_is_one_message_of_text() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    for length in [0, 1, 125, 126, 127, 128, 65535, 65536] {
        let text = "x".repeat(length);

        client.text(&text);

        assert!(client.message() == Frame::new(TEXT, &text), "{length} bytes");
    }
}

#[test]
fn a_message_of_many_fragments_is_one_line() {
    let server = Server::command(&[], &["cat"]);
    for (length, fragment) in [(64 << 10, 1300), (1 << 20, 64)] {
        let text: String = (0..length).map(|index| char::from(b'a' + u8::try_from(index % 26).unwrap())).collect();
        let mut client = server.connect("/");
        let parts: Vec<_> = text.as_bytes().chunks(fragment).collect();
        let mut bytes = Frame::new(TEXT, parts[0]).unfinished().masked();
        for part in &parts[1..] {
            bytes.extend(Frame::new(CONTINUATION, part).unfinished().masked());
        }
        bytes.extend(Frame::new(CONTINUATION, "").masked());

        client.raw(&bytes);

        assert!(client.line() == text, "{length} bytes in fragments of {fragment}");
    }
}

#[test]
fn output_and_close_survive_a_client_that_talks_after_its_close() {
    let server = Server::command(&[], &["seq", "20000"]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "1");

    client.raw([Frame::close(1000, "").masked(), Frame::new(PING, "after").masked()].concat());
    server.expect_log("session ended");
    // Only now is read on; a reset would have thrown away what has arrived already.
    let mut next = 2;
    let close = loop {
        let frame = client.frame();
        match frame.opcode {
            TEXT => assert_eq!(frame.payload, next.to_string().as_bytes()),
            CLOSE => break crate::harness::websocket::Close::of(&frame.payload),
            _ => panic!("after a Close came {frame:?}"),
        }
        next += 1;
    };
    assert_eq!(close.code, Some(1000));
    client.expect_end();
}
