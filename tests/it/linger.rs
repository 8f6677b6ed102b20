//! `--linger`: a room outlives its last client for a while, so that a page that is loaded again finds everything as it was.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::harness::http::Connection;
use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};
use crate::harness::{DEADLINE, assert_in_time};

/// Answers every line with its process id and that line.
const ECHO: &str = "while read -r line; do echo $$ $line; done";

/// Sends a line, and returns the process that answers.
fn ask(client: &mut Client, line: &str) -> Pid {
    client.text(line);
    let answer = client.line();
    let (worker, echo) = answer.split_once(' ').expect("two words");
    assert_eq!(echo, line);
    pid(worker)
}

/// Leaves, and waits until wsd has noticed; `visit` counts the sessions.
fn leave(server: &Server, mut client: Client, visit: usize) {
    client.close(1000);
    client.close_at_last();
    server.expect_nth_log("session ended", visit);
}

#[test]
fn after_a_reload_program_and_history_are_still_there() {
    let server = Server::shell(&["--shared", "--history=10"], ECHO, &[]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "before");
    leave(&server, client, 1);

    let mut client = server.connect("/");

    assert_eq!(client.line(), format!("{worker} before"));
    assert_eq!(ask(&mut client, "after"), worker);
}

#[test]
fn a_room_ends_when_its_time_without_clients_is_over() {
    let server = Server::shell(&["--shared", "--linger=0.7"], ECHO, &[]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "one");

    let before = Instant::now();
    leave(&server, client, 1);

    assert!(gone_within(worker, DEADLINE));
    assert!(before.elapsed() >= Duration::from_millis(700), "gone after {:?}", before.elapsed());
    server.expect_log("room ended");
    assert_ne!(ask(&mut server.connect("/"), "two"), worker);
}

#[test]
fn a_client_that_comes_back_stops_the_clock() {
    let server = Server::shell(&["--shared", "--linger=0.5"], ECHO, &[]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "one");
    leave(&server, client, 1);
    let mut client = server.connect("/");

    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        assert_eq!(ask(&mut client, "still there?"), worker);
    }

    leave(&server, client, 2);
    assert!(gone_within(worker, DEADLINE));
}

#[test]
fn a_room_that_does_not_linger_ends_with_its_last_client() {
    let server = Server::shell(&["--shared", "--linger=0", "--history=10"], ECHO, &[]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "one");
    leave(&server, client, 1);

    let mut client = server.connect("/");

    assert_ne!(ask(&mut client, "two"), worker);
}

#[test]
fn a_lingering_room_gives_its_fork_slot_to_another_program() {
    let server = Server::shell(&["--shared=path", "--linger=1000", "--maxforks=2"], ECHO, &[]);
    let (mut first, mut second) = (server.connect("/first"), server.connect("/second"));
    let (one, two) = (ask(&mut first, "one"), ask(&mut second, "two"));
    leave(&server, first, 1);
    leave(&server, second, 2);

    let start = Instant::now();
    let mut third = server.connect("/third");
    assert_in_time(start, DEADLINE);

    ask(&mut third, "three");
    assert!(is_gone(one) && !is_gone(two), "the room that waited for longest ends");
    assert_eq!(ask(&mut server.connect("/second"), "again"), two);
}

#[test]
fn a_slot_that_counts_for_a_route_and_for_all_ends_one_lingering_room() {
    let tree = Tree::new();
    let route = |path: &str, rest: &str| {
        format!("[[route]]\npath = '{path}'\nlinger = 1000\n{rest}\ncommand = ['sh', '-c', '{ECHO}']\n")
    };
    let routes = [route("/b", "shared = true"), route("/a/*", "shared = 'path'\nmaxforks = 1")];
    tree.file("wsd.toml", format!("maxforks = 2\n{}", routes.concat()));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let (mut first, mut second) = (server.connect("/b"), server.connect("/a/1"));
    let (one, two) = (ask(&mut first, "one"), ask(&mut second, "two"));
    leave(&server, first, 1);
    leave(&server, second, 2);

    let mut third = server.connect("/a/2");

    ask(&mut third, "three");
    assert!(is_gone(two), "it had the only slot of the route");
    assert_eq!(ask(&mut server.connect("/b"), "again"), one, "it need not end");
}

