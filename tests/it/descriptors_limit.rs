//! The limit of open files: wsd takes all it may, its workers have the one that it was started with.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::harness::server::{Server, wsd};

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
