//! `--http` and `Wsd-Poll`: a client behind a proxy that withholds an answer until its end gets answers that end soon.

use std::time::{Duration, Instant};

use crate::harness::DEADLINE;
use crate::harness::eventsource::{EventSource, Next};
use crate::harness::eventually;
use crate::harness::server::Server;
use crate::harness::time::assert_in_time;
use crate::harness::websocket::Close;

const HTTP: &[&str] = &["--http", "--resume=60"];

/// Begins a session, whose first answer must have ended. Then each poll waits for `secs` seconds at most.
fn polling(server: &Server, secs: u64) -> EventSource {
    let mut client = EventSource::new(server.address, "/", &format!("Wsd-Poll: {secs}\r\n"));
    client.acknowledges = true;
    assert_eq!(client.connect().unwrap(), 200, "{}", client.head);
    assert_eq!(client.next(DEADLINE), Next::Lost, "the answer ends after its first event");
    client
}

/// Polls once: returns the texts of the answer, and the close if there is one.
fn poll(client: &mut EventSource) -> (Vec<String>, Option<Close>) {
    assert_eq!(client.connect().unwrap(), 200, "{}", client.head);
    assert_eq!(client.greeting()["resumed"], true);
    let mut texts = Vec::new();
    loop {
        match client.next(DEADLINE) {
            Next::Text(text) => texts.push(text),
            Next::Lost => return (texts, None),
            Next::Closed(close) => return (texts, Some(close)),
            other => panic!("after {texts:?} came {other:?}"),
        }
    }
}

/// The lines of the log that tell a loss, or a return.
fn absences(server: &Server) -> Vec<String> {
    let mut log = server.log();
    log.retain(|line| line.contains("session detached") || line.contains("session resumed"));
    log
}

#[test]
fn a_poll_waits_for_a_message_and_its_answer_then_ends() {
    let server = Server::shell(HTTP, "while read -r say number; do sleep 0.05; echo $number; done", &[]);
    let mut client = polling(&server, 25);

    for number in 1..=20 {
        let text = number.to_string();
        assert_eq!(client.post("", format!("say {text}")).0, 204);
        assert_eq!(poll(&mut client), (vec![text], None));
    }

    assert_eq!(absences(&server), [""; 0]);
}

#[test]
fn a_poll_without_a_message_ends_after_its_time() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = polling(&server, 1);

    let start = Instant::now();
    assert_eq!(poll(&mut client), (vec![], None));

    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_in_time(start, Duration::from_secs(1));
    assert_eq!(absences(&server), [""; 0]);
}

#[test]
fn a_poll_waits_for_25_seconds_at_most() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = polling(&server, 100);

    let start = Instant::now();
    assert_eq!(poll(&mut client), (vec![], None));

    assert!(start.elapsed() >= Duration::from_secs(25));
    assert_in_time(start, Duration::from_secs(25));
}

#[test]
fn polls_lose_and_double_nothing_and_are_no_absence_in_the_log() {
    let server = Server::shell(&["--http", "--resume=60", "--replay=20000"], "seq 20000; exit 3", &[]);
    let mut client = polling(&server, 25);

    let (mut texts, mut polls) = (Vec::new(), 0);
    let close = loop {
        let (more, close) = poll(&mut client);
        texts.extend(more);
        polls += 1;
        if let Some(close) = close {
            break close;
        }
    };

    assert_eq!(texts, (1..=20_000).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(close, Close::new(4003, "exit 3"));
    assert!(polls > 2, "{polls} polls");
    assert!(client.gaps.is_empty());
    assert_eq!(absences(&server), [""; 0]);
}

#[test]
fn an_answer_that_is_lost_is_given_again() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = polling(&server, 25);
    client.post("", "one");
    let token = client.token.clone();
    // It acknowledges no message of an answer before.
    let poll_anew = || {
        let mut lost = EventSource::new(server.address, "/", "Wsd-Poll: 25\r\n");
        (lost.acknowledges, lost.token) = (true, token.clone());
        poll(&mut lost).0
    };
    assert_eq!(poll_anew(), ["one"]);

    client.post("", "two");
    // A poll does not wait for it: there is a message already.
    eventually("the second message", || (poll_anew() == ["one", "two"]).then_some(()));

    assert_eq!(poll(&mut client).0, ["one", "two"]);
}

#[test]
fn a_client_that_does_not_poll_again_is_detached_after_5_seconds() {
    let server = Server::command(HTTP, &["cat"]);
    let start = Instant::now();
    let mut client = polling(&server, 25);

    server.expect_log("session detached");

    assert!(start.elapsed() >= Duration::from_secs(5));
    client.post("", "there");
    assert_eq!(poll(&mut client).0, ["there"]);
    server.expect_log("session resumed");
    assert_eq!(absences(&server).len(), 2, "{:?}", absences(&server));
}

#[test]
fn a_client_that_leaves_while_it_polls_is_detached() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = polling(&server, 25);
    assert_eq!(client.connect().unwrap(), 200);

    let start = Instant::now();
    client.drop_connection();

    server.expect_log("session detached");
    assert_in_time(start, Duration::ZERO);
}

#[test]
fn a_poll_of_a_browser_that_names_its_last_event_loses_nothing() {
    let server = Server::command(&["--http", "--resume=60", "--replay=1000"], &["cat"]);
    let mut client = EventSource::new(server.address, "/", "Wsd-Poll: 25\r\n");
    assert_eq!(client.connect().unwrap(), 200);
    assert_eq!(client.next(DEADLINE), Next::Lost);

    let line = "x".repeat(500);
    for _ in 0..10 {
        client.post("", &line);
    }

    let mut got = 0;
    while got < 10 {
        got += poll(&mut client).0.len();
    }
    assert_eq!((got, client.got), (10, 10));
    assert!(client.gaps.is_empty());
}

#[test]
fn a_poll_needs_a_number_of_seconds() {
    let server = Server::command(HTTP, &["cat"]);
    for value in ["", "x", "-1", "1.5"] {
        let mut client = EventSource::new(server.address, "/", &format!("Wsd-Poll: {value}\r\n"));
        assert_eq!(client.connect().unwrap(), 400, "{value}");
    }
    assert!(!server.log().iter().any(|line| line.contains("session started")));
}
