//! `--history`: a newcomer gets the last messages first, then every other one, none missing or double in between.

use std::thread;

use crate::harness::server::{Server, program};
use crate::harness::websocket::Client;

/// Says each line, and hears it, so that it is in the history.
fn say(client: &mut Client, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        client.text(&line);
        assert!(client.line() == line);
    }
}

fn numbers(from: usize, to: usize) -> impl Iterator<Item = String> {
    (from..=to).map(|number| number.to_string())
}

#[test]
fn a_newcomer_gets_the_last_messages_and_then_the_live_ones() {
    let server = Server::command(&["--shared", "--history=10"], &["cat"]);
    let mut first = server.connect("/");
    say(&mut first, numbers(1, 30));

    let mut newcomer = server.connect("/");
    say(&mut first, numbers(31, 35));

    for want in numbers(21, 35) {
        assert_eq!(newcomer.line(), want);
    }
}

#[test]
fn a_newcomer_gets_all_there_is_if_that_is_less() {
    let server = Server::command(&["--shared", "--history=10"], &["cat"]);
    let mut first = server.connect("/");
    say(&mut first, numbers(1, 3));

    let mut newcomer = server.connect("/");
    say(&mut first, ["live".to_owned()]);

    for want in ["1", "2", "3", "live"] {
        assert_eq!(newcomer.line(), want);
    }
}

#[test]
fn without_history_a_newcomer_gets_the_live_messages_only() {
    let server = Server::command(&["--shared"], &["cat"]);
    let mut first = server.connect("/");
    say(&mut first, numbers(1, 3));

    let mut newcomer = server.connect("/");
    say(&mut first, ["live".to_owned()]);

    assert_eq!(newcomer.line(), "live");
}

#[test]
fn newcomers_see_a_gapless_run_of_a_fast_program() {
    // It waits for its clients, so that nobody is cut off, and is otherwise as fast as they read.
    let server = Server::command(&["--shared", "--history=50", "--slow=wait"], &["seq", "100000000"]);

    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let mut client = server.connect("/");
                    let first: u64 = client.line().parse().unwrap();
                    for next in first + 1..first + 2000 {
                        assert_eq!(client.line(), next.to_string());
                    }
                }
            });
        }
    });
}

#[test]
fn newcomers_among_messages_miss_none_and_get_none_twice() {
    let server = Server::command(&["--shared", "--history=5"], &["perl", &program("ticker.pl")]);
    let mut stays = server.connect("/");
    while stays.line() != "50 tick" {}

    for _ in 0..100 {
        let mut newcomer = server.connect("/");
        // Five of the history and some more.
        let numbers: Vec<usize> =
            (0..15).map(|_| newcomer.line().split_once(' ').unwrap().0.parse().unwrap()).collect();

        assert!(numbers.iter().copied().eq(numbers[0]..numbers[0] + 15), "{numbers:?}");
    }
}

#[test]
fn the_history_is_of_whole_messages_whatever_their_length() {
    let server = Server::command(&["--shared", "--history=3"], &["cat"]);
    let mut first = server.connect("/");
    let lines = ["a", "b", "c", "é"].map(|letter| letter.repeat(200_000));
    say(&mut first, lines.clone());

    let mut newcomer = server.connect("/");
    say(&mut first, ["live".to_owned()]);

    for want in &lines[1..] {
        assert!(newcomer.line() == *want);
    }
    assert_eq!(newcomer.line(), "live");
}

#[test]
fn each_room_has_a_history_of_its_own() {
    let server = Server::command(&["--shared=path", "--history=10"], &["cat"]);
    let mut rooms = ["/one", "/two"].map(|path| server.connect(path));
    for (client, path) in rooms.iter_mut().zip(["/one", "/two"]) {
        say(client, [path.to_owned()]);
    }

    for path in ["/two", "/one"] {
        assert_eq!(server.connect(path).line(), path);
    }
}

#[test]
fn a_fresh_program_has_no_history() {
    let server = Server::command(&["--shared", "--history=10"], &["cat"]);
    let mut first = server.connect("/");
    say(&mut first, numbers(1, 3));
    first.close(1000);
    server.expect_log("room ended");

    let mut second = server.connect("/");
    second.text("fresh");

    assert_eq!(second.line(), "fresh");
}

#[test]
fn an_eager_program_keeps_its_history_while_nobody_is_there() {
    let server = Server::shell(&["--shared", "--eager", "--history=2"], "seq 9; echo printed >&2; exec cat", &[]);
    server.expect_log("line=printed");
    let mut first = server.connect("/");
    first.text("live");
    // What it printed may be read after the first has come: then that gets more of it.
    while first.line() != "live" {}
    drop(first);
    server.expect_log("session ended");

    let mut second = server.connect("/");

    assert_eq!((second.line(), second.line()), ("9".to_owned(), "live".to_owned()));
}

#[test]
fn the_history_of_a_binary_room_is_of_bytes() {
    let server = Server::command(&["--shared", "--binary", "--history=3"], &["cat"]);
    let mut first = server.connect("/");
    for payload in [&[0, 255][..], &[10], &[13, 10]] {
        first.binary(payload);
        assert_eq!(first.bytes(payload.len()), payload);
    }

    assert_eq!(server.connect("/").bytes(5), [0, 255, 10, 13, 10]);
}
