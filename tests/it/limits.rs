//! How large a message of a client may be, both sides of the limit.

use crate::harness::DEADLINE;
use crate::harness::process::gone_within;
use crate::harness::server::Server;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Close, Frame, TEXT, claim};

/// Sends `bytes` as one message of one frame, or of several.
fn send(client: &mut Client, bytes: &[u8], fragment_bytes: usize) {
    let count = bytes.chunks(fragment_bytes).count();
    for (index, part) in bytes.chunks(fragment_bytes).enumerate() {
        let mut frame = Frame::new(if index == 0 { TEXT } else { CONTINUATION }, part);
        frame.fin = index + 1 == count;
        client.send(&frame);
    }
}

#[test]
fn a_message_of_exactly_the_limit_passes() {
    for (flags, limit) in [(&["--maxframesize=10"][..], 10), (&[], 1 << 20), (&["--maxframesize=3000000"], 3_000_000)] {
        for fragment_bytes in [limit, limit / 2, limit / 10] {
            let server = Server::command(flags, &["cat"]);
            let mut client = server.connect("/");
            let message = "x".repeat(limit);

            send(&mut client, message.as_bytes(), fragment_bytes);

            assert!(client.line() == message, "{flags:?} in fragments of {fragment_bytes}");
        }
    }
}

#[test]
fn a_message_of_one_byte_more_is_close_1009() {
    for (flags, limit) in [(&["--maxframesize=10"][..], 10), (&[], 1 << 20)] {
        let server = Server::command(flags, &["cat"]);
        let sizes = [limit + 1, limit, limit / 2, limit / 10];
        // All first, and only then a look at the ends: each client is listened to for a second more.
        let mut clients = sizes.map(|_| server.connect("/"));
        for (fragment_bytes, client) in sizes.iter().zip(&mut clients) {
            send(client, &vec![b'x'; limit + 1], *fragment_bytes);
        }

        for (fragment_bytes, client) in sizes.iter().zip(&mut clients) {
            let close = client.expect_close();
            assert_eq!(close.code, Some(1009), "{flags:?} in fragments of {fragment_bytes}: {close:?}");
            client.expect_end();
            assert!(gone_within(server.expect_worker_of(client), DEADLINE));
        }
    }
}

#[test]
fn the_limit_counts_bytes_not_characters() {
    let server = Server::command(&["--maxframesize=6"], &["cat"]);
    let mut client = server.connect("/");

    client.text("ééé");
    assert_eq!(client.line(), "ééé");
    client.text("éééé");
    assert_eq!(client.expect_close().code, Some(1009));
}

#[test]
fn the_limit_holds_in_binary_mode() {
    let server = Server::command(&["--binary", "--maxframesize=10"], &["cat"]);
    let mut client = server.connect("/");

    client.binary(&[7; 10]);
    assert_eq!(client.bytes(10), [7; 10]);
    client.binary(&[7; 11]);
    assert_eq!(client.expect_close().code, Some(1009));
}

#[test]
fn the_limit_does_not_hold_for_what_a_program_says() {
    let server = Server::shell(&["--maxframesize=10"], "echo 12345678901234567890", &[]);

    assert_eq!(server.connect("/").line(), "12345678901234567890");
}

#[test]
fn messages_before_the_oversized_one_reach_the_program() {
    let server = Server::command(&["--maxframesize=10"], &["cat"]);
    let mut client = server.connect("/");

    client.text("first");
    assert_eq!(client.line(), "first");
    client.text("more than ten bytes");

    assert_eq!(client.expect_close().code, Some(1009));
    assert!(server.expect_log("session ended").text.contains("code=1009"));
}

#[test]
fn no_limit_is_zero() {
    let server = Server::command(&["--maxframesize=0"], &["cat"]);
    let mut client = server.connect("/");
    let message = "x".repeat(5_000_000);

    client.text(&message);

    assert!(client.line() == message);
}

#[test]
fn a_header_that_claims_too_much_is_close_1009_before_the_payload() {
    for length in [(1 << 20) + 1, 1 << 40, 1 << 62, u64::MAX >> 1] {
        let server = Server::command(&[], &["cat"]);
        let mut client = server.connect("/");

        client.raw(claim(BINARY, length));

        assert_eq!(client.expect_close().code, Some(1009), "a claim of {length} bytes");
    }
}

#[test]
fn a_header_whose_length_has_the_highest_bit_set_ends_the_session() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.raw(claim(BINARY, 1 << 63));

    let code = client.expect_close().code;
    assert!(matches!(code, Some(1002 | 1009)), "{code:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_claim_of_any_length_neither_ends_the_server_nor_takes_memory_when_there_is_no_limit() {
    use crate::harness::process::linux::peak_memory;
    let server = Server::command(&["--maxframesize=0"], &["cat"]);
    let before = peak_memory(server.pid());

    for length in [1 << 30, 1 << 40, 1 << 62, u64::MAX >> 1, 1 << 63, u64::MAX] {
        let mut client = server.connect("/");
        client.raw(claim(BINARY, length));
        client.raw([b'x'; 1000]);
        // The answer to another client tells that the server has gone on.
        let mut other = server.connect("/");
        other.text("served");
        assert_eq!(other.line(), "served", "after a claim of {length} bytes");
    }

    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 16 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn the_reason_of_1009_names_the_limit() {
    let server = Server::command(&["--maxframesize=10"], &["cat"]);
    let mut client = server.connect("/");

    client.text("more than ten bytes");

    assert_ne!(client.expect_close(), Close::new(1009, ""));
}
