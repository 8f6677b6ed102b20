//! `--rate-in`: the bytes and messages of a client in a second. It waits, and loses nothing.

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Frame, PONG, TEXT};
use crate::harness::{assert_in_time, eventually};

/// The frames of so many messages: their numbers.
fn numbers(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| Frame::new(TEXT, number.to_string()).masked()).collect()
}

#[test]
fn messages_pass_at_the_rate_all_of_them_and_in_order() {
    for flags in [&[][..], &["--shared"], &["--framing=nul"]] {
        let server = Server::command(&[&["--rate-in=0/s,20/s"], flags].concat(), &["cat"]);
        let mut client = server.connect("/");
        let start = Instant::now();

        client.raw(numbers(50));
        for number in 0..50 {
            let line = if flags == ["--framing=nul"] { client.message().payload } else { client.line().into_bytes() };
            assert_eq!(line, number.to_string().as_bytes(), "{flags:?}");
        }

        // 20 at once, and 30 at 20 a second.
        assert!(start.elapsed() >= Duration::from_millis(1500), "{flags:?}: {:?}", start.elapsed());
        assert_in_time(start, Duration::from_millis(1500));
    }
}

#[test]
fn bytes_pass_at_the_rate_and_a_message_over_it_passes_whole() {
    let server = Server::command(&["--rate-in=1000/s"], &["cat"]);
    let mut client = server.connect("/");
    let start = Instant::now();
    let long = "x".repeat(2500);

    client.text(&long);
    client.text("next");

    assert_eq!(client.line(), long);
    assert_eq!(client.line(), "next");
    // 1000 at once, and 1501 at 1000 a second.
    assert!(start.elapsed() >= Duration::from_millis(1500), "{:?}", start.elapsed());
}

#[test]
fn the_messages_of_a_client_that_closes_all_arrive_and_in_time() {
    let tree = Tree::new();
    let server = Server::shell(&["--rate-in=0/s,1/s"], "exec cat > \"$1\"", &[&tree.path("got")]);
    let mut client = server.connect("/");
    let start = Instant::now();

    // Far more than a minute at this rate.
    client.raw([numbers(500), Frame::close(1000, "").masked()].concat());
    assert_eq!(client.expect_close().code, Some(1000));

    assert_in_time(start, Duration::from_secs(1));
    let want: Vec<_> = (0..500).map(|number: u32| number.to_string()).collect();
    eventually("all messages", || fs::read_to_string(tree.path("got")).unwrap().lines().eq(&want).then_some(()));
}

#[test]
fn a_client_beyond_its_rate_is_not_read_and_not_taken_for_gone() {
    let server = Server::command(&["--rate-in=100/s", "--pingms=300"], &["cat"]);
    let mut client = server.connect("/");
    let flood = Frame::new(TEXT, "x".repeat(200)).masked();

    client.text(&"y".repeat(300));
    // Its Pongs would come after these.
    let sent = client.connection().send_until_blocked(&flood.repeat(200_000), Duration::from_secs(2));

    assert!(sent < 32 << 20, "the connection took {sent} bytes");
    assert!(!server.log().iter().any(|line| line.contains("session ended")), "{:?}", server.log());
}

#[test]
fn in_a_room_others_do_not_wait_for_the_one_beyond_its_rate() {
    let server = Server::command(&["--shared", "--rate-in=0/s,10/s"], &["cat"]);
    let (mut loud, mut other) = (server.connect("/"), server.connect("/"));
    loud.raw(numbers(2000));
    assert_eq!(other.line(), "0");
    let start = Instant::now();

    other.text("mine");
    while other.line() != "mine" {}

    assert_in_time(start, Duration::ZERO);
}

#[test]
fn control_frames_count_as_bytes() {
    for flags in [&[][..], &["--resume=30"]] {
        let server = Server::command(&[&["--rate-in=1000/s,5/s"], flags].concat(), &["cat"]);
        let mut client = server.connect("/");
        let flood = Frame::new(PONG, "x".repeat(125)).masked();

        let sent = client.connection().send_until_blocked(&flood.repeat(400_000), Duration::from_secs(2));

        assert!(sent < 32 << 20, "{flags:?}: the connection took {sent} bytes");
    }
}
