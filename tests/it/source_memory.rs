//! The memory of many sources at their limits.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::Ipv4Addr;

use crate::harness::http::Connection;
use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, Frame, TEXT, upgrade_request};

const MIB: i64 = 1 << 20;

/// The sources.
const SOURCES: u32 = 1000;

/// Bytes of memory that only the server has.
fn memory(server: &Server) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

/// Sends a POST of each of these sources, one after the other. Returns how many of them had this status.
fn post(server: &Server, sources: std::ops::Range<u32>, header: &str, status: u16) -> usize {
    let host = server.host();
    let mut connection = server.http();
    let mut post = |source: u32| {
        let address = Ipv4Addr::from(0x0A00_0000 + source);
        connection.send(format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {address}\r\n{header}Content-Length: 2\r\n\r\nx\n"
        ));
        let response = connection.try_response("POST");
        if response.as_ref().is_none_or(|response| response.header("connection") == Some("close")) {
            connection = server.http();
        }
        response.expect("an answer").status
    };
    sources.filter(|source| post(*source) == status).count()
}

#[test]
fn a_thousand_sources_at_their_limits_stay_in_flat_memory_and_so_do_those_after_them() {
    let tree = Tree::new();
    tree.file("tokens", "ci:t0p-secret\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let flags = ["--http", "--shared", "--trust-proxy=127.0.0.1", "--loglevel=error", "--threads=1"];
    let limits = ["--rate=1/h", "--maxforks-per-client=1", "--requests-per-client=1"];
    let guess = "Authorization: Bearer wrong\r\n";
    // The flags, the header, the requests of a source within the limit, their status, and that of the next ones.
    let table = [(&limits[..], "", 1, 202), (&[&*auth], guess, 5, 401)];
    for (more, header, within, status) in table {
        let server = Server::shell(&[&flags, more].concat(), "exec cat >/dev/null", &[]);
        for _ in 0..within {
            assert_eq!(post(&server, 0..SOURCES, header, status), SOURCES as usize, "{more:?}");
        }
        let before = memory(&server);

        for _ in 0..2 {
            assert_eq!(post(&server, 0..SOURCES, header, 429), SOURCES as usize, "{more:?}");
        }
        let at_limits = memory(&server) - before;
        post(&server, SOURCES..5 * SOURCES, header, status);
        let after = memory(&server) - before;

        assert!(at_limits < MIB, "{more:?}: {at_limits} bytes more for a thousand sources beyond their limits");
        // A source is some numbers and an address; both tables are bounded.
        assert!(after < 4 * MIB, "{more:?}: {after} bytes more for four thousand further sources");
    }
}

#[test]
fn a_thousand_sessions_beyond_their_rate_stay_in_flat_memory() {
    crate::harness::crowd::raise_descriptor_limit(u64::from(SOURCES) + 200);
    let flags = ["--shared", "--trust-proxy=127.0.0.1", "--loglevel=error", "--threads=1", "--pingms=0"];
    let limits = ["--rate-in=1000/s,5/s", "--maxforks-per-client=1", "--rate=1/h"];
    let server = Server::shell(&[&flags[..], &limits].concat(), "exec cat >/dev/null", &[]);
    let open = |source: u32| {
        let address = Ipv4Addr::from(0x0A00_0000 + source);
        let request = upgrade_request(&server.host(), "/", &format!("X-Forwarded-For: {address}\r\n"));
        Client::upgrade(Connection::open(server.address), &request)
    };
    let mut clients: Vec<_> =
        (0..SOURCES).map(|source| open(source).unwrap_or_else(|refused| panic!("{refused}"))).collect();
    let message = Frame::new(TEXT, "x".repeat(500)).masked();
    let mut flood = |count: usize| {
        for client in &mut clients {
            client.raw(message.repeat(count));
        }
    };
    flood(20);
    assert!((0..SOURCES).all(|source| open(source).err().is_some_and(|refused| refused.status == 429)));
    let before = memory(&server);

    for _ in 0..10 {
        flood(10);
        // 50 kB of each client in the end: wsd does not read them.
        let more = memory(&server) - before;
        assert!(more < 4 * MIB, "{more} bytes more");
    }
}
