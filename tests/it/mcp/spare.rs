//! `--mcp-spare`: a server that waits for the next session.

use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client::{BOTH, Session, fault, initialize, start};
use crate::harness::process::{group_gone_within, pid};
use crate::harness::server::{Server, field, program, run};
use crate::harness::tree::Tree;
use crate::harness::{SLACK, eventually};

/// The process of a session.
fn process(session: &Session) -> Pid {
    pid(&session.state()["pid"].to_string())
}

/// Waits until the `nth` server waits. Returns its process.
fn spare(server: &Server, nth: usize) -> Pid {
    pid(&field(&server.expect_nth_log("mcp spare started", nth).text, "pid").unwrap())
}

/// Waits for the end of a server that waited. Returns why it has ended.
fn end_of_spare(server: &Server) -> String {
    field(&server.expect_log("mcp spare ended").text, "end").unwrap()
}

/// The processes that wait, as the status shows them.
fn shown(server: &Server) -> Value {
    let facts: Value = serde_json::from_slice(&server.get("/.wsd/status", "").body).unwrap();
    facts["routes"][0]["mcp"]["spares"].clone()
}

#[test]
fn the_next_session_takes_the_server_that_waits() {
    let server = start(&["--mcp-spare"], "legacy", &[]);
    let first = Session::begin(&server);
    let waiting = spare(&server, 1);
    assert_ne!(process(&first), waiting);
    assert_eq!(shown(&server).to_string(), format!("[{}]", waiting.as_raw_nonzero()));

    let second = Session::begin(&server);

    assert_eq!(process(&second), waiting);
    assert_eq!(second.text("echo", r#"{"text":"x"}"#), "x");
    let started = server.expect_nth_log("mcp started", 2).text;
    assert_eq!(pid(&field(&started, "pid").unwrap()), waiting, "{started}");
    let next = spare(&server, 2);
    assert_eq!(process(&Session::begin(&server)), next);
}

#[test]
fn no_server_of_a_session_learns_of_its_client() {
    let server = start(&["--mcp-spare"], "legacy", &[]);
    for nth in 1..=2 {
        let response = server.post("/", &format!("{BOTH}X-Tenant: t\r\n"), initialize("2025-06-18"));
        assert_eq!(response.status, 200, "{response}");
        let session = Session::begin(&server);
        for name in ["REMOTE_ADDR", "HTTP_HOST", "HTTP_X_TENANT", "REQUEST_METHOD"] {
            assert_eq!(session.text("env", &format!("{{\"name\":\"{name}\"}}")), "", "session {nth}, {name}");
        }
        assert_ne!(session.text("env", r#"{"name":"UNIQUE_ID"}"#), "");
        spare(&server, nth);
    }
}

#[test]
fn one_session_takes_it_however_many_come_at_once() {
    let server = start(&["--mcp-spare"], "legacy", &[]);
    let _first = Session::begin(&server);
    let waiting = spare(&server, 1);

    let processes: Vec<_> = thread::scope(|scope| {
        let begin = || process(&Session::begin(&server));
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });

    assert_eq!(processes.iter().filter(|process| **process == waiting).count(), 1);
    let mut distinct: Vec<_> = processes.iter().map(|process| process.as_raw_nonzero()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 8, "{processes:?}");
}

#[test]
fn it_ends_after_the_idle_time_and_the_next_session_starts_its_own() {
    let server = start(&["--mcp-spare", "--mcp-idle=0.3"], "legacy", &[]);
    let _first = Session::begin(&server);
    let waiting = spare(&server, 1);

    assert_eq!(end_of_spare(&server), "idle");

    assert!(group_gone_within(waiting, SLACK));
    assert_eq!(shown(&server), Value::Null);
    assert_eq!(Session::begin(&server).text("echo", r#"{"text":"x"}"#), "x");
    assert_ne!(spare(&server, 2), waiting);
}

#[test]
fn one_that_ends_while_it_waits_is_not_started_again_before_the_next_session() {
    let server = start(&["--mcp-spare"], "legacy", &[]);
    let first = Session::begin(&server);
    let waiting = spare(&server, 1);

    kill_process(waiting, Signal::KILL).unwrap();

    assert_eq!(end_of_spare(&server), "exit");
    assert_eq!(first.text("echo", r#"{"text":"x"}"#), "x");
    assert_eq!(server.log().iter().filter(|line| line.contains("mcp spare started")).count(), 1);
    let second = Session::begin(&server);
    assert_ne!(process(&second), waiting);
    assert_eq!(process(&Session::begin(&server)), spare(&server, 2));
}

#[test]
fn what_it_writes_to_standard_error_is_logged_while_it_waits() {
    let script = "echo one moment >&2; exec \"$1\" legacy";
    let server = Server::shell(&["--mcp", "--mcp-spare"], script, &[&program("mcp.py")]);

    let _first = Session::begin(&server);

    server.expect_nth_log("one moment", 2);
}

#[test]
fn it_counts_for_maxforks_and_is_none_if_they_are_in_use() {
    let server = start(&["--mcp-spare", "--maxforks=2"], "legacy", &[]);
    let _first = Session::begin(&server);
    let waiting = spare(&server, 1);

    assert_eq!(process(&Session::begin(&server)), waiting);

    let refused = server.post("/", BOTH, initialize("2025-11-25"));
    assert_eq!(fault(&refused), (429, -32603), "both places are those of sessions: {refused}");
}

#[test]
fn it_gives_way_to_another_program() {
    let server = start(&["--mcp-spare", "--maxforks=2"], "legacy", &[]);
    let _first = Session::begin(&server);
    let waiting = spare(&server, 1);

    let _client = server.connect("/");

    assert_eq!(end_of_spare(&server), "slot");
    assert!(group_gone_within(waiting, SLACK));
}

#[test]
fn the_limit_of_programs_of_a_source_counts_sessions_and_not_the_server_that_waits() {
    let server = start(&["--mcp-spare", "--maxforks-per-client=2"], "legacy", &[]);
    let _first = Session::begin(&server);
    let waiting = spare(&server, 1);

    let second = Session::begin(&server);

    assert_eq!(process(&second), waiting);
    spare(&server, 2);
    let refused = server.post("/", BOTH, initialize("2025-11-25"));
    assert_eq!(fault(&refused), (429, -32603), "the third, though a server waits: {refused}");
    second.delete();
    eventually("its place is free", || (server.post("/", BOTH, initialize("2025-11-25")).status == 200).then_some(()));
}

#[test]
fn a_session_that_goes_on_with_a_new_process_takes_it_too() {
    let server = start(&["--mcp-spare"], "legacy", &[]);
    let session = Session::begin(&server);
    let waiting = spare(&server, 1);
    assert_eq!(session.call("exit", r#"{"status":0}"#).status, 502);

    assert_eq!(process(&session), waiting);
}

#[test]
fn a_reload_ends_it_so_that_the_next_session_has_the_new_program() {
    let tree = Tree::new();
    let settings = |name: &str| {
        let command = format!("[\"env\", \"MCP_NAME={name}\", \"{}\", \"legacy\"]", program("mcp.py"));
        let table = format!("[[route]]\npath = \"/\"\ncommand = {command}\nmcp = true\nmcp-spare = true\n");
        tree.file("wsd.toml", &table);
    };
    settings("old");
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let _first = Session::begin(&server);
    spare(&server, 1);
    for (name, nth) in [("old", 1), ("new", 2)] {
        settings(name);
        server.signal(Signal::HUP);
        server.expect_nth_log("settings loaded", nth);

        let ended = server.expect_nth_log("mcp spare ended", nth).text;

        assert_eq!(field(&ended, "end").as_deref(), Some("reload"), "{name}: {ended}");
        let session = Session::begin(&server);
        assert_eq!(session.text("env", r#"{"name":"MCP_NAME"}"#), name);
        let waiting = spare(&server, nth + 1);
        if name == "new" {
            assert_eq!(process(&Session::begin(&server)), waiting);
        }
    }
}

#[test]
fn it_ends_with_wsd_also_if_it_ignores_the_end_of_its_input_and_signals() {
    for own in [&[][..], &["stubborn"]] {
        let mut server = start(&["--mcp-spare"], "legacy", own);
        let _first = Session::begin(&server);
        let waiting = spare(&server, 1);

        server.signal(Signal::TERM);
        server.wait();

        assert!(group_gone_within(waiting, SLACK), "{own:?}");
        assert_eq!(end_of_spare(&server), "shutdown", "{own:?}");
    }
}

#[test]
fn it_is_for_servers_with_sessions_only() {
    for flags in [&["--check", "--mcp-spare", "cat"][..], &["--check", "--mcp=shared", "--mcp-spare", "cat"]] {
        let outcome = run(flags);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("--mcp-spare"), "{outcome:?}");
    }
    let tree = Tree::new();
    tree.file("servers.json", r#"{"mcpServers":{"a":{"command":"cat"},"b":{"command":"cat"}}}"#);
    let outcome = run(&["--check", "--mcp-config", &tree.path("servers.json"), "--mcp-spare"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}
