//! Binary mode: bytes as they come, in both directions.

use crate::harness::server::{Server, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Close, Frame, TEXT};

#[test]
fn every_byte_passes_both_ways() {
    let server = Server::command(&["--binary"], &["cat"]);
    let mut client = server.connect("/");
    let bytes: Vec<u8> = (0..=255).collect();

    client.binary(&bytes);

    assert_eq!(client.bytes(256), bytes);
}

#[test]
fn bytes_leave_without_waiting_for_a_line_end() {
    let server = Server::shell(&["--binary"], "printf 'no end'; read -r _", &[]);

    assert_eq!(server.connect("/").bytes(6), b"no end");
}

#[test]
fn a_text_message_is_its_bytes_and_nothing_more() {
    let server = Server::command(&["--binary"], &["cat"]);
    let mut client = server.connect("/");

    client.text("é");
    client.binary(b"|");

    assert_eq!(client.bytes(3), "é|".as_bytes());
}

#[test]
fn the_output_of_a_program_that_ends_at_once_arrives_whole() {
    let server = Server::shell(&["--binary"], "head -c 3000000 /dev/zero; exit 7", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.bytes(3_000_000), vec![0; 3_000_000]);
    assert_eq!(client.expect_close(), Close::new(4007, "exit 7"));
}

#[test]
fn an_empty_message_adds_nothing_to_the_input() {
    let tree = Tree::new();
    let server = Server::command(&["--binary"], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");

    client.binary(b"a");
    client.binary(b"");
    client.binary(b"\n");
    client.close(1000);

    server.expect_log("session ended");
    assert_eq!(tree.read("input"), b"a\n");
}

#[test]
fn megabytes_pass_through_unchanged() {
    let server = Server::command(&["--binary"], &["cat"]);
    let mut client = server.connect("/");
    let bytes: Vec<u8> = (0_u32..1 << 20).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();

    // Four times what the default limit lets one message hold, so that pipes and sockets fill on the way.
    for part in bytes.chunks(1 << 16) {
        client.binary(part);
        assert!(client.bytes(part.len()) == part, "the bytes came back changed");
    }
}

#[test]
fn small_and_large_messages_keep_their_order() {
    let tree = Tree::new();
    let server = Server::command(&["--binary"], &[&program("collect.sh"), &tree.path("input")]);
    let mut client = server.connect("/");
    // More than the pipe holds, so that some wait; on either side of what is copied before it is written.
    let lengths = [1, 20_000, 3, 40_000, 2, 16_383, 16_384, 65_536, 1, 1, 300_000, 7, 65_535, 65_536, 5];
    let mut sent = Vec::new();
    for (index, length) in (0_u8..).zip(lengths) {
        let message = vec![index; length];
        client.binary(&message);
        sent.extend(message);
    }
    client.close(1000);

    server.expect_log("session ended");
    assert!(tree.read("input") == sent, "the input is not what was sent");
}

#[test]
fn messages_are_binary_in_binary_mode_only() {
    for (flags, opcode) in [(&["--binary"][..], BINARY), (&[], TEXT)] {
        let server = Server::command(flags, &["echo", "x"]);

        assert_eq!(server.connect("/").frame().opcode, opcode, "{flags:?}");
    }
}

#[test]
fn a_program_that_sends_nothing_ends_with_1000() {
    let server = Server::command(&["--binary"], &["true"]);

    assert_eq!(server.connect("/").message(), Frame::close(1000, ""));
}
