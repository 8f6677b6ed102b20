//! The memory of resumable sessions.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};
use std::{env, fs};

use crate::harness::eventually;
use crate::harness::process::linux::children;
use crate::harness::returning::Returning;
use crate::harness::server::{Server, field, program};
use crate::harness::time::{SLACK, assert_in_time, scaled};

const SESSIONS: usize = 1000;

/// Bytes of memory that only the server has.
fn memory(server: &Server) -> i64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

#[test]
fn an_idle_session_to_which_a_client_can_return_takes_750_bytes_more_at_most() {
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
    assert!(resumable - plain <= 750 + plain / 50, "{resumable} bytes instead of {plain}");
    assert!(resumable <= 3600, "{resumable} bytes");
}

/// The sessions of the next test. `WSD_SESSIONS=1000` makes them a thousand.
fn sessions_away() -> usize {
    env::var("WSD_SESSIONS").map_or(40, |text| text.parse().expect("WSD_SESSIONS is a number"))
}

/// The time in a line of the log, in seconds of its day.
fn time_of(line: &str) -> f64 {
    let clock: Vec<f64> = line[11..23].split(':').map(|part| part.parse().unwrap()).collect();
    clock[0] * 3600.0 + clock[1] * 60.0 + clock[2]
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure is the result of a run with many sessions")]
fn sessions_that_are_away_take_the_memory_of_their_full_rings_and_give_all_back_at_their_second() {
    const RING: usize = 1 << 20;
    let count = sessions_away();
    let (slots, ring) = (format!("--maxforks={count}"), format!("--replay={RING}"));
    let flags = ["--resume=3", "--maxbuffer=0", "--threads=1", "--pingms=0", &slots, &ring];
    let server = Server::command(&flags, &["perl", &program("flood.pl"), "100000000", "1000"]);
    let before = memory(&server);
    let mut clients: Vec<_> = (0..count).map(|_| Returning::open(server.address)).collect();
    assert_eq!(server.refusal("/", "").status, 429, "all slots are taken");
    // Each program says that it is blocked, since the client acknowledges nothing.
    server.expect_events("worker stderr", count as u64);

    clients.iter_mut().for_each(Returning::drop_connection);
    server.expect_events("session detached", count as u64);
    let all_away = Instant::now();
    let taken = usize::try_from(memory(&server) - before).unwrap();

    println!("{taken} bytes for {count} rings of {RING} bytes");
    assert!(taken * 10 <= count * RING * 11, "{taken} bytes for {count} rings of {RING} bytes");
    server.expect_events("session expired", count as u64);
    // The log tells the number of the others a second later.
    assert_in_time(all_away, Duration::from_secs(3 + 1));
    server.expect_events("session ended", count as u64);
    let log = server.log();
    let first = |event| time_of(log.iter().find(|line| line.contains(event)).unwrap());
    let away = (first("session expired conn=") - first("session detached conn=")).rem_euclid(86_400.0);
    assert!(away >= 2.99, "the first was away for {away} seconds");
    // The log tells of the first of each second alone, and of others at the end than at the begin.
    for detached in log.iter().filter(|line| line.contains("session detached conn=")) {
        let expired = format!("session expired conn={}", field(detached, "conn").unwrap());
        let Some(expired) = log.iter().find(|line| line.ends_with(&expired)) else { continue };
        let away = (time_of(expired) - time_of(detached)).rem_euclid(86_400.0);
        let late = scaled(SLACK).as_secs_f64();
        assert!((2.99..3.0 + late).contains(&away), "{away} seconds: {detached} {expired}");
    }
    eventually("all programs are gone", || children(server.pid()).is_empty().then_some(()));
    let again: Vec<_> = (0..count).map(|_| Returning::open(server.address)).collect();
    assert_eq!(again.len(), count);
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
