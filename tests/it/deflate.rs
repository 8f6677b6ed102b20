//! Compressed messages (RFC 7692): who gets them, what they look like on the wire, and what a client cannot do with them.

mod peer;
mod peers;
mod sessions;

use serde_json::Value;

use crate::harness::server::{Server, field, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Close, Frame, PING, PONG, TEXT};
use peer::{Peer, RSV1, packed};

/// The offer of a browser.
const BROWSER: &str = "permessage-deflate; client_max_window_bits";

/// The parameter sets of the Autobahn suite, and what wsd answers behind `client_no_context_takeover`.
const SETS: [(&str, &str); 7] = [
    ("permessage-deflate", ""),
    ("permessage-deflate; client_no_context_takeover; client_max_window_bits", "; client_max_window_bits=12"),
    ("permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
    ("permessage-deflate; server_max_window_bits=9", "; server_max_window_bits=9"),
    ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
    (
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9",
        "; server_no_context_takeover; server_max_window_bits=9",
    ),
    ("permessage-deflate; server_max_window_bits=8, permessage-deflate; mem=1, permessage-deflate", ""),
];

/// The sizes of the Autobahn suite, and their fragments.
const SIZES: [(usize, usize); 15] = [
    (0, 1 << 20),
    (16, 1 << 20),
    (64, 1 << 20),
    (256, 1 << 20),
    (1024, 1 << 20),
    (4096, 1 << 20),
    (8192, 1 << 20),
    (16384, 1 << 20),
    (32768, 1 << 20),
    (65536, 1 << 20),
    (131_072, 1 << 20),
    (8192, 256),
    (131_072, 256),
    (131_072, 1024),
    (131_072, 32768),
];

/// A line of JSON, as a program may report its progress.
fn line(number: usize) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"progress","params":{{"token":"build","progress":{number},"total":1000}}}}"#)
}

/// Bytes that do not shrink.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn no_extension_is_answered_without_the_flag_or_without_an_offer() {
    let plain = Server::command(&[], &["cat"]);
    assert_eq!(Peer::open(&plain, BROWSER).answer, None);

    let server = Server::command(&["--compress"], &["cat"]);
    assert_eq!(Peer::open(&server, "x-webkit-deflate-frame, permessage-deflate; what").answer, None);
    let mut client = server.connect("/");
    client.text(&line(1).repeat(10));
    assert_eq!(client.frame().rsv, 0);
}

#[test]
fn messages_of_every_size_come_back_with_every_set_of_parameters() {
    let server = Server::command(&["--compress", "--framing=length"], &["cat"]);
    let text = (0..2000).map(line).collect::<String>();
    for (offer, answer) in SETS {
        let mut peer = Peer::open(&server, offer);
        assert_eq!(peer.answer, Some(format!("permessage-deflate; client_no_context_takeover{answer}")), "{offer}");
        for round in 0..3 {
            for (size, fragment) in SIZES {
                let message = &text.as_bytes()[round..][..size];
                peer.send(BINARY, message, fragment);
                let (is_packed, _, got) = peer.message();
                assert!(got == message, "{offer}: {size} bytes in fragments of {fragment}");
                assert!(is_packed || size < 300, "{offer}: {size} bytes go plain");
            }
        }
    }
}

#[test]
fn compressed_and_plain_messages_may_alternate_with_pings_between_fragments() {
    let server = Server::command(&["--compress"], &["cat"]);
    let mut peer = Peer::open(&server, BROWSER);
    for round in 0..50 {
        let message = packed(line(round).as_bytes());
        let (front, back) = message.split_at(message.len() / 2);
        peer.client.send(&Frame::new(TEXT, front).unfinished().with_reserved_bits(RSV1));
        peer.client.send(&Frame::new(PING, "between"));
        peer.client.send(&Frame::new(CONTINUATION, "").unfinished());
        peer.client.send(&Frame::new(CONTINUATION, back));
        assert_eq!(peer.client.frame(), Frame::new(PONG, "between"));
        assert_eq!(peer.message().2, line(round).as_bytes());
        peer.client.text(&line(round));
        assert_eq!(peer.message().2, line(round).as_bytes());
    }
}

