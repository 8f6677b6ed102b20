//! `--resume`: a client that loses its connection returns to its session, and nothing is lost or doubled.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::process::is_gone;
use crate::harness::returning::{Next, Returning};
use crate::harness::server::{Server, field, program, run, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CLOSE, Client, Close, Frame, TEXT, upgrade_request};
use crate::harness::{DEADLINE, assert_in_time, eventually};

const RESUME: &[&str] = &["--resume=60"];

/// Takes what comes to the end of the session: the texts, and the Close frame, which it answers.
fn rest(client: &mut Returning) -> (Vec<String>, Close) {
    let mut lines = Vec::new();
    loop {
        match client.next(DEADLINE) {
            Next::Message(frame) => lines.push(String::from_utf8(frame.payload).unwrap()),
            Next::Closed(close) => {
                client.close(close.code.unwrap_or(1000));
                return (lines, close);
            }
            other => panic!("after {} lines came {other:?}", lines.len()),
        }
    }
}

#[test]
fn a_client_that_returns_finds_its_program_and_gets_what_it_missed() {
    let server = Server::shell(RESUME, "echo $$; while read -r line; do echo \"$line\"; done", &[]);
    let mut client = Returning::open(server.address);
    let program = client.line();
    client.text("first");
    assert_eq!(client.line(), "first");

    drop(client.take_connection());
    server.expect_log("session detached");
    client.text("while it was away");
    client.connect().unwrap();

    assert_eq!(client.line(), "while it was away");
    assert_eq!(server.expect_worker(1).to_string(), program);
    let greeting = client.greetings.last().unwrap();
    assert_eq!(greeting["resumed"], true, "{greeting}");
    assert_eq!(greeting["got"], 1, "{greeting}");
    let resumed = server.expect_log("session resumed").text;
    assert_eq!(field(&resumed, "replayed").as_deref(), Some("0"), "{resumed}");
    assert!(field(&resumed, "away").is_some_and(|away| away.parse::<u64>().is_ok()), "{resumed}");
}

#[test]
fn the_greeting_tells_the_token_and_the_bounds() {
    let server = Server::command(&["--resume=2.5", "--replay=70k"], &["cat"]);

    let client = Returning::open(server.address);

    let greeting = &client.greetings[0];
    assert_eq!(client.token.len(), 43, "{greeting}");
    assert_eq!(greeting["got"], 0);
    assert_eq!(greeting["resumed"], false);
    assert_eq!(greeting["keep"], 2.5);
    assert_eq!(greeting["window"], 71_680);
    assert_eq!(greeting.get("lost"), None);
}

#[test]
fn a_session_is_resumed_before_any_message_and_again_and_again() {
    let server = Server::command(RESUME, &["cat"]);
    let mut client = Returning::open(server.address);

    for round in 1..=5 {
        client.drop_connection();
        client.connect().unwrap();
        assert_eq!(client.greetings[round]["resumed"], true);
        if round > 2 {
            client.text(&format!("round {round}"));
            assert_eq!(client.line(), format!("round {round}"));
        }
    }

    assert_eq!(server.log().iter().filter(|line| line.contains("session started")).count(), 1);
}

#[test]
fn the_newest_connection_takes_the_session_over() {
    let server = Server::command(RESUME, &["cat"]);
    let mut client = Returning::open(server.address);
    client.text("one");
    assert_eq!(client.line(), "one");

    let old = client.connect().unwrap().expect("the old connection");
    let mut first = Client::upgraded(Connection::over(Stream::over(old)));

    assert_eq!(first.close_at_last(), Close::new(4409, "taken over"));
    first.close(4409);
    first.drain();
    client.text("two");
    assert_eq!(client.line(), "two");
}

