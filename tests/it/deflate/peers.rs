//! Other people's clients and servers: they and wsd understand each other's compressed messages, with every set of parameters.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::line;
use crate::harness::caller::Caller;
use crate::harness::pages::{root, text};
use crate::harness::server::{Server, field, run_to_end};
use crate::harness::skip::{has, skip};

/// The parameters for the library ws, for either side.
const OF_WS: [&str; 6] = [
    "true",
    r#"{"threshold":0}"#,
    r#"{"threshold":0,"serverNoContextTakeover":true}"#,
    r#"{"threshold":0,"clientNoContextTakeover":true,"serverNoContextTakeover":true}"#,
    r#"{"threshold":0,"serverMaxWindowBits":9,"clientMaxWindowBits":9}"#,
    r#"{"threshold":0,"serverMaxWindowBits":12,"clientMaxWindowBits":15}"#,
];

/// The parameters for the library websockets, for either side.
const OF_WEBSOCKETS: [&str; 6] = [
    "{}",
    r#"{"server_no_context_takeover":true}"#,
    r#"{"client_no_context_takeover":true}"#,
    r#"{"server_no_context_takeover":true,"client_no_context_takeover":true,"server_max_window_bits":15}"#,
    r#"{"server_max_window_bits":9,"client_max_window_bits":9}"#,
    r#"{"server_max_window_bits":12,"client_max_window_bits":12}"#,
];

/// The command of a script in `tests/peers`; where its library is not installed, skips the test and returns `None`.
fn peer(library: &str, words: &[&str]) -> Option<Command> {
    let folder = root().join("target/tools/peers");
    let installed = if library == "ws" { "installed-from-npm" } else { "installed-python" };
    if !folder.join(installed).exists() {
        skip("the packages of .ci/peers");
        return None;
    }
    let mut command = if library == "ws" {
        let mut node = Command::new("node");
        node.args(["--input-type=module", "--eval", &text("tests/peers/deflate.mjs"), "--"]);
        has("node").then_some(node)?
    } else {
        let mut python = Command::new(folder.join("python/bin/python"));
        python.arg(root().join("tests/peers/deflate.py"));
        python
    };
    command.args(words).current_dir(folder);
    Some(command)
}

fn assert_a_client_and_wsd_agree(library: &str, sets: &[&str]) {
    let server = Server::command(&["--compress=1", "--framing=nul"], &["cat"]);
    for (nth, set) in sets.iter().enumerate() {
        let Some(command) = peer(library, &["client", &format!("ws://{}/", server.address), set]) else { return };
        let outcome = run_to_end(command);
        assert_eq!(outcome.status, Some(0), "{set}: {outcome:?}");
        let told: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!((&told["code"], &told["count"]), (&1000.into(), &told["of"]), "{set}: {told}");
        let end = server.expect_nth_log("session ended", nth + 1).text;
        let bytes = |key| field(&end, key).expect("it is compressed").parse::<u64>().unwrap();
        assert!(bytes("packed_in") < bytes("in_bytes") && bytes("packed_out") < bytes("out_bytes"), "{set}: {end}");
    }
}

fn assert_a_server_and_the_client_agree(library: &str, sets: &[&str]) {
    for set in sets {
        let Some(mut command) = peer(library, &["server", set]) else { return };
        let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let lines: String = (0..200).map(|number| line(number) + "\nshort\n").collect();
        let lines = lines + &line(1).repeat(3000) + "\n";

        let outcome =
            Caller::start(&["--compress", &format!("ws://127.0.0.1:{}/", ready["port"])]).finish(lines.as_bytes());

        assert!(outcome.status == Some(0) && outcome.stdout == lines, "{set}: {:?} {}", outcome.status, outcome.stderr);
        assert!(server.wait().unwrap().success(), "{set}");
    }
}

#[test]
fn the_client_of_ws_understands_wsd() {
    assert_a_client_and_wsd_agree("ws", &OF_WS);
}

#[test]
fn the_client_of_websockets_understands_wsd() {
    assert_a_client_and_wsd_agree("websockets", &OF_WEBSOCKETS);
}

#[test]
fn the_client_understands_a_server_of_ws() {
    assert_a_server_and_the_client_agree("ws", &OF_WS);
}

#[test]
fn the_client_understands_a_server_of_websockets() {
    assert_a_server_and_the_client_agree("websockets", &OF_WEBSOCKETS);
}

#[test]
fn the_client_and_wsd_compress_both_ways() {
    for flags in [&["--compress"][..], &["--compress", "--resume=60"]] {
        let server = Server::command(flags, &["cat"]);
        let lines: String = (0..500).map(|number| line(number) + "\n").collect();
        let lines = lines + &line(1).repeat(5000) + "\n";
        let url = format!("ws://{}/", server.address);
        let resume = format!("--resume={}", flags.len() > 1);

        let outcome = Caller::start(&["--compress=1", &resume, &url]).finish(lines.as_bytes());

        assert!(outcome.status == Some(0) && outcome.stdout == lines, "{flags:?}: {}", outcome.stderr);
        let end = server.expect_log("session ended").text;
        let bytes = |key| field(&end, key).unwrap().parse::<usize>().unwrap();
        assert!(bytes("packed_in") * 2 < bytes("in_bytes") && bytes("packed_out") * 4 < bytes("out_bytes"), "{end}");
    }
}

#[test]
fn the_client_goes_on_plain_with_a_server_that_does_not_compress() {
    let server = Server::command(&[], &["cat"]);

    let outcome = Caller::start(&["--compress", &format!("ws://{}/", server.address)]).finish(b"one\ntwo\n");

    assert_eq!((outcome.status, &*outcome.stdout), (Some(0), "one\ntwo\n"));
}
