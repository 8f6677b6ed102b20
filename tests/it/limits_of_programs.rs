//! `--limit` and `--nice`: a program that takes too much ends alone, and the log and the close tell why.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, geteuid};

use crate::harness::eventually;
use crate::harness::process::group_gone_within;
use crate::harness::server::{Server, field, run, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;

/// Starts a server with a limited program at /greedy, a usual one at /echo, and a client of each.
fn greedy(tree: &Tree, keys: &str, script: &str) -> (Server, Client, Client) {
    let route = |path: &str, command: &str| format!("[[route]]\npath = \"{path}\"\ncommand = [{command}]\n");
    let greedy = route("/greedy", &format!("\"sh\", \"-c\", '''{script}'''"));
    tree.file("wsd.toml", format!("{}{greedy}{keys}\n", route("/echo", "\"cat\"")));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let mut echo = server.connect("/echo");
    assert_eq!(said(&mut echo, "before"), "before");
    let greedy = server.connect("/greedy");
    (server, echo, greedy)
}

fn said(client: &mut Client, text: &str) -> String {
    client.text(text);
    client.line()
}

/// The processes of a group.
fn members(group: Pid) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let is_member = |pid: &Pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(3)?.parse().ok()) == Some(group.as_raw_nonzero())
    };
    pids.filter(is_member).count()
}

#[test]
fn a_program_that_reaches_a_limit_ends_alone_and_the_close_and_the_log_tell_which() {
    if !has("perl") {
        return;
    }
    let tree = Tree::new();
    let filled = tree.path("filled");
    let table = [
        ("limit = 'cpu=1'", "while :; do :; done".to_owned(), 4152, "cpu limit", Some("cpu")),
        // A shell passes the signal of its last command on.
        ("limit = { cpu = 1 }", "sh -c 'while :; do :; done'; exit $?".to_owned(), 4152, "cpu limit", Some("cpu")),
        (
            "limit = ['filesize=64k', 'files=100']",
            format!("exec dd if=/dev/zero of={filled} bs=1k"),
            4153,
            "filesize limit",
            Some("filesize"),
        ),
        // The program learns that there is no memory, and ends by itself: the kernel tells nothing.
        ("limit = 'memory=64M'", "exec perl -e '$x .= \"x\" x 1048576 while 1'".to_owned(), 4001, "exit 1", None),
        ("limit = 'files=20'", "ulimit -n; exit 3".to_owned(), 4003, "exit 3", None),
    ];
    for (keys, script, code, reason, limit) in table {
        let (server, mut echo, mut greedy) = greedy(&tree, keys, &script);

        let close = greedy.close_at_last();

        assert_eq!((close.code, close.reason.as_str()), (Some(code), reason), "{keys}");
        let log = server.expect_end_of(&mut greedy);
        assert_eq!(field(&log, "limit").as_deref(), limit, "{log}");
        assert_eq!(field(&log, "status"), Some((code - 4000).to_string()), "{log}");
        assert_eq!(said(&mut echo, "after"), "after", "{keys}");
    }
    assert_eq!(fs::metadata(filled).unwrap().len(), 64 << 10);
}

#[test]
fn a_program_that_ignores_sigxcpu_is_killed_later_for_the_same_reason() {
    // The hard limit of the server holds for its programs, too, and is sooner.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -t 2; exec \"$@\"", "sh"]).arg(wsd(&[]).get_program());
    command.args(["--port=0", "--limit=cpu=1", "sh", "-c", "trap '' XCPU; while :; do :; done"]);
    let server = Server::spawn(command);
    let mut client = server.connect("/");

    let close = client.close_at_last();

    assert_eq!((close.code, close.reason.as_str()), (Some(4137), "cpu limit"));
}

#[test]
fn a_fork_bomb_is_bounded_by_the_processes_of_its_user_and_ends_with_its_client() {
    if !geteuid().is_root() {
        return skip("root");
    }
    if !has("perl") {
        return;
    }
    let tree = Tree::new();
    let bomb = "echo lit; exec perl -e 'fork while 1'";
    let (server, mut echo, mut bomb) = greedy(&tree, "user = 'nobody'\nlimit = 'processes=60'", bomb);
    assert_eq!(bomb.line(), "lit");
    let worker = server.expect_worker_of(&mut bomb);
    eventually("it has exploded", || (members(worker) > 30).then_some(()));

    for count in 0..20 {
        assert_eq!(said(&mut echo, &count.to_string()), count.to_string());
        assert!(members(worker) <= 60);
    }
    bomb.close(1000);

    server.expect_end_of(&mut bomb);
    assert!(group_gone_within(worker, Duration::from_secs(1)));
    assert_eq!(said(&mut echo, "after"), "after");
}

