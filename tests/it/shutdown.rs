//! Ending the server: everybody is told, every worker is stopped, and it does not take long.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::http::Connection;
use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, program};
use crate::harness::{DEADLINE, assert_in_time, eventually};

/// The longest ladder of a worker, 100, 250 and 500 ms; an unfinished request is given a second.
const LADDER: Duration = Duration::from_secs(1);

/// The time that sessions and requests have to end; then wsd drops them.
const DRAIN: Duration = Duration::from_secs(4);

#[test]
fn a_signal_closes_every_session_with_1001_and_exits_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::XCPU] {
        let mut server = Server::command(&[], &["cat"]);
        let mut clients: Vec<_> = (0..5).map(|_| server.connect("/")).collect();
        let workers: Vec<_> = (1..=5).map(|count| server.expect_worker(count)).collect();

        server.signal(signal);

        for client in &mut clients {
            assert_eq!(client.expect_close().code, Some(1001), "{signal:?}");
            client.expect_end();
        }
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        assert!(workers.into_iter().all(is_gone), "{signal:?}");
    }
}

#[test]
fn a_signal_without_a_meaning_ends_neither_the_server_nor_a_session() {
    let named = ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "XFSZ"];
    // Linux has others: SIGIO, SIGSTKFLT, and the real-time ones that the C library does not keep to itself.
    let numbered: &[&str] = if cfg!(target_os = "linux") { &["29", "16", "34", "50", "64"] } else { &[] };
    for signal in named.iter().chain(numbered) {
        let mut server = Server::command(&[], &["cat"]);
        let mut client = server.connect("/");

        let kill = format!("kill -{signal} {}", server.pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");

        client.text("served");
        assert_eq!(client.line(), "served", "{signal}");
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn stubborn_workers_go_down_the_ladder_all_at_once() {
    let mut server = Server::start(&[], "stubborn.sh");
    let mut clients: Vec<_> = (0..8).map(|_| server.connect("/")).collect();
    let workers: Vec<_> = clients.iter_mut().map(|client| pid(&client.line())).collect();

    let start = Instant::now();
    server.signal(Signal::TERM);

    // One after the other they would take eight times 850 ms.
    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, LADDER);
    assert!(workers.into_iter().all(is_gone));
}

#[test]
fn extra_time_for_workers_does_not_hold_up_the_end() {
    let mut server = Server::start(&["--closems=60000"], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, DRAIN);
    assert!(is_gone(worker));
}

#[test]
fn no_one_is_let_in_while_the_server_ends() {
    let mut server = Server::start(&[], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    server.signal(Signal::TERM);
    assert_eq!(client.expect_close().code, Some(1001));

    eventually("connections are refused", || Connection::try_open(server.address).err());
    assert!(!is_gone(worker), "connections were refused only at the very end");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--closems=60000"], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = pid(&client.line());
    server.signal(Signal::TERM);
    assert_eq!(client.expect_close().code, Some(1001));

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(143));
    // The first signal alone would end it after four seconds.
    assert_in_time(start, Duration::ZERO);
    assert!(gone_within(worker, DEADLINE), "the worker was left");
}

#[test]
fn a_worker_in_the_middle_of_its_ladder_is_not_left() {
    let mut server = Server::start(&[], "stubborn.sh");
    let mut client = server.connect("/");
    let worker = pid(&client.line());
    client.close(1000);
    client.expect_close();

    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert!(is_gone(worker));
}

#[test]
fn idle_and_unfinished_requests_do_not_hold_up_the_end() {
    let tree = crate::harness::tree::Tree::new();
    tree.file("index.html", "hello");
    let mut server = Server::serve(&["--staticdir", &tree.path("")]);
    let _silent = server.http();
    let mut idle = server.http();
    idle.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    assert_eq!(idle.response("GET").status, 200);
    let mut unfinished = server.http();
    unfinished.send("GET / HTTP/1.1\r\nHost:");

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, LADDER);
}

#[test]
fn a_client_that_does_not_read_does_not_hold_up_the_end() {
    let mut server = Server::command(&[], &["perl", &program("flood.pl"), "60000", "1000"]);
    let _client = server.connect("/");
    server.expect_log("blocked at ");

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert_in_time(start, DRAIN);
}

#[test]
fn every_session_has_its_line_in_the_log_before_the_end() {
    let mut server = Server::command(&[], &["cat"]);
    let _clients: Vec<_> = (0..3).map(|_| server.connect("/")).collect();
    server.expect_nth_log("session started", 3);

    let log = server.stop();

    let ended: Vec<_> = log.lines().filter(|line| line.contains("session ended")).collect();
    assert_eq!(ended.len(), 3, "{log}");
    assert!(ended.iter().all(|line| line.contains("code=1001")), "{log}");
}

#[test]
fn the_port_is_free_again_after_the_end() {
    let mut server = Server::command(&[], &["cat"]);
    let mut client = server.connect("/");
    client.text("in use");
    client.line();
    server.stop();

    let port = format!("--port={}", server.address.port());
    let again = Server::spawn(crate::harness::server::wsd(&[&port, "cat"]));

    assert_eq!(again.address, server.address);
    eventually("the new server answers", || Connection::try_open(again.address).ok());
}
