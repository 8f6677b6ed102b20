//! One program for many clients: who starts it, who hears it, who ends it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, field, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Close, Frame, TEXT};
use crate::harness::{DEADLINE, assert_in_time, eventually};

/// The members of a room on this path.
fn members(server: &Server, path: &str, count: usize) -> Vec<Client> {
    (0..count).map(|_| server.connect(path)).collect()
}

fn rooms_started(server: &Server) -> usize {
    server.log().iter().filter(|line| line.contains("room started")).count()
}

#[test]
fn every_client_gets_every_line_once_and_in_order() {
    let server = Server::shell(&["--shared"], "read -r _; seq 5000; exec cat", &[]);
    let mut clients = members(&server, "/", 8);

    clients[0].text("go");

    for client in &mut clients {
        for number in 1..=5000 {
            assert_eq!(client.line(), number.to_string());
        }
    }
    clients[7].text("nothing in between");
    for client in &mut clients {
        assert_eq!(client.line(), "nothing in between");
    }
}

#[test]
fn messages_of_many_clients_reach_the_program_whole_and_in_order() {
    const CLIENTS: usize = 8;
    const MESSAGES: usize = 300;
    let tree = Tree::new();
    let server = Server::command(&["--shared"], &[&program("collect.sh"), &tree.path("input")]);
    // Some long, some short, so that frames end anywhere in reads and writes.
    let message = |client: usize, number: usize| format!("{client} {number} {}", "x".repeat(number * 37 % 9000));
    let clients = members(&server, "/", CLIENTS);

    thread::scope(|scope| {
        for (index, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let message = message(index, number);
                    let (front, rest) = message.split_at(message.len() / 2);
                    if number % 3 == 0 {
                        client.send(&Frame::new(TEXT, front).unfinished());
                        client.send(&Frame::new(CONTINUATION, rest));
                    } else {
                        client.text(&message);
                    }
                }
                client.close(1000);
                assert_eq!(client.close_at_last().code, Some(1000));
            });
        }
    });

    server.expect_log("room ended");
    let input = String::from_utf8(tree.read("input")).unwrap();
    let mut next = [0; CLIENTS];
    for line in input.lines() {
        let client: usize = line.split(' ').next().unwrap().parse().unwrap();
        assert!(line == message(client, next[client]), "client {client}, message {}: {line}", next[client]);
        next[client] += 1;
    }
    assert_eq!(next, [MESSAGES; CLIENTS]);
}

#[test]
fn the_first_client_starts_the_program_and_the_others_join_it() {
    let server = Server::shell(&["--shared"], "while read -r _; do echo $$; done", &[]);
    server.get("/", "");
    assert_eq!(rooms_started(&server), 0);

    let mut clients = members(&server, "/", 3);
    let worker = server.expect_room(1);
    clients[2].text("who are you?");

    for client in &mut clients {
        assert_eq!(pid(&client.line()), worker);
    }
    assert_eq!(rooms_started(&server), 1);
}

#[test]
fn a_client_that_leaves_is_missed_by_nobody() {
    let server = Server::command(&["--shared"], &["cat"]);
    let mut stays = server.connect("/");
    for way in ["close", "end", "reset"] {
        let mut leaves = server.connect("/");
        let mut end = server.connect("/");
        match way {
            "close" => {
                leaves.close(1000);
                assert_eq!(leaves.expect_close(), Close::new(1000, ""));
                end.close(1000);
            }
            "end" => drop((leaves, end)),
            _ => {
                leaves.reset();
                end.reset();
            }
        }
        stays.text(way);

        assert_eq!(stays.line(), way);
    }
    server.expect_nth_log("session ended", 6);
    assert_eq!(rooms_started(&server), 1);
    assert!(!is_gone(server.expect_room(1)));
}