/// Whether this connection has the session. Otherwise it must be told so.
fn has_session(client: &mut Client) -> bool {
    client.send(&Frame::new(TEXT, "\0{\"ping\":1}"));
    loop {
        let frame = client.frame();
        if frame.opcode == CLOSE {
            assert_eq!(Close::of(&frame.payload), Close::new(4409, "taken over"));
            return false;
        }
        if frame.payload.starts_with(b"\0{\"pong\"") {
            return true;
        }
    }
}

#[test]
fn of_many_returns_at_once_one_has_the_session_and_the_others_are_told() {
    let server = Server::command(RESUME, &["cat"]);
    let client = Returning::open(server.address);
    let offer = format!("Sec-WebSocket-Protocol: wsd.resume.1, wsd.resume.1~{}~0\r\n", client.token);
    let request = upgrade_request(&server.host(), "/", &offer);
    let streams: Vec<_> = (0..20).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for mut stream in &streams {
        stream.write_all(request.as_bytes()).unwrap();
    }

    let upgraded = |stream| Client::upgrade(Connection::over(Stream::over(stream)), "").ok().unwrap();
    let mut clients: Vec<_> = streams.into_iter().map(upgraded).collect();
    // The first round tells that all have arrived.
    clients.retain_mut(has_session);
    clients.retain_mut(has_session);

    assert_eq!(clients.len(), 1);
}

#[test]
fn a_client_that_was_away_at_the_end_gets_the_tail_and_the_status() {
    let tree = Tree::new();
    let script = "echo 0; until [ -e \"$1\" ]; do sleep 0.01; done; seq 1000; exit 3";
    let server = Server::shell(RESUME, script, &[&tree.path("go")]);
    let mut client = Returning::open(server.address);
    assert_eq!(client.line(), "0");

    client.drop_connection();
    server.expect_log("session detached");
    tree.file("go", "");
    server.expect_log("session ended");
    client.connect().unwrap();

    let (lines, close) = rest(&mut client);
    let want: Vec<_> = (1..=1000).map(|number| number.to_string()).collect();
    assert_eq!(lines, want);
    assert_eq!(close, Close::new(4003, "exit 3"));
    // It has been told, so the session is over.
    assert_eq!(client.next(DEADLINE), Next::Lost);
    client.connect().unwrap();
    assert_eq!(client.greetings.last().unwrap()["lost"], "unknown");
}

#[test]
fn a_client_that_lost_the_close_frame_is_told_again() {
    let server = Server::shell(RESUME, "echo bye; exit 7", &[]);
    let mut client = Returning::open(server.address);
    assert_eq!(client.line(), "bye");
    assert_eq!(client.next(DEADLINE), Next::Closed(Close::new(4007, "exit 7")));

    for _ in 0..3 {
        client.drop_connection();
        client.connect().unwrap();
        assert_eq!(client.next(DEADLINE), Next::Closed(Close::new(4007, "exit 7")));
    }
}

#[test]
fn a_session_that_has_ended_is_over_at_its_time_however_often_its_client_returns() {
    let server = Server::shell(&["--resume=1"], "exit 7", &[]);
    let mut client = Returning::open(server.address);
    let began = Instant::now();

    let returns = eventually("the session is over", || {
        assert_eq!(client.next(DEADLINE), Next::Closed(Close::new(4007, "exit 7")));
        client.drop_connection();
        client.connect().unwrap();
        (client.greetings.last().unwrap()["resumed"] == false).then_some(client.greetings.len())
    });

    assert!(returns > 2 && began.elapsed() >= Duration::from_secs(1), "{returns} in {:?}", began.elapsed());
}

#[test]
fn acknowledgements_do_not_put_off_the_answer_to_a_close() {
    let server = Server::shell(RESUME, "seq 1000; exit 7", &[]);
    let mut client = Returning::open(server.address);
    client.acknowledges = false;
    while client.next(DEADLINE) != Next::Closed(Close::new(4007, "exit 7")) {}
    let (began, mut acknowledged) = (Instant::now(), 0);

    eventually("wsd drops the connection", || {
        acknowledged += 1;
        client.control(&format!("{{\"ack\":{acknowledged}}}"));
        (client.next(Duration::from_millis(200)) == Next::Lost).then_some(())
    });

    assert_in_time(began, Duration::from_secs(5));
}

