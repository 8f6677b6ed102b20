//! Programs that close or redirect their own output: they live until they exit, and get what clients send.

use serde_json::Value;

use crate::harness::process::{gone_within, is_gone};
use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;
use crate::harness::{DEADLINE, eventually};

#[test]
fn a_program_that_closes_its_output_lives_until_it_exits() {
    // It takes longer than the steps of an end.
    let server = Server::shell(&[], "echo last; exec >&-; sleep 1; read -r line; echo \"got $line\" >&2; exit 3", &[]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "last", "it does not wait for the program's end");

    client.text("hello");

    server.expect_log("line=\"got hello\"");
    assert_eq!(client.expect_close(), Close::new(4003, "exit 3"));
}

#[test]
fn a_last_line_without_a_newline_is_sent_when_the_output_is_closed() {
    let server = Server::shell(&[], "printf last; exec >&-; read -r _", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.line(), "last");

    client.text("go");
    assert_eq!(client.expect_close().code, Some(1000));
}

#[test]
fn all_that_clients_send_reaches_a_program_without_output() {
    for flags in [&[][..], &["--shared", "--linger=0"], &["--framing=json"]] {
        let read = if flags == ["--framing=json"] { texts } else { lines };
        let tree = Tree::new();
        let server = Server::shell(flags, "exec cat >> \"$1\"", &[&tree.path("sink")]);
        let mut client = server.connect("/");
        let sink =
            || if tree.holds("sink") { read(&String::from_utf8(tree.read("sink")).unwrap()) } else { Vec::new() };

        for line in ["one", "two", "three"] {
            client.text(line);
            // wsd has seen the end of the output by then, or sees it in the next round.
            eventually(line, || sink().contains(&line.to_owned()).then_some(()));
        }
        client.close(1000);

        assert_eq!(sink(), ["one", "two", "three"], "{flags:?}");
        server.expect_log(if flags.is_empty() { "session ended" } else { "room ended" });
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The texts of the messages in lines of JSON.
fn texts(json: &str) -> Vec<String> {
    let events = json.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["event"] == "message").map(|event| event["text"].as_str().unwrap().into()).collect()
}

#[test]
fn a_room_goes_on_when_its_program_has_closed_its_output() {
    let server = Server::shell(&["--shared"], "echo last; exec >&-; read -r line; exit 3", &[]);
    let mut one = server.connect("/");
    assert_eq!(one.line(), "last");
    let mut two = server.connect("/");

    two.text("end");

    for client in [&mut one, &mut two] {
        assert_eq!(client.expect_close(), Close::new(4003, "exit 3"));
    }
}

#[test]
fn the_client_of_a_program_without_output_is_noticed_when_it_leaves() {
    for flags in [&[][..], &["--shared", "--linger=0"]] {
        let server = Server::shell(flags, "echo $$; exec >&-; exec sleep 1000", &[]);
        let mut client = server.connect("/");
        let worker = crate::harness::process::pid(&client.line());

        client.reset();

        assert!(gone_within(worker, DEADLINE), "{flags:?}");
        server.expect_log("session ended");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_without_output_goes_on_in_its_group() {
    let script = "exec 3<&0 >&-; (read -r line; echo \"got $line\" >&2) <&3 & sleep 0.5; exit 3";
    let server = Server::shell(&[], script, &[]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);
    let stat = format!("/proc/{worker}/stat");
    eventually("the first process ends", || std::fs::read_to_string(&stat).unwrap().contains(") Z ").then_some(()));

    client.text("hello");

    server.expect_log("line=\"got hello\"");
    assert_eq!(client.expect_close(), Close::new(4003, "exit 3"));
    assert!(gone_within(worker, DEADLINE));
    assert!(is_gone(worker));
}
