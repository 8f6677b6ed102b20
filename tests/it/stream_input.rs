//! `--http`: messages by POST for the program of a session, and which pages may do what.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::eventsource::{EventSource, Next};
use crate::harness::http::Response;
use crate::harness::server::{Server, field, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;
use crate::harness::{DEADLINE, eventually};

const HTTP: &[&str] = &["--http", "--resume=60"];

const EVENTS: &str = "Accept: text/event-stream\r\n";

/// Sends a request with a body on a connection of its own.
fn send(server: &Server, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let (host, length) = (server.host(), body.len());
    server.request(&format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// Whether no program was ever started.
fn has_started_none(server: &Server) -> bool {
    !server.log().iter().any(|line| line.contains("session started") || line.contains("room started"))
}

#[test]
fn the_lines_of_a_body_are_messages_unless_its_type_makes_it_one() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);
    let table: [(&str, &str, u64, &[&str]); 9] = [
        ("text/plain", "a\nb", 2, &["a", "b"]),
        ("Text/Plain; charset=utf-8", "a\r\n\nb\n", 3, &["a", "", "b"]),
        ("application/x-www-form-urlencoded", "a=1&b=2", 1, &["a=1&b=2"]),
        ("application/x-ndjson", "{}\n[]\n", 2, &["{}", "[]"]),
        ("text/plain", "", 0, &[]),
        ("application/json", "{\n}", 1, &["{", "}"]),
        ("application/vnd.wsd.texts+json", r#"["a\nb","",""]"#, 3, &["a", "b", "", ""]),
        ("application/vnd.wsd.texts+json", r#"[""]"#, 1, &[""]),
        ("application/octet-stream", "a", 1, &["a"]),
    ];
    let mut sent = 0;
    for (kind, body, count, want) in table {
        sent += count;
        assert_eq!(client.post(&format!("Content-Type: {kind}\r\n"), body), (204, Some(sent)), "{kind}: {body:?}");
        for line in want {
            assert_eq!(client.line(), *line, "{kind}: {body:?}");
        }
    }
    // No type at all, and a chunked body.
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nWsd-Session: {}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nx\ny\r\n1\r\nz\r\n0\r\n\r\n",
        server.host(),
        client.token
    );
    assert_eq!(server.request(&request).status, 204);
    assert_eq!((client.line(), client.line()), ("x".to_owned(), "yz".to_owned()));
}

#[test]
fn in_other_framings_a_body_is_what_the_program_would_read() {
    let table: [(&str, &str, &str, &[u8]); 4] = [
        ("chunks", "application/octet-stream", "a\0\nb", b"a\0\nb"),
        ("chunks", "text/plain", "a\nb", b"a\nb"),
        ("length", "text/plain", "a\nb", b"\0\0\0\x03a\nb"),
        ("nul", "text/plain", "a\nb\0c", b"a\nb\0c\0"),
    ];
    for (framing, kind, body, want) in table {
        let tree = Tree::new();
        let server = Server::shell(&["--http", &format!("--framing={framing}")], "cat >\"$1\"", &[&tree.path("input")]);
        let client = EventSource::open(server.address);

        assert_eq!(client.post(&format!("Content-Type: {kind}\r\n"), body).0, 204, "{framing}");

        eventually("the program reads it", || (tree.holds("input") && tree.read("input") == want).then_some(()));
    }
}

#[test]
fn a_post_that_is_sent_again_is_not_doubled() {
    let server = Server::command(HTTP, &["cat"]);
    let mut client = EventSource::open(server.address);

    for _ in 0..3 {
        assert_eq!(client.post("Wsd-Seq: 1\r\n", "1\n2\n"), (204, Some(2)));
    }
    assert_eq!(client.post("Wsd-Seq: 2\r\n", "2\n3\n4\n"), (204, Some(4)), "it has the front of these");
    assert_eq!(client.post("Wsd-Seq: 6\r\n", "6\n"), (409, Some(4)), "5 is missing");
    assert_eq!(client.post("Wsd-Seq: 5\r\n", "5\n"), (204, Some(5)));
    assert_eq!(client.post("Wsd-Seq: 0\r\n", "5\n").0, 400);
    assert_eq!(client.post("Wsd-Seq: x\r\n", "5\n").0, 400);

    for number in 1..=5 {
        assert_eq!(client.line(), number.to_string());
    }
    client.connect().unwrap();
    assert_eq!(client.greeting()["got"], 5);
    assert_eq!(client.next(Duration::from_millis(100)), Next::Silence);
}

#[test]
fn a_post_that_fails_is_taken_not_at_all() {
    let server = Server::command(&["--http", "--maxframesize=100"], &["cat"]);
    let mut client = EventSource::open(server.address);

    assert_eq!(client.post("", "x".repeat(101)), (413, None));
    assert_eq!(client.post("", b"good\n\xFF\n").0, 400, "it is not UTF-8");
    let broken = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nWsd-Session: {}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ngood\n\r\nbad\r\n",
        server.host(),
        client.token
    );
    let mut connection = server.http();
    connection.send(broken);
    connection.finish();
    connection.rest();
    let long = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nWsd-Session: {}\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n{}\r\n0\r\n\r\n",
        server.host(),
        client.token,
        "x".repeat(101)
    );
    assert_eq!(server.request(&long).status, 413);
    assert_eq!(client.post("", "x".repeat(100)), (204, Some(1)));

    assert_eq!(client.line(), "x".repeat(100));
}

