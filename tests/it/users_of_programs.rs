//! `--user`: programs run as another user, and never come back.
#![cfg(target_os = "linux")]

use std::fs::{Permissions, read_to_string, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::geteuid;

use crate::harness::DEADLINE;
use crate::harness::process::{gone_within, pid};
use crate::harness::server::{Server, run, run_to_end, wsd};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;

const NOBODY: u32 = 65534;

/// A tree that everybody may enter; `None` unless root runs the tests.
fn open_tree() -> Option<Tree> {
    if !geteuid().is_root() {
        skip("root");
        return None;
    }
    let tree = Tree::new();
    set_permissions(tree.path(""), Permissions::from_mode(0o755)).unwrap();
    Some(tree)
}

/// Prints the ids, groups and capabilities of a program in one line.
const RIGHTS: &str = "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb)' /proc/self/status | tr '\\n\\t' '; '";

/// The line of [`RIGHTS`] for nobody with this first group and these groups.
fn rights(group: u32, groups: &str) -> String {
    let ids = |id: u32| format!("{id} {id} {id} {id}");
    let none = "0000000000000000";
    let (user, group) = (ids(NOBODY), ids(group));
    format!("Uid: {user};Gid: {group};Groups: {groups} ;CapPrm: {none};CapEff: {none};CapAmb: {none};")
}

#[test]
fn a_program_is_its_user_with_its_groups_in_every_id_and_has_no_capability() {
    let Some(tree) = open_tree() else { return };
    tree.program("dir/rights", &format!("#!/bin/sh\n{RIGHTS}; echo\n"));
    tree.program("cgi/rights", &format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; {RIGHTS}\n"));
    for name in ["dir", "cgi"] {
        set_permissions(tree.path(name), Permissions::from_mode(0o755)).unwrap();
    }
    let script = format!("{RIGHTS}; echo");
    for flags in [&["--user=nobody"][..], &["--user=nobody", "--shared"], &["--user=65534", "--unbuffer"]] {
        let server = Server::shell(flags, &script, &[]);
        assert_eq!(server.connect("/").line(), rights(NOBODY, "65534"), "{flags:?}");
    }
    let server = Server::shell(&["--user=nobody:daemon"], &script, &[]);
    assert_eq!(server.connect("/").line(), rights(1, "1"));
    let server = Server::serve(&["--user=nobody", "--dir", &tree.path("dir"), "--cgidir", &tree.path("cgi")]);
    assert_eq!(server.connect("/rights").line(), rights(NOBODY, "65534"));
    assert_eq!(server.get("/rights", "").text(), rights(NOBODY, "65534"));
}

#[test]
fn a_program_has_the_variables_of_its_user_unless_env_sets_them() {
    let Some(_tree) = open_tree() else { return };
    let script = "echo \"$HOME|$USER|$LOGNAME|$SHELL\"";
    let passwd = read_to_string("/etc/passwd").unwrap();
    let fields: Vec<_> = passwd.lines().find(|line| line.starts_with("nobody:")).unwrap().split(':').collect();
    let (home, shell) = (fields[5], fields[6]);
    let table: [(&[&str], String); 2] = [
        (&["--user=nobody", "--passenv=PATH,HOME"], format!("{home}|nobody|nobody|{shell}")),
        (&["--user=nobody", "--env=HOME=/tmp"], format!("/tmp|nobody|nobody|{shell}")),
    ];
    for (flags, want) in table {
        let server = Server::shell(flags, script, &[]);
        assert_eq!(server.connect("/").line(), want, "{flags:?}");
    }
}

#[test]
fn a_program_may_open_its_own_streams_again() {
    let Some(_tree) = open_tree() else { return };
    let script = "echo out >/dev/stdout; echo err >/dev/stderr; head -n1 </dev/stdin";
    for flag in ["--closems=0", "--unbuffer"] {
        let server = Server::shell(&["--user=nobody", flag], script, &[]);
        let mut client = server.connect("/");

        assert_eq!(client.line(), "out", "{flag}");
        client.text("in");
        assert_eq!(client.line(), "in", "{flag}");
        server.expect_log("line=err");
    }
    let server = Server::shell(&["--user=nobody", "--pty"], "stat -Lc %U:%a \"$(tty)\" | tr -d '\\n'; cat", &[]);
    let mut client = server.connect("/");
    assert!(String::from_utf8(client.message().payload).unwrap().starts_with("nobody:"));
}

#[test]
fn a_process_of_another_user_that_has_left_its_group_ends_with_the_session() {
    let Some(_tree) = open_tree() else { return };
    let table = [
        "setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; cat",
        "sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; cat",
        "env -i setsid sh -c 'sleep 1000 & echo $!; wait' </dev/null & cat",
    ];
    for script in table {
        let server = Server::shell(&["--user=nobody"], script, &[]);
        let mut client = server.connect("/");
        let process = pid(&client.line());

        client.close(1000);

        assert!(gone_within(process, DEADLINE), "{script}");
    }
}

#[test]
fn a_user_that_may_not_use_what_it_shall_run_is_refused_at_the_start() {
    let Some(tree) = open_tree() else { return };
    tree.program("mine", "#!/bin/sh\n").directory("folder");
    for name in ["mine", "folder"] {
        set_permissions(tree.path(name), Permissions::from_mode(0o700)).unwrap();
    }
    let (mine, folder) = (tree.path("mine"), tree.path("folder"));
    let table: [(&[&str], String); 5] = [
        (
            &["--user=nobody", &mine],
            format!("cannot start COMMAND `{mine}` as the user `nobody` of --user: Permission"),
        ),
        (&["--user=nobody", "--dir", &folder], "cannot use the folder `".to_owned()),
        (&["--user=nobody", "--chdir", &folder, "cat"], "cannot enter the folder `".to_owned()),
        (&["--user=no-such", "cat"], "cannot use `no-such` of --user: there is no user `no-such`".to_owned()),
        (&["--user=nobody:no-such", "cat"], "cannot use `nobody:no-such` of --user: there is no group".to_owned()),
    ];
    for (arguments, message) in table {
        let outcome = run(&[&["--check"], arguments].concat());

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("wsd: {message}")), "{outcome:?}");
    }
}

#[test]
fn a_program_of_a_folder_that_its_user_may_not_execute_is_told_with_the_user() {
    let Some(tree) = open_tree() else { return };
    tree.program("dir/mine", "#!/bin/sh\n");
    set_permissions(tree.path("dir"), Permissions::from_mode(0o755)).unwrap();
    set_permissions(tree.path("dir/mine"), Permissions::from_mode(0o700)).unwrap();
    let server = Server::serve(&["--user=nobody", "--dir", &tree.path("dir")]);

    assert_eq!(server.refusal("/mine", "").status, 500);

    let line = server.expect_log("worker not started").text;
    assert!(line.contains("Permission denied") && line.contains("it runs as the user nobody"), "{line}");
}

#[test]
fn only_root_may_name_a_user() {
    let Some(tree) = open_tree() else { return };
    assert!(Command::new("cp").arg(wsd(&[]).get_program()).arg(tree.path("wsd")).status().unwrap().success());
    set_permissions(tree.path("wsd"), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(tree.path("wsd"));
    command.args(["--check", "--user=root", "cat"]).current_dir("/").uid(NOBODY).gid(NOBODY);

    let outcome = run_to_end(command);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let message =
        "cannot use `root` of --user: only root may start programs as another user, and wsd runs as uid 65534";
    assert!(outcome.stderr.starts_with(&format!("wsd: {message}")), "{outcome:?}");
}
