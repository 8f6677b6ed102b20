//! `wsd connect --resume` behind a proxy that cuts: nothing is lost, nothing doubled, and the order stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::connect::{call_with, proxy};
use crate::harness::caller::Caller;
use crate::harness::certificates::{Authority, Identity};
use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::server::{Outcome, Server, program, wsd};
use crate::harness::tree::Tree;

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

fn url(cutting: &Cutting) -> String {
    format!("ws://{}/", cutting.address)
}

/// Cuts the first connection, and no other.
fn once(server: &Server, cut: Cut) -> Cutting {
    let mut cut = Some(cut);
    Cutting::to(server.address, move || cut.take().unwrap_or(WHOLE))
}

/// The lines of the numbers from 1 on.
fn numbers(count: usize) -> String {
    (1..=count).map(|number| number.to_string()).collect::<Vec<_>>().join("\n") + "\n"
}

fn call(arguments: &[&str], input: &str) -> Outcome {
    Caller::start(&[&["--resume"], arguments].concat()).finish(input.as_bytes())
}

/// Fails unless all lines came back, in order.
fn assert_whole(outcome: &Outcome, count: usize, what: &str) {
    assert_eq!(outcome.status, Some(0), "{what}: {}", outcome.stderr);
    assert!(!outcome.stderr.contains("beginning another"), "{what}: {}", outcome.stderr);
    let wrong = (1..).zip(outcome.stdout.lines()).find(|(number, line)| number.to_string() != **line);
    assert_eq!(wrong, None, "{what}");
    assert_eq!(outcome.stdout.lines().count(), count, "{what}");
}

#[test]
fn hundreds_of_cuts_between_two_programs_lose_and_double_nothing() {
    const LINES: &str = "30000";
    let numbers = program("numbers.pl");
    let server = Server::command(&["--resume=60", "--pingms=0"], &["perl", &numbers, LINES]);
    let (server, numbers) = (&server, &numbers);
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            scope.spawn(move || {
                let cuts = Arc::new(AtomicUsize::new(0));
                let (counted, mut state) = (Arc::clone(&cuts), seed);
                let mut random = move |below: u64| {
                    // Knuth's constants of a linear congruential generator.
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    usize::try_from((state >> 33) % below).unwrap()
                };
                let proxy = Cutting::to(server.address, move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    // A connection over which nothing gets through is followed by a pause, so most are longer.
                    Cut { down: 1000 + random(6000), up: 1000 + random(6000), way: [Way::Fin, Way::Reset][random(2)] }
                });

                let outcome = call(&[&url(&proxy), "perl", numbers, LINES], "");

                let what = format!("seed {seed}: {outcome:?}");
                assert!(outcome.stderr.contains(&format!("took all of {LINES}")), "{what}");
                assert_eq!(outcome.status, Some(0), "{what}");
                assert!(cuts.load(Ordering::Relaxed) > 50, "{} connections", cuts.load(Ordering::Relaxed));
            });
        }
    });
    server.expect_events("worker stderr", 4);
    let lost: Vec<_> = server.log().into_iter().filter(|line| line.contains("in the place of")).collect();
    assert_eq!(lost, [] as [&str; 0]);
}

#[test]
fn a_cut_after_any_byte_loses_and_doubles_nothing() {
    let server = Server::command(&["--resume=60", "--pingms=0"], &["cat"]);
    let cuts: Vec<_> = (1..4096).step_by(67).collect();
    let (at, server, input) = (AtomicUsize::new(0), &server, &numbers(500));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(bytes) = cuts.get(at.fetch_add(1, Ordering::Relaxed)) {
                    for (down, up) in [(*bytes, usize::MAX), (usize::MAX, *bytes)] {
                        let way = [Way::Fin, Way::Reset][bytes % 2];
                        let proxy = once(server, Cut { down, up, way });

                        // The first connection may be cut before there is a session.
                        let outcome = call(&["--retry", "--wait=0.3", &url(&proxy)], input);

                        assert_whole(&outcome, 500, &format!("{way:?} after {down} down, {up} up"));
                    }
                }
            });
        }
    });
}

#[test]
fn a_dead_connection_is_given_up() {
    let server = Server::command(&["--resume=60", "--pingms=0"], &["cat"]);
    let (server, input) = (&server, &numbers(500));
    thread::scope(|scope| {
        for (way, down, up) in [
            (Way::Silence, 1000, usize::MAX),
            (Way::Silence, usize::MAX, 1000),
            (Way::OneWay, 1000, usize::MAX),
            (Way::OneWay, usize::MAX, 1000),
        ] {
            scope.spawn(move || {
                let proxy = once(server, Cut { down, up, way });

                assert_whole(&call(&[&url(&proxy)], input), 500, &format!("{way:?}"));
            });
        }
    });
}