#[test]
fn the_last_client_to_leave_stops_the_program_by_the_ladder() {
    let server = Server::start(&["--shared"], "signals.sh");
    let mut clients = members(&server, "/", 2);
    let worker = server.expect_room(1);
    assert_eq!(clients[0].line(), "ready");

    for client in &mut clients {
        assert!(!is_gone(worker));
        client.close(1000);
        client.close_at_last();
    }

    let ended = server.expect_log("room ended").text;
    assert_eq!(field(&ended, "status").as_deref(), Some("137"), "{ended}");
    assert!(gone_within(worker, DEADLINE));
    let log = server.log();
    // The shell tells on its own of a child that a signal has ended.
    let said = log.iter().filter_map(|line| field(line, "line")).filter(|said| said.starts_with("got "));
    assert_eq!(said.collect::<Vec<_>>(), ["got EOF", "got INT", "got TERM"]);
}

#[test]
fn the_last_client_that_vanishes_stops_the_program() {
    for is_reset in [false, true] {
        let server = Server::command(&["--shared", "--pingms=0"], &["sleep", "1000"]);
        let clients = members(&server, "/", 3);
        let worker = server.expect_room(1);

        for client in clients {
            if is_reset {
                client.reset();
            } else {
                drop(client);
            }
        }

        assert!(gone_within(worker, DEADLINE), "is_reset: {is_reset}");
    }
}

#[test]
fn the_messages_of_the_last_client_are_still_read() {
    let tree = Tree::new();
    tree.pipe("gate");
    let server = Server::command(&["--shared"], &[&program("collect.sh"), &tree.path("input"), &tree.path("gate")]);
    let mut client = server.connect("/");

    // Fits into no pipe.
    let flood: Vec<_> = (0..300).map(|number| format!("{number} {}", "x".repeat(1000))).collect();
    for message in &flood {
        client.text(message);
    }
    client.close(1000);
    client.close_at_last();
    tree.release("gate");

    server.expect_log("room ended");
    assert_eq!(String::from_utf8(tree.read("input")).unwrap().lines().collect::<Vec<_>>(), flood);
}

#[test]
fn last_words_wait_for_a_program_that_is_slow_to_read() {
    let tree = Tree::new();
    tree.pipe("gate");
    let collect = [&*program("collect.sh"), &tree.path("input"), &tree.path("gate")];
    let server = Server::command(&["--shared", "--pingms=0"], &collect);
    let mut talks = server.connect("/");
    let mut leaves = server.connect("/");
    // All room before the program is taken: even a busy machine would have moved something in this time.
    let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(30_000);
    let sent = talks.connection().send_until_blocked(&flood, Duration::from_secs(3));
    assert!(sent < flood.len(), "all {sent} bytes were taken");

    // In one piece: of a client that has not said goodbye wsd asks now and then, by a Pong, whether it is still there.
    leaves.raw([Frame::new(TEXT, "last words").masked(), Frame::close(1000, "").masked()].concat());
    assert!(leaves.connection().is_silent_for(Duration::from_secs(1)), "it was let go before it was heard");
    tree.release("gate");

    assert_eq!(leaves.close_at_last().code, Some(1000));
    talks.reset();
    server.expect_log("room ended");
    let input = tree.read("input");
    assert!(input.split(|byte| *byte == b'\n').any(|line| line == b"last words"));
}

#[test]
fn the_next_client_gets_a_fresh_program() {
    let server = Server::shell(&["--shared"], "echo $$; exec cat", &[]);
    let mut first = server.connect("/");
    let old = pid(&first.line());
    first.close(1000);
    server.expect_log("room ended");

    let mut second = server.connect("/");

    let new = pid(&second.line());
    assert_ne!(new, old);
    assert_eq!(new, server.expect_room(2));
}

#[test]
fn the_next_client_need_not_wait_for_the_end_of_the_old_program() {
    let server = Server::start(&["--shared", "--linger=0", "--closems=5000"], "stubborn.sh");
    let mut first = server.connect("/");
    let old = pid(&first.line());
    first.close(1000);
    first.expect_close();
    server.expect_log("session ended");

    let new = pid(&server.connect("/").line());

    assert_ne!(new, old);
    assert!(!is_gone(old));
}