#[test]
fn a_close_of_any_code_answers_the_close_of_wsd() {
    let server = Server::shell(RESUME, "exit 7", &[]);
    for code in [1000, 1001, 1005, 4007] {
        let mut client = Returning::open(server.address);
        assert_eq!(client.next(DEADLINE), Next::Closed(Close::new(4007, "exit 7")));

        client.close(code);

        assert_eq!(client.next(DEADLINE), Next::Lost);
        client.connect().unwrap();
        assert_eq!(client.greetings[1]["lost"], "unknown", "{code}");
    }
}

#[test]
fn a_close_of_the_client_ends_the_session_for_good_unless_it_goes_away() {
    let server = Server::command(RESUME, &["cat"]);
    for (code, is_kept) in [(1000, false), (3001, false), (4000, false), (1001, true), (1005, true)] {
        let mut client = Returning::open(server.address);
        client.text("x");
        assert_eq!(client.line(), "x");

        client.close(code);
        let want = Close { code: Some(code).filter(|code| *code != 1005), reason: String::new() };
        assert_eq!(client.next(DEADLINE), Next::Closed(want), "{code}");
        client.connect().unwrap();

        let greeting = client.greetings.last().unwrap();
        assert_eq!(greeting["resumed"], is_kept, "{code}: {greeting}");
        client.close(1000);
    }
}

#[test]
fn a_client_that_wants_messages_again_which_it_acknowledged_gets_a_new_session() {
    let server = Server::command(RESUME, &["cat"]);
    let mut client = Returning::open(server.address);
    for text in ["1", "2", "3"] {
        client.text(text);
        assert_eq!(client.line(), text);
    }
    client.acknowledge();
    client.control("{\"ping\":1}");
    assert_eq!(client.next(Duration::from_millis(200)), Next::Silence);
    assert_eq!(client.pongs, [1]);

    client.connect_with(2).unwrap();

    assert_eq!(client.greetings[1]["lost"], "unknown");
}

#[test]
fn an_impossible_acknowledgement_is_a_fault() {
    let server = Server::command(RESUME, &["cat"]);
    for ack in ["1", "-1", "\"0\"", "1.5"] {
        let mut client = Returning::open(server.address);

        client.control(&format!("{{\"ack\":{ack}}}"));

        assert_eq!(client.expect_close(), Close::new(1002, "impossible acknowledgement"), "{ack}");
    }
}

#[test]
fn pings_of_a_page_are_answered_and_unknown_control_messages_are_ignored() {
    let server = Server::command(RESUME, &["cat"]);
    let mut client = Returning::open(server.address);

    for json in ["{\"more\":true}", "[]", "", "[\"x\",null]", "{\"ping\":{}}", "{\"ping\":\"\\u00e4\"}"] {
        client.control(json);
    }
    client.text("x");

    assert_eq!(client.line(), "x");
    client.control("{\"ping\":null}");
    client.text("y");
    assert_eq!(client.line(), "y");
    // It may come behind the message.
    client.next(Duration::from_millis(100));
    assert_eq!(client.pongs, ["\u{e4}".into(), serde_json::Value::Null]);
}

#[test]
fn messages_that_begin_with_nul_arrive_as_they_are() {
    let server = Server::command(&["--resume=60", "--framing=lines,chunks"], &["cat"]);
    let mut client = Returning::open(server.address);
    for text in ["\0", "\0\0", "\0{\"ack\":9}", "\0\0\0x"] {
        client.text(text);
        assert_eq!(client.line(), text, "{text:?}");
    }
    let mut client = Returning::new(server.address, "/", "wsd.resume.1+wsd.chunks", "");
    client.connect().unwrap();
    client.send(BINARY, b"\0{\"ack\":9}");
    let Next::Message(frame) = client.next(DEADLINE) else { panic!("nothing came") };
    assert_eq!((frame.opcode, &*frame.payload), (BINARY, &b"\0{\"ack\":9}"[..]));

    let server = Server::command(&["--resume=60", "--shared"], &["cat"]);
    let mut client = Returning::open(server.address);
    let mut plain = server.connect("/");
    client.text("\0{}");
    assert_eq!(client.line(), "\0{}");
    assert_eq!(plain.line(), "\0{}");
}

