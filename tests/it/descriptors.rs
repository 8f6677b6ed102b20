//! Out of descriptors: nobody is let in, nothing spins, nobody inside is hurt, and all is well when there are some again.
#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::harness::http::Connection;
use crate::harness::process::linux::{leave_descriptors, processor_time, restore_descriptors};
use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// How long the test watches a server that can accept nothing.
const WATCH: Duration = Duration::from_secs(1);

#[test]
fn running_out_of_descriptors_neither_ends_the_accept_loop_nor_makes_it_spin() {
    let tree = Tree::new();
    tree.file("index.html", "hello");
    let server = Server::command(&["--staticdir", &tree.path("")], &["cat"]);
    let mut inside = server.connect("/");
    let logged = server.log().len();

    leave_descriptors(server.pid(), 0);
    let mut waiting: Vec<_> = (0..5).map(|_| server.http()).collect();
    for connection in &mut waiting {
        connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()));
    }
    let before = processor_time(server.pid());
    assert!(waiting[0].is_silent_for(WATCH));
    let used = processor_time(server.pid()).saturating_sub(before);

    assert!(used < WATCH / 4, "it used {used:?} of {WATCH:?}");
    assert!(server.log().len() - logged < 20, "it filled the log");
    inside.text("served");
    assert_eq!(inside.line(), "served");
    restore_descriptors(server.pid());
    for connection in &mut waiting {
        assert_eq!(connection.response("GET").text(), "hello");
    }
}

#[test]
fn a_file_that_cannot_be_opened_for_want_of_descriptors_is_no_404() {
    let tree = Tree::new();
    tree.file("index.html", "hello");
    let server = Server::serve(&["--staticdir", &tree.path("")]);
    assert_eq!(server.get("/", "").status, 200);
    let mut connection = server.http();
    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    assert_eq!(connection.response("GET").status, 200);

    leave_descriptors(server.pid(), 0);
    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    let status = connection.response("GET").status;

    assert!(status == 500 || status == 503, "{status}");
    restore_descriptors(server.pid());
    assert_eq!(server.get("/", "").status, 200);
}

#[test]
fn more_clients_than_descriptors_are_served_one_after_the_other() {
    let server = Server::command(&[], &["cat"]);
    server.connect("/").close(1000);
    server.expect_log("session ended");
    // Enough for a session or two at a time.
    leave_descriptors(server.pid(), 12);

    let mut count = 0;
    while count < 20 {
        let mut connections: Vec<_> = (0..5).map(|_| Connection::open(server.address)).collect();
        for connection in &mut connections {
            connection.send(upgrade_request(&server.host(), "/", ""));
        }
        for mut connection in connections {
            let status = connection.response("GET").status;
            assert!(status == 101 || status == 503, "{status}");
            if status == 101 {
                let mut client = Client::upgraded(connection);
                client.text("served");
                assert_eq!(client.line(), "served");
                count += 1;
            }
        }
    }
}

#[test]
fn a_session_leaves_no_descriptor_behind() {
    let server = Server::shell(&[], "case $PATH_INFO in /leave) exit 3;; esac; cat", &[]);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    server.connect("/leave").close_at_last();
    server.expect_log("session ended");
    let before = open();

    for _ in 0..10 {
        server.connect("/leave").close(1000);
        server.connect("/close").close(1000);
        server.connect("/fault").raw([0xFF; 100]);
        server.connect("/reset").reset();
        drop(server.connect("/drop"));
        drop(server.http());
        assert_eq!(server.refusal("/", "Origin: http://evil.example\r\n").status, 403);
    }

    server.expect_events("session ended", 51);
    crate::harness::eventually("all descriptors are closed", || (open() <= before).then_some(()));
}

#[test]
fn a_session_keeps_no_descriptor_of_what_its_program_has_closed() {
    let server = Server::shell(&[], "exec 2>/dev/null; echo ready; cat", &[]);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    let before = open();

    let mut session = server.connect("/");
    assert_eq!(session.line(), "ready");

    let expected = before + ["socket", "standard input", "standard output"].len();
    crate::harness::eventually("standard error is closed", || (open() == expected).then_some(()));
}
