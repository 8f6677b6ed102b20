//! Clients that take nothing, once their session is to end: what they send changes nothing, and they are not waited for
//! longer than the documentation says.
#![cfg(target_os = "linux")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::http::Connection;
use crate::harness::process::is_gone;
use crate::harness::process::linux::peak_memory;
use crate::harness::server::{Server, program};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{CONTINUATION, Client, Close, Frame, PONG, TEXT, upgrade_request};
use crate::harness::{eventually, within};

/// Bytes that such a client sends; wsd may not keep more of it.
const FLOOD: usize = 32 << 20;
const KEPT_KIB_MAX: u64 = 12 << 10;

/// A server on a Unix socket, where the kernel holds little for a client that takes nothing.
struct Site {
    tree: Tree,
    server: Server,
    tls: Option<Arc<ClientConfig>>,
}

impl Site {
    fn new(flags: &[&str], name: &str) -> Self {
        Self::start(Tree::new(), flags, name, None)
    }

    fn with_tls(flags: &[&str], name: &str) -> Self {
        let (tree, authority) = (Tree::new(), Authority::new());
        let identity = authority.identity("server");
        tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
        let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
        let flags = [&["--ssl", "--sslcert", &cert, "--sslkey", &key], flags].concat();
        Self::start(tree, &flags, name, Some(authority.client(&[&TLS13], None)))
    }

    fn start(tree: Tree, flags: &[&str], name: &str, tls: Option<Arc<ClientConfig>>) -> Self {
        let held: usize = fs::read_to_string("/proc/sys/net/core/wmem_default").unwrap().trim().parse().unwrap();
        // In a room: what the kernel and TLS hold of it and some more for its seat, but less than the 1 MiB of a laggard. A
        // program of its own fills its pipe, too; the kernel takes more or less before, by the sizes of the writes.
        let fill = if flags.contains(&"--shared") { (held * 12 / 10 + 350_000).to_string() } else { "all".to_owned() };
        let socket = format!("--unixsocket={}", tree.path("socket"));
        let flags = [&[&*socket, "--loglevel=info"], flags].concat();
        let server = Server::command(&flags, &["perl", &program(name), &fill]);
        Self { tree, server, tls }
    }

    fn connect(&self) -> Client {
        let stream = Stream::unix(&self.tree.path("socket")).unwrap();
        let stream = if let Some(config) = &self.tls { stream.secure(config).unwrap() } else { stream };
        let connection = Connection::over(stream);
        let client = Client::upgrade(connection, &upgrade_request("localhost", "/", ""));
        client.unwrap_or_else(|response| panic!("no session:\n{response}"))
    }

    /// A client that will take nothing, with something on its seat, and another one.
    fn silent_and_other(&self, name: &str) -> (Client, Client) {
        let mut silent = self.connect();
        if name == "marked.pl" {
            silent.text("mark");
            assert_eq!(silent.line(), "marked");
        }
        let mut other = self.connect();
        other.text("fill");
        until(&mut other, "filled");
        (silent, other)
    }
}

/// Takes messages up to this one.
fn until(client: &mut Client, want: &str) {
    while client.line() != want {}
}

/// Sends [`FLOOD`] bytes in many messages, or in one that does not end; as far as they are taken.
fn flood(client: &mut Client, is_one: bool) {
    let part = vec![b'y'; 60_000];
    let whole = Frame::new(TEXT, &part);
    let connection = client.connection();
    if is_one && connection.try_send(whole.clone().unfinished().masked()).is_err() {
        return;
    }
    let next = if is_one { Frame::new(CONTINUATION, &part).unfinished() } else { whole }.masked();
    for _ in 0..FLOOD / part.len() {
        if connection.try_send(&next).is_err() {
            return;
        }
    }
}

#[test]
fn bytes_of_a_client_whose_session_is_ending_are_neither_kept_nor_heard() {
    for is_one in [false, true] {
        let limit = if is_one { "--maxframesize=0" } else { "--maxframesize=1048576" };
        for (flags, name, end) in [
            (&["--shared"][..], "filled.pl", "end"),
            (&["--shared", "--framing=json"], "marked.pl", "end"),
            (&["--shared", "--framing=json"], "marked.pl", "close"),
        ] {
            let what = format!("{flags:?}, {end}, one message: {is_one}");
            let site = Site::new(&[flags, &[limit, "--pingms=0"]].concat(), name);
            let (mut silent, mut other) = site.silent_and_other(name);
            other.text(end);
            match end {
                "end" => assert_eq!(other.close_at_last(), Close::new(4003, "exit 3"), "{what}"),
                _ => until(&mut other, "closed"),
            }
            let before = peak_memory(site.server.pid());

            flood(&mut silent, is_one);

            if end == "close" {
                // The others are answered at once, and nobody has heard what was sent.
                other.text("count");
                until(&mut other, "0 heard");
            }
            let growth_kib = peak_memory(site.server.pid()) - before;
            assert!(growth_kib < KEPT_KIB_MAX, "{what}: memory grew by {growth_kib} KiB");
        }
    }
}