#[test]
fn wsd_acknowledges_within_a_second_and_at_once_after_many_messages_or_bytes() {
    let server = Server::command(RESUME, &["sh", "-c", "cat >/dev/null"]);
    for (count, bytes, is_soon) in [(1, 1, false), (256, 1, true), (2, 40_000, true)] {
        let mut client = Returning::open(server.address);
        let began = Instant::now();
        for _ in 0..count {
            client.send(TEXT, &vec![b'x'; bytes]);
        }
        eventually("the messages are acknowledged", || {
            client.next(Duration::from_millis(5));
            (client.unacknowledged() == 0).then_some(())
        });
        if !is_soon {
            assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
        }
    }
}

#[test]
fn a_full_ring_blocks_the_program_and_nothing_is_lost() {
    let server = Server::command(&["--resume=60", "--replay=65536"], &["perl", &program("flood.pl"), "3000", "100"]);
    let mut client = Returning::open(server.address);
    client.drop_connection();
    server.expect_log("session detached");

    // 64 KiB in the ring, and as much in the pipe and in one read: 3000 lines have 300,000 bytes.
    let blocked = server.expect_log("blocked at ").text;
    let lines: u32 = blocked.trim_end_matches('"').rsplit(' ').next().unwrap().parse().unwrap();
    assert!((600..2500).contains(&lines), "{blocked}");
    client.connect().unwrap();

    let (lines, close) = rest(&mut client);
    let want: Vec<_> = (1..=3000).map(|number| format!("{number:<99}")).collect();
    assert!(lines == want, "{} lines", lines.len());
    assert_eq!(close, Close::new(1000, ""));
}

#[test]
fn a_client_that_acknowledges_nothing_stops_the_program_too() {
    let server = Server::shell(&["--resume=60", "--replay=65536"], "exec seq 1000000", &[]);
    let mut client = Returning::open(server.address);
    client.acknowledges = false;
    while client.next(Duration::from_millis(500)) != Next::Silence {}
    // A number has 7 bytes at most, and its note 16.
    assert!((2000..40_000).contains(&client.got), "{}", client.got);

    client.acknowledges = true;
    client.acknowledge();

    let seen = client.got;
    let (lines, close) = rest(&mut client);
    assert_eq!(lines.len() as u64, 1_000_000 - seen);
    assert_eq!(close, Close::new(1000, ""));
}

#[test]
fn an_acknowledgement_that_stands_behind_messages_of_the_client_lets_the_program_go_on() {
    let answer = "BEGIN { $| = 1 } print 'y' x 500, \"\\n\"";
    let server = Server::command(&["--resume=60", "--replay=65536"], &["perl", "-ne", answer]);
    let mut client = Returning::open(server.address);
    let question = "q".repeat(100);
    // The program takes 64 KiB of them until it waits for an acknowledgement, and its pipe as much again.
    for _ in 0..5000 {
        client.text(&question);
    }

    for number in 0..5000 {
        assert_eq!(client.line().len(), 500, "answer {number}");
    }
    client.text("last");
    assert_eq!(client.line().len(), 500);
    eventually("all are acknowledged", || {
        client.next(Duration::from_millis(5));
        (client.unacknowledged() == 0).then_some(())
    });
}

