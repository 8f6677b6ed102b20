//! The processes that a program has started end with its session, wherever they have gone.
#![cfg(target_os = "linux")]

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::process::linux::children;
use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::{DEADLINE, eventually};

/// Starts a process in a session of its own that is no child of the program, and says its id.
const DETACHED: &str = "sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; cat";

#[test]
fn a_process_that_has_left_the_group_of_its_program_ends_with_the_session() {
    let table = [
        "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; cat",
        "setsid sleep 1000 & echo $!; cat",
        "timeout 1000 sh -c 'echo $$; exec sleep 1000' & cat",
        "timeout 1000 sh -c 'echo $$; exec sleep 1000'",
        DETACHED,
        // A child without the variable is a descendant, too.
        "env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; cat",
        "env -i setsid sh -c 'sleep 1000 & echo $!; wait' </dev/null & cat",
    ];
    for flags in [&[][..], &["--shared", "--linger=0"]] {
        for script in table {
            let server = Server::shell(flags, script, &[]);
            let mut client = server.connect("/");
            let process = pid(&client.line());

            client.close(1000);

            assert!(gone_within(process, DEADLINE), "{flags:?} {script}");
            server.expect_log("session ended");
            eventually("all are reaped", || children(server.pid()).is_empty().then_some(()));
        }
    }
}

#[test]
fn a_program_that_exits_leaves_nothing_behind() {
    let server = Server::shell(&[], "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!", &[]);
    let mut client = server.connect("/");
    let process = pid(&client.line());

    assert_eq!(client.expect_close().code, Some(1000));

    server.expect_log("session ended");
    assert!(is_gone(process));
    assert_eq!(children(server.pid()), [], "all are reaped");
}

#[test]
fn a_process_that_has_left_the_group_goes_down_the_ladder_too() {
    // A shell starts it without SIGINT.
    let child = "$SIG{$_} = do { my $name = $_; sub { print STDERR qq(got $name\\n) } } for qw(INT TERM); \
        $| = 1; print qq($$\\n); sleep 1 while 1";
    let script = "setsid perl -e \"$1\" & trap '' INT TERM; while :; do sleep 1; done";
    let server = Server::shell(&[], script, &[child]);
    let mut client = server.connect("/");
    let process = pid(&client.line());

    client.close(1000);

    server.expect_log("line=\"got INT\"");
    server.expect_log("line=\"got TERM\"");
    assert!(gone_within(process, DEADLINE));
}

#[test]
fn the_end_of_a_session_leaves_the_processes_of_another_alone() {
    let server = Server::shell(&[], DETACHED, &[]);
    let (mut one, mut two) = (server.connect("/"), server.connect("/"));
    let [first, second] = [&mut one, &mut two].map(|client| pid(&client.line()));

    one.close(1000);
    server.expect_log("session ended");

    assert!(is_gone(first));
    assert!(!is_gone(second));
    two.text("served");
    assert_eq!(two.line(), "served");
}

#[test]
fn processes_that_a_script_has_started_end_with_its_request() {
    let tree = Tree::new();
    let script =
        "#!/bin/sh\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\nprintf 'Content-Type: a/b\\n\\n'; echo $!\n";
    tree.program("cgi/script", script);
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);

    let process = pid(&server.get("/script", "").text());

    assert!(gone_within(process, DEADLINE));
    eventually("all are reaped", || children(server.pid()).is_empty().then_some(()));
}

#[test]
fn a_process_without_unique_id_and_parent_outlives_its_session() {
    let advice = "env -u UNIQUE_ID setsid --fork COMMAND </dev/null >/dev/null 2>&1";
    assert!(documentation().contains(advice), "the documentation says how");
    let tree = Tree::new();
    // The program goes on once `setsid` has ended, and so has the parent.
    let program = "sh -c 'echo $$ > \"$1\"; exec sleep 1000' sh \"$1\"";
    let script = advice.replace("COMMAND", program) + "; echo ready; cat";
    let mut server = Server::shell(&[], &script, &[&tree.path("id")]);
    let mut client = server.connect("/");
    assert_eq!(client.line(), "ready");
    let process = eventually("it runs", || tree.holds("id").then(|| tree.read("id")).filter(|id| id.ends_with(b"\n")));
    let process = pid(str::from_utf8(&process).unwrap());

    client.close(1000);
    server.expect_log("session ended");
    assert!(!is_gone(process), "it outlives the session");
    server.stop();

    assert!(!is_gone(process), "it outlives wsd");
    kill_process(process, Signal::KILL).unwrap();
}

/// Runs wsd as process 1 of a namespace that `unshare` makes with these flags, and checks that it reaps all.
fn reaps_all(flags: &[&str]) {
    if !has("unshare") {
        return;
    }
    if !Command::new("unshare").args(flags).arg("true").output().unwrap().status.success() {
        return skip("unshare --pid");
    }
    let mut command = Command::new("unshare");
    command.args(flags).arg(wsd(&[]).get_program()).args(["--port=0", "--threads=2"]);
    // A process that ends by itself while the session runs, one that ends after it, and one that has to be ended.
    command.args(["sh", "-c", "(sleep 0.01 &); (sleep 0.1 &); sleep 1000 & read -r line; echo $line"]);
    let mut server = Server::spawn(command);
    let first = first_child(server.pid());

    for _ in 0..5 {
        let mut client = server.connect("/");
        client.text("end");
        assert_eq!(client.line(), "end");
    }

    server.expect_events("session ended", 5);
    eventually("none is left, not even as a zombie", || children(first).is_empty().then_some(()));
    kill_process(first, Signal::TERM).unwrap();
    server.wait();
}

#[test]
fn as_process_1_the_server_reaps_all() {
    reaps_all(&["--pid", "--fork", "--mount-proc"]);
}

#[test]
fn as_process_1_the_server_reaps_all_without_a_view_of_its_processes() {
    reaps_all(&["--pid", "--fork"]);
}

/// README and the pages of docs/.
fn documentation() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path());
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.chain([root.join("README.md")]).map(|page| std::fs::read_to_string(page).unwrap()).collect()
}

fn first_child(parent: Pid) -> Pid {
    eventually("a child", || children(parent).first().copied())
}