#[test]
fn the_next_client_waits_for_the_fork_slot_of_the_program_that_is_ending() {
    let tree = Tree::new();
    let stubborn = "trap '' INT; echo $$; cat; exec sleep 1000";
    let command = format!("command = [\"sh\", \"-c\", \"{stubborn}\"]");
    tree.file(
        "wsd.toml",
        format!("[[route]]\npath = \"/route\"\nshared = true\nlinger = 0\nmaxforks = 1\n{command}\n"),
    );
    let table = [
        (Server::shell(&["--shared", "--linger=0", "--maxforks=1"], stubborn, &[]), "/", "/"),
        (Server::shell(&["--shared=path", "--maxforks=1"], stubborn, &[]), "/lobby", "/blue"),
        (Server::serve(&["--config", &tree.path("wsd.toml")]), "/route", "/route"),
    ];
    for (server, one, other) in table {
        let mut first = server.connect(one);
        let old = pid(&first.line());
        first.close(1000);
        server.expect_log("session ended");

        let new = pid(&server.connect(other).line());

        assert!(new != old && is_gone(old), "{one}");
    }
}

#[test]
fn a_room_is_logged_with_the_path_of_its_route() {
    let tree = Tree::new();
    let route = |path, more| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{more}\n");
    let settings = [
        route("/eager", "shared = true\neager = true"),
        route("/all/*", "shared = true"),
        route("/each/*", "shared = \"path\""),
    ];
    tree.file("wsd.toml", settings.concat());
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    for (count, (at, want)) in (1..).zip([("/eager", "/eager"), ("/all/x", "/all"), ("/each/x", "/each/x")]) {
        let _client = server.connect(at);
        let started = server.expect_nth_log("room started", count).text;
        assert_eq!(field(&started, "path").as_deref(), Some(want), "{started}");
    }
}

#[test]
fn each_path_has_a_room_of_its_own() {
    let server = Server::shell(&["--shared=path"], "while read -r line; do echo \"$PATH_INFO $line\"; done", &[]);
    let mut lobby = members(&server, "/lobby", 2);
    lobby.push(server.connect("/lobby?seat=3"));
    lobby.push(server.connect("/%6Cobby"));
    let mut blue = members(&server, "/blue", 2);

    lobby[3].text("hello");
    blue[1].text("salut");

    for client in &mut lobby {
        assert_eq!(client.line(), "/lobby hello");
    }
    for client in &mut blue {
        assert_eq!(client.line(), "/blue salut");
    }
    server.expect_room(2);
    assert_eq!(rooms_started(&server), 2);
}

#[test]
fn without_paths_all_paths_are_one_room() {
    let server = Server::command(&["--shared"], &["cat"]);
    let mut lobby = server.connect("/lobby");
    let mut blue = server.connect("/blue?x=1");

    blue.text("hello");

    assert_eq!(lobby.line(), "hello");
}

#[test]
fn each_room_counts_for_maxforks_and_joining_one_does_not() {
    let server = Server::command(&["--shared=path", "--maxforks=1"], &["cat"]);
    let mut lobby = members(&server, "/lobby", 3);

    let refusal = server.refusal("/blue", "");
    assert_eq!((refusal.status, refusal.header("retry-after")), (429, Some("1")), "{refusal}");
    server.expect_log("why=maxforks");
    lobby.push(server.connect("/lobby"));
    lobby[3].text("still here");
    for client in &mut lobby {
        assert_eq!(client.line(), "still here");
    }

    drop(lobby);
    server.expect_log("room ended");
    let mut blue = server.connect("/blue");
    blue.text("room at last");
    assert_eq!(blue.line(), "room at last");
}

#[test]
fn the_end_of_the_program_closes_every_client_with_its_code() {
    for (end, status, code) in [("exit 0", 0, 1000), ("exit 7", 7, 4007), ("kill -9 $$", 137, 4137)] {
        // As a program that is not shared.
        let alone = Server::shell(&[], end, &[]).connect("/").expect_close();
        assert_eq!(alone.code, Some(code));
        let server = Server::shell(&["--shared"], &format!("read -r _; echo bye; {end}"), &[]);
        let mut clients = members(&server, "/", 5);

        clients[4].text("end");

        for client in &mut clients {
            assert_eq!(client.rest(), (vec!["bye".to_owned()], Close::new(code, &alone.reason)), "{end}");
            client.close(code);
            client.expect_end();
            let ended = server.expect_end_of(client);
            assert!(ended.contains(&format!("end=exit status={status} code={code} ")), "{ended}");
        }
        // Not for good: the next one gets a fresh program.
        server.connect("/").text("end");
        server.expect_nth_log("room ended", 2);
    }
}