#[test]
fn the_limit_of_texts_is_that_of_their_own_bytes() {
    let server = Server::command(&["--http", "--maxframesize=100"], &["cat"]);
    let mut client = EventSource::open(server.address);
    let post = |body: &str| client.post("Content-Type: application/vnd.wsd.texts+json\r\n", body);
    let escaped = "\\u0001";

    assert_eq!(post(&format!("[\"{}\"]", escaped.repeat(100))), (204, Some(1)));
    assert_eq!(post(&format!("[\"{}\",\"{}\"]", "a".repeat(50), escaped.repeat(50))), (204, Some(3)));
    assert_eq!(post(&format!("[\"{}\"]", escaped.repeat(101))).0, 413);
    assert_eq!(post(&format!("[\"{}\",\"{}\"]", "a".repeat(50), "b".repeat(51))).0, 413);
    assert_eq!(post(&" ".repeat(50_000)).0, 413);

    assert_eq!(client.line(), "\u{1}".repeat(100));
}

#[test]
fn a_post_has_ten_thousand_messages_at_most() {
    const TEXTS: &str = "Content-Type: application/vnd.wsd.texts+json\r\n";
    let texts = |count| format!("[{}]", vec!["\"\""; count].join(","));
    let server = Server::shell(HTTP, "exec cat >/dev/null", &[]);
    let client = EventSource::open(server.address);

    assert_eq!(client.post("", "\n".repeat(10_001)), (413, None));
    assert_eq!(client.post(TEXTS, texts(10_001)), (413, None));
    assert_eq!(client.post("", "\n".repeat(10_000)), (204, Some(10_000)));
    assert_eq!(client.post(TEXTS, texts(10_000)), (204, Some(20_000)));

    let room = Server::command(&["--http", "--shared"], &["cat"]);
    assert_eq!(room.post("/", "", "\n".repeat(10_001)).status, 413);
    assert!(has_started_none(&room));
    let whole = Server::shell(&["--http", "--framing=chunks"], "exec cat >/dev/null", &[]);
    let client = EventSource::open(whole.address);
    assert_eq!(client.post("", "\n".repeat(10_001)), (204, Some(1)), "it is one message");
}

#[test]
fn a_message_that_breaks_the_framing_ends_the_session_and_is_refused() {
    let server = Server::command(&["--http", "--framing=jsonrpc"], &["cat"]);
    let mut client = EventSource::open(server.address);
    assert_eq!(client.post("", "{\n  \"id\": 1\n}").0, 204, "JSON may have lines");
    assert!(client.line().contains("\"id\": 1"));

    assert_eq!(client.post("", "no\u{1}JSON").0, 400);

    assert_eq!(client.expect_close().code, Some(1007));
    assert!(server.expect_log("session ended").text.contains("end=invalid"));
}