#[test]
fn every_framing_survives_a_cut() {
    let length = |text: &str| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let many = |one: &dyn Fn(usize) -> Vec<u8>| (0..500).flat_map(one).collect::<Vec<u8>>();
    let table = [
        ("nul", many(&|number| format!("a\n{number}\0").into_bytes()), true),
        ("length", many(&|number| length(&format!("{number}\0\n"))), false),
        ("jsonrpc", many(&|number| format!("{{\"id\":{number}}}\n").into_bytes()), false),
        ("lsp", many(&|_| b"Content-Length: 2\r\n\r\n{}".to_vec()), true),
        ("chunks", many(&|number| format!("{number}\n").into_bytes()), false),
        // A text that begins with U+0000 is escaped on the way, both ways.
        ("lines", many(&|number| format!("\0{{\"ack\":{number}}}\n").into_bytes()), false),
    ];
    for (framing, bytes, adds_newline) in table {
        let flag = format!("--framing={framing}");
        let server = Server::command(&["--resume=60", &flag], &["cat"]);
        let proxy = once(&server, Cut { down: 2000, up: usize::MAX, way: Way::Reset });

        let outcome = Caller::start(&["--resume", &flag, &url(&proxy)]).finish(&bytes);

        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""), "{framing}");
        let mut want = String::from_utf8(bytes).unwrap();
        if adds_newline {
            want.push('\n');
        }
        assert!(outcome.stdout == want, "{framing}: {} of {} bytes", outcome.stdout.len(), want.len());
        server.expect_log("session resumed");
    }
}

#[test]
fn a_long_message_survives_a_cut_in_its_middle() {
    let server = Server::command(&["--resume=60", "--maxframesize=10000000", "--replay=10000000"], &["wc", "-c"]);
    let proxy = once(&server, Cut { down: usize::MAX, up: 2_000_000, way: Way::Reset });
    let mut caller = Caller::start(&["--resume", &url(&proxy)]);
    caller.types(&("x".repeat(5_000_000) + "\n"));
    server.expect_log("session resumed");

    let outcome = caller.finish(b"");

    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    assert!(server.expect_log("session ended").text.contains(" in=1 "));
}

#[test]
fn a_return_takes_the_proxy_of_the_environment() {
    let server = Server::command(&["--resume=60"], &["cat"]);
    let cutting = once(&server, Cut { down: 2000, up: usize::MAX, way: Way::Reset });
    let (proxy, heads) = proxy("HTTP/1.1 200 OK\r\n\r\n");

    let outcome = call_with(&[("http_proxy", &proxy)], &["--resume", &url(&cutting)], &numbers(500));

    assert_whole(&outcome, 500, "through a proxy");
    server.expect_log("session resumed");
    assert_eq!(heads.so_far().len(), 2);
}

#[test]
fn tls_a_unix_socket_and_a_subprotocol_go_with_resume() {
    let (authority, tree) = (Authority::new(), Tree::new());
    let Identity { certificate, key } = authority.identity("server");
    tree.file("cert.pem", certificate).file("key.pem", key).file("ca.pem", authority.pem());
    let (cert, key, ca, socket) =
        (tree.path("cert.pem"), tree.path("key.pem"), tree.path("ca.pem"), tree.path("socket"));
    let script = "echo \"$HTTP_SEC_WEBSOCKET_PROTOCOL|$SEC_WEBSOCKET_PROTOCOL\"; cat";
    let flags = ["--resume=60", "--subprotocol=chat"];
    let secure = Server::shell(&[&flags[..], &["--ssl", "--sslcert", &cert, "--sslkey", &key]].concat(), script, &[]);
    let listening = format!("--unixsocket={socket}");
    let _local = Server::spawn(wsd(&[&flags[..], &[&listening, "sh", "-c", script]].concat()));
    let proxy = once(&secure, Cut { down: 6000, up: usize::MAX, way: Way::Fin });
    let wss = format!("wss://localhost:{}/", proxy.address.port());
    let input = numbers(1000);

    for arguments in [&["--sslca", &ca, &wss][..], &[&format!("unix:{socket}:/")]] {
        let outcome = call(&[&["--subprotocol=chat"], arguments].concat(), &input);

        assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""), "{arguments:?}");
        let (first, rest) = outcome.stdout.split_once('\n').unwrap();
        assert!(first.ends_with("|chat"), "{first}");
        assert!(rest == input, "{arguments:?}");
    }
    secure.expect_log("session resumed");
}