#[test]
fn all_lines_before_a_crash_arrive() {
    let server = Server::shell(&["--shared"], "read -r _; seq 20000; printf 'half a line'; kill -9 $$", &[]);
    let mut clients = members(&server, "/", 4);
    let want: Vec<_> = (1..=20000).map(|number| number.to_string()).chain(["half a line".to_owned()]).collect();

    clients[0].text("go");

    for client in &mut clients {
        let (lines, close) = client.rest();
        assert!(lines == want, "{} lines, the last {:?}", lines.len(), lines.last());
        assert_eq!(close.code, Some(4137));
    }
}

#[test]
fn a_shared_program_knows_nothing_of_a_client_but_the_path() {
    for (flag, path_info) in [("--shared", ""), ("--shared=path", "/lobby/a b")] {
        let mut command = crate::harness::server::wsd(&["--port=0", "--anyorigin", flag, "env"]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/root");
        let server = Server::spawn(command);
        let headers = "Cookie: secret=1\r\nOrigin: http://client.example\r\nX-Real-IP: 10.1.2.3\r\n";

        let lines = server.connect_with("/lobby/a%20b?token=secret", headers).rest().0;

        let mut found: BTreeMap<_, _> = lines.iter().map(|line| line.split_once('=').unwrap()).collect();
        let unique = found.remove("UNIQUE_ID").unwrap();
        assert!(unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()), "{unique}");
        let want = [
            ("PATH", "/usr/bin:/bin"),
            ("SERVER_SOFTWARE", concat!("wsd/", env!("CARGO_PKG_VERSION"))),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SCRIPT_NAME", "/"),
            ("PATH_INFO", path_info),
            ("PATH_TRANSLATED", path_info),
            ("REQUEST_URI", path_info),
        ];
        assert_eq!(found, want.into(), "{flag}");
    }
}

#[test]
fn bytes_go_to_all_when_the_room_is_binary() {
    let server = Server::command(&["--shared", "--binary"], &["cat"]);
    let mut clients = members(&server, "/", 3);
    let payload: Vec<u8> = (0..=255).collect();

    clients[1].binary(&payload);

    for client in &mut clients {
        assert_eq!(client.bytes(256), payload);
    }
}

