//! Files and folders that the user of wsd may not use: the error says so, and names the user.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::geteuid;

use crate::harness::server::{Outcome, run_to_end, wsd};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;

const NOBODY: u32 = 65534;

/// A folder of files that only root may use, with a wsd that nobody may start; `None` unless root runs the tests.
fn locked() -> Option<Tree> {
    if !geteuid().is_root() {
        skip("root");
        return None;
    }
    let tree = Tree::new();
    tree.program("mine.sh", "#!/bin/sh\n").program("folder/ok.sh", "#!/bin/sh\n").file("key.pem", "a key");
    // Not by this process: a child that another test starts meanwhile could hold the copy open, and it would be busy.
    assert!(Command::new("cp").arg(wsd(&[]).get_program()).arg(tree.path("wsd")).status().unwrap().success());
    for (name, mode) in [("", 0o755), ("wsd", 0o755), ("mine.sh", 0o700), ("folder", 0o700), ("key.pem", 0o600)] {
        set_permissions(tree.path(name), Permissions::from_mode(mode)).unwrap();
    }
    Some(tree)
}

/// Runs wsd in the folder as nobody.
fn run_as_nobody(tree: &Tree, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(tree.path("wsd"));
    command.args(arguments).current_dir(tree.path("")).uid(NOBODY).gid(NOBODY);
    run_to_end(command)
}

#[test]
fn what_this_user_may_not_use_is_told_with_the_user() {
    let Some(tree) = locked() else { return };
    let tls = ["--ssl", "--sslcert=key.pem", "--sslkey=key.pem"];
    let table: [(&[&str], i32, &str); 10] = [
        (&["./mine.sh"], 1, "cannot start COMMAND `./mine.sh`: this user may not execute it"),
        (&["mine.sh"], 1, "cannot find COMMAND `mine.sh`"),
        (&["./folder/ok.sh"], 1, "cannot start COMMAND `./folder/ok.sh`: Permission denied"),
        (&["--dir=folder"], 1, "cannot open the folder `folder` of --dir: Permission denied"),
        (&["--cgidir=folder"], 1, "cannot open the folder `folder` of --cgidir: Permission denied"),
        (&["--staticdir=folder", "cat"], 1, "cannot open the folder `folder` of --staticdir: Permission denied"),
        (&[tls[0], tls[1], tls[2], "cat"], 3, "cannot read `key.pem` of --sslcert: Permission denied"),
        (&["--config=key.pem"], 1, "cannot read `key.pem` of --config: Permission denied"),
        (&["--unixsocket=folder/socket", "cat"], 3, "cannot listen on `folder/socket`: Permission denied"),
        (&["--metrics=unix:folder/socket", "cat"], 3, "cannot listen on `folder/socket`: Permission denied"),
    ];
    for (arguments, status, message) in table {
        let outcome = run_as_nobody(&tree, &[&["--port=0"], arguments].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("wsd: {message}")), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains("wsd runs as uid 65534"), "{arguments:?}: {outcome:?}");
        assert!(!outcome.stderr.contains("chmod"), "{arguments:?}: {outcome:?}");
    }
}