#[test]
fn the_first_reserved_bit_where_it_may_not_be_is_close_1002() {
    let server = Server::command(&["--compress"], &["cat"]);
    let marked = |frame: Frame| frame.with_reserved_bits(RSV1).masked();
    let start = Frame::new(TEXT, [0xF2, 0x48]).unfinished().with_reserved_bits(RSV1).masked();
    let table = [
        ("without an agreement", "x", marked(Frame::new(TEXT, packed(b"Hello")))),
        ("on a continuation", BROWSER, [start, marked(Frame::new(CONTINUATION, [0xCD]))].concat()),
        (
            "on the end of a plain message",
            BROWSER,
            [Frame::new(TEXT, "a").unfinished().masked(), marked(Frame::new(CONTINUATION, "b"))].concat(),
        ),
        ("on a ping", BROWSER, marked(Frame::new(PING, ""))),
        ("on a close", BROWSER, marked(Frame::close(1000, ""))),
        ("with the second", BROWSER, Frame::new(TEXT, packed(b"Hello")).with_reserved_bits(6).masked()),
    ];
    for (what, offer, bytes) in table {
        let mut peer = Peer::open(&server, offer);
        peer.client.raw(&bytes);
        assert_eq!(peer.client.expect_close(), Close::new(1002, "reserved bit set"), "{what}");
    }
}

#[test]
fn a_message_that_is_garbage_or_no_text_is_close_1007() {
    let server = Server::command(&["--compress"], &["cat"]);
    let garbage = "not compressed by DEFLATE";
    let table = [
        ("a reserved block", vec![0x07, 0x00], garbage),
        ("a distance before the start", vec![0x02, 0x81, 0x00, 0x00], garbage),
        ("no byte", Vec::new(), garbage),
        ("broken off", packed(line(1).as_bytes())[..20].to_vec(), garbage),
        ("not UTF-8", packed(b"\xFFabc"), "text is not UTF-8"),
        ("half a character", packed(b"abc\xC3"), "text is not UTF-8"),
    ];
    for (what, payload, reason) in table {
        let mut peer = Peer::open(&server, BROWSER);
        peer.client.send(&Frame::new(TEXT, payload).with_reserved_bits(RSV1));
        assert_eq!(peer.client.expect_close(), Close::new(1007, reason), "{what}");
    }
}

#[test]
fn the_limit_of_a_message_holds_for_its_inflated_bytes() {
    let server = Server::command(&["--compress", "--maxframesize=1000", "--framing=length"], &["cat"]);
    let mut peer = Peer::open(&server, BROWSER);
    // It takes more bytes than the limit, as it does not shrink.
    for message in [vec![b'a'; 1000], noise(1000)] {
        peer.send(BINARY, &message, 1 << 20);
        assert_eq!(peer.message().2, message);
    }

    peer.send(BINARY, &[b'a'; 1001], 1 << 20);

    assert_eq!(peer.client.expect_close(), Close::new(1009, "message too big"));
}

#[test]
fn messages_that_would_not_shrink_or_are_short_go_plain() {
    let server = Server::command(&["--compress=100", "--framing=length"], &["cat"]);
    let mut peer = Peer::open(&server, BROWSER);
    let random = noise(100_000);
    for _ in 0..5 {
        for (message, is_packed) in [(&[b'a'; 99][..], false), (&[b'a'; 100], true), (&random, false)] {
            peer.client.binary(message);
            let (was_packed, _, got) = peer.message();
            assert!(got == message && was_packed == is_packed, "{} bytes", message.len());
        }
        // The message that did not shrink lets the next one go plain.
        peer.client.binary(&random);
        peer.message();
        peer.client.binary(line(1).repeat(2).as_bytes());
        assert!(!peer.message().0);
    }
}

#[test]
fn lines_shrink_by_those_before_them() {
    let server = Server::shell(&["--compress"], "cat", &[]);
    let mut peer = Peer::open(&server, BROWSER);
    let (mut whole, mut on_the_wire) = (0, 0);
    for number in 0..200 {
        peer.client.text(&line(number));
        let frame = peer.client.message();
        (whole, on_the_wire) = (whole + line(number).len(), on_the_wire + frame.payload.len());
        assert_eq!(frame.rsv, RSV1, "{number}");
    }
    assert!(on_the_wire * 4 < whole, "{on_the_wire} of {whole}");

    peer.client.close(1000);
    let end = server.expect_log("session ended").text;
    let told = |key| field(&end, key).unwrap().parse::<usize>().unwrap();
    assert_eq!(
        (told("in_bytes"), told("packed_in"), told("out_bytes"), told("packed_out")),
        (whole, whole, whole, on_the_wire)
    );
}

#[test]
fn the_log_tells_no_bytes_of_a_session_without_compression() {
    let server = Server::command(&["--compress"], &["cat"]);
    server.connect("/").close(1000);
    assert_eq!(field(&server.expect_log("session ended").text, "packed_in"), None);
}

