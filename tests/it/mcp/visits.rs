//! Fifty clients at once, and fifty that come and leave each in its rude way: nothing crosses, and nothing stays.
//!
//! `WSD_MCP_SESSIONS=10000` makes so many short sessions, instead of 300.

use std::env;
use std::thread;

use rustix::process::{Signal, kill_process};
use serde_json::json;

use super::client::{Events, Session, initialize, start};
use crate::harness::caller::Caller;
use crate::harness::lines::Lines;
use crate::harness::process::linux::children;
use crate::harness::process::{group_gone_within, pid};
use crate::harness::server::{Server, field, program};
use crate::harness::{SLACK, eventually};

#[test]
fn fifty_sessions_with_equal_ids_at_once_get_their_own_answers_progress_and_requests() {
    let server = start(&[], "legacy", &[]);
    thread::scope(|scope| {
        for client in 0..50 {
            let server = &server;
            scope.spawn(move || {
                let session = Session::begin(server);
                let own = format!("client {client}");
                assert_eq!(session.text("echo", &json!({ "text": own }).to_string()), own);
                let messages = Events::of(session.calling("1", "progress", r#"{"count":3}"#)).rest();
                let progress = messages.iter().map(|message| &message["params"]["progressToken"]);
                assert_eq!(progress.take(3).collect::<Vec<_>>(), [1, 1, 1]);
                let mut sampling = Events::of(session.calling("1", "sample", "{}"));
                let asked = sampling.message();
                assert_eq!(asked["method"], "sampling/createMessage");
                let content = json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": own } });
                session.post(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": content }).to_string());
                assert!(sampling.message()["result"].to_string().contains(&own), "the client's own text comes back");
            });
        }
    });
}

/// One visit: a client that does its work in a session, and then leaves without DELETE.
fn visit(server: &Server, number: usize) {
    if number % 3 == 2 {
        let mut caller = Caller::start(&["--mcp", &format!("http://{}/", server.address)]);
        let output = Lines::of(caller.output.take().unwrap());
        caller.types(&format!("{}\n", initialize("2025-11-25")));
        output.wait_for("serverInfo", 1).expect("the answer");
        kill_process(caller.pid(), Signal::KILL).unwrap();
        caller.child.wait().unwrap();
        return;
    }
    let session = Session::begin(server);
    let (stream, held) = (session.stream(""), session.calling("4", "hold", "{}"));
    if number % 3 == 1 {
        stream.cut();
        held.reset();
    }
}

/// The descriptors and the memory of a process, in KiB.
fn held(server: &Server) -> (usize, usize) {
    let folder = format!("/proc/{}", server.pid());
    let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let memory = line.trim().trim_end_matches(" kB").parse().unwrap();
    (std::fs::read_dir(format!("{folder}/fd")).unwrap().count(), memory)
}

#[test]
fn fifty_visits_that_end_without_delete_leave_no_process_and_no_descriptor_also_behind_a_launcher() {
    // As npx does, the launcher waits for the server.
    let script = "\"$1\" legacy; exit $?";
    let server = Server::shell(&["--mcp", "--mcp-idle=0.2"], script, &[&program("mcp.py")]);
    let warm = 6;
    for number in 0..warm {
        visit(&server, number);
    }
    server.expect_events("mcp ended", warm as u64);
    let (descriptors, memory) = held(&server);

    for number in 0..50 {
        visit(&server, number);
    }

    server.expect_events("mcp ended", warm as u64 + 50);
    for nth in 1..=warm + 50 {
        let started = server.expect_nth_log("mcp started", nth).text;
        assert!(group_gone_within(pid(&field(&started, "pid").unwrap()), SLACK), "{started}");
    }
    eventually("the descriptors are as before", || (held(&server).0 <= descriptors).then_some(()));
    let now = held(&server).1;
    // The records of fifty sessions, and what the allocator keeps.
    assert!(now < memory + 4096, "{memory} KiB before, {now} KiB after");
}

/// A server that answers `initialize` only, and starts faster than an interpreter.
const QUICK: &str = r#"read -r line
id=${line#*'"id":'}
result='{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"q","version":"1"}}'
echo "{\"jsonrpc\":\"2.0\",\"id\":${id%%,*},\"result\":$result}"
while read -r line; do :; done"#;

/// Begins so many sessions from four clients at a time. Every second one ends with DELETE.
fn begin_and_leave(server: &Server, sessions: usize) {
    thread::scope(|scope| {
        for client in 0..4 {
            scope.spawn(move || {
                for number in (client..sessions).step_by(4) {
                    let session = Session::begin(server);
                    if number % 8 < 4 {
                        assert_eq!(session.delete().status, 200);
                    }
                }
            });
        }
    });
    eventually("no process is left", || children(server.pid()).is_empty().then_some(()));
}

#[test]
fn many_short_sessions_leave_no_process_no_descriptor_and_a_record_at_most() {
    let sessions: usize =
        env::var("WSD_MCP_SESSIONS").map_or(300, |text| text.parse().expect("WSD_MCP_SESSIONS is a number"));
    for more in [&[][..], &["--mcp-spare"]] {
        let server = Server::shell(&[&["--mcp", "--mcp-idle=0.2"], more].concat(), QUICK, &[]);
        begin_and_leave(&server, 100);
        let (descriptors, memory) = held(&server);

        begin_and_leave(&server, sessions);

        eventually("the descriptors are as before", || (held(&server).0 <= descriptors).then_some(()));
        let now = held(&server).1;
        // 6 KiB for the record of each that may come back, most of it its environment, and what the allocator keeps.
        let most = memory + 6 * sessions / 2 + 4096;
        assert!(now < most, "{more:?}: {memory} KiB before, {now} KiB after");
    }
}
