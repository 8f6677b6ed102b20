//! The limits of each client and session, over plain HTTP (`--http`).

use std::time::{Duration, Instant};

use crate::harness::assert_in_time;
use crate::harness::eventsource::EventSource;
use crate::harness::server::{Server, field};
use crate::harness::websocket::Close;

const SECOND: Duration = Duration::from_secs(1);

/// The status of a request for an event stream of a new session.
fn stream(server: &Server) -> u16 {
    EventSource::new(server.address, "/", "").connect().unwrap()
}

#[test]
fn new_sessions_and_programs_of_a_post_count_for_the_rate_and_messages_of_a_session_do_not() {
    for flags in [&["--http", "--resume=60"][..], &["--http", "--shared"]] {
        let server = Server::command(&[&["--rate=1/h,2"], flags].concat(), &["cat"]);
        let mut client = EventSource::open(server.address);
        for number in 0..5 {
            assert_eq!(client.post("", format!("{number}\n")).0, 204, "{flags:?}");
            assert_eq!(client.line(), number.to_string());
        }
        client.drop_connection();
        assert_eq!(client.connect().unwrap(), 200, "{flags:?}: a return");

        let statuses = [(); 2].map(|()| server.post("/", "", "x\n").status);

        assert!(matches!(statuses, [200 | 202, 429]), "{flags:?}: {statuses:?}");
        assert_eq!(stream(&server), 429, "{flags:?}");
        let line = server.expect_log("session refused").text;
        assert_eq!(field(&line, "why").as_deref(), Some("rate"), "{line}");
    }
}

#[test]
fn a_stream_is_one_of_the_programs_of_its_source() {
    for flags in [&["--http", "--resume=60"][..], &["--http", "--shared"]] {
        let server = Server::command(&[&["--maxforks-per-client=1"], flags].concat(), &["cat"]);
        let mut client = EventSource::open(server.address);

        assert_eq!((stream(&server), server.post("/", "", "x\n").status), (429, 429), "{flags:?}");

        client.drop_connection();
        assert_eq!(client.connect().unwrap(), 200, "{flags:?}: its client may return");
    }
}

#[test]
fn a_stream_of_no_session_counts_as_a_new_one() {
    let server = Server::command(&["--http", "--rate=1/h"], &["cat"]);
    let headers = format!("Wsd-Session: {}\r\n", "A".repeat(43));
    let stream = || EventSource::new(server.address, "/", &headers).connect().unwrap();

    assert_eq!([stream(), stream()], [200, 429]);
}

#[test]
fn the_clock_ends_the_session_of_a_stream() {
    for (flag, code, reason) in [("--idle=1", 4408, "idle"), ("--lifetime=1", 4410, "lifetime")] {
        let server = Server::command(&["--http", flag], &["cat"]);
        let start = Instant::now();
        let mut client = EventSource::open(server.address);

        assert_eq!(client.expect_close(), Close::new(code, reason), "{flag}");

        assert!(start.elapsed() >= SECOND, "{flag}: {:?}", start.elapsed());
        assert_in_time(start, SECOND);
    }
}

#[test]
fn the_messages_of_a_post_pass_at_the_rate_of_their_client() {
    let server = Server::command(&["--http", "--rate-in=0/s,10/s"], &["cat"]);
    let mut client = EventSource::open(server.address);
    let (start, lines) = (Instant::now(), 0..25);

    assert_eq!(client.post("", lines.clone().map(|number| format!("{number}\n")).collect::<Vec<_>>().concat()).0, 204);
    for number in lines {
        assert_eq!(client.line(), number.to_string());
    }

    // 10 at once, and 15 at 10 a second.
    assert!(start.elapsed() >= SECOND * 3 / 2, "{:?}", start.elapsed());
}

#[test]
fn a_denied_address_gets_no_stream_and_runs_no_program() {
    let server = Server::command(&["--http", "--deny=127.0.0.1"], &["cat"]);

    assert_eq!((stream(&server), server.post("/", "", "x\n").status), (403, 403));
}

#[test]
fn a_stream_is_a_request_in_flight_as_long_as_it_is_open() {
    let server = Server::command(&["--http", "--resume=60", "--requests-per-client=1"], &["cat"]);
    let mut client = EventSource::open(server.address);

    assert_eq!(stream(&server), 429);

    client.drop_connection();
    server.expect_log("session detached");
    assert_eq!(
        crate::harness::eventually("the place is free", || Some(stream(&server)).filter(|got| *got != 429)),
        200
    );
}