#[test]
fn messages_that_the_program_has_not_got_are_sent_again_after_a_return() {
    let answer = "BEGIN { $| = 1 } print $_, 'y' x 500, \"\\n\"";
    let server = Server::command(&["--resume=60", "--replay=65536"], &["perl", "-ne", answer]);
    let mut client = Returning::open(server.address);
    client.acknowledges = false;
    for number in 0..3000 {
        client.text(&format!("{number:0>100}"));
    }
    while client.next(Duration::from_millis(300)) != Next::Silence {}
    let before = client.got;
    client.acknowledges = true;

    client.connect().unwrap();

    for number in before..6000 {
        let want = if number % 2 == 0 { format!("{:0>100}", number / 2) } else { "y".repeat(500) };
        assert_eq!(client.line(), want, "{number}");
    }
    assert_eq!(client.next(Duration::from_millis(100)), Next::Silence);
}

#[test]
fn a_close_behind_messages_that_the_program_does_not_take_ends_the_session() {
    let server = Server::command(&["--resume=60", "--replay=65536"], &["seq", "1000000"]);
    let mut client = Returning::open(server.address);
    client.acknowledges = false;
    while client.next(Duration::from_millis(300)) != Next::Silence {}
    for _ in 0..9 {
        client.send(TEXT, &vec![b'x'; 100_000]);
    }

    client.close(1000);

    let ended = server.expect_log("session ended").text;
    assert_eq!(field(&ended, "end").as_deref(), Some("closed"), "{ended}");
    assert_eq!(client.next(DEADLINE), Next::Closed(Close::new(1000, "")));
}

#[test]
fn the_limit_of_a_message_is_that_of_the_applications_own_bytes() {
    let server = Server::command(&["--resume=60", "--maxframesize=8"], &["cat"]);
    let mut client = Returning::open(server.address);
    for text in ["12345678", "\x002345678"] {
        client.text(text);
        assert_eq!(client.line(), text);
        client.acknowledge();
    }
    client.control(&format!("{{\"ping\":\"{}\"}}", "p".repeat(200)));
    assert_eq!(client.next(Duration::from_millis(100)), Next::Silence);
    assert_eq!(client.pongs, ["p".repeat(200)]);

    for text in ["123456789", "\x0023456789", &"x".repeat(300)] {
        let mut client = Returning::open(server.address);
        client.text(text);
        assert_eq!(client.expect_close(), Close::new(1009, "message too big"), "{text:?}");
    }
}

#[test]
fn a_line_longer_than_the_ring_becomes_messages_of_a_mebibyte() {
    let script = "head -c 5242880 /dev/zero | tr '\\0' x; echo; echo end";
    let server = Server::shell(&["--resume=60", "--replay=1000"], script, &[]);
    let mut client = Returning::open(server.address);
    let mut bytes = 0;
    loop {
        client.acknowledge();
        let line = client.line();
        if line == "end" {
            break;
        }
        assert!(line.bytes().all(|byte| byte == b'x') && line.len() <= 1 << 20, "{} bytes", line.len());
        bytes += line.len();
        if bytes == 2 << 20 {
            client.drop_connection();
            client.connect().unwrap();
        }
    }
    assert_eq!(bytes, 5 << 20);
}

#[test]
fn a_room_goes_on_without_a_client_that_is_away_and_tells_it_the_gap() {
    let flags = ["--resume=60", "--replay=65536", "--shared"];
    let server = Server::shell(&flags, "read -r _; seq 100000; exec cat", &[]);
    let mut client = Returning::open(server.address);
    let mut other = server.connect("/");
    client.drop_connection();
    server.expect_log("session detached");

    other.text("go");
    for number in 1..=100_000 {
        assert_eq!(other.line(), number.to_string());
    }
    client.connect().unwrap();
    other.text("end");

    let mut next = client.line().parse::<u64>().unwrap();
    assert_eq!(client.gaps, [next - 1]);
    assert!((80_000..100_000).contains(&next), "the newest are kept: {next}");
    while next < 100_000 {
        next += 1;
        assert_eq!(client.line(), next.to_string());
    }
    assert_eq!(client.line(), "end");
    assert_eq!(client.got, 100_001);
    server.expect_log("session resumed");
}

