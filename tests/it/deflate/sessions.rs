//! The memory of compression: that of sessions that are silent, and that of bombs.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    time::{Duration, Instant},
};

use super::{
    BROWSER, line,
    peer::{Peer, RSV1, packed, packed_in_steps},
};
use crate::harness::{
    assert_in_time,
    crowd::{Crowd, raise_descriptor_limit},
    eventually,
    process::linux::peak_memory,
    server::{Server, program},
    websocket::{BINARY, Close, Frame, TEXT},
};

/// The sessions of the test; `WSD_SESSIONS=10000` makes them ten thousand.
fn sessions() -> usize {
    env::var("WSD_SESSIONS").map_or(1000, |text| text.parse().expect("WSD_SESSIONS is a number"))
}

/// Bytes of memory that only the server has.
fn memory(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
#[expect(clippy::print_stdout, reason = "the figure is the result of a run with many sessions")]
fn a_silent_session_that_has_sent_a_compressed_message_takes_6_kib_at_most() {
    let count = sessions();
    raise_descriptor_limit(count as u64 + 100);
    let server = Server::command(
        &["--compress", "--shared", "--framing=json", "--threads=1", "--pingms=0"],
        &[&program("collect.sh"), "/dev/null"],
    );
    let _warm: Vec<_> = (0..20).map(|_| Peer::open(&server, BROWSER)).collect();
    let before = memory(&server);
    let mut crowd = Crowd::default();
    let message = Frame::new(TEXT, packed(line(1).as_bytes())).with_reserved_bits(RSV1).masked();
    for _ in 0..count {
        let number = crowd.add(Peer::open(&server, BROWSER).client);
        crowd.send(number, &message);
    }
    server.expect_events("session started", count as u64 + 20);
    let sent = Instant::now();

    let mut taken = usize::MAX;
    eventually("6 KiB a session", || {
        taken = memory(&server).saturating_sub(before) / count;
        (taken <= 6 << 10).then_some(())
    });
    assert_in_time(sent, Duration::from_secs(3));

    println!("{taken} bytes for each of {count} sessions");
}

#[test]
fn a_session_gives_its_compressor_back() {
    const SESSIONS: usize = 100;
    let flags = ["--compress", "--threads=1", "--pingms=0"];
    let server = Server::command(&flags, &["cat"]);
    let mut peers: Vec<_> = (0..SESSIONS).map(|_| Peer::open(&server, BROWSER)).collect();
    server.expect_events("session started", SESSIONS as u64);
    let before = memory(&server);
    let each = || memory(&server).saturating_sub(before) / SESSIONS;
    let text = line(1).repeat(3);

    for peer in &mut peers {
        peer.client.text(&text);
        assert_eq!(peer.text(true), text);
    }

    assert!(each() > 100 << 10, "each has a compressor: {}", each());
    eventually("the compressors are given back", || (each() < 60 << 10).then_some(()));
}

#[test]
fn a_bomb_is_close_1009_before_its_memory_is_spent() {
    let server = Server::command(&["--compress", "--pingms=0"], &["cat"]);
    let zeros = vec![0; 1 << 20];
    let open = |bytes: usize| {
        let bomb = packed_in_steps(&vec![&zeros[..]; bytes >> 20]);
        let mut peer = Peer::open(&server, BROWSER);
        // The server does not read the rest.
        let _ = peer.client.connection().try_send(Frame::new(BINARY, bomb).with_reserved_bits(RSV1).masked());
        assert_eq!(peer.client.expect_close(), Close::new(1009, "message too big"));
    };
    open(3 << 20);
    let before = peak_memory(server.pid());

    for _ in 0..20 {
        open(3 << 20);
    }
    open(1 << 30);

    let more = peak_memory(server.pid()) - before;
    assert!(more < 2 << 10, "{more} KiB");
}

#[test]
fn messages_that_come_in_one_read_are_inflated_as_the_program_takes_them() {
    const MESSAGES: usize = 50;
    let script = "$| = 1; print length, \"\\n\" while <>";
    let server = Server::command(&["--compress", "--pingms=0"], &["perl", "-e", script]);
    let messages = |count: usize| {
        let mut peer = Peer::open(&server, BROWSER);
        let message = |number: usize| packed(&vec![b'a'; 1_000_000 + number]);
        let frames = (0..count).map(|number| Frame::new(TEXT, message(number)).with_reserved_bits(RSV1).masked());
        peer.client.raw(frames.collect::<Vec<_>>().concat());
        for number in 0..count {
            assert_eq!(peer.client.line(), (1_000_001 + number).to_string());
        }
    };
    messages(1);
    let before = peak_memory(server.pid());

    messages(MESSAGES);

    let more = peak_memory(server.pid()) - before;
    assert!(more < 8 << 10, "{more} KiB");
}
