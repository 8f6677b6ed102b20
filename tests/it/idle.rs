//! `--idle` and `--lifetime`: the sessions that wsd ends by the clock.

use std::time::{Duration, Instant};

use crate::harness::assert_in_time;
use crate::harness::returning::Returning;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;
use crate::harness::websocket::{CLOSE, Client, Close, Frame, PING, PONG};

const SECOND: Duration = Duration::from_secs(1);

/// Checks how the only session of a server ended, in the log.
fn assert_ended(server: &Server, word: &str, code: &str) {
    let line = server.expect_log("session ended").text;
    assert_eq!((field(&line, "end").as_deref(), field(&line, "code").as_deref()), (Some(word), Some(code)), "{line}");
}

/// Answers pings until the Close comes.
fn close_of(client: &mut Client) -> Close {
    loop {
        let frame = client.frame();
        match frame.opcode {
            PING => client.send(&Frame::new(PONG, frame.payload)),
            CLOSE => return Close::of(&frame.payload),
            other => panic!("a frame of opcode {other}"),
        }
    }
}

#[test]
fn a_session_without_messages_is_closed_as_idle_whatever_pings_do() {
    for flags in [&[][..], &["--shared"], &["--framing=json"], &["--pingms=300"], &["--resume=60"]] {
        let server = Server::command(&[&["--idle=1"], flags].concat(), &["cat"]);
        let start = Instant::now();
        let mut client = server.connect("/");

        let close = close_of(&mut client);

        assert_eq!(close, Close::new(4408, "idle"), "{flags:?}");
        assert!(start.elapsed() >= SECOND, "{flags:?}: {:?}", start.elapsed());
        assert_in_time(start, SECOND);
        assert_ended(&server, "idle", "4408");
    }
}

#[test]
fn each_message_puts_the_end_off() {
    let script = "for number in 1 2 3 4 5; do sleep 0.5; echo $number; done; exec sleep 1000";
    let server = Server::shell(&["--idle=1.5"], script, &[]);
    let mut client = server.connect("/");

    let lines: Vec<_> = (0..5).map(|_| client.line()).collect();
    let last = Instant::now();

    assert_eq!(lines, ["1", "2", "3", "4", "5"]);
    assert_eq!(client.expect_close(), Close::new(4408, "idle"));
    assert!(last.elapsed() >= SECOND, "{:?}", last.elapsed());
}

#[test]
fn a_session_ends_after_its_lifetime_however_much_it_says() {
    for flags in [&[][..], &["--shared"], &["--resume=60"]] {
        let server =
            Server::shell(&[&["--lifetime=1", "--idle=30"], flags].concat(), "while echo x; do sleep 0.05; done", &[]);
        let start = Instant::now();
        let mut client = server.connect("/");

        let (lines, close) = client.rest();

        assert_eq!(close, Close::new(4410, "lifetime"), "{flags:?}");
        assert!(!lines.is_empty() && start.elapsed() >= SECOND, "{flags:?}: {:?}", start.elapsed());
        assert_in_time(start, SECOND);
        assert_ended(&server, "lifetime", "4410");
    }
}

#[test]
fn the_clock_goes_on_while_the_client_is_away() {
    for (flag, word, code) in [("--idle=1", "idle", "4408"), ("--lifetime=1", "lifetime", "4410")] {
        let server = Server::command(&["--resume=60", flag], &["cat"]);
        let mut client = Returning::open(server.address);

        client.drop_connection();

        server.expect_log("session detached");
        assert_ended(&server, word, code);
    }
}

#[test]
fn a_route_has_its_own_limits() {
    let tree = Tree::new();
    let route = |path, own| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{own}\n");
    tree.file("wsd.toml", format!("idle = 1\n{}{}", route("/a", ""), route("/b", "idle = 0\nlifetime = 2")));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    let (mut a, mut b) = (server.connect("/a"), server.connect("/b"));

    assert_eq!(a.expect_close(), Close::new(4408, "idle"));
    assert_eq!(b.expect_close(), Close::new(4410, "lifetime"));
}
