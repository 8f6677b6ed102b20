//! `--bus` at the start: what is wrong with the server is said at once, with advice.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;

use crate::harness::redis::Redis;
use crate::harness::server::{Outcome, Server, run};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;

fn start(url: &str) -> Outcome {
    run(&["--port=0", "--shared", &format!("--bus={url}"), "cat"])
}

/// Starts a Redis with these arguments, or skips the test.
fn redis(arguments: &[&str]) -> Option<Redis> {
    let redis = Redis::start(arguments);
    if redis.is_none() {
        skip("redis-server");
    }
    redis
}

#[track_caller]
fn assert_fails(outcome: &Outcome, status: i32, hint: &str) {
    assert_eq!(outcome.status, Some(status), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("hint: ") && outcome.stderr.contains(hint), "{}", outcome.stderr);
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_a_hint() {
    assert_fails(&start("redis://127.0.0.1:1"), 3, "is Redis running there?");
}

#[test]
fn an_url_that_is_none_is_an_error_with_a_hint() {
    for url in ["http://127.0.0.1", "127.0.0.1:6379"] {
        let outcome = start(url);
        assert_fails(&outcome, 1, "redis://HOST");
        assert!(
            outcome.stderr.starts_with("wsd: invalid URL of --bus: Redis URL did not parse\n"),
            "{}",
            outcome.stderr
        );
    }
    assert_fails(&run(&["--node=a", "cat"]), 1, "--bus=redis://HOST");
}

#[test]
fn a_wrong_password_is_an_error_with_a_hint_and_stays_out_of_the_text() {
    let Some(redis) = redis(&["--requirepass", "right"]) else { return };
    assert_fails(&start(&redis.url()), 3, "redis://:PASSWORD@HOST");
    let wrong = start(&redis.url().replace("//", "//:wrong-one@"));
    assert_fails(&wrong, 3, "redis://:PASSWORD@HOST");
    assert!(!wrong.stderr.contains("wrong-one"), "{}", wrong.stderr);
}

#[test]
fn a_replica_that_may_not_be_written_to_is_an_error_with_a_hint() {
    let Some(redis) = redis(&["--replicaof", "127.0.0.1", "1"]) else { return };
    assert_fails(&start(&redis.url()), 3, "name the primary");
}

#[test]
fn a_redis_without_streams_is_an_error_with_a_hint() {
    let Some(redis) = redis(&["--rename-command", "XADD", ""]) else { return };
    assert_fails(&start(&redis.url()), 3, "Redis 6.2 or Valkey");
}

#[test]
fn a_redis_that_drops_keys_when_it_is_full_is_warned_of() {
    let limit = |policy| ["--maxmemory", "50mb", "--maxmemory-policy", policy];
    let table = [
        (&limit("volatile-lru")[..], true),
        (&limit("noeviction"), false),
        (&["--maxmemory-policy", "allkeys-lru"], false),
    ];
    for (arguments, is_warned_of) in table {
        let Some(redis) = redis(arguments) else { return };
        let mut server = Server::command(&["--shared", &format!("--bus={}", redis.url())], &["cat"]);
        let log = server.stop();
        let warning = log.lines().find(|line| line.contains("bus drops keys"));
        assert_eq!(warning.is_some(), is_warned_of, "{log}");
        assert!(
            warning.is_none_or(|line| line.contains("policy=volatile-lru ") && line.contains("noeviction")),
            "{log}"
        );
    }
    let Some(all) = Redis::cluster(3, 0) else { return skip("redis-server and redis-cli") };
    for redis in &all {
        redis.ask(&["CONFIG", "SET", "maxmemory", "50mb", "maxmemory-policy", "allkeys-lru"]);
    }
    let urls: Vec<_> = all.iter().map(Redis::url).collect();
    let server = Server::command(&["--shared", &format!("--bus={}", urls.join(","))], &["cat"]);
    server.expect_log("bus drops keys policy=allkeys-lru");
}

#[test]
fn a_full_redis_is_an_error_with_a_hint() {
    let Some(redis) = redis(&["--maxmemory", "1"]) else { return };
    assert_fails(&start(&redis.url()), 3, "maxmemory");
}

#[test]
fn a_server_of_another_kind_than_the_url_says_is_an_error_with_a_hint() {
    let Some(plain) = redis(&[]) else { return };
    let twice = format!("{0},{0}", plain.url());
    assert_fails(&start(&twice), 3, "name this server alone");
    assert_fails(&start(&format!("{}/99", plain.url())), 3, "such as redis://HOST/0");
    assert_fails(&start(&plain.url().replace("redis:", "rediss:")), 3, "rediss:// is for a port with TLS");

    let Some(node) = redis(&["--cluster-enabled", "yes"]) else { return };
    assert_fails(&start(&node.url()), 3, "name several of its nodes");

    let tree = Tree::new();
    let Some(sentinel) = Redis::sentinel(plain.port(), &tree.path("sentinel.conf")) else { return };
    assert_fails(&start(&sentinel.url()), 3, "write sentinel://HOST:26379/NAME");
    let other = format!("sentinel://127.0.0.1:{}/other", sentinel.port());
    assert_fails(&start(&other), 3, "the name that the sentinels know");
}

#[test]
fn another_program_at_the_port_is_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        // Each connection gets what a server of HTTP says to a line that it does not know.
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"<!doctype html>\n<title>400</title>\n");
        }
    });

    let outcome = start(&url);

    assert_fails(&outcome, 3, "is Redis running there? another program answers");
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
}

#[test]
fn a_bus_that_no_route_uses_is_told() {
    let words = ["--check", "--bus=redis://127.0.0.1:1", "cat"];
    assert!(run(&words).stderr.contains("warning: --bus changes nothing without --shared"), "{:?}", run(&words));
    assert!(!run(&[&words[..2], &["--shared", "cat"]].concat()).stderr.contains("warning"));
}