#[test]
fn a_room_hears_of_a_client_once_a_session() {
    let tree = Tree::new();
    let script = "while read -r line; do echo \"$line\" >>\"$1\"; done";
    let flags = ["--resume=60", "--shared", "--framing=json"];
    let server = Server::shell(&flags, script, &[&tree.path("events")]);
    let mut stays = server.connect("/");
    stays.text("here");
    let mut client = Returning::open(server.address);
    for _ in 0..3 {
        client.drop_connection();
        client.connect().unwrap();
    }
    client.text("last");
    client.close(4321);

    let events = eventually("the client leaves", || {
        let events = tree.holds("events").then(|| String::from_utf8(tree.read("events")).unwrap())?;
        events.contains("4321").then_some(events)
    });
    assert_eq!(events.matches("\"event\":\"open\"").count(), 2, "{events}");
    assert_eq!(events.matches("\"event\":\"close\"").count(), 1, "{events}");
}

#[test]
fn a_session_that_nobody_returns_to_expires_and_gives_its_slot_back() {
    let server = Server::command(&["--resume=0.4", "--maxforks=1"], &["cat"]);
    let mut client = Returning::open(server.address);
    let worker = server.expect_worker(1);
    client.drop_connection();
    let began = Instant::now();
    server.expect_log("session detached");
    assert_eq!(server.refusal("/", "").status, 429);

    server.expect_log("session expired");
    let ended = server.expect_log("session ended").text;

    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    assert_eq!(field(&ended, "end").as_deref(), Some("silent"), "{ended}");
    assert!(is_gone(worker));
    client.connect().unwrap();
    assert_eq!(client.greetings[1]["lost"], "unknown");
}

#[test]
fn the_end_of_wsd_ends_sessions_that_are_away_too() {
    let mut server = Server::command(RESUME, &["cat"]);
    let mut away = Returning::open(server.address);
    let mut here = Returning::open(server.address);
    away.drop_connection();
    server.expect_log("session detached");

    let began = Instant::now();
    let log = server.stop();

    assert_eq!(here.expect_close(), Close::new(1001, "server is stopping"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(log.matches("end=shutdown").count(), 2, "{log}");
}

#[test]
fn a_token_reaches_neither_the_program_nor_the_log() {
    let server = Server::shell(&["--resume=60", "--subprotocol=chat"], "env; exec cat", &[]);
    let mut client = Returning::new(server.address, "/", "wsd.resume.1+chat", "");
    client.token = "B".repeat(43);
    client.connect().unwrap();
    client.text("end");
    let mut variables = Vec::new();
    while variables.last().is_none_or(|line| line != "end") {
        variables.push(client.line());
    }

    let has = |text: &str| variables.iter().any(|line| line == text);
    assert!(has("SEC_WEBSOCKET_PROTOCOL=chat"), "{variables:#?}");
    assert!(has("HTTP_SEC_WEBSOCKET_PROTOCOL=wsd.resume.1+chat"), "{variables:#?}");
    // An unlisted return alone must not be logged either.
    let plain = Server::command(&[], &["cat"]);
    let token = "C".repeat(43);
    plain.connect_with("/", &format!("Sec-WebSocket-Protocol: wsd.resume.1~{token}~0\r\n"));
    plain.connect_with("/", &format!("Sec-WebSocket-Protocol: wsd.resume.1, wsd.resume.1~{token}~0\r\n"));
    let warned = plain.expect_log("subprotocol not listed").text;
    assert!(warned.contains("--resume=60"), "{warned}");
    for server in [&server, &plain] {
        let log = server.log().join("\n");
        assert!(!log.contains("BBBB") && !log.contains("CCCC") && !log.contains(&client.token), "{log}");
    }
}

#[test]
fn without_the_offer_or_the_flag_a_session_is_as_ever() {
    let server = Server::command(&["--resume=60", "--subprotocol=chat"], &["cat"]);
    for headers in ["", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: wsd.resume.1+other\r\n"] {
        let mut plain = server.connect_with("/", headers);
        plain.text("\0{\"ack\":9}");
        assert_eq!(plain.line(), "\0{\"ack\":9}", "{headers}");
        drop(plain);
    }
    server.expect_nth_log("session ended", 3);
    assert!(!server.log().iter().any(|line| line.contains("session detached")));

    let server = Server::command(&["--resume=0"], &["cat"]);
    let mut plain = server.connect_with("/", "Sec-WebSocket-Protocol: wsd.resume.1\r\n");
    plain.text("x");
    assert_eq!(plain.line(), "x");
}

#[test]
fn a_silent_connection_is_lost_after_two_pings() {
    let server = Server::command(&["--resume=60", "--pingms=50"], &["cat"]);
    let mut client = Returning::open(server.address);
    let _silent = client.take_connection();

    server.expect_log("session detached");
    client.connect().unwrap();

    assert_eq!(client.greetings[1]["resumed"], true);
}

#[test]
fn replay_is_refused_without_a_byte_or_a_client_that_returns() {
    for flags in [&["--replay=1000"][..], &["--replay=1000", "--resume=0"]] {
        let outcome = run(&[flags, &["cat"]].concat());

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("cannot use --replay without --resume"), "{outcome:?}");
    }
    for flags in [["--replay=0", "--resume=60"], ["--replay=0k", "--http"]] {
        let outcome = run(&[&flags[..], &["cat"]].concat());

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("there is nothing to replay\nhint: "), "{outcome:?}");
    }
    let outcome = run(&["--replay=1x", "--http", "cat"]);
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
}

