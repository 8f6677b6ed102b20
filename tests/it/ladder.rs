//! No orphans: a worker and all it started are stopped step by step, and reaped.

use std::time::{Duration, Instant};

use crate::harness::process::{gone_within, group_gone_within, is_gone, pid};
use crate::harness::server::Server;
use crate::harness::{DEADLINE, at_latest};

#[test]
fn a_worker_that_leaves_at_the_end_of_its_input_gets_no_signal() {
    let server = Server::shell(&[], "trap 'echo got INT >&2' INT; cat; echo got EOF >&2", &[]);
    let mut client = server.connect("/");

    client.close(1000);

    server.expect_log("session ended");
    let said: Vec<_> = server.log().into_iter().filter(|line| line.contains("worker stderr")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("got EOF"), "{said:?}");
}

#[test]
fn a_worker_goes_down_the_ladder_step_by_step() {
    let table: [(&[&str], [u64; 3]); 2] = [
        (&[], [100, 350, 850]),
        // The extra time of --closems lengthens each of the three steps.
        (&["--closems=300"], [400, 950, 1750]),
    ];
    for (flags, steps) in table {
        let [interrupt, terminate, kill] = steps.map(Duration::from_millis);
        let server = Server::start(flags, "signals.sh");
        let mut client = server.connect("/");
        assert_eq!(client.line(), "ready");

        let start = Instant::now();
        client.close(1000);

        // No step comes before its time. After it, only what a busy machine takes.
        server.expect_log("got EOF");
        assert!(server.expect_log("got INT").at - start >= interrupt, "{flags:?}");
        assert!(server.expect_log("got TERM").at - start >= terminate, "{flags:?}");
        let ended = server.expect_log("session ended").at - start;
        assert!(ended >= kill, "{flags:?}: ended after {ended:?}");
        assert!(ended < at_latest(kill), "{flags:?}: ended after {ended:?}");
        assert!(is_gone(server.expect_worker(1)));
    }
}

#[test]
fn a_worker_that_leaves_on_a_signal_gets_no_further_one() {
    let server = Server::shell(
        &[],
        "trap 'echo got INT >&2; exit' INT; trap 'echo got TERM >&2' TERM; echo ready; while :; do sleep 1; done",
        &[],
    );
    let mut client = server.connect("/");
    client.line();

    client.close(1000);

    server.expect_log("session ended");
    server.expect_log("line=\"got INT\"");
    assert!(!server.log().iter().any(|line| line.contains("line=\"got TERM\"")));
}

#[test]
fn a_worker_that_ignores_sigterm_is_killed() {
    let server = Server::start(&[], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    client.close(1000);

    assert!(gone_within(worker, DEADLINE));
    server.expect_log("session ended");
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_leads_its_own_process_group() {
    let server = Server::command(&[], &["cat"]);
    let _client = server.connect("/");
    let worker = server.expect_worker(1);

    assert_eq!(crate::harness::process::linux::process_group(worker), worker);
}

#[test]
fn signals_reach_the_children_of_a_worker() {
    let server = Server::shell(&[], "trap '' INT; sleep 1000 & echo $!; wait", &[]);
    let mut client = server.connect("/");
    let child = pid(&client.line());

    client.close(1000);

    assert!(gone_within(child, DEADLINE));
}

#[test]
fn a_child_that_outlives_its_worker_is_swept_away() {
    let server = Server::start(&[], "family.sh");
    let mut client = server.connect("/");
    let child = pid(&client.line());

    client.close(1000);

    // The worker leaves at once; the child ignores all but SIGKILL and holds no stream of the session.
    assert!(gone_within(child, DEADLINE));
    assert!(group_gone_within(server.expect_worker(1), DEADLINE));
}

#[test]
fn a_child_left_behind_by_a_program_that_ended_is_swept_away() {
    let server = Server::shell(&[], "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!", &[]);
    let mut client = server.connect("/");
    let child = pid(&client.line());

    assert_eq!(client.expect_close().code, Some(1000));

    assert!(gone_within(child, DEADLINE));
}

#[test]
fn a_child_that_holds_the_output_goes_when_the_client_goes() {
    let server = Server::shell(&[], "sleep 1000 & echo $!", &[]);
    let mut client = server.connect("/");
    let child = pid(&client.line());

    client.close(1000);

    assert!(gone_within(child, DEADLINE));
    assert!(group_gone_within(server.expect_worker(1), DEADLINE));
}

#[test]
fn a_child_that_holds_standard_error_does_not_hold_up_the_end() {
    let server = Server::shell(&[], "trap '' INT TERM; sleep 1000 >/dev/null & echo done", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.rest().1.code, Some(1000));

    assert!(group_gone_within(server.expect_worker(1), DEADLINE));
    server.expect_log("session ended");
}

#[cfg(target_os = "linux")]
#[test]
fn no_worker_stays_unreaped() {
    let server =
        Server::shell(&[], "case $PATH_INFO in /leave) exit;; /kill) kill -KILL $$;; esac; sleep 1000 & cat", &[]);

    for path in ["/leave", "/kill", "/stay"] {
        let mut client = server.connect(path);
        client.close(1000);
        client.drain();
    }
    server.connect("/stay").reset();

    server.expect_nth_log("session ended", 4);
    assert_eq!(crate::harness::process::linux::children(server.pid()), []);
}

#[test]
fn a_worker_whose_client_broke_off_goes_down_the_ladder_too() {
    let server = Server::start(&[], "signals.sh");
    let mut client = server.connect("/");
    client.line();
    let worker = server.expect_worker(1);

    client.reset();

    server.expect_log("got EOF");
    server.expect_log("got INT");
    server.expect_log("got TERM");
    assert!(gone_within(worker, DEADLINE));
}

#[test]
fn a_stopped_worker_is_killed() {
    let server = Server::shell(&[], "echo ready; kill -STOP $$", &[]);
    let mut client = server.connect("/");
    client.line();

    client.close(1000);

    assert!(gone_within(server.expect_worker(1), DEADLINE));
}
