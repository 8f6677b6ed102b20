//! The limit of open files: wsd takes all it may, its workers have the one that it was started with.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::harness::http::Connection;
use crate::harness::server::{Server, program, run_to_end, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::upgrade_request;
use crate::mcp::client::Session;

/// Starts `wsd` with a soft limit of 200 open files, below a hard one of 300.
fn start_limited(arguments: &[&str]) -> Server {
    let wsd = wsd(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -S -n 200; ulimit -H -n 300; exec \"$@\"", "sh"]);
    command.arg(wsd.get_program()).arg("--port=0").args(arguments);
    Server::spawn(command)
}

#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let server = start_limited(&["cat"]);

    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();

    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[3..5], ["300", "300"]);
}

#[test]
fn a_worker_has_the_limit_that_wsd_was_started_with() {
    let server = start_limited(&["sh", "-c", "ulimit -S -n; ulimit -H -n"]);

    let mut client = server.connect("/");

    assert_eq!(client.line(), "200");
    assert_eq!(client.line(), "300");
}

#[test]
fn a_limit_lowered_from_outside_keeps_no_worker_from_starting() {
    let server = start_limited(&["sh", "-c", "ulimit -S -n"]);
    let lowered = Rlimit { current: Some(250), maximum: Some(250) };
    prlimit(Some(server.pid()), Resource::Nofile, lowered).unwrap();

    let limit: u64 = server.connect("/").line().parse().unwrap();

    assert!([200, 250].contains(&limit), "{limit}: as it was, or as it may be");
}

/// Starts `wsd` with a limit of `files` open files.
fn start_with(files: u32, arguments: &[&str]) -> Server {
    Server::spawn(limited(files, arguments))
}

/// Returns a command of `wsd` with a limit of `files` open files.
fn limited(files: u32, arguments: &[&str]) -> Command {
    let wsd = wsd(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"]);
    command.arg(wsd.get_program()).arg("--port=0").arg("--address=127.0.0.1").args(arguments);
    command
}

/// Asks for a session on every connection at once, and returns how many of the first `wanted` get one.
fn served(server: &Server, connections: &mut [Connection], wanted: usize) -> usize {
    for connection in connections.iter_mut() {
        connection.send(upgrade_request(&server.host(), "/", ""));
    }
    let statuses = connections.iter_mut().take(wanted).map(|connection| connection.response("GET").status);
    statuses.filter(|status| *status == 101).count()
}

#[test]
fn connections_leave_programs_their_descriptors() {
    let server = start_with(64, &["cat"]);
    let mut connections: Vec<_> = (0..60).map(|_| server.http()).collect();

    assert_eq!(served(&server, &mut connections, 6), 6, "of a burst of 60 clients at once");
    let waiting = server.expect_log("connections wait").text;
    assert!(waiting.contains("ulimit -n"), "{waiting}");
}

#[test]
fn idle_connections_do_not_take_the_descriptors_of_programs() {
    let server = start_with(64, &["--maxforks=4", "cat"]);
    let mut connections: Vec<_> = (0..60).map(|_| server.http()).collect();

    assert_eq!(served(&server, &mut connections[..4], 4), 4);
}

#[test]
fn downloads_do_not_take_the_descriptors_of_programs() {
    let tree = Tree::new();
    tree.file("big", vec![b'x'; 30 << 20]);
    let server = start_with(150, &["--maxforks=10", "--staticdir", &tree.path(""), "cat"]);
    let mut idle: Vec<_> = (0..10).map(|_| server.http()).collect();

    // Each waits within its answer: the client reads nothing of it. The others wait to be accepted.
    let downloads: Vec<_> = (0..100)
        .map(|_| {
            let mut download = server.http();
            download.send(format!("GET /big HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
            download
        })
        .collect();
    server.expect_log("connections wait");

    assert_eq!(served(&server, &mut idle, 10), 10);
    drop(downloads);
    let log = server.log().join("\n");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn a_connection_that_ends_gives_its_descriptor_to_the_next() {
    let server = start_with(64, &["--shared", "cat"]);

    for _ in 0..200 {
        let mut client = server.connect("/");
        client.close(1000);
        client.close_at_last();
    }
}

#[test]
fn sessions_of_mcp_without_a_connection_leave_the_descriptors_of_connections() {
    let server = start_with(64, &["--mcp", &program("mcp.py"), "legacy"]);
    let sessions: Vec<_> = (0..6).map(|_| Session::begin(&server)).collect();

    for session in &sessions {
        assert_eq!(session.text("echo", r#"{"text":"x"}"#), "x");
    }
}

#[test]
fn a_limit_too_low_for_maxforks_is_told_at_the_start() {
    for (files, flags, maxforks) in [(64, &[][..], 1024), (1023, &[], 1024), (1024, &["--maxforks=1025"], 1025)] {
        let server = start_with(files, &[flags, &["cat"]].concat());
        let line = server.expect_log("few open files allowed").text;
        let numbers = [format!("limit={files} "), format!("maxforks={maxforks} ")];
        assert!(numbers.iter().all(|number| line.contains(number)) && line.contains("ulimit -n"), "{line}");
    }
    for (files, flags) in [(1024, &["--maxforks=2"][..]), (64, &["--maxforks=0"])] {
        let mut server = start_with(files, &[flags, &["cat"]].concat());
        assert!(!server.stop().contains("few open files allowed"), "{files} {flags:?}");
    }
}

#[test]
fn the_usual_limit_and_the_default_of_maxforks_are_no_reason_to_warn() {
    let mut server = start_with(1024, &["cat"]);

    assert!(!server.stop().contains("few open files allowed"));
}

#[test]
fn a_start_with_too_few_descriptors_names_the_limit() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_wsd"), "--port=0", "cat"]);

    let outcome = run_to_end(command);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: raise the limit of open files: ulimit -n"), "{outcome:?}");
}

#[test]
fn a_limit_too_low_for_one_program_is_exit_3_and_names_the_number() {
    for files in [8, 12, 20, 31] {
        let outcome = run_to_end(limited(files, &["cat"]));

        assert_eq!(outcome.status, Some(3), "{files} {outcome:?}");
        let want = format!(
            "wsd: cannot serve with a limit of {files} open files: wsd needs 32\nhint: raise the limit of open files: ulimit -n\n"
        );
        assert_eq!(outcome.stderr, want);
    }

    let server = start_with(32, &["cat"]);
    let mut client = server.connect("/");
    client.text("served");
    assert_eq!(client.line(), "served");
}

/// Starts `wsd` with a limit of 100 open files and two fork slots, then loads the settings with `forks` again.
fn reloaded(forks: u32) -> Server {
    let tree = Tree::new();
    let settings = |forks| format!("maxforks = {forks}\n[[route]]\npath = '/'\ncommand = ['cat']\n");
    tree.file("wsd.toml", settings(2));
    let server = start_with(100, &["--config", &tree.path("wsd.toml")]);
    tree.file("wsd.toml", settings(forks));
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    server
}

#[test]
fn a_reload_that_raises_maxforks_sets_descriptors_aside() {
    let server = reloaded(10);
    let mut connections: Vec<_> = (0..60).map(|_| server.http()).collect();

    // The others stay idle: all sixty would compete for the ten slots.
    assert_eq!(served(&server, &mut connections[..10], 10), 10);
}

#[test]
fn a_limit_too_low_for_the_maxforks_of_a_reload_is_told() {
    let line = reloaded(500).expect_log("few open files allowed").text;

    assert!(line.contains("limit=100 ") && line.contains("maxforks=500 "), "{line}");
}
