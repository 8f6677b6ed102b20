//! `--framing=nul` and `--framing=length`: messages with newlines, and messages of any bytes, keep their borders.

use crate::harness::server::{Server, field};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Close, Frame, TEXT};

/// A program in Perl that answers each message of `--framing=length` with its bytes in reverse.
const REVERSE: &str = r#"$| = 1; binmode STDIN; binmode STDOUT;
    while (read(STDIN, $head, 4) == 4) {
        $length = unpack("N", $head);
        $length == 0 or read(STDIN, $body, $length) == $length or die "cut";
        $body = "" if $length == 0;
        print pack("N", $length), scalar reverse $body;
    }"#;

/// The next message, which must be binary.
fn binary(client: &mut Client) -> Vec<u8> {
    let message = client.message();
    assert_eq!(message.opcode, BINARY, "instead of bytes came {message:?}");
    message.payload
}

#[test]
fn names_with_newlines_come_whole_from_find() {
    let tree = Tree::new();
    tree.file("plain", "").file("two\nlines", "").file("d/ é ", "");
    let server = Server::command(&["--framing=nul"], &["find", &tree.path(""), "-type", "f", "-print0"]);

    let (mut names, close) = server.connect("/").rest();

    names.sort();
    let mut want = ["plain", "two\nlines", "d/ é "].map(|name| tree.path("") + name);
    want.sort();
    assert_eq!((names, close), (want.to_vec(), Close::new(1000, "")));
}

#[test]
fn each_message_is_one_argument_of_xargs() {
    let script = "exec xargs -0 -n 1 printf '<%s>\\0'";
    let server = Server::shell(&["--framing=nul"], script, &[]);
    let mut client = server.connect("/");

    for message in ["a", "two\nlines\r\n", " spaces  ", "'quotes\""] {
        client.text(message);
        assert_eq!(client.line(), format!("<{message}>"));
    }
}

#[test]
fn a_nul_at_the_end_of_a_message_is_the_end_of_it() {
    let server = Server::command(&["--framing=nul"], &["cat"]);
    let mut client = server.connect("/");

    for message in ["a", "b\0", "", "\0", "c\n"] {
        client.text(message);
    }

    assert_eq!([(); 5].map(|()| client.line()), ["a", "b", "", "", "c\n"]);
}

#[test]
fn a_long_message_between_nuls_comes_as_one() {
    let server = Server::command(&["--framing=nul"], &["cat"]);
    let mut client = server.connect("/");
    let long = "é\n".repeat(300_000);

    client.text(&long);
    client.text("next");

    assert_eq!([client.line(), client.line()], [long, "next".to_owned()]);
}

#[test]
fn output_that_ends_without_a_nul_ends_its_last_message() {
    let server = Server::shell(&["--framing=nul"], "printf 'a\\0b\\n'; exit 3", &[]);

    let rest = server.connect("/").rest();

    assert_eq!(rest, (vec!["a".to_owned(), "b\n".to_owned()], Close::new(4003, "exit 3")));
}

#[test]
fn bytes_between_nuls_that_are_no_text_are_replaced_and_logged() {
    let server = Server::shell(&["--framing=nul"], "printf 'a\\377\\0'; read -r _", &[]);

    assert_eq!(server.connect("/").line(), "a\u{fffd}");
    server.expect_log("worker output not UTF-8");
}

#[test]
fn messages_of_any_bytes_keep_their_borders_both_ways() {
    if !has("perl") {
        return skip("perl");
    }
    let server = Server::command(&["--framing=length"], &["perl", "-e", REVERSE]);
    let mut client = server.connect("/");
    let all: Vec<u8> = (0..=255).collect();
    let messages = [&b"a\n\0b\r\n"[..], b"", &all, b"x", &vec![0; 70_000]];

    // Some leave together, some in fragments.
    let frames: Vec<u8> = messages.iter().flat_map(|message| Frame::new(BINARY, message).masked()).collect();
    client.raw(&frames);
    client.send(&Frame::new(TEXT, "é").unfinished());
    client.send(&Frame::new(CONTINUATION, "!"));

    for message in messages {
        assert_eq!(binary(&mut client), message.iter().rev().copied().collect::<Vec<_>>());
    }
    assert_eq!(binary(&mut client), "é!".bytes().rev().collect::<Vec<_>>());
}

#[test]
fn a_message_of_many_mebibytes_comes_back_as_one() {
    let server = Server::command(&["--framing=length", "--maxframesize=16777216"], &["cat"]);
    let mut client = server.connect("/");
    let long: Vec<u8> = (0..16_777_216_u32).map(|count| count.to_le_bytes()[2]).collect();

    client.binary(&long);
    client.binary(b"next");

    assert!(binary(&mut client) == long, "the long message");
    assert_eq!(binary(&mut client), b"next");
}

