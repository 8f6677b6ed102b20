//! The program of `wsd connect`, and all that it has started.
#![cfg(target_os = "linux")]

use rustix::process::{Signal, kill_process};

use crate::harness::caller::Caller;
use crate::harness::process::{gone_within, pid};
use crate::harness::server::{Server, wsd};
use crate::harness::{DEADLINE, eventually};

/// Ways of a program to start a process that says its id on standard error, and outlives the program.
const LEAVES: [&str; 4] = [
    "sleep 1000 & echo $! >&2",
    "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >&2",
    "sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >&2'",
    "timeout 1000 sleep 1000 & echo $! >&2",
];

fn url(server: &Server) -> String {
    format!("ws://{}/", server.address)
}

#[test]
fn a_program_that_exits_leaves_nothing_behind() {
    let server = Server::command(&[], &["cat"]);
    for leave in LEAVES {
        let outcome = Caller::start(&[&url(&server), "sh", "-c", &format!("{leave}\necho hi")]).finish(b"");

        assert_eq!(outcome.status, Some(0), "{leave}: {outcome:?}");
        assert!(gone_within(pid(outcome.stderr.trim_end()), DEADLINE), "{leave}");
    }
}

#[test]
fn a_program_that_the_server_ends_leaves_nothing_behind() {
    let server = Server::shell(&[], "read x; exit 7", &[]);
    let foreign = "env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >&2";
    for leave in LEAVES.into_iter().chain([foreign]) {
        let script = format!("{leave}\necho hi; cat");
        let outcome = Caller::start(&[&url(&server), "sh", "-c", &script]).finish(b"");

        assert_eq!(outcome.status, Some(7), "{leave}: {outcome:?}");
        assert!(gone_within(pid(outcome.stderr.trim_end()), DEADLINE), "{leave}");
    }
}

#[test]
fn a_second_signal_leaves_nothing_behind_either() {
    let server = Server::command(&[], &["cat"]);
    let script =
        "trap '' INT TERM; setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >&2; while :; do sleep 1; done";
    let mut caller = Caller::start(&[&url(&server), "sh", "-c", script]);
    let process = pid(&caller.errors.wait_for("", 1).unwrap().text);

    kill_process(caller.pid(), Signal::INT).unwrap();
    server.expect_log("session ended");
    kill_process(caller.pid(), Signal::INT).unwrap();

    assert_eq!(eventually("the client ends", || caller.child.try_wait().unwrap()).code(), Some(130));
    assert!(gone_within(process, DEADLINE));
}

#[test]
fn a_program_knows_its_session_by_a_name_and_has_the_rest_of_the_environment() {
    let server = Server::command(&[], &["cat"]);

    let mut command = wsd(&["connect", &url(&server), "sh", "-c", "echo ${#UNIQUE_ID} $ANY >&2"]);
    command.env("ANY", "thing");

    let outcome = Caller::spawn(command).finish(b"");

    assert_eq!(outcome.stderr, "32 thing\n");
}
