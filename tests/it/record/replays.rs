//! Replays: the program that was recorded is identical, a changed one is found.

use std::fs;

use super::kit::{PATIENT, assert_different, assert_identical, flag, recording, replay, steps};
use crate::harness::server::Server;
use crate::harness::skip::has;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Client, Frame, TEXT};

/// A program that keeps the bytes of its input in the file `$1`, and gives them back.
const KEEP: &str = "exec tee \"$1\"";

/// A program that keeps the bytes of its input in the file `$1`, and says nothing.
const KEEP_SILENTLY: &str = "exec cat >\"$1\"";

/// Records a session of the calculator with these two results.
fn calculation(tree: &Tree) -> (Server, String) {
    let server = Server::command(&[&*flag(tree)], &["./examples/calculator.sh"]);
    let mut client = server.connect("/");
    for (text, result) in [("6*7", "42"), ("x=2^64", ""), ("x-1", "18446744073709551615"), ("1+1", "2")] {
        client.text(text);
        if !result.is_empty() {
            assert_eq!(client.line(), result);
        }
    }
    client.close(1000);
    let file = recording(&server, 1);
    (server, file)
}

#[test]
fn a_counter_is_identical_whether_it_ended_or_its_client_left() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree)], &["./examples/counter.sh"]);
    let mut client = server.connect("/");
    assert_eq!([client.line(), client.line()], ["1", "2"]);
    client.close(1000);
    assert_identical(&[], &recording(&server, 1), &["./examples/counter.sh"]);

    let server = Server::command(&[&*flag(&tree)], &["seq", "1000"]);
    server.connect("/").rest();
    assert_identical(&[], &recording(&server, 1), &["seq", "1000"]);
}

#[test]
fn a_calculator_is_identical_and_a_changed_one_is_found_at_the_right_message() {
    if !has("bc") {
        return;
    }
    let tree = Tree::new();
    let (_server, file) = calculation(&tree);
    assert_identical(&[], &file, &["./examples/calculator.sh"]);

    let changed = "./examples/calculator.sh | sed -u s/^18/19/";
    let outcome = replay(&[], &file, &["sh", "-c", changed]);

    let words = [
        "different at message 5 (line 6 of ",
        "\n      4 in  text   x-1\n",
        "\n-     5 out text   18446744073709551615\n",
        "\n+     5 out text   19446744073709551615\n",
        "\n      6 in  text   1+1\n",
    ];
    assert_different(&outcome, &words);
}

#[test]
fn a_chat_is_identical_except_for_times_and_random_names() {
    if !has("python3") {
        return;
    }
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree), "--shared", "--framing=json", "--linger=0"], &["./examples/chat.py"]);
    // Its own join comes to all, the welcome to a client alone.
    let heard = |client: &mut Client, count: usize| (0..count).for_each(|_| drop(client.line()));
    let mut ada = server.connect("/chat?nick=Ada");
    heard(&mut ada, 2);
    let mut bob = server.connect("/chat?nick=Bob");
    heard(&mut ada, 1);
    heard(&mut bob, 2);
    for text in ["hello", "/me waves", "/nick Grace"] {
        ada.text(text);
        heard(&mut ada, 1);
        heard(&mut bob, 1);
    }
    bob.close(1000);
    heard(&mut ada, 1);
    ada.close(1000);
    let file = recording(&server, 1);

    assert_identical(&["--ignore=time,id"], &file, &["./examples/chat.py"]);

    let changed = "sed 's/\"action\", who/\"deed\", who/' ./examples/chat.py >\"$1\"; exec python3 \"$1\"";
    let outcome = replay(&["--ignore=time,id"], &file, &["sh", "-c", changed, "sh", &tree.path("changed.py")]);
    assert_different(&outcome, &["different at message ", "\\\"deed\\\"", "\\\"action\\\""]);
    // A time in seconds may be that of the recording, a random name is not.
    assert_different(&replay(&["--ignore=time"], &file, &["./examples/chat.py"]), &["different at message "]);
}

#[test]
fn the_program_gets_the_same_bytes_whatever_the_framing() {
    let text = |text: &str| Frame::new(TEXT, text);
    let texts = vec![text("a"), text(""), text("b\n\n"), text("c\r\n"), text("d\ne")];
    let json = vec![text("{\"a\": 1}"), text("{\n  \"a\": 2\n}")];
    let lsp = vec![text("{\"jsonrpc\":\"2.0\",\"id\":1}"), text("{\"jsonrpc\":\"2.0\",\"id\":2}")];
    let bytes = vec![Frame::new(BINARY, b"\x00\n\xFF"), Frame::new(BINARY, b""), text("end")];
    let table = [
        (&["--framing=lines"][..], &texts),
        (&["--framing=nul"], &texts),
        (&["--framing=length"], &bytes),
        (&["--framing=chunks"], &bytes),
        (&["--framing=jsonrpc"], &json),
        (&["--acp"], &json),
        (&["--framing=lsp"], &lsp),
        (&["--framing=json"], &texts),
        (&["--passstderr"], &texts),
        (&["--unbuffer"], &texts),
        (&["--shared", "--linger=0"], &texts),
        (&["--shared", "--linger=0", "--framing=nul"], &texts),
        (&["--shared", "--linger=0", "--framing=length"], &bytes),
    ];
    for (flags, messages) in table {
        // It would give back the `open` event, of which a recording has no values of headers.
        let program = if flags.contains(&"--framing=json") { KEEP_SILENTLY } else { KEEP };
        let tree = Tree::new();
        let (kept, again) = (tree.path("kept"), tree.path("again"));
        let server = Server::shell(&[&[&*flag(&tree), PATIENT], flags].concat(), program, &[&kept]);
        let mut client = server.connect("/");
        for message in messages {
            client.send(message);
        }
        client.close(1000);
        let file = recording(&server, 1);
        let kept = fs::read(&kept).unwrap();
        assert!(!kept.is_empty(), "{flags:?}");

        assert_identical(&[], &file, &["sh", "-c", program, "sh", &again]);

        let again = fs::read(&again).unwrap();
        // An `open` event has lost the values of headers.
        let skipped = usize::from(flags.contains(&"--framing=json"));
        let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').skip(skipped).map(<[u8]>::to_vec).collect();
        let (kept, again): (Vec<_>, Vec<_>) = (lines(&kept), lines(&again));
        assert_eq!(kept, again, "{flags:?}");
    }
}