#[test]
fn standard_error_goes_to_all_when_it_is_passed() {
    let server = Server::shell(&["--shared", "--passstderr"], "read -r _; echo out; echo err >&2; exec cat", &[]);
    let mut clients = members(&server, "/", 2);

    clients[0].text("go");

    for client in &mut clients {
        let mut lines = [client.line(), client.line()];
        lines.sort();
        assert_eq!(lines, [r#"{"stream":"stderr","data":"err"}"#, r#"{"stream":"stdout","data":"out"}"#]);
    }
}

#[test]
fn a_message_with_line_ends_is_several_lines_and_so_several_messages() {
    let server = Server::command(&["--shared"], &["cat"]);
    let mut clients = members(&server, "/", 2);

    clients[0].text("one\ntwo\n\n");

    for client in &mut clients {
        assert_eq!([client.line(), client.line(), client.line()], ["one", "two", ""]);
    }
}

#[test]
fn a_line_of_any_length_arrives_in_messages_of_whole_characters() {
    let flags = ["--shared", "--slow=wait"];
    let server = Server::shell(&flags, "read -r _; perl -e 'print \"\\xC3\\xA9\" x 1_700_000, \"\\n\"'", &[]);
    let mut clients = members(&server, "/", 2);

    clients[0].text("go");

    for client in &mut clients {
        // Each message is checked to be text.
        let (messages, close) = client.rest();
        assert!(messages.concat() == "é".repeat(1_700_000), "{} messages", messages.len());
        assert!(messages.len() > 1);
        assert_eq!(close, Close::new(1000, ""));
    }
}

#[test]
fn a_member_that_breaks_the_protocol_ends_alone() {
    let server = Server::command(&["--shared", "--maxframesize=10"], &["cat"]);
    let mut stays = server.connect("/");
    let table = [
        (Frame::new(BINARY, "x").unmasked(), 1002),
        (Frame::new(TEXT, b"\xFF").masked(), 1007),
        (Frame::new(TEXT, "more than ten").masked(), 1009),
    ];

    for (bytes, code) in table {
        let mut breaks = server.connect("/");
        breaks.raw(bytes);
        assert_eq!(breaks.expect_close().code, Some(code));
    }

    stays.text("here");
    assert_eq!(stays.line(), "here");
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_does_not_read_stops_its_clients() {
    use crate::harness::process::linux::peak_memory;
    let tree = Tree::new();
    tree.pipe("gate");
    let collect = [&*program("collect.sh"), &tree.path("input"), &tree.path("gate")];
    let server = Server::command(&["--shared", "--pingms=0"], &collect);
    let before = peak_memory(server.pid());
    let mut clients = members(&server, "/", 4);
    let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(30_000);

    let flood_with = |client: &mut Client| client.connection().send_until_blocked(&flood, Duration::from_millis(500));
    let sent: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = clients.iter_mut().map(|client| scope.spawn(|| flood_with(client))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(sent.iter().all(|sent| *sent < flood.len()), "{sent:?}");
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 16 << 10, "memory grew by {growth_kib} KiB");

    tree.release("gate");
    for (mut client, sent) in clients.into_iter().zip(sent) {
        client.raw(&flood[sent..]);
        client.close(1000);
        client.close_at_last();
    }
    server.expect_log("room ended");
    assert_eq!(tree.read("input").len(), 4 * 30_000 * 1001);
}

#[test]
fn a_member_that_vanishes_while_its_program_reads_nothing_is_missed() {
    let server = Server::command(&["--shared", "--pingms=0"], &["sleep", "1000"]);
    let mut client = server.connect("/");
    let worker = server.expect_room(1);

    let flood = Frame::new(TEXT, [b'x'; 1000]).masked().repeat(64_000);
    client.connection().send_until_blocked(&flood, Duration::from_millis(500));
    client.reset();

    assert!(gone_within(worker, DEADLINE));
}

#[test]
fn the_end_of_the_server_closes_members_with_1001_and_stops_the_program() {
    for name in ["signals.sh", "stubborn.sh"] {
        let mut server = Server::start(&["--shared=path"], name);
        let mut clients = members(&server, "/one", 3);
        clients.extend(members(&server, "/two", 3));
        let workers = [server.expect_room(1), server.expect_room(2)];
        clients[0].line();
        clients[3].line();

        let start = Instant::now();
        server.signal(Signal::TERM);

        for client in &mut clients {
            assert_eq!(client.close_at_last(), Close::new(1001, "server is stopping"), "{name}");
            client.expect_end();
        }
        assert_eq!(server.wait().code(), Some(0), "{name}");
        assert!(workers.into_iter().all(is_gone), "{name}");
        assert_in_time(start, Duration::from_secs(1));
    }
}

#[test]
fn an_eager_program_starts_before_any_client() {
    let server = Server::shell(&["--shared", "--eager"], "echo here >&2; exec cat", &[]);

    server.expect_log("line=here");
    let worker = server.expect_room(1);

    let mut client = server.connect("/");
    client.text("hello");
    assert_eq!(client.line(), "hello");
    assert_eq!(rooms_started(&server), 1);
    assert!(!is_gone(worker));
}

#[test]
fn a_client_may_come_as_soon_as_an_eager_server_is_ready() {
    for _ in 0..10 {
        let server = Server::command(&["--shared", "--eager"], &["cat"]);

        let mut client = server.connect("/");

        client.text("hello");
        assert_eq!(client.line(), "hello");
    }
}

#[test]
fn an_eager_program_is_kept_when_the_last_client_has_left() {
    let server = Server::shell(&["--shared", "--eager"], "while read -r _; do echo $$; done", &[]);
    let worker = server.expect_room(1);
    for visit in 1..=3 {
        let mut client = server.connect("/");
        client.text("who are you?");
        assert_eq!(pid(&client.line()), worker);
        client.close(1000);
        server.expect_nth_log("session ended", visit);
    }

    assert_eq!(rooms_started(&server), 1);
    assert!(!is_gone(worker));
}

#[test]
fn an_eager_program_that_has_ended_starts_again_after_a_second() {
    let server = Server::shell(&["--shared", "--eager"], "read -r _; exit 3", &[]);
    let old = server.expect_room(1);
    let mut client = server.connect("/");

    let start = Instant::now();
    client.text("end");

    assert_eq!(client.expect_close().code, Some(4003));
    let again = server.expect_log("worker starts again").text;
    assert!(again.contains(" WARN ") && field(&again, "secs").as_deref() == Some("1"), "{again}");
    let new = server.expect_room(2);
    assert_ne!(new, old);
    assert!(start.elapsed() >= Duration::from_secs(1), "it took {:?}", start.elapsed());
    server.connect("/").text("end");
    let again = server.expect_nth_log("worker starts again", 2).text;
    assert_eq!(field(&again, "secs").as_deref(), Some("2"), "{again}");
}

#[test]
fn while_an_eager_program_is_down_clients_are_told_to_come_again() {
    let server = Server::command(&["--shared", "--eager"], &["false"]);

    let refusal = eventually("a refusal", || server.try_connect("/", "").err());

    assert_eq!((refusal.status, refusal.header("retry-after")), (503, Some("1")), "{refusal}");
    server.expect_log("why=down");
}

#[test]
fn an_eager_program_ends_with_the_server() {
    let mut server = Server::start(&["--shared", "--eager"], "stubborn.sh");
    let worker = server.expect_room(1);

    let start = Instant::now();
    server.signal(Signal::TERM);

    assert_eq!(server.wait().code(), Some(0));
    assert!(is_gone(worker));
    assert_in_time(start, Duration::from_secs(1));
}

#[test]
fn flags_of_rooms_that_make_no_sense_are_refused() {
    let table: [(&[&str], i32, &str); 15] = [
        (&["--shared=round"], 2, "--shared"),
        (&["--eager"], 1, "--eager"),
        (&["--eager", "--shared=path"], 1, "--eager"),
        (&["--history=5"], 1, "--history"),
        (&["--shared", "--slow=never"], 2, "--slow"),
        (&["--framing=xml"], 2, "--framing"),
        (&["--linger=9"], 1, "--linger without --shared"),
        (&["--linger=9", "--shared", "--eager"], 1, "--linger and --eager"),
        (&["--slow=drop"], 1, "--slow without --shared"),
        (&["--slow=close"], 1, "--slow without --shared"),
        (&["--slow=wait", "--slow-wait=5"], 1, "--slow without --shared"),
        (&["--slow-wait=5"], 1, "--slow-wait without --slow=wait"),
        (&["--slow-wait=5", "--shared"], 1, "--slow-wait without --slow=wait"),
        (&["--slow-wait=5", "--shared", "--slow=drop"], 1, "--slow-wait without --slow=wait"),
        (&["--cgi-timeout=5"], 1, "--cgi-timeout without --cgidir"),
    ];
    for (flags, status, name) in table {
        let outcome = crate::harness::server::run(&[&["--port=0"], flags, &["cat"]].concat());

        assert_eq!(outcome.status, Some(status), "{flags:?}: {outcome:?}");
        assert!(outcome.stderr.contains(name) && outcome.stderr.contains("hint: "), "{flags:?}: {outcome:?}");
    }
    let outcome = crate::harness::server::run(&["--port=0", "--shared", "--staticdir=."]);
    assert!(outcome.status == Some(1) && outcome.stderr.contains("--shared without a program"), "{outcome:?}");
}

#[test]
fn flags_of_rooms_that_have_an_effect_are_taken() {
    for flags in [
        &["--framing=json", "--slow=wait", "--slow-wait=5"][..],
        &["--shared=path", "--slow=drop", "--linger=0", "--history=0"],
        &["--history=0", "--eager=false", "--shared=false"],
        &["--cgidir=.", "--cgi-timeout=5"],
        // A script passes a variable that may be empty.
        &["--cgidir=", "--cgi-timeout=5"],
    ] {
        let outcome = crate::harness::server::run(&[&["--check"], flags, &["cat"]].concat());

        assert_eq!(outcome.status, Some(0), "{flags:?}: {outcome:?}");
    }
}
