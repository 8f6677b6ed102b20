//! The metrics: what they count, where they are, and what they never show.
//!
//! `WSD_METRICS_SESSIONS=10000 cargo test --test it metrics` has so many sessions in the comparison of sums.

use std::env;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

#[cfg(target_os = "linux")]
use crate::harness::crowd::Crowd;
use crate::harness::crowd::raise_descriptor_limit;
use crate::harness::eventsource::EventSource;
use crate::harness::returning::Returning;
use crate::harness::scrape::{METRICS, Scrape, Watch};
use crate::harness::server::{Server, field, program, run, wsd};
use crate::harness::tree::Tree;
use crate::harness::{SetOnDrop, eventually};

/// Series of the only route of these servers.
const OPEN: &str = r#"wsd_sessions{route="/*",state="open"}"#;
const MESSAGES_IN: &str = r#"wsd_messages_total{route="/*",direction="in"}"#;
const MESSAGES_OUT: &str = r#"wsd_messages_total{route="/*",direction="out"}"#;
const BYTES_IN: &str = r#"wsd_message_bytes_total{route="/*",direction="in"}"#;
const BYTES_OUT: &str = r#"wsd_message_bytes_total{route="/*",direction="out"}"#;

#[test]
fn a_session_is_counted_while_it_runs_and_after_it() {
    let server = Server::command(&[METRICS], &["sh", "-c", "read a; echo $a; read a; exit 3"]);
    let watch = Watch::of(&server);
    let mut client = server.connect("/");
    client.text("häh");
    assert_eq!(client.line(), "häh");

    let during = watch.scrape();
    client.text("");
    assert_eq!(client.expect_close().code, Some(4003));
    server.expect_log("session ended");
    let after = watch.scrape();

    let counts =
        |scrape: &Scrape| [OPEN, MESSAGES_IN, MESSAGES_OUT, BYTES_IN, BYTES_OUT].map(|name| scrape.value(name));
    assert_eq!(counts(&during), [1, 1, 1, 4, 4]);
    assert_eq!(counts(&after), [0, 2, 1, 4, 4]);
    for (series, want) in [
        (r#"wsd_sessions_started_total{route="/*",transport="ws"}"#, 1),
        (r#"wsd_sessions_ended_total{route="/*",end="exit",code="4003"}"#, 1),
        (r#"wsd_session_duration_seconds_count{route="/*"}"#, 1),
        (r#"wsd_programs_started_total{route="/*"}"#, 1),
        (r#"wsd_programs{route="/*"}"#, 0),
        (r#"wsd_program_exits_total{route="/*",status="3"}"#, 1),
        (r#"wsd_program_start_seconds_count{route="/*"}"#, 1),
    ] {
        assert_eq!(after.value(series), want, "{series}");
    }
    assert_eq!(during.value(r#"wsd_programs{route="/*"}"#), 1);
}

#[test]
fn the_sums_equal_the_log_and_what_the_clients_counted() {
    let sessions: u64 = env::var("WSD_METRICS_SESSIONS").map_or(300, |count| count.parse().unwrap());
    raise_descriptor_limit(4096);
    let server = Server::command(&[METRICS, "--maxforks=64"], &["cat"]);
    let (next, counted) = (AtomicU64::new(0), [const { AtomicU64::new(0) }; 2]);

    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sessions {
                        break;
                    }
                    let mut client = server.connect("/");
                    for round in 0..number % 7 {
                        let text = "x".repeat(usize::try_from(number * 31 % 997 + round).unwrap());
                        client.text(&text);
                        assert_eq!(client.line(), text);
                        counted[0].fetch_add(1, Ordering::Relaxed);
                        counted[1].fetch_add(text.len() as u64, Ordering::Relaxed);
                    }
                    // Some close, and some leave.
                    if number % 3 > 0 {
                        client.close(1000);
                        client.expect_close();
                    }
                }
            });
        }
    });
    server.expect_events("session ended", sessions);

    let scrape = Watch::of(&server).scrape();
    assert_eq!(scrape.sum("wsd_sessions_started_total", ""), sessions);
    assert_eq!(scrape.sum("wsd_sessions_ended_total", ""), sessions);
    assert_eq!(scrape.sum("wsd_program_exits_total", ""), sessions);
    assert_eq!((scrape.value(OPEN), scrape.sum("wsd_programs", "")), (0, 0));
    let [messages, bytes] = counted.map(AtomicU64::into_inner);
    assert_eq!(
        [MESSAGES_IN, MESSAGES_OUT, BYTES_IN, BYTES_OUT].map(|name| scrape.value(name)),
        [messages, messages, bytes, bytes]
    );
    let left = r#"wsd_sessions_ended_total{route="/*",end="left",code="1006"}"#;
    assert_eq!(scrape.value(left), sessions.div_ceil(3));
}

#[test]
fn the_sums_equal_those_of_the_lines_in_the_log() {
    // wsd logs so many lines of one event in a second; beyond, it leaves some out.
    const SESSIONS: usize = 15;
    let server =
        Server::command(&[METRICS], &["sh", "-c", "while read -r line; do echo \"$line\"; echo and; done; exit 3"]);
    for number in 0..SESSIONS {
        let mut client = server.connect("/");
        for round in 0..number {
            client.text(&"x".repeat(number * 31 + round));
            assert_eq!([client.line().len(), client.line().len()], [number * 31 + round, 3]);
        }
        client.close(1000);
        client.expect_close();
    }
    server.expect_nth_log("session ended", SESSIONS);

    let (scrape, log) = (Watch::of(&server).scrape(), server.log());

    let ends: Vec<_> = log.iter().filter(|line| line.contains("session ended")).collect();
    let sum = |key: &str| ends.iter().map(|end| field(end, key).unwrap().parse::<u64>().unwrap()).sum::<u64>();
    assert!(sum("in_bytes") > 0);
    assert_eq!(
        [MESSAGES_IN, MESSAGES_OUT, BYTES_IN, BYTES_OUT].map(|name| scrape.value(name)),
        ["in", "out", "in_bytes", "out_bytes"].map(sum)
    );
    for end in &ends {
        let [word, code] = ["end", "code"].map(|key| field(end, key).unwrap());
        let like_it = ends.iter().filter(|other| {
            field(other, "end").as_ref() == Some(&word) && field(other, "code").as_ref() == Some(&code)
        });
        let series = format!("wsd_sessions_ended_total{{route=\"/*\",end=\"{word}\",code=\"{code}\"}}");
        assert_eq!(scrape.value(&series), like_it.count() as u64, "{series}");
    }
}

#[test]
fn what_wsd_keeps_for_a_client_that_may_return_is_counted() {
    let server =
        Server::shell(&[METRICS, "--resume=60"], "read -r _; head -c 5000 /dev/zero | tr '\\0' x; echo; cat", &[]);
    let mut client = Returning::new(server.address, "/", "wsd.resume.1", "");
    client.acknowledges = false;
    client.connect().unwrap();
    let watch = Watch::of(&server);
    assert_eq!(watch.scrape().value("wsd_replay_bytes"), 0);

    client.text("go");

    eventually("it is counted", || (watch.scrape().value("wsd_replay_bytes") >= 5000).then_some(()));
}

#[test]
fn an_event_stream_is_a_session_of_its_own_transport_on_a_connection_of_http() {
    let server = Server::command(&[METRICS, "--http"], &["cat"]);
    let mut client = EventSource::new(server.address, "/", "");
    assert_eq!(client.connect().unwrap(), 200);
    server.expect_log("session started");

    let scrape = Watch::of(&server).scrape();

    assert_eq!(scrape.value(r#"wsd_sessions_started_total{route="/*",transport="sse"}"#), 1);
    assert_eq!(scrape.value(OPEN), 1);
    let [sockets, of_http] = ["session", "http"].map(|kind| format!("wsd_connections{{kind=\"{kind}\"}}"));
    // The stream, and the scrape itself.
    assert_eq!((scrape.value(&sockets), scrape.value(&of_http)), (0, 2));
}

#[test]
fn a_server_of_mcp_is_counted_as_a_program_and_its_requests_by_their_kind() {
    let server = Server::command(&[METRICS, "--mcp=session"], &[&program("mcp.py"), "legacy"]);
    let watch = Watch::of(&server);
    let heads = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}"#;
    let hello = format!(r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{params}}}"#);

    let greeted = server.post("/", heads, hello);

    assert_eq!(greeted.status, 200, "{greeted}");
    let series = r#"wsd_http_requests_total{kind="mcp",code="200"}"#;
    let during = eventually("the request is counted", || Some(watch.scrape()).filter(|scrape| scrape.has(series)));
    let programs = |scrape: &Scrape| {
        ["wsd_programs", "wsd_programs_started_total", "wsd_program_exits_total"].map(|name| scrape.sum(name, ""))
    };
    assert_eq!((during.value(series), programs(&during)), (1, [1, 1, 0]));
    let session = greeted.header("Mcp-Session-Id").unwrap();
    let end = format!(
        "DELETE / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nMcp-Session-Id: {session}\r\n\r\n",
        server.host()
    );
    server.request(&end);
    server.expect_log("mcp ended");
    assert_eq!(programs(&watch.scrape()), [0, 1, 1]);
}

#[test]
fn a_room_and_its_clients_are_counted() {
    let server = Server::command(&[METRICS, "--shared", "--linger=0"], &["cat"]);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect("/")).collect();
    clients[0].text("to all");
    for client in &mut clients {
        assert_eq!(client.line(), "to all");
    }

    let scrape = Watch::of(&server).scrape();

    let of_route =
        [r#"wsd_rooms{route="/*"}"#, r#"wsd_room_clients{route="/*"}"#, MESSAGES_IN, MESSAGES_OUT, BYTES_OUT];
    assert_eq!(of_route.map(|name| scrape.value(name)), [1, 3, 1, 3, 18]);
    drop(clients);
    let ended = server.expect_log("room ended").text;
    let told = ["in", "out", "in_bytes", "out_bytes"].map(|key| field(&ended, key));
    assert_eq!(told, ["1", "1", "6", "6"].map(|count| Some(count.to_owned())), "{ended}");
    assert!(field(&ended, "cpu").is_some() && field(&ended, "memory").is_some(), "{ended}");
    let after = Watch::of(&server).scrape();
    assert_eq!((after.value(of_route[0]), after.sum("wsd_programs", "")), (0, 0));
    assert_eq!(after.sum("wsd_program_exits_total", ""), 1);
}

#[test]
fn a_client_that_is_away_is_counted_as_detached() {
    let server = Server::command(&[METRICS, "--resume=60"], &["cat"]);
    let client = server.connect_with("/", "Sec-WebSocket-Protocol: wsd.resume.1\r\n");

    client.reset();
    server.expect_log("session detached");

    let scrape = Watch::of(&server).scrape();
    assert_eq!(scrape.value(r#"wsd_sessions{route="/*",state="detached"}"#), 1);
    assert_eq!((scrape.value(OPEN), scrape.value(r#"wsd_connections{kind="session"}"#)), (0, 0));
}

#[test]
fn refusals_requests_and_scripts_are_counted() {
    let tree = Tree::new();
    tree.file("files/page.html", "text").program("cgi/hello", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nhi'");
    let flags = ["--staticdir", &tree.path("files"), "--cgidir", &tree.path("cgi"), "--http"];
    let server = Server::command(&[&[METRICS], &flags[..]].concat(), &["cat"]);

    assert_eq!(server.refusal("/", "Origin: http://evil.example\r\n").status, 403);
    assert_eq!(server.get("/page.html", "").status, 200);
    assert_eq!(server.get("/hello", "").text(), "hi");
    assert_eq!(server.get("/nothing", "").status, 404);
    assert_eq!(server.post("/", "", "a body").text(), "a body");
    server.expect_log("post ended");

    // A client has its answer before the answer and the end of a script are counted.
    let requests = [("file", 200), ("cgi", 200), ("page", 404), ("refusal", 403), ("oneshot", 200)]
        .map(|(kind, code)| format!("wsd_http_requests_total{{kind=\"{kind}\",code=\"{code}\"}}"));
    let scrape = eventually("all are counted", || {
        let scrape = Watch::of(&server).scrape();
        let are_counted = requests.iter().all(|series| scrape.has(series));
        (are_counted && scrape.sum("wsd_program_exits_total", "") == 2).then_some(scrape)
    });
    for series in &requests {
        assert_eq!(scrape.value(series), 1, "{series}\n{}", scrape.text);
    }
    assert_eq!(scrape.value(r#"wsd_sessions_refused_total{route="/*",why="origin"}"#), 1);
    assert_eq!(scrape.value(r#"wsd_sessions_started_total{route="/*",transport="oneshot"}"#), 1);
    assert_eq!((scrape.value(BYTES_IN), scrape.value(BYTES_OUT)), (6, 6));
    // The program of the POST, and the script.
    assert_eq!(scrape.value(r#"wsd_programs_started_total{route="/*"}"#), 2);
}

#[test]
fn a_program_that_must_be_signalled_is_counted_by_signal() {
    let server = Server::start(&[METRICS], "stubborn.sh");
    let mut client = server.connect("/");
    client.line();

    client.close(1000);
    server.expect_log("session ended");

    let scrape = Watch::of(&server).scrape();
    for signal in ["INT", "TERM", "KILL"] {
        let series = format!("wsd_programs_killed_total{{route=\"/*\",signal=\"{signal}\"}}");
        assert_eq!(scrape.value(&series), 1, "{series}");
    }
    assert_eq!(scrape.value(r#"wsd_program_exits_total{route="/*",status="137"}"#), 1);
}

#[test]
fn each_route_has_series_of_its_own_with_its_name_escaped() {
    let tree = Tree::new();
    tree.file("wsd.toml", "[[route]]\npath = '/a\"b\\c'\ncommand = ['cat']\n");
    let server = Server::serve(&[METRICS, "--config", &tree.path("wsd.toml"), "--route", "/other/*=cat"]);
    let mut client = server.connect("/a%22b%5Cc");
    client.text("x");
    client.line();

    let scrape = Watch::of(&server).scrape();

    assert_eq!(scrape.value(r#"wsd_sessions{route="/a\"b\\c",state="open"}"#), 1);
    assert_eq!(scrape.value(r#"wsd_sessions{route="/other/*",state="open"}"#), 0);
}

#[test]
fn metrics_show_no_path_no_query_no_token_and_no_header() {
    let server = Server::command(&[METRICS, "--http"], &["cat"]);
    let headers = "Authorization: Bearer secret-token\r\nCookie: secret=cookie\r\nX-Any: secret-header\r\n";
    let _client = server.connect_with("/secret-path?secret-query=1", headers);
    server.get("/secret-file?secret-query=1", headers);
    server.refusal("/secret-path?secret=1", &format!("{headers}Origin: http://secret.example\r\n"));
    server.expect_log("session started");
    server.expect_nth_log("http request", 2);

    for accept in ["", "Accept: application/openmetrics-text\r\n"] {
        let scrape = Watch::of(&server).get("/metrics", accept).text();
        assert!(!scrape.contains("secret"), "{scrape}");
    }
}

#[test]
fn the_format_is_that_of_accept() {
    let server = Server::command(&[METRICS], &["cat"]);
    let table = [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("Accept: application/openmetrics-text\r\n", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ];
    for (accept, want) in table {
        let response = Watch::of(&server).get("/metrics", accept);
        assert_eq!((response.status, response.header("content-type")), (200, Some(want)));
        assert_eq!(response.text().ends_with("# EOF\n"), !accept.is_empty());
    }
    assert_eq!(Watch::of(&server).get("/", "").status, 404);
}

#[test]
fn metrics_at_a_path_of_the_server_are_behind_the_gate() {
    let tree = Tree::new();
    tree.file("tokens", "ada:secret-token\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));
    let server = Server::command(&["--metrics=/metrics", &auth], &["cat"]);

    let without = server.get("/metrics", "");
    let with = server.get("/metrics", "Authorization: Bearer secret-token\r\n");

    assert_eq!(without.status, 401);
    assert_eq!(with.status, 200);
    assert!(with.text().contains("wsd_build_info{version="), "{}", with.text());
}

#[test]
fn metrics_are_nowhere_unless_asked_for() {
    let server = Server::command(&[], &["cat"]);

    assert_eq!(server.get("/metrics", "").status, 426);
    assert!(!server.log().iter().any(|line| line.contains("metrics ready")));
}

#[test]
fn a_place_that_is_none_is_exit_1_and_one_in_use_is_exit_3() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("--metrics={}", taken.local_addr().unwrap());

    let wrong = run(&["--metrics=9100", "cat"]);
    let in_use = run(&["--port=0", &taken, "cat"]);

    assert_eq!(wrong.status, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("--metrics") && wrong.stderr.contains("127.0.0.1:9100"), "{wrong:?}");
    assert_eq!(in_use.status, Some(3), "{in_use:?}");
}

#[test]
fn a_socket_for_the_metrics_that_cannot_be_made_is_told_with_advice_for_sockets() {
    let tree = Tree::new();
    let used = tree.path("used.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&used).unwrap();
    let table = [
        (tree.path("nothing/x.sock"), "make its folder first, or name an existing one with `--metrics`"),
        (used, "stop the server that uses it, or name another path with `--metrics`"),
    ];
    for (path, hint) in table {
        let outcome = run(&["--port=0", &format!("--metrics=unix:{path}"), "cat"]);

        assert_eq!(outcome.status, Some(3), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("\nhint: {hint}")), "{outcome:?}");
    }
}

#[test]
fn metrics_in_the_folder_of_wsd_itself_are_refused() {
    // Health is there in any case: the metrics would be nowhere.
    let outcome = run(&["--metrics=/.wsd/live", "--check", "cat"]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("`/.wsd/` is wsd's own folder\nhint: "), "{outcome:?}");
}

#[test]
fn metrics_are_served_at_a_unix_socket_too() {
    let tree = Tree::new();
    let path = tree.path("metrics.sock");
    let server = Server::command(&[&format!("--metrics=unix:{path}")], &["cat"]);
    server.expect_log("metrics ready");

    let stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let mut answer = String::new();
    std::io::Write::write_all(&mut &stream, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    std::io::Read::read_to_string(&mut &stream, &mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("wsd_build_info"), "{answer}");
    drop(server);
    assert!(!tree.holds("metrics.sock"));
}

#[test]
fn a_scrape_during_a_flood_is_whole_and_monotonic() {
    let server = Server::command(&[METRICS], &["yes", "a line of a flood"]);
    let is_over = AtomicBool::new(false);
    let watch = Watch::of(&server);

    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect("/");
            while !is_over.load(Ordering::Relaxed) {
                client.frame();
            }
        });
        // A failure ends the flood, too.
        let _end = SetOnDrop(&is_over);
        let (start, mut before, mut scrapes) = (Instant::now(), 0, 0);
        while start.elapsed() < Duration::from_millis(500) || scrapes < 5 || before == 0 {
            let scrape = watch.scrape();
            let now = scrape.value(MESSAGES_OUT);
            assert!(now >= before, "{now} after {before}");
            (before, scrapes) = (now, scrapes + 1);
        }
        assert!(before > 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_scrape_each_second_takes_less_than_a_hundredth_of_a_processor() {
    const SCRAPES: u32 = 50;
    raise_descriptor_limit(4096);
    let server = Server::command(&[METRICS, "--shared"], &["cat"]);
    let mut crowd = Crowd::default();
    for _ in 0..1000 {
        crowd.add(server.connect("/"));
    }
    server.expect_events("session started", 1000);
    let watch = Watch::of(&server);
    let used = || watch.scrape().decimal("process_cpu_seconds_total");

    let before = used();
    for _ in 1..SCRAPES {
        watch.scrape();
    }
    let each = (used() - before) / f64::from(SCRAPES);

    // Also here, without optimisation.
    assert!(each < 0.01, "a scrape takes {each} s of the processor");
}

#[test]
fn a_load_of_the_settings_is_counted_by_its_result() {
    let tree = Tree::new();
    tree.file("wsd.toml", "[[route]]\npath = \"/a\"\ncommand = [\"cat\"]\n");
    let server = Server::spawn(wsd(&["--port=0", METRICS, "--config", &tree.path("wsd.toml")]));

    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    tree.file("wsd.toml", "not TOML");
    server.signal(Signal::HUP);
    server.expect_log("settings not loaded");

    let scrape = Watch::of(&server).scrape();
    assert_eq!(scrape.value(r#"wsd_reloads_total{result="loaded"}"#), 1);
    assert_eq!(scrape.value(r#"wsd_reloads_total{result="failed"}"#), 1);
}
