//! Programs that wsd may not signal: `sudo`, set-user-ID.
#![cfg(target_os = "linux")]

use std::fs::set_permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, geteuid, kill_process};

use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, field, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::{DEADLINE, eventually};

const NOBODY: u32 = 65534;

/// Starts a server as nobody whose program is a line of shell that runs as root, through a set-user-ID program.
fn as_nobody(script: &str) -> Option<(Tree, Server)> {
    if !geteuid().is_root() {
        skip("root");
        return None;
    }
    if !has("setpriv") {
        return None;
    }
    let tree = Tree::new();
    set_permissions(tree.path(""), PermissionsExt::from_mode(0o755)).unwrap();
    let copy = "cp \"$1\" \"$2/wsd\"; cp \"$(command -v setpriv)\" \"$2/as-root\"; chmod 4755 \"$2/as-root\"";
    let copied = Command::new("sh").args(["-c", copy, "sh"]).arg(wsd(&[]).get_program()).arg(tree.path("")).status();
    assert!(copied.unwrap().success());
    let root = ["--reuid=0", "--regid=0", "--clear-groups"];
    let nobody = |program: &str| {
        let mut command = Command::new(program);
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    };
    let user = nobody(&tree.path("as-root")).args(root).args(["id", "-u"]).output().unwrap();
    if user.stdout != b"0\n" {
        skip("a folder for temporary files that honours set-user-ID");
        return None;
    }
    let mut command = nobody(&tree.path("wsd"));
    command.args(["--port=0", "--maxforks=1", &tree.path("as-root")]).args(root).args(["sh", "-c", script]);
    Some((tree, Server::spawn(command)))
}

#[test]
fn a_program_that_may_not_be_killed_gives_its_slot_back_and_the_log_says_why() {
    let Some((_tree, server)) = as_nobody("echo $$; trap '' PIPE; exec sleep 1000") else { return };
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    client.close(1000);

    let line = server.expect_log("worker outlives SIGKILL").text;
    assert_eq!(field(&line, "pid"), Some(worker.to_string()), "{line}");
    assert!(field(&line, "cause").is_some_and(|cause| cause.contains("not permitted")), "{line}");
    assert!(field(&line, "hint").is_some(), "{line}");
    server.expect_log("session ended");
    let again = server.connect("/");
    assert!(!is_gone(worker));
    // What wsd has given up is reaped all the same.
    kill_process(worker, Signal::KILL).unwrap();
    assert!(gone_within(worker, DEADLINE));
    drop(again);
    let second = server.expect_worker(2);
    eventually("it is given up, too", || {
        (server.log().iter().filter(|line| line.contains("outlives")).count() == 2).then_some(())
    });
    kill_process(second, Signal::KILL).unwrap();
}

#[test]
fn a_program_that_may_not_be_killed_loses_its_pipes() {
    let Some((_tree, server)) = as_nobody("echo $$; while sleep 0.01; do echo more; done") else { return };
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    client.close(1000);

    server.expect_log("worker outlives SIGKILL");
    // The next line that it writes ends it.
    assert!(gone_within(worker, DEADLINE));
}