/// Rooms by path and two fork slots. A program of a room that got `stay` says `waits` in the log when its input ends, and then
/// stays until the returned pipe is written to; `exit` ends a program.
fn server_with_a_program_that_stays() -> (Tree, Server) {
    const PROGRAM: &str = "while read -r line; do case $line in exit) exit ;; stay) stay=1 ;; esac; echo $$ $line; done
        [ -z \"$stay\" ] || { echo waits >&2; cat \"$1\"; }";
    let tree = Tree::new();
    tree.pipe("gate");
    let flags = ["--shared=path", "--linger=1000", "--maxforks=2", "--closems=600000"];
    let server = Server::shell(&flags, PROGRAM, &[&tree.path("gate")]);
    let mut client = server.connect("/stays");
    ask(&mut client, "stay");
    leave(&server, client, 1);
    (tree, server)
}

/// Asks for a session in a new room, for which the program that stays must end first.
fn wait_for_a_slot(server: &Server) -> Connection {
    let mut connection = server.http();
    connection.send(upgrade_request(&server.host(), "/waits", ""));
    server.expect_log("waits");
    connection
}

#[test]
fn a_client_that_waits_for_a_fork_slot_delays_no_other_room() {
    let (tree, server) = server_with_a_program_that_stays();
    let mut other = server.connect("/other");
    ask(&mut other, "one");
    let mut waiting = wait_for_a_slot(&server);
    other.text("exit");
    server.expect_log("room ended");

    let start = Instant::now();
    let mut third = server.connect("/third");
    assert_in_time(start, DEADLINE);

    ask(&mut third, "served");
    std::fs::write(tree.path("gate"), "").unwrap();
    assert_eq!(waiting.response("GET").status, 101);
}

#[test]
fn two_clients_that_wait_for_a_fork_slot_get_those_of_two_lingering_rooms() {
    let (tree, server) = server_with_a_program_that_stays();
    let mut other = server.connect("/other");
    let worker = ask(&mut other, "one");
    leave(&server, other, 2);
    let mut waiting = wait_for_a_slot(&server);

    let start = Instant::now();
    let mut third = server.connect("/third");
    assert_in_time(start, DEADLINE);

    ask(&mut third, "served");
    assert!(is_gone(worker));
    std::fs::write(tree.path("gate"), "").unwrap();
    assert_eq!(waiting.response("GET").status, 101);
}

#[test]
fn a_cgi_script_gets_the_slot_of_a_lingering_room() {
    let tree = Tree::new();
    tree.program("cgi/hello", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhello\\n'\n");
    let server =
        Server::shell(&["--shared", "--linger=1000", "--maxforks=1", "--cgidir", &tree.path("cgi")], ECHO, &[]);
    let mut client = server.connect("/");
    ask(&mut client, "one");
    leave(&server, client, 1);

    assert_eq!(server.get("/hello", "").text(), "hello\n");
}

#[test]
fn a_room_with_clients_keeps_its_fork_slot() {
    let server = Server::shell(&["--shared=path", "--linger=1000", "--maxforks=1"], ECHO, &[]);
    let mut client = server.connect("/first");
    ask(&mut client, "one");
    leave(&server, client, 1);
    let mut client = server.connect("/first");

    let refusal = server.try_connect("/second", "").err().expect("a refusal");

    assert_eq!(refusal.status, 429, "{refusal}");
    ask(&mut client, "still here");
}

#[test]
fn a_lingering_room_of_old_settings_ends_at_once() {
    let tree = Tree::new();
    let settings = |history: u32| {
        format!(
            "[[route]]\npath = '/'\nshared = true\nlinger = 1000\nhistory = {history}\ncommand = ['sh', '-c', '{ECHO}']\n"
        )
    };
    tree.file("wsd.toml", settings(1));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "one");
    leave(&server, client, 1);

    tree.file("wsd.toml", settings(2));
    server.signal(Signal::HUP);

    assert!(gone_within(worker, DEADLINE));
    assert_ne!(ask(&mut server.connect("/"), "two"), worker);
}

#[test]
fn a_lingering_room_does_not_delay_the_end_of_the_server() {
    let mut server = Server::shell(&["--shared", "--linger=1000"], ECHO, &[]);
    let mut client = server.connect("/");
    let worker = ask(&mut client, "one");
    leave(&server, client, 1);

    server.signal(Signal::TERM);

    assert!(server.wait().success());
    assert!(is_gone(worker));
}

#[test]
fn a_program_is_told_of_a_client_that_leaves_a_lingering_room() {
    let server = Server::shell(
        &["--shared", "--framing=json", "--history=10"],
        "while read -r line; do echo \"$line\" >&2; done",
        &[],
    );
    let client = server.connect("/");
    leave(&server, client, 1);
    server.expect_log(r#"\"event\":\"close\""#);

    let _client = server.connect("/");

    assert_eq!(server.log().iter().filter(|line| line.contains("room started")).count(), 1);
}