#[test]
fn a_post_is_replayed_with_the_end_of_its_body() {
    const PROGRAM: &str = "sort; exit 3";
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree), "--http", "--framing=nul"], PROGRAM, &[]);

    assert_eq!(server.post("/", "", "b\na\n").text(), "a\nb\n");

    let file = recording(&server, 1);
    assert_eq!(steps(&file), ["in binary YgphCg==", "eof", "out binary YQpiCg==", "end program 3"]);
    for speed in ["--speed=full", "--speed=recorded"] {
        assert_identical(&[speed], &file, &["sh", "-c", PROGRAM]);
    }
    assert_different(
        &replay(&[], &file, &["cat"]),
        &["different at message 3 ", "    2 eof\n", "+     3 out binary b"],
    );
    assert_different(&replay(&[], &file, &["sort"]), &["the exit status is 0, in the recording 3"]);
}

#[test]
fn the_two_streams_of_a_program_may_come_in_any_order() {
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree), "--passstderr"], "echo a; echo b >&2", &[]);
    server.connect("/").rest();
    let file = recording(&server, 1);

    for script in ["echo a; echo b >&2", "echo b >&2; sleep 0.1; echo a", "echo a; sleep 0.1; echo b >&2"] {
        assert_identical(&[], &file, &["sh", "-c", script]);
    }
    assert_different(&replay(&[], &file, &["sh", "-c", "echo a >&2; echo b"]), &["different at message "]);
}

#[test]
fn a_long_message_may_come_before_a_short_one_of_the_other_stream() {
    let tree = Tree::new();
    let long = "head -c 3000000 /dev/zero | tr '\\0' x; echo";
    let script = |first: &str, second: &str| format!("{first}; sleep 0.1; {second}");
    let server = Server::shell(&[&*flag(&tree), "--passstderr"], &script("echo b >&2", long), &[]);
    server.connect("/").rest();
    let file = recording(&server, 1);

    assert_identical(&[], &file, &["sh", "-c", &script(long, "echo b >&2")]);
}

#[test]
fn messages_missing_and_more_than_there_were_are_found() {
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree)], "echo a; echo b; exit 3", &[]);
    server.connect("/").rest();
    let file = recording(&server, 1);
    let script = |script: &str| replay(&["--timeout=0.5"], &file, &["sh", "-c", script]);

    assert_different(&script("echo a; exit 3"), &["the program ended with status 3 before message 2 (line 3 of "]);
    assert_different(&script("echo a; echo b; echo c; exit 3"), &["a message more", "+     3 out text   c"]);
    assert_different(&script("echo a; echo b; exit 4"), &["the exit status is 4, in the recording 3"]);
    assert_different(&script("echo a; exec sleep 100"), &["the program did not send message 2 (line 3 of "]);
    assert_different(&script("echo a; echo b; exec sleep 100"), &["the program did not end within "]);
    assert_identical(&[], &file, &["sh", "-c", "echo a; echo b; exit 3"]);
}

#[test]
fn output_beyond_that_of_a_client_that_left_does_not_count() {
    let tree = Tree::new();
    let server = Server::command(&[&*flag(&tree)], &["yes"]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "y");
    drop(client);
    let file = recording(&server, 1);

    assert_identical(&[], &file, &["yes"]);
}

#[test]
fn the_type_of_a_message_counts_and_a_terminal_is_not_controlled() {
    let tree = Tree::new();
    let server = Server::shell(&[&*flag(&tree), "--framing=length"], "head -c 6; cat >/dev/null", &[]);
    let mut client = server.connect("/");
    client.binary(b"\x1B]");
    assert_eq!(client.message().payload, b"\x1B]");
    client.close(1000);
    let file = recording(&server, 1);

    let other = replay(&[], &file, &["sh", "-c", "head -c 4; printf '\\033['; cat >/dev/null"]);

    assert_different(&other, &[r"- ", r"\u{1b}]", r"\u{1b}["]);
    assert!(!other.stdout.contains('\x1B'), "{other:?}");
}