#[test]
fn a_session_outlives_a_reload_of_its_route() {
    let tree = Tree::new();
    let settings = |keep: u64| format!("[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\nresume = {keep}\n");
    tree.file("wsd.toml", settings(60));
    let server = Server::spawn(wsd(&["--port=0", &format!("--config={}", tree.path("wsd.toml"))]));
    let mut client = Returning::new(server.address, "/a", "wsd.resume.1", "");
    client.connect().unwrap();

    tree.file("wsd.toml", settings(30));
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("settings loaded");
    client.connect().unwrap();

    assert_eq!(client.greetings[1]["resumed"], true);
}

#[test]
fn a_terminal_goes_on_with_its_program_its_size_and_what_it_wrote_meanwhile() {
    let tree = Tree::new();
    let server = Server::command(&["--resume=60", "--pty"], &["sh"]);
    for (offer, keys) in [("wsd.resume.1", ""), ("wsd.resume.1+tty", "0")] {
        let mut client = Returning::new(server.address, "/?cols=91&rows=33", offer, "");
        client.connect().unwrap();
        if offer.ends_with("tty") {
            client.send(BINARY, br#"{"AuthToken":"","columns":91,"rows":33}"#);
        }
        let go = tree.path(&format!("go{keys}"));
        let types = |client: &mut Returning, line: &str| client.send(BINARY, format!("{keys}{line}\r").as_bytes());
        types(&mut client, &format!("kept=yes; until [ -e {go} ]; do sleep 0.01; done; echo t''ail"));
        client.control("{\"ping\":1}");

        drop(client.take_connection());
        tree.file(&format!("go{keys}"), "");
        client.connect().unwrap();
        types(&mut client, "echo \"<$kept $(stty size)>\"");

        let mut screen = String::new();
        while !screen.contains("<yes 33 91>") {
            let Next::Message(frame) = client.next(DEADLINE) else { panic!("{offer}: {screen}") };
            screen.push_str(&String::from_utf8_lossy(&frame.payload[keys.len()..]));
        }
        assert_eq!(screen.matches("tail").count(), 1, "{offer}: {screen}");
        assert_eq!(client.greetings[1]["resumed"], true, "{offer}");
        client.close(1000);
    }
}
