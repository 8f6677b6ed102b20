//! Pings: a client that is silent for two intervals is gone, and anything it sends is life.

use std::time::{Duration, Instant};

use crate::harness::DEADLINE;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, Frame, PING, PONG, TEXT};

/// So long that a busy machine does not make a lively client look dead.
const FLAG: &str = "--pingms=250";
const INTERVAL: Duration = Duration::from_millis(250);
/// So many intervals that a client who was not heard in them would be gone.
const MANY: u32 = 5;

fn expect_ping(client: &mut Client) -> Frame {
    let frame = client.frame();
    assert_eq!(frame.opcode, PING, "instead of a Ping came {frame:?}");
    frame
}

#[test]
fn pings_come_at_their_interval() {
    let server = Server::command(&[FLAG], &["cat"]);
    let start = Instant::now();
    let mut client = server.connect("/");

    for _ in 0..MANY {
        let payload = expect_ping(&mut client).payload;
        client.send(&Frame::new(PONG, payload));
    }

    assert!(start.elapsed() >= INTERVAL * MANY, "so many pings in {:?}", start.elapsed());
}

#[test]
fn a_client_that_answers_pings_lives() {
    let server = Server::command(&[FLAG], &["cat"]);
    let mut client = server.connect("/");

    for _ in 0..MANY {
        let payload = expect_ping(&mut client).payload;
        client.send(&Frame::new(PONG, payload));
    }

    client.text("alive");
    assert_eq!(client.line(), "alive");
}

#[test]
fn a_client_that_answers_no_ping_but_says_something_lives() {
    let server = Server::command(&[FLAG], &[&program("collect.sh"), "/dev/null"]);
    let mut client = server.connect("/");

    for _ in 0..MANY {
        expect_ping(&mut client);
        client.text("a message is life too");
    }

    client.close(1000);
    assert_eq!(client.close_at_last().code, Some(1000));
}

#[test]
fn a_frame_that_takes_its_time_is_life_too() {
    let server = Server::command(&[FLAG], &[&program("collect.sh"), "/dev/null"]);
    let mut client = server.connect("/");
    let frame = Frame::new(TEXT, "byte by byte").masked();

    for byte in &frame[..MANY as usize] {
        expect_ping(&mut client);
        client.raw([*byte]);
    }

    client.raw(&frame[MANY as usize..]);
    client.close(1000);
    assert_eq!(client.close_at_last().code, Some(1000));
}

#[test]
fn a_silent_client_is_left_after_two_intervals() {
    let server = Server::command(&[FLAG], &["cat"]);
    let start = Instant::now();
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);

    client.drain();

    assert!(start.elapsed() >= INTERVAL * 2, "left after {:?}", start.elapsed());
    assert!(gone_within(worker, DEADLINE));
    server.expect_log("session ended");
}

#[test]
fn a_silent_client_of_a_talking_program_is_left_too() {
    let server = Server::shell(&[FLAG], "while echo tick; do sleep 0.02; done", &[]);
    let mut client = server.connect("/");

    client.drain();

    assert!(gone_within(server.expect_worker(1), DEADLINE));
}

#[test]
fn no_ping_comes_without_an_interval() {
    // The program is the clock: it lives for longer than some intervals of the other tests.
    let server = Server::command(&["--pingms=0"], &["sleep", "0.8"]);
    let mut client = server.connect("/");

    assert_eq!(client.message(), Frame::close(1000, ""));
}

#[test]
fn a_client_that_its_program_holds_up_is_not_taken_for_dead() {
    // Its pongs stand behind messages that nobody takes: silence that is not its own.
    let tree = Tree::new();
    tree.pipe("gate");
    let server = Server::command(&[FLAG], &[&program("collect.sh"), "/dev/null", &tree.path("gate")]);
    let mut client = server.connect("/");
    let frame = Frame::new(TEXT, [b'x'; 1000]).masked();
    client.raw(frame.repeat(100));

    for _ in 0..MANY {
        let payload = expect_ping(&mut client).payload;
        client.send(&Frame::new(PONG, payload));
    }
    tree.release("gate");

    client.close(4001);
    assert_eq!(client.close_at_last().code, Some(4001));
}

#[test]
fn a_client_that_is_gone_behind_all_it_sent_is_found_by_a_ping() {
    // So much was sent that not even the end of the connection gets through; only an answer to a ping tells of it.
    let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(64_000);
    let server = Server::command(&["--pingms=500"], &["sleep", "1000"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);

    client.connection().send_until_blocked(&flood, Duration::from_millis(300));
    drop(client);

    assert!(gone_within(worker, DEADLINE));
}