#[test]
fn a_message_up_to_maxframesize_passes_and_a_longer_one_is_garbled() {
    let script =
        "printf '\\0\\0\\3\\350'; head -c 1000 /dev/zero; printf '\\0\\0\\3\\351'; head -c 1001 /dev/zero; read -r _";
    let server = Server::shell(&["--framing=length", "--maxframesize=1000"], script, &[]);
    let mut client = server.connect("/");

    assert_eq!(binary(&mut client), [0; 1000]);
    assert_eq!(client.expect_close(), Close::new(1011, "message over the limit"));
    assert_eq!(field(&server.expect_log("session ended").text, "end").as_deref(), Some("garbled"));
}

#[test]
fn a_length_that_no_message_has_is_garbled() {
    for flags in [&["--framing=length"][..], &["--framing=length", "--shared"]] {
        let server = Server::shell(flags, "read -r _; printf '\\377\\377\\377\\377abc'; read -r _", &[]);
        let mut client = server.connect("/");

        client.binary(b"\n");

        assert_eq!(client.expect_close(), Close::new(1011, "message over the limit"), "{flags:?}");
    }
}

#[test]
fn output_that_ends_within_a_message_is_garbled_after_the_whole_ones() {
    for cut in ["\\0", "\\0\\0\\0\\5abc", "\\0\\2\\0\\0abc"] {
        let script = format!("printf '\\0\\0\\0\\1a{cut}'");
        let server = Server::shell(&["--framing=length"], &script, &[]);
        let mut client = server.connect("/");

        assert_eq!(binary(&mut client), b"a", "{cut}");
        assert_eq!(client.close_at_last(), Close::new(1011, "output ends within a message"), "{cut}");
        assert_eq!(field(&server.expect_log("session ended").text, "end").as_deref(), Some("garbled"), "{cut}");
    }
}

#[test]
fn clients_of_a_room_share_messages_of_either_framing() {
    for (framing, message) in [("nul", "a\nb"), ("length", "a\n\0b")] {
        let server = Server::command(&["--shared", &format!("--framing={framing}")], &["cat"]);
        let mut clients = [server.connect("/"), server.connect("/")];

        for (speaker, want) in [(0, message), (1, ""), (1, "c")] {
            clients[speaker].text(want);
            for client in &mut clients {
                let got = client.message();
                let opcode = if framing == "nul" { TEXT } else { BINARY };
                assert_eq!((got.opcode, got.payload), (opcode, want.as_bytes().to_vec()), "{framing}");
            }
        }
    }
}

#[test]
fn a_message_of_a_room_over_1_mib_is_garbled_rather_than_several() {
    let script = "read -r _; printf '\\0\\20\\0\\0'; head -c 1048576 /dev/zero; printf '\\0\\20\\0\\1'; sleep 1000";
    let server = Server::shell(&["--shared", "--framing=length", "--maxframesize=0"], script, &[]);
    let mut client = server.connect("/");

    client.binary(b"\n");

    assert_eq!(binary(&mut client).len(), 1 << 20);
    assert_eq!(client.expect_close(), Close::new(1011, "message over the limit"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_of_any_length_streams_through_in_flat_memory() {
    use crate::harness::process::linux::peak_memory;
    const MESSAGE_BYTES: usize = 64 << 20;
    let text = "head -c \"$1\" /dev/zero | tr '\\0' x; printf '\\0next\\0'";
    let bytes = "printf '\\4\\0\\0\\0'; head -c \"$1\" /dev/zero; printf '\\0\\0\\0\\4next'";
    for (framing, script, opcode) in [("nul", text, TEXT), ("length", bytes, BINARY)] {
        let flags = [&*format!("--framing={framing}"), "--maxframesize=0"];
        let server = Server::shell(&flags, script, &[&MESSAGE_BYTES.to_string()]);
        let mut client = server.connect("/");
        let before = peak_memory(server.pid());

        let (mut bytes, mut fragments) = (0, 0);
        loop {
            let frame = client.frame();
            assert_eq!(frame.opcode, if fragments == 0 { opcode } else { CONTINUATION }, "{framing}");
            bytes += frame.payload.len();
            fragments += 1;
            if frame.fin {
                break;
            }
        }

        assert!(bytes == MESSAGE_BYTES && fragments > 1, "{framing}: {bytes} bytes in {fragments}");
        assert_eq!(client.message().payload, b"next", "{framing}");
        let growth_kib = peak_memory(server.pid()) - before;
        assert!(growth_kib < 8 << 10, "{framing}: memory grew by {growth_kib} KiB");
    }
}
