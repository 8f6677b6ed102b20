//! `--http` behind a proxy that cuts event streams and POSTs: nothing is lost, nothing doubled, and the order stays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::eventsource::{EventSource, Next};
use crate::harness::server::Server;

const FLAGS: &[&str] = &["--http", "--resume=60"];

const WAYS: [Way; 4] = [Way::Fin, Way::Reset, Way::Silence, Way::OneWay];

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// Sends numbers through `cat` by POST and takes them back as events, and returns whenever the connection is lost. Returns how
/// often it did.
fn flood(cutting: &Cutting, numbers: u64, acknowledges: bool, what: &str) -> usize {
    let mut client = EventSource::new(cutting.address, "/", "");
    client.acknowledges = acknowledges;
    let (mut next, mut connections, mut silences) = (1, 0, 0);
    while next <= numbers {
        if !client.is_connected() {
            // A connection may be cut before the first event, and another one be needed.
            let is_known = !client.token.is_empty();
            let status = client.connect();
            connections += 1;
            assert!(connections < 10_000, "{what}: {next} of {numbers}");
            match status {
                Ok(200) => {
                    let is_lost = client.greeting()["lost"] == "unknown";
                    assert!(!is_lost && client.greeting()["resumed"] == is_known, "{what}: {}", client.greeting());
                }
                Ok(status) => panic!("{what}: {status}"),
                Err(_) => {
                    client.drop_connection();
                    continue;
                }
            }
        }
        while client.given() < numbers && client.given() < next + 40 {
            client.keep(&(client.given() + 1).to_string());
        }
        if next + 20 > client.given() || silences > 0 {
            client.send_kept(Duration::from_millis(250));
        }
        match client.next(Duration::from_millis(if silences == 0 { 20 } else { 250 })) {
            Next::Text(text) => {
                assert_eq!(text, next.to_string(), "{what}");
                (next, silences) = (next + 1, 0);
            }
            Next::Silence if silences < 3 => silences += 1,
            Next::Silence | Next::Lost => {
                client.drop_connection();
                silences = 0;
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(client.gaps.is_empty(), "{what}: {:?}", client.gaps);
    connections - 1
}

#[test]
fn a_stream_cut_after_any_byte_loses_and_doubles_nothing() {
    let server = Server::command(FLAGS, &["cat"]);
    // The head of the answer has some 250 bytes, and its first event 250: the cuts go on through both and into the flood.
    let cuts: Vec<_> = (1..4096).step_by(37).collect();
    let (at, server) = (AtomicUsize::new(0), &server);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(bytes) = cuts.get(at.fetch_add(1, Ordering::Relaxed)) {
                    let way = WAYS[if bytes % 5 == 0 { bytes % 4 } else { bytes % 2 }];
                    let mut cut = Some(Cut { down: *bytes, up: usize::MAX, way });
                    let proxy = Cutting::to(server.address, move || cut.take().unwrap_or(WHOLE));
                    flood(&proxy, 200, bytes % 2 == 0, &format!("{way:?} after {bytes}"));
                }
            });
        }
    });
}

#[test]
fn streams_and_posts_that_are_cut_again_and_again_lose_and_double_nothing() {
    let server = Server::command(FLAGS, &["cat"]);
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            let server = &server;
            scope.spawn(move || {
                let mut state = seed;
                let mut random = move |below: u64| {
                    // Knuth's constants of a linear congruential generator.
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    usize::try_from((state >> 33) % below).unwrap()
                };
                let proxy = Cutting::to(server.address, move || {
                    let way = if random(20) == 0 { WAYS[2 + random(2)] } else { WAYS[random(2)] };
                    // The answer to a POST has some 80 bytes: one in three is lost.
                    match random(3) {
                        0 => Cut { down: random(150), up: 1 + random(600), way },
                        _ => Cut { down: 600 + random(9000), up: 300 + random(3000), way },
                    }
                });

                let cuts = flood(&proxy, 5000, seed % 2 == 0, &format!("seed {seed}"));

                assert!(cuts > 50, "{cuts} cuts");
            });
        }
    });
}
