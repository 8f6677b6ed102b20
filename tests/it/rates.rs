//! `--rate`: how often a source may open a session or run a script.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client_limits::session_of;
use crate::harness::http::Response;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;
use crate::harness::websocket::upgrade_request;
use crate::harness::{DEADLINE, eventually, within};

const TRUST: &str = "--trust-proxy=127.0.0.1";

/// The seconds of the `Retry-After` of a refusal.
fn wait(refusal: &Response) -> u64 {
    assert_eq!(refusal.status, 429, "{refusal}");
    refusal.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn a_source_may_open_a_burst_and_then_learns_how_long_to_wait() {
    for (flags, rate, hour) in
        [(&[][..], "--rate=1/h,3", 3600), (&["--shared"], "--rate=3/h", 1200), (&[], "--rate=6/h,3", 600)]
    {
        let server = Server::command(&[&[rate, TRUST], flags].concat(), &["cat"]);
        let open = |address| session_of(&server, address, "/");
        for _ in 0..3 {
            open("203.0.113.1").unwrap();
        }

        let wait = wait(&open("203.0.113.1").err().expect("a refusal"));

        assert!((hour - 60..=hour).contains(&wait), "{rate}: {wait}");
        let line = server.expect_log("session refused").text;
        assert_eq!(
            (field(&line, "why").as_deref(), field(&line, "hint").as_deref()),
            (Some("rate"), Some("raise --rate"))
        );
        open("203.0.113.2").unwrap();
    }
}

#[test]
fn who_waits_as_long_as_told_may_come_and_not_before() {
    let server = Server::command(&["--rate=1/s"], &["cat"]);
    let start = Instant::now();
    server.connect("/");

    let told = Duration::from_secs(wait(&server.refusal("/", "")));
    eventually("the source may come again", || server.try_connect("/", "").ok());

    assert!(told == Duration::from_secs(1) && start.elapsed() >= told, "{told:?}, {:?}", start.elapsed());
}

#[test]
fn scripts_count_and_files_and_pages_do_not() {
    let tree = Tree::new();
    tree.program("cgi/script", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ndone\\n'\n");
    tree.file("pages/file.txt", "text");
    let (cgi, pages) = (tree.path("cgi"), tree.path("pages"));
    let server = Server::serve(&["--cgidir", &cgi, "--staticdir", &pages, "--rate=1/h,2"]);

    let statuses = |path: &str| [0; 4].map(|_| server.get(path, "").status);

    assert_eq!(statuses("/file.txt"), [200; 4]);
    assert_eq!(statuses("/nothing"), [404; 4]);
    assert_eq!(statuses("/script"), [200, 200, 429, 429]);
}

#[test]
fn a_route_has_a_rate_of_its_own() {
    let tree = Tree::new();
    let route = |path, own| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{own}\n");
    let routes = [route("/a", ""), route("/b", ""), route("/own", "rate = \"1/h\""), route("/free", "rate = 0")];
    tree.file("wsd.toml", format!("rate = \"1/h\"\n{}", routes.concat()));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let open = |path| server.try_connect(path, "").map_or_else(|refusal| refusal.status, |_| 101);

    assert_eq!(["/a", "/b", "/own", "/own", "/free", "/free"].map(open), [101, 429, 101, 429, 101, 101]);
}

#[cfg(target_os = "linux")]
#[test]
fn sources_at_their_limit_stay_in_flat_memory() {
    use crate::harness::process::linux::peak_memory;
    let tree = Tree::new();
    let server = Server::serve(&["--dir", tree.directory("programs").path("programs").as_str(), "--rate=1/h", TRUST]);
    let mut connection = server.http();
    // Each source comes twice, to a path without a program: the first time it may.
    let mut come = |number: u32| {
        let [_, b, c, d] = number.to_be_bytes();
        let request = upgrade_request(&server.host(), "/x", &format!("X-Forwarded-For: 10.{b}.{c}.{d}\r\n"));
        for want in [404, 429] {
            connection.send(&request);
            let response = connection.response("GET");
            assert_eq!(response.status, want, "{number}: {response}");
        }
    };
    (0..200).for_each(&mut come);
    let before = peak_memory(server.pid());

    (200..5000).for_each(&mut come);

    let growth = peak_memory(server.pid()) - before;
    assert!(growth < 4 << 10, "memory grew by {growth} KiB");
}

#[test]
fn a_flood_of_one_source_does_not_disturb_another() {
    let server = Server::command(&["--rate=10/s", TRUST, "--loglevel=error"], &["cat"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let (mut connection, mut refused) = (server.http(), 0);
            let request = upgrade_request(&server.host(), "/", "X-Forwarded-For: 203.0.113.66\r\n");
            while !is_over.load(Ordering::Relaxed) {
                connection.send(&request);
                match connection.response("GET").status {
                    101 => connection = server.http(),
                    429 => refused += 1,
                    other => panic!("{other}"),
                }
            }
            refused
        });
        let mut client = session_of(&server, "203.0.113.1", "/").unwrap();
        for number in 0..200 {
            client.text(&number.to_string());
            assert_eq!(client.line(), number.to_string());
        }
        let opened = within(DEADLINE, || session_of(&server, "203.0.113.1", "/").ok());
        is_over.store(true, Ordering::Relaxed);

        assert!(opened.is_some());
        assert!(flood.join().unwrap() > 0, "the flood was refused");
    });
}
