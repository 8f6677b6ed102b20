//! `--bus` at the start: what is wrong with the server is said at once, with advice.

use crate::harness::redis::Redis;
use crate::harness::server::{Outcome, run};
use crate::harness::skip::skip;

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
    assert_fails(&start("http://127.0.0.1"), 1, "redis://HOST");
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
fn a_full_redis_is_an_error_with_a_hint() {
    let Some(redis) = redis(&["--maxmemory", "1"]) else { return };
    assert_fails(&start(&redis.url()), 3, "maxmemory");
}