#[test]
fn bytes_of_a_client_whose_program_has_ended_are_not_kept() {
    let site = Site::new(&["--maxframesize=0", "--pingms=0"], "filled.pl");
    let mut silent = site.connect();
    let worker = site.server.expect_worker(1);
    silent.text("fill");
    silent.text("end");
    // All that it printed is with wsd or in the pipe.
    eventually("the program has ended", || (is_gone(worker) || is_zombie(worker)).then_some(()));
    let before = peak_memory(site.server.pid());

    flood(&mut silent, true);

    let growth_kib = peak_memory(site.server.pid()) - before;
    assert!(growth_kib < KEPT_KIB_MAX, "memory grew by {growth_kib} KiB");
}

fn is_zombie(pid: rustix::process::Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn a_client_that_takes_nothing_but_sends_pongs_is_gone_within_the_limits() {
    const ROOM: &[&str] = &["--shared", "--pingms=15000"];
    const JSON_ROOM: &[&str] = &["--shared", "--framing=json", "--pingms=15000"];
    // What, a client that takes nothing, the end of the limit and some seconds more, the server.
    let mut waiting: Vec<(&str, Client, Duration, Instant, Site)> = Vec::new();
    let limit = Duration::from_secs(60 + 20);
    for (what, flags, name, end, is_tls) in [
        ("a room, the program has ended", ROOM, "filled.pl", "end", false),
        ("a room over TLS, the program has ended", ROOM, "filled.pl", "end", true),
        ("a room with JSON, the program has ended", JSON_ROOM, "marked.pl", "end", false),
        ("a room with JSON, the program said close", JSON_ROOM, "marked.pl", "close", false),
    ] {
        let site = if is_tls { Site::with_tls(flags, name) } else { Site::new(flags, name) };
        let (silent, mut other) = site.silent_and_other(name);
        let began = Instant::now();
        other.text(end);
        if end == "end" {
            assert_eq!(other.close_at_last(), Close::new(4003, "exit 3"), "{what}");
        } else {
            until(&mut other, "closed");
            assert_eq!(other.line(), "left 4001", "the program reads the event at once");
            assert!(began.elapsed() < limit / 4, "at once: {:?}", began.elapsed());
        }
        waiting.push((what, silent, limit, began, site));
    }
    for (what, flags) in [("a program of its own", &[][..]), ("one with JSON", &["--framing=json", "--maxforks=1"])] {
        let flags = [&["--pingms=15000"], flags].concat();
        let site = Site::new(&flags, if flags.len() > 1 { "marked.pl" } else { "filled.pl" });
        let mut silent = site.connect();
        if flags.len() > 1 {
            // It is the only one: the program fills the seat of nobody, and ends; see the room for the rest.
            silent.text("end");
        } else {
            silent.text("fill");
            silent.text("end");
        }
        waiting.push((what, silent, limit, Instant::now(), site));
    }
    let site = Site::new(ROOM, "filled.pl");
    let mut prompt = site.connect();
    prompt.text("end");
    assert_eq!(prompt.expect_close(), Close::new(4003, "exit 3"));
    waiting.push(("it took all, and does not answer the Close", prompt, Duration::from_secs(30), Instant::now(), site));

    let pong = Frame::new(PONG, "").masked();
    let mut next = Instant::now();
    let all_gone = within(limit, || {
        if Instant::now() >= next {
            next += Duration::from_millis(500);
            waiting.retain_mut(|(what, client, limit, began, site)| {
                let is_there = client.connection().try_send(&pong).is_ok();
                assert!(!is_there || began.elapsed() < *limit, "{what}: still there after {:?}", began.elapsed());
                if !is_there {
                    let log = site.server.log();
                    let count = |text| log.iter().filter(|line| line.contains(text)).count();
                    assert_eq!(count("session started"), count("session ended"), "{what}: {log:?}");
                }
                is_there
            });
        }
        waiting.is_empty().then_some(())
    });
    assert!(all_gone.is_some(), "still there: {:?}", waiting.iter().map(|(what, ..)| what).collect::<Vec<_>>());
}
