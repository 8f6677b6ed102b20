//! The memory of resumable sessions.
#![cfg(target_os = "linux")]

use std::fs;

use crate::harness::DEADLINE;
use crate::harness::returning::{Next, Returning};
use crate::harness::server::{Server, program};

const SESSIONS: usize = 1000;

/// Bytes of memory that only the server has.
fn memory(server: &Server) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

#[test]
fn an_idle_session_to_which_a_client_can_return_takes_300_bytes_more_at_most() {
    let flags = ["--resume=60", "--shared", "--threads=1", "--pingms=0"];
    let per_session = |is_resumable: bool| {
        let server = Server::command(&flags, &["cat"]);
        let _warm: Vec<_> = (0..50).map(|_| Returning::open(server.address)).collect();
        let before = memory(&server);
        let mut plain = Vec::new();
        let mut resumable = Vec::new();
        for _ in 0..SESSIONS {
            if is_resumable {
                resumable.push(Returning::open(server.address));
            } else {
                plain.push(server.connect("/"));
            }
        }
        server.expect_events("session started", SESSIONS as u64 + 50);
        (memory(&server) - before) / i64::try_from(SESSIONS).unwrap()
    };

    let (plain, resumable) = (per_session(false), per_session(true));

    // Memory comes in pages: a fiftieth is noise.
    assert!(resumable - plain <= 300 + plain / 50, "{resumable} bytes instead of {plain}");
}

#[test]
fn sessions_that_are_away_with_full_rings_take_the_memory_of_the_rings() {
    const RING: i64 = 64 << 10;
    const COUNT: usize = 200;
    let flags = ["--resume=10", "--replay=65536", "--maxbuffer=0", "--threads=1"];
    let server = Server::command(&flags, &["perl", &program("flood.pl"), "1000000", "41"]);
    let before = memory(&server);
    for _ in 0..COUNT {
        let mut client = Returning::open(server.address);
        assert!(matches!(client.next(DEADLINE), Next::Message(_)));
        client.drop_connection();
    }
    server.expect_events("session detached", COUNT as u64);

    // Each program says that it is blocked, so all rings are full.
    server.expect_events("worker stderr", COUNT as u64);
    let taken = memory(&server) - before;

    // One read of 64 KiB may go over the bound.
    let sum = i64::try_from(COUNT).unwrap() * (2 * RING + 8192);
    assert!(taken < sum * 11 / 10, "{taken} bytes instead of {sum}");
    server.expect_events("session expired", COUNT as u64);
    server.expect_events("session ended", COUNT as u64);
}

#[test]
fn a_session_that_has_ended_while_its_client_is_away_takes_little_memory() {
    const COUNT: i64 = 600;
    let flags = ["--resume=60", "--threads=1", "--maxbuffer=0"];
    let server = Server::command(&flags, &["true"]);
    let end = || drop(Returning::open(server.address));
    (0..50).for_each(|_| end());
    server.expect_events("session ended", 50);
    let before = memory(&server);

    (0..COUNT).for_each(|_| end());

    server.expect_events("session ended", 50 + COUNT.unsigned_abs());
    let each = (memory(&server) - before) / COUNT;
    assert!(each < 4096, "{each} bytes");
}