#[test]
fn a_message_in_fragments_is_compressed_as_one() {
    let server =
        Server::shell(&["--compress"], "head -c 500000 /dev/zero | tr '\\0' a; echo; echo $(seq 1000); cat", &[]);
    let mut peer = Peer::open(&server, BROWSER);
    assert_eq!(peer.text(true), "a".repeat(500_000));
    let numbers: Vec<_> = (1..=1000).map(|number| number.to_string()).collect();
    assert_eq!(peer.text(true), numbers.join(" "));
}

#[test]
fn no_message_is_compressed_beyond_the_memory_of_compressors() {
    let server = Server::command(&["--compress", "--compress-memory=200k"], &["cat"]);
    let (mut first, mut second) = (Peer::open(&server, BROWSER), Peer::open(&server, BROWSER));
    let text = line(1).repeat(10);
    first.client.text(&text);
    assert_eq!(first.text(true), text);

    second.client.text(&text);

    assert_eq!(second.text(false), text);
}

#[test]
fn a_room_compresses_a_long_message_once_for_all_and_sends_short_ones_plain() {
    let server = Server::command(&["--compress", "--shared"], &["cat"]);
    let (long, short) = ((0..20).map(line).collect::<String>(), line(1));
    let offers = [
        BROWSER,
        "permessage-deflate; server_max_window_bits=12; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=11",
        "x",
    ];
    let mut members = offers.map(|offer| Peer::open(&server, offer));
    for _ in 0..2 {
        members[0].send(TEXT, long.as_bytes(), 1 << 20);
        let [first, second, narrow, plain] = members.each_mut().map(|member| member.client.message());
        assert_eq!((first.rsv, &first), (RSV1, &second), "the frames are the same");
        assert_eq!((narrow.rsv, plain.rsv), (0, 0));
        assert!(narrow.payload == long.as_bytes() && plain.payload == long.as_bytes());
        assert!(first.payload.len() * 4 < long.len(), "{}", first.payload.len());

        members[3].client.text(&short);
        assert_eq!(members.each_mut().map(|member| member.client.line()), [(); 4].map(|()| short.clone()));
    }
}

#[test]
fn a_client_that_returns_over_another_connection_misses_nothing() {
    let server = Server::shell(
        &["--compress", "--resume=60", "--pingms=0"],
        "while read -r line; do echo \"$line $line $line\"; done",
        &[],
    );
    let offer = |returning: &str| format!("Sec-WebSocket-Protocol: wsd.resume.1{returning}\r\n");
    let mut peer = Peer::open_with(&server, BROWSER, &offer(""));
    // The length of a compressed token could be seen.
    let greeting: Value = serde_json::from_str(&peer.text(false)[1..]).unwrap();
    for number in 0..10 {
        peer.client.text(&line(number));
    }
    for number in 0..4 {
        assert_eq!(peer.text(true), vec![line(number); 3].join(" "));
    }
    peer.client.reset();
    server.expect_log("session detached");

    let returning = format!(", wsd.resume.1~{}~4", greeting["session"].as_str().unwrap());
    let mut peer = Peer::open_with(&server, BROWSER, &offer(&returning));
    let greeting: Value = serde_json::from_str(&peer.text(false)[1..]).unwrap();
    assert_eq!(greeting["resumed"], true);
    let mut number = 4;
    while number < 10 {
        let (is_packed, _, message) = peer.message();
        if message[0] != 0 {
            assert!(is_packed, "{number}");
            assert_eq!(String::from_utf8(message).unwrap(), vec![line(number); 3].join(" "));
            number += 1;
        }
    }
}

#[test]
fn a_route_may_compress_by_itself() {
    let tree = Tree::new();
    let route = |path: &str, keys: &str| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{keys}\n");
    let routes = [route("/", "compress = false"), route("/on", ""), route("/long", "compress = \"1k\"")].concat();
    tree.file("wsd.toml", format!("compress = true\n{routes}"));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let answered = |path: &str| {
        let headers = format!("Sec-WebSocket-Extensions: {BROWSER}\r\n");
        let mut connection = server.http();
        connection.send(crate::harness::websocket::upgrade_request(&server.host(), path, &headers));
        connection.response("GET").header("Sec-WebSocket-Extensions").is_some()
    };

    assert_eq!(["/", "/on", "/long"].map(answered), [false, true, true]);
}

#[test]
fn what_waits_for_a_client_is_compressed_in_order() {
    let server = Server::command(&["--compress", "--pingms=0"], &["perl", &program("flood.pl"), "100000000", "1000"]);
    let mut peer = Peer::open(&server, BROWSER);
    for _ in 0..2000 {
        let (is_packed, _, message) = peer.message();
        assert!(is_packed && !message.is_empty());
    }
}