#[test]
fn a_post_waits_ten_seconds_for_the_program_and_is_then_withdrawn() {
    let tree = Tree::new();
    let script = "until [ -e \"$1\" ]; do sleep 0.05; done; exec cat";
    let server = Server::shell(HTTP, script, &[&tree.path("go")]);
    let mut client = EventSource::open(server.address);
    let body = "x".repeat(999_999) + "\n";
    let mut taken = 0;
    let began = loop {
        let began = Instant::now();
        match client.post("", &body) {
            (204, Some(count)) => taken = count,
            (429, Some(count)) => {
                assert_eq!(count, taken);
                break began;
            }
            other => panic!("{other:?}"),
        }
        assert!(taken < 20, "the program reads nothing");
    };
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    let head = client.try_request("POST", "Content-Type: text/plain\r\n", b"", DEADLINE).unwrap();
    assert!(head.starts_with("HTTP/1.1 204"), "no messages, no wait: {head}");

    tree.file("go", "");
    assert_eq!(client.post("", ""), (204, Some(taken)));
    assert_eq!(client.post("", "end\n"), (204, Some(taken + 1)), "what was withdrawn is not counted");
    for _ in 0..taken {
        assert_eq!(client.line().len(), 999_999);
    }
    assert_eq!(client.line(), "end");
}

#[test]
fn only_so_many_posts_wait_for_a_program() {
    let server = Server::shell(HTTP, "exec sleep 100", &[]);
    let client = EventSource::open(server.address);
    let body = "x".repeat(1_000_000);
    while client.try_request("POST", "", body.as_bytes(), Duration::from_millis(500)).is_some() {}
    let began = Instant::now();
    let early = thread::scope(|scope| {
        let posts: Vec<_> = (0..20).map(|_| scope.spawn(|| (client.post("", "x").0, began.elapsed()))).collect();
        let answers: Vec<_> = posts.into_iter().map(|post| post.join().unwrap()).collect();
        assert!(answers.iter().all(|(status, _)| *status == 429), "{answers:?}");
        answers.iter().filter(|(_, time)| *time < Duration::from_secs(8)).count()
    });

    assert!((4..=6).contains(&early), "{early} of 20 do not wait");
    client.leave();
}

#[test]
fn a_client_that_leaves_while_its_post_waits_takes_it_back() {
    let tree = Tree::new();
    let script = "until [ -e \"$1\" ]; do sleep 0.05; done; exec cat";
    let server = Server::shell(HTTP, script, &[&tree.path("go")]);
    let mut client = EventSource::open(server.address);
    let full = "x".repeat(500_000) + "\n";
    let mut taken = 0;
    while client.try_request("POST", "", full.as_bytes(), Duration::from_millis(500)).is_some() {
        taken += 1;
    }
    // This one has waited, and its connection has ended; the next one still waits when the program reads again.
    thread::scope(|scope| {
        let last = scope.spawn(|| client.post("", "last\n"));
        tree.file("go", "");
        assert_eq!(last.join().unwrap(), (204, Some(taken + 1)));
    });
    for _ in 0..taken {
        assert_eq!(client.line().len(), 500_000);
    }
    assert_eq!(client.line(), "last");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::command(HTTP, &["cat"]);
    let client = EventSource::open(server.address);
    let mut connection = server.http();
    connection.send(format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nWsd-Session: {}\r\nContent-Length: 10\r\n\r\nhalf",
        server.host(),
        client.token
    ));
    let began = Instant::now();

    assert_eq!(connection.response("POST").status, 408);

    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Changes how a client sends its requests.
type Change = fn(&mut EventSource);

