//! The memory of sessions over event streams, and clients that take nothing.

use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::server::{Server, program};
use crate::harness::within;

const EVENTS: &str = "Accept: text/event-stream\r\n";

fn open(server: &Server) -> Connection {
    let mut connection = server.http();
    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{EVENTS}\r\n", server.host()));
    connection
}

#[cfg(target_os = "linux")]
#[test]
fn an_idle_stream_takes_24_kib_at_most() {
    use std::fs;

    const STREAMS: i64 = 1000;
    const BYTES_MAX: i64 = 24 << 10;
    let memory = |server: &Server| {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
    };
    let server = Server::command(&["--http", "--shared", "--threads=1"], &["cat"]);
    let _warm: Vec<_> = (0..50).map(|_| open(&server)).collect();
    server.expect_events("session started", 50);
    let before = memory(&server);
    let mut streams: Vec<_> = (0..STREAMS).map(|_| open(&server)).collect();
    for stream in &mut streams {
        stream.take(300).unwrap();
    }
    server.expect_events("session started", STREAMS as u64 + 50);

    let each = (memory(&server) - before) / STREAMS;

    assert!(each <= BYTES_MAX, "{each} bytes for each stream");
}

#[test]
fn a_client_that_takes_nothing_is_cut_after_a_minute_and_its_session_waits() {
    let server = Server::command(&["--http", "--resume=60"], &["perl", &program("flood.pl"), "1000000", "100"]);
    let _connection = open(&server);
    server.expect_log("blocked at ");
    let began = Instant::now();

    let is_detached = || server.log().iter().any(|line| line.contains("session detached")).then_some(());

    assert!(within(Duration::from_secs(90), is_detached).is_some(), "{:?}", server.log());
    assert!(began.elapsed() > Duration::from_secs(50), "{:?}", began.elapsed());
}
