//! `--resume` behind a proxy that cuts: nothing is lost, nothing doubled, and the order stays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::returning::{Next, Returning};
use crate::harness::server::Server;

const WAYS: [Way; 4] = [Way::Fin, Way::Reset, Way::Silence, Way::DeafClient];

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// Sends numbers through `cat` and takes them back, and returns whenever the connection is lost. Returns how often it did.
fn flood(cutting: &Cutting, numbers: u64, what: &str) -> usize {
    let mut client = Returning::new(cutting.address, "/", "wsd.resume.1", "");
    let (mut next, mut connections) = (1, 0);
    let mut is_connected = false;
    while next <= numbers {
        if !is_connected {
            // A connection may be cut before the greeting, and another one be needed.
            is_connected = client.connect().is_ok();
            connections += 1;
            assert!(connections < 10_000, "{what}: {next} of {numbers}");
            let lost = client.greetings.iter().filter(|greeting| greeting["lost"] == "unknown").count();
            assert_eq!(lost, 0, "{what}: {:?}", client.greetings.last());
            continue;
        }
        while client.given < numbers && client.given < next + 40 {
            let number = client.given + 1;
            client.text(&number.to_string());
        }
        match client.next(Duration::from_millis(250)) {
            Next::Message(frame) => {
                assert_eq!(String::from_utf8(frame.payload).unwrap(), next.to_string(), "{what}");
                next += 1;
            }
            Next::Silence | Next::Lost => is_connected = false,
            Next::Closed(close) => panic!("{what}: {close:?}"),
        }
    }
    client.close(1000);
    connections - 1
}

#[test]
fn a_connection_cut_after_any_byte_loses_and_doubles_nothing() {
    let server = Server::command(&["--resume=60", "--pingms=0"], &["cat"]);
    // The head of the answer has some 170 bytes, and its greeting 130: the cuts go on through both and into the flood.
    let cuts: Vec<_> = (1..4096).step_by(37).collect();
    let (at, server) = (AtomicUsize::new(0), &server);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(bytes) = cuts.get(at.fetch_add(1, Ordering::Relaxed)) {
                    // A silence takes the client some time, so only some are.
                    let way = WAYS[if bytes % 5 == 0 { bytes % 4 } else { bytes % 2 }];
                    for (down, up) in [(*bytes, usize::MAX), (usize::MAX, bytes + 200)] {
                        let mut cut = Some(Cut { down, up, way });
                        // Before its greeting the client has no token: its first session is lost with the connection.
                        let proxy = Cutting::to(server.address, move || cut.take().unwrap_or(WHOLE));
                        flood(&proxy, 500, &format!("{way:?} after {down} down, {up} up"));
                    }
                }
            });
        }
    });
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let server = Server::command(&["--resume=60", "--pingms=0", "--replay=20000"], &["cat"]);
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
                    Cut { down: 300 + random(3000), up: 300 + random(3000), way }
                });

                let cuts = flood(&proxy, 10_000, &format!("seed {seed}"));

                assert!(cuts > 20, "{cuts} cuts");
            });
        }
    });
}