#[test]
fn a_program_that_may_start_no_more_processes_ends_alone_and_leaves_none() {
    if !geteuid().is_root() {
        return skip("root");
    }
    let tree = Tree::new();
    let scripts =
        ["while :; do sleep 1000 </dev/null >/dev/null 2>&1 & done", "bomb() { bomb & bomb; }; exec 2>/dev/null; bomb"];
    for script in scripts {
        let (server, mut echo, mut bomb) = greedy(&tree, "user = 'nobody'\nlimit = 'processes=60'", script);

        assert_eq!(bomb.close_at_last().code, Some(4002), "the shell cannot fork: {script}");

        let worker = server.expect_worker_of(&mut bomb);
        assert!(group_gone_within(worker, Duration::from_secs(1)), "{script}");
        assert_eq!(said(&mut echo, "after"), "after", "{script}");
    }
}

#[test]
fn rooms_and_cgi_scripts_have_limits_too() {
    let tree = Tree::new();
    tree.program("cgi/burn", "#!/bin/sh\nwhile :; do :; done\n");
    let flags = ["--shared", "--limit=cpu=1", "--cgidir", &tree.path("cgi")];
    let server = Server::shell(&flags, "while :; do :; done", &[]);
    let mut client = server.connect("/");

    let close = client.close_at_last();
    let answer = server.get("/burn", "");

    assert_eq!((close.code, close.reason.as_str()), (Some(4152), "cpu limit"));
    assert_eq!(answer.status, 500, "{answer}");
    for event in ["room ended", "session ended", "script failed"] {
        assert_eq!(field(&server.expect_log(event).text, "limit").as_deref(), Some("cpu"), "{event}");
    }
}

#[test]
fn a_program_has_the_limits_and_the_priority_of_its_flags_and_otherwise_those_of_the_server() {
    // The soft and the hard limits, then the priority.
    let show = r"sed -nE 's/^Max (cpu time|file size|address space|open files) +([0-9]+) +([0-9]+) .*/\1 \2 \3/p' /proc/self/limits
        nice; echo end";
    let flags = "--limit=cpu=7,filesize=1M,memory=1G,files=30";
    let limits =
        ["cpu time 7 12", "file size 1048576 1048576", "open files 30 30", "address space 1073741824 1073741824"];
    let table: [(&[&str], Vec<String>); 2] = [
        (&[flags, "--nice", "3"], [&limits[..], &["3", "end"]].concat().into_iter().map(str::to_owned).collect()),
        (&[], run_shell(show)),
    ];
    for (flags, want) in table {
        let server = Server::shell(flags, show, &[]);
        let (lines, _) = server.connect("/").rest();
        assert_eq!(lines, want, "{flags:?}");
    }
}

/// The lines of a shell that runs outside of a server.
fn run_shell(script: &str) -> Vec<String> {
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_limit_that_is_none_is_refused_by_its_word() {
    let tree = Tree::new();
    tree.file("wsd.toml", "[[route]]\npath = '/'\ncommand = ['cat']\nlimit = { memory = '12X' }\n");
    let config = tree.path("wsd.toml");
    let words = "use the words cpu=, memory=, files=, processes=, filesize=";
    let table: [(&[&str], &str, &str); 7] = [
        (&["--limit=ram=1G", "cat"], "invalid limit `ram=1G` in --limit: unknown word `ram`", words),
        (&["--limit=cpu", "cat"], "invalid limit `cpu` in --limit: expected a whole number above 0", "--limit=cpu=N"),
        (
            &["--limit=cpu=0", "cat"],
            "invalid limit `cpu=0` in --limit: expected a whole number above 0",
            "leave cpu out",
        ),
        (
            &["--limit=memory=1T", "cat"],
            "invalid limit `memory=1T` in --limit: expected a number of bytes above 0",
            "memory=N",
        ),
        (
            &["--limit=files=9,files=8", "cat"],
            "invalid limit `files=8` in --limit: `files` is there twice",
            "remove one",
        ),
        (&["--nice=20", "cat"], "invalid value `20` for --nice: expected a number from -20 to 19", "--nice"),
        (&["--config", &config], "invalid limit `memory=12X` in `limit`: expected a number of bytes", "memory"),
    ];
    for (arguments, message, hint) in table {
        let outcome = run(&[&["--check"], arguments].concat());

        assert!(matches!(outcome.status, Some(1 | 2)), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(message), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.lines().any(|line| line.starts_with("hint: ") && line.contains(hint)), "{outcome:?}");
    }
    assert!(run(&["--check", "--config", &config]).stderr.contains(":4: "));
}
