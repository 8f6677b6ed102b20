//! The truth about servers that cannot start, end early, or write something else.

use super::client::{BOTH, Session, call, called, fault, heads, initialize, modern, start, text, value};
use crate::harness::SLACK;
use crate::harness::process::{group_gone_within, pid};
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

#[test]
fn a_server_that_ends_at_its_start_is_an_error_with_its_status() {
    let server = Server::shell(&["--mcp"], "echo broken >&2; exit 3", &[]);

    let response = server.post("/", BOTH, initialize("2025-11-25"));

    assert_eq!(fault(&response), (502, -32603));
    assert_eq!(value(&response)["error"]["message"], "the server ended: exit 3");
    assert_eq!(value(&response)["id"], 0);
    assert_eq!(response.header("Mcp-Session-Id"), None);
    server.expect_log("worker stderr");
    let modern = server.post("/", &heads("tools/list", ""), modern("5", "tools/list", ""));
    assert_eq!((fault(&modern), &value(&modern)["id"]), ((502, -32603), &5.into()));
    assert_eq!(value(&modern)["error"]["message"], "the server ended: exit 3");
}

#[test]
fn a_server_that_cannot_start_is_an_error_at_once() {
    let tree = Tree::new();
    tree.program("server", "#!/bin/sh\n");
    let server = Server::command(&["--mcp"], &[&tree.path("server")]);
    tree.remove("server");

    let response = server.post("/", BOTH, initialize("2025-11-25"));
    assert_eq!((fault(&response), &value(&response)["id"]), ((500, -32603), &0.into()));
    let shared = server.post("/", &heads("tools/list", ""), modern("5", "tools/list", ""));
    assert_eq!((fault(&shared), &value(&shared)["id"]), ((500, -32603), &5.into()));
    server.expect_nth_log("worker not started", 2);
}

#[test]
fn requests_in_flight_of_a_server_that_ends_learn_its_status() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut held = session.calling("4", "hold", "{}");
    crate::harness::eventually("it is held", || (session.state()["held"] == 1).then_some(()));

    session.call("exit", r#"{"status":7}"#);

    let response = held.response("POST");
    assert_eq!((fault(&response), &value(&response)["id"]), ((502, -32603), &4.into()));
    assert_eq!(value(&response)["error"]["message"], "the server ended: exit 7");
}

#[test]
fn a_server_that_closes_its_input_leaves_no_request_without_an_answer() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    assert_eq!(session.text("deaf", "{}"), "deaf");

    assert_eq!(fault(&session.call("echo", "{}")), (502, -32603));

    assert_eq!(session.text("echo", r#"{"text":"x"}"#), "x", "another process goes on");
}

#[test]
fn lines_that_are_no_messages_go_to_the_log_with_a_hint() {
    let server = start(&[], "legacy", &["banner"]);
    let session = Session::begin(&server);
    assert_eq!(session.text("print", r#"{"text":"debug {\"a\":1}"}"#), "printed");

    server.expect_log(" line=\"Welcome to the server\" why=\"it is not JSON\"");
    server.expect_log("mcp output unclean");
    server.expect_log("line=\"debug");
    let hints = server.log().iter().filter(|line| line.contains("mcp output unclean")).count();
    assert_eq!(hints, 1);
}

#[test]
fn a_line_of_more_than_4_mib_is_skipped_and_one_of_less_is_not() {
    let server = start(&[], "legacy", &["long"]);
    let session = Session::begin(&server);

    server.expect_log("why=\"it has more than 4 MiB\"");
    assert_eq!(session.text("big", r#"{"size":4000000}"#).len(), 4_000_000);
    let body = call("1", "echo", &serde_json::json!({ "text": "y".repeat(1_000_000) }).to_string());
    assert_eq!(text(&value(&session.post(&body))).len(), 1_000_000);
}

#[test]
fn a_request_whose_answer_has_more_than_4_mib_learns_it() {
    let size = r#"{"size":4194304}"#;
    let (legacy, modern) = (start(&[], "legacy", &[]), start(&[], "modern", &[]));
    let session = Session::begin(&legacy);

    for refused in [session.call("big", size), called(&modern, "big", size)] {
        assert_eq!(fault(&refused), (502, -32603));
        assert_eq!(value(&refused)["error"]["message"], "the server's answer has more than 4 MiB");
    }
}

#[test]
fn a_server_that_ignores_the_end_of_its_input_is_ended() {
    for era in ["legacy", "modern"] {
        let server = start(&["--mcp-idle=0.2"], era, &["stubborn"]);
        if era == "legacy" {
            Session::begin(&server);
        } else {
            assert_eq!(called(&server, "echo", r#"{"text":"x"}"#).status, 200);
        }
        let started = server.expect_log("mcp started").text;

        let ended = server.expect_log("mcp ended").text;

        assert!(ended.contains("end=idle status=137"), "{era}: {ended}");
        assert!(group_gone_within(pid(&field(&started, "pid").unwrap()), SLACK), "{era}");
    }
}

#[test]
fn the_children_of_a_wrapper_end_with_it() {
    let script = "sleep 1000 & echo $! >&2; \"$1\" legacy; wait";
    let server = Server::shell(&["--mcp", "--mcp-idle=0.2"], script, &[&crate::harness::server::program("mcp.py")]);
    Session::begin(&server);
    let line = server.expect_log("worker stderr").text;
    let child = pid(&field(&line, "line").unwrap());

    server.expect_log("mcp ended");

    crate::harness::eventually("the child ends", || rustix::process::test_kill_process(child).is_err().then_some(()));
}