#[test]
fn a_token_is_known_only_at_its_path_and_to_its_origin() {
    let server = Server::command(&["--http", "--anyorigin"], &["cat"]);
    let mut client = EventSource::new(server.address, "/a", "Origin: http://a.example\r\n");
    client.connect().unwrap();
    client.post("", "1");
    assert_eq!(client.line(), "1");
    let (id, token) = (client.last_id.clone(), client.token.clone());
    let answer =
        |client: &EventSource, method| client.try_request(method, "Wsd-Seq: 2\r\n", b"evil", DEADLINE).unwrap();
    let without_date = |head: String| {
        let lines =
            head.lines().filter(|line| !line.starts_with("Date") && !line.starts_with("Access-Control-Allow-O"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let table: [(&str, Change); 5] = [
        ("a guessed token", |client| client.token = "A".repeat(43)),
        ("no token", |client| client.token = "x".to_owned()),
        ("another path", |client| client.set_path("/b")),
        ("another origin", |client| client.set_headers("Origin: http://b.example\r\n")),
        ("its own page", |client| client.set_headers(&format!("Origin: http://{}\r\n", "localhost"))),
    ];
    let mut answers = Vec::new();
    for (what, change) in table {
        let mut other = EventSource::new(server.address, "/a", "Origin: http://a.example\r\n");
        other.token.clone_from(&token);
        change(&mut other);
        for method in ["POST", "DELETE"] {
            let head = without_date(answer(&other, method));
            assert!(head.starts_with("HTTP/1.1 404 Not Found"), "{what}: {head}");
            answers.push(head);
        }
        other.last_id = id.as_ref().map(|id| id.replace(&token, &other.token));
        assert_eq!(other.connect().unwrap(), 200);
        assert_eq!(other.greeting()["resumed"], false, "{what}");
        assert_eq!(other.greeting()["lost"], "unknown", "{what}");
        assert_ne!(other.token, token);
        // The id of an end does not end it either.
        other.token.clone_from(&token);
        other.last_id = Some(format!("{token}.closed"));
        assert_eq!(other.connect().unwrap(), 204, "{what}");
    }
    assert!(answers.iter().all(|head| *head == answers[0]), "{answers:#?}");

    assert_eq!(client.post("", "2"), (204, Some(2)), "the session goes on, and has taken nothing of others");
    assert_eq!(client.line(), "2");
}

#[test]
fn a_page_of_the_same_origin_is_known_with_and_without_the_header() {
    let server = Server::command(HTTP, &["cat"]);
    let host = format!("localhost:{}", server.address.port());
    let own = format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    let request = |method: &str, more: &str| {
        server.request(&format!("{method} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"))
    };
    // A browser sends no Origin with a GET to the page's own server.
    let mut connection = server.http();
    connection.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n{EVENTS}Sec-Fetch-Site: same-origin\r\n\r\n"));
    let mut head = Vec::new();
    while !head.ends_with(b"\n\n") {
        head.extend(connection.take(1).unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let token = head.lines().find_map(|line| line.strip_prefix("Wsd-Session: ")).unwrap();

    assert_eq!(request("POST", &format!("{own}Content-Length: 0\r\nWsd-Session: {token}\r\n")).status, 204);
    assert_eq!(request("DELETE", &format!("{own}Wsd-Session: {token}\r\n")).status, 204);
}

#[test]
fn pages_of_other_sites_start_no_program() {
    let server = Server::command(HTTP, &["cat"]);
    let image = "Accept: text/event-stream\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    let form = "Origin: https://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: cross-site\r\n\
                Sec-Fetch-Mode: navigate\r\n";
    let fetch = "Origin: https://evil.example\r\nContent-Type: text/plain\r\nSec-Fetch-Mode: no-cors\r\n";
    let sibling = "Accept: text/event-stream\r\nSec-Fetch-Site: same-site\r\n";
    let rows = [
        ("GET", image, "", 403),
        ("GET", sibling, "", 403),
        ("GET", "Accept: text/event-stream\r\nOrigin: https://evil.example\r\n", "", 403),
        ("GET", "Accept: text/event-stream\r\nOrigin: null\r\n", "", 403),
        ("POST", form, "cmd=rm", 403),
        ("POST", fetch, "rm", 403),
        ("POST", "Origin: null\r\n", "rm", 403),
        ("OPTIONS", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n", "", 403),
    ];
    for (method, headers, body, want) in rows {
        let answer = send(&server, method, "/", headers, body);
        assert_eq!(answer.status, want, "{method} {headers}: {answer}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{answer}");
    }
    // A name that leads here (DNS rebinding): such a GET has no Origin.
    let rebound = format!("GET / HTTP/1.1\r\nHost: evil.example\r\n{EVENTS}\r\n");
    assert_eq!(server.request(&rebound).status, 403);
    let rebound = format!("GET / HTTP/1.1\r\nHost: evil.example\r\n{EVENTS}Sec-Fetch-Site: same-origin\r\n\r\n");
    assert_eq!(server.request(&rebound).status, 403);
    assert!(has_started_none(&server), "{:?}", server.log());
}

#[test]
fn a_browser_that_names_no_page_starts_no_program_over_plain_http() {
    // Over plain HTTP to another machine browsers send no Sec-Fetch-*, and no Origin with a GET in the mode no-cors.
    let browser = "Accept: text/event-stream\r\nAccept-Language: en\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) \
                   AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n";
    let tool = "Accept: text/event-stream\r\nUser-Agent: curl/8.5.0\r\n";
    let server = Server::command(HTTP, &["true"]);
    let own = server.host();
    let token = "A".repeat(43);
    let rows = [
        (browser, String::new(), 403),
        (browser, "Referer: http://evil.example:28124/\r\n".to_owned(), 403),
        (browser, format!("Referer: http://evil.example/?http://{own}/\r\n"), 403),
        (browser, format!("Referer: http://{own}.evil.example/\r\n"), 403),
        (browser, "Referer: http://localhost:1/\r\n".to_owned(), 403),
        (browser, format!("Referer: http://{own}@evil.example/\r\n"), 403),
        (browser, format!("Referer: http://{own}/page?a#b\r\n"), 200),
        (browser, format!("Referer: http://{own}\r\n"), 200),
        // A page of another origin needs leave for these.
        (browser, "Wsd-Got: 0\r\n".to_owned(), 200),
        (browser, format!("Wsd-Session: {token}\r\n"), 200),
        (browser, format!("Sec-Fetch-Site: same-origin\r\nReferer: http://{own}/\r\n"), 200),
        (tool, String::new(), 200),
    ];
    for (client, headers, want) in &rows {
        let answer = send(&server, "GET", "/", &format!("{client}{headers}"), "");
        assert_eq!(answer.status, *want, "{client}{headers}: {answer}");
    }
    let answer = send(&server, "GET", &format!("/?wsd-session={token}"), browser, "");
    assert_eq!(answer.status, 403, "a page of another origin may send any query: {answer}");

    let started = server.log().iter().filter(|line| line.contains("session started")).count();
    assert_eq!(started, rows.iter().filter(|(.., status)| *status == 200).count());
    for flags in [["--http", "--anyorigin"], ["--http", "--origin=file://"]] {
        let server = Server::command(&flags, &["true"]);
        let want = if flags[1] == "--anyorigin" { 200 } else { 403 };
        assert_eq!(send(&server, "GET", "/", browser, "").status, want, "{flags:?}");
    }
}

#[test]
fn the_hint_for_a_page_without_its_origin_opens_no_more_than_it_needs() {
    let server = Server::command(&["--http"], &["cat"]);
    let image = format!("{EVENTS}Sec-Fetch-Site: cross-site\r\n");
    let rows = [
        (format!("{image}Referer: https://app.example/\r\n"), "--origin=", "https://app.example lets every page"),
        (image, "as for an image", "only --anyorigin would admit that"),
        (format!("{EVENTS}User-Agent: Mozilla/5.0\r\n"), "let the page send Referer", "only --anyorigin"),
    ];
    for (count, (headers, first, second)) in (1..).zip(rows) {
        assert_eq!(send(&server, "GET", "/", &headers, "").status, 403, "{headers}");
        let line = server.expect_nth_log("session refused", count).text;
        assert_eq!(field(&line, "why").as_deref(), Some("site"), "{line}");
        let hint = field(&line, "hint").unwrap();
        assert!(hint.contains(first) && hint.contains(second), "{hint}");
    }
}

#[test]
fn a_number_of_messages_is_told_once() {
    let server = Server::command(HTTP, &["cat"]);
    let client = EventSource::open(server.address);
    for name in ["Wsd-Seq", "Wsd-Got"] {
        let headers = format!("Wsd-Session: {}\r\n{name}: 1\r\n{name}: 2\r\n", client.token);
        assert_eq!(send(&server, "POST", "/", &headers, "x").status, 400, "{headers}");
    }
    let headers = format!("{EVENTS}Wsd-Got: 0\r\nWsd-Got: 0\r\n");
    assert_eq!(send(&server, "GET", "/", &headers, "").status, 400);
}

#[test]
fn no_token_reaches_a_program_behind_a_websocket() {
    let server = Server::command(HTTP, &["env"]);
    let tokens = ["B", "C", "D"].map(|letter| letter.repeat(43));
    let [query, header, last] = &tokens;
    let headers = format!("Wsd-Session: {header}\r\nLast-Event-ID: {last}.1\r\n");

    let mut client = server.connect_with(&format!("/?a=1&wsd-session={query}"), &headers);

    let (environment, _) = client.rest();
    assert!(environment.contains(&"QUERY_STRING=a=1".to_owned()), "{environment:#?}");
    assert!(!environment.iter().any(|line| tokens.iter().any(|token| line.contains(token))), "{environment:#?}");
}

#[test]
fn the_flags_for_origins_hold_for_streams() {
    let own = "Sec-Fetch-Site: same-origin\r\n";
    let rows: [(&str, &str, u16); 7] = [
        ("--sameorigin", own, 200),
        ("--sameorigin", "", 403),
        ("--origin=localhost:*", own, 200),
        ("--origin=localhost:*", "Origin: http://localhost:1\r\n", 200),
        ("--origin=other.example", own, 403),
        ("--origin=other.example", "", 403),
        ("--anyorigin", "Sec-Fetch-Site: cross-site\r\n", 200),
    ];
    for (flag, headers, want) in rows {
        let server = Server::shell(&["--http", flag], "exit 0", &[]);
        let host = format!("localhost:{}", server.address.port());
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{EVENTS}{headers}\r\n");
        assert_eq!(server.request(&request).status, want, "{flag} {headers}");
    }
}

#[test]
fn a_page_of_an_allowed_origin_may_use_all_of_it() {
    let server = Server::command(&["--http", "--origin=https://a.example"], &["cat"]);
    let origin = "Origin: https://a.example\r\n";
    let asked =
        format!("{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: wsd-session\r\n");

    let allowed = send(&server, "OPTIONS", "/", &asked, "");

    assert_eq!(allowed.status, 204, "{allowed}");
    for (name, want) in [
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-methods", "GET, POST, DELETE"),
        (
            "access-control-allow-headers",
            "Authorization, Content-Type, Last-Event-ID, Wsd-Session, Wsd-Seq, Wsd-Got, Wsd-Poll",
        ),
    ] {
        assert_eq!(allowed.header(name), Some(want), "{allowed}");
    }
    let mut client = EventSource::new(server.address, "/", origin);
    assert_eq!(client.connect().unwrap(), 200);
    for head in [
        client.head.clone(),
        client.try_request("POST", "", b"x", DEADLINE).unwrap(),
        client.try_request("POST", "Wsd-Seq: 9\r\n", b"x", DEADLINE).unwrap(),
        client.try_request("DELETE", "", b"", DEADLINE).unwrap(),
        client.try_request("DELETE", "", b"", DEADLINE).unwrap(),
    ] {
        assert!(head.contains("Access-Control-Allow-Origin: https://a.example\r\n"), "{head}");
        assert!(head.contains("Access-Control-Expose-Headers: Wsd-Ack, Wsd-Exit, Wsd-Session"), "{head}");
        assert!(head.contains("Vary: Origin"), "{head}");
    }
    let plain = Server::command(HTTP, &["cat"]);
    let client = EventSource::open(plain.address);
    assert!(!client.head.contains("Access-Control"), "{}", client.head);
}

#[test]
fn the_paths_of_cgi_scripts_are_not_for_streams() {
    let tree = Tree::new();
    tree.program("bin/script", "#!/bin/sh\necho Content-Type: text/plain; echo; echo $REQUEST_METHOD\n");
    let folder = format!("--cgidir={}", tree.path("bin"));
    let server = Server::command(&["--http", &folder], &["cat"]);

    assert_eq!(server.get("/script", EVENTS).text(), "GET\n");
    assert_eq!(send(&server, "POST", "/script", "Wsd-Session: x\r\n", "x").text(), "POST\n");
}

#[test]
fn a_slow_reader_stops_its_program_only() {
    let flags = ["--http", "--resume=60", "--replay=65536"];
    let server = Server::command(&flags, &["perl", &program("flood.pl"), "200000", "100"]);
    let mut slow = EventSource::open(server.address);

    let blocked = server.expect_log("blocked at ").text;

    assert!(!blocked.is_empty());
    let mut other = EventSource::open(server.address);
    for number in 1..=1000 {
        assert_eq!(other.line(), format!("{number:<99}"));
    }
    assert_eq!(other.leave(), 204);
    for number in 1..=200_000 {
        assert_eq!(slow.line(), format!("{number:<99}"));
    }
    assert_eq!(slow.expect_close(), Close::new(1000, ""));
}
