//! The truth at the end: close codes, reasons, and who is told what.

use crate::harness::DEADLINE;
use crate::harness::process::{gone_within, is_gone};
use crate::harness::server::{Server, field};
use crate::harness::skip::skip;
use crate::harness::time::deadline;
use crate::harness::websocket::{CLOSE, Close, Frame, TEXT};

#[test]
fn the_close_code_is_the_exit_status() {
    let table = [
        ("true", 1000, ""),
        ("exit 1", 4001, "exit 1"),
        ("exit 3", 4003, "exit 3"),
        ("exit 127", 4127, "exit 127"),
        ("exit 255", 4255, "exit 255"),
        ("kill -KILL $$", 4137, "signal 9"),
        ("kill -TERM $$", 4143, "signal 15"),
        ("kill -SEGV $$", 4139, "signal 11"),
        ("echo a line first; exit 3", 4003, "exit 3"),
    ];
    for (script, code, reason) in table {
        let server = Server::shell(&[], script, &[]);
        let mut client = server.connect("/");

        assert_eq!(client.rest().1, Close::new(code, reason), "{script}");
        client.close(code);
        client.expect_end();
    }
}

#[test]
fn the_last_line_arrives_before_the_close() {
    let server = Server::shell(&[], "echo last; exit 5", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.frame(), Frame::new(TEXT, "last"));
    assert_eq!(client.frame(), Frame::close(4005, "exit 5"));
}

#[test]
fn the_code_of_a_client_is_echoed() {
    for code in [1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        let server = Server::command(&[], &["cat"]);
        let mut client = server.connect("/");

        client.send(&Frame::close(code, "so long"));

        assert_eq!(client.expect_close().code, Some(code));
        client.expect_end();
    }
}

#[test]
fn a_close_without_a_code_is_answered_without_a_code() {
    let server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");

    client.send(&Frame::new(CLOSE, ""));

    assert_eq!(client.frame(), Frame::new(CLOSE, ""));
    client.expect_end();
}

#[test]
fn a_goodbye_is_answered_at_once_however_stubborn_the_worker() {
    let server = Server::start(&[], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = client.line();

    client.close(1000);

    assert_eq!(client.expect_close().code, Some(1000));
    assert!(!is_gone(crate::harness::process::pid(&worker)));
}

#[test]
fn nothing_follows_the_answer_to_a_goodbye() {
    let server = Server::shell(&[], "trap '' INT; yes", &[]);
    let mut client = server.connect("/");
    client.line();

    client.close(1000);

    client.close_at_last();
    client.expect_end();
}

#[test]
fn a_client_that_does_not_answer_a_close_is_left() {
    let server = Server::command(&["--pingms=0"], &["echo", "hello"]);
    let mut client = server.connect("/");

    assert_eq!(client.rest().1, Close::new(1000, ""));

    client.expect_end();
    server.expect_log("session ended");
}

#[test]
fn a_client_that_never_reads_does_not_keep_an_ended_worker() {
    let server = Server::command(&["--pingms=0", "--maxforks=1"], &["true"]);
    let client = server.connect("/");

    assert!(gone_within(server.expect_worker(1), DEADLINE));

    drop(client);
    server.expect_log("session ended");
    server.connect("/");
}

#[test]
fn the_log_tells_how_a_session_ended() {
    let table = [("true", "0", "1000"), ("exit 3", "3", "4003")];
    for (script, status, code) in table {
        let server = Server::shell(&[], script, &[]);
        server.connect("/").rest();

        let line = server.expect_log("session ended").text;

        assert_eq!(field(&line, "end").as_deref(), Some("exit"), "{line}");
        assert_eq!(field(&line, "status").as_deref(), Some(status), "{line}");
        assert_eq!(field(&line, "code").as_deref(), Some(code), "{line}");
    }
}

#[test]
fn the_log_counts_messages_and_seconds() {
    let server = Server::shell(&[], "read -r _; read -r _; read -r _; echo one; echo two", &[]);
    let mut client = server.connect("/");

    (0..3).for_each(|_| client.text("a line"));
    client.rest();

    let line = server.expect_log("session ended").text;
    assert_eq!((field(&line, "in").unwrap(), field(&line, "out").unwrap()), ("3".to_owned(), "2".to_owned()), "{line}");
    let seconds: f64 = field(&line, "secs").unwrap().parse().unwrap();
    assert!((0.0..deadline().as_secs_f64()).contains(&seconds), "{line}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_status_is_told_whoever_ignored_the_end_of_children() {
    use crate::harness::server::wsd;
    use std::process::Command;

    let mut command = Command::new("env");
    command.arg("--ignore-signal=CHLD");
    if !Command::new("env").args(command.get_args()).arg("true").status().unwrap().success() {
        return skip("env --ignore-signal");
    }
    command.arg(wsd(&[]).get_program()).args(["--port=0", "sh", "-c", "exit 3"]);
    let server = Server::spawn(command);

    assert_eq!(server.connect("/").expect_close(), Close::new(4003, "exit 3"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_status_is_told_though_a_debugger_takes_note_of_it_first() {
    use crate::harness::{eventually, server::wsd};
    use nix::{errno::Errno, sys::ptrace, sys::wait, unistd::Pid};

    let server = Server::spawn(wsd(&["--port=0", "--threads=1", "sh", "-c", "read line; exit 3"]));
    let mut client = server.connect("/");
    let worker = Pid::from_raw(server.expect_worker(1).as_raw_nonzero().get());
    match ptrace::seize(worker, ptrace::Options::empty()) {
        Err(Errno::EPERM | Errno::ENOSYS) => return skip("ptrace"),
        seized => seized.unwrap(),
    }

    client.text("go");
    let stat = format!("/proc/{worker}/stat");
    eventually("it has ended", || std::fs::read_to_string(&stat).unwrap().contains(") Z ").then_some(()));
    // The server has been told of it by then, and serves others.
    server.connect("/").text("go");
    server.expect_nth_log("session ended", 1);
    assert_eq!(wait::waitpid(worker, None), Ok(wait::WaitStatus::Exited(worker, 3)));

    assert_eq!(client.expect_close(), Close::new(4003, "exit 3"));
}
