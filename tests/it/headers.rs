//! `--header`, `--header-ws`, `--header-http`: headers of the user's own on the answers they are for, errors included.

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

const ALL: &str = "X-All: 1";
const WS: &str = "X-Ws: 2";
const HTTP: &str = "X-Http: 3";

/// A server with a header of each kind: a program in text, a script that runs and one that does not, a file.
fn start() -> (Tree, Server) {
    let tree = Tree::new();
    tree.program("cgi/ok", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbody'\n")
        .program("cgi/bad", "#!/bin/sh\nexit 1\n")
        .file("site/a.txt", "hello")
        .file("site/sub/index.html", "sub");
    let (cgi, site) = (tree.path("cgi"), tree.path("site"));
    let server = Server::command(
        &[
            "--header",
            ALL,
            "--header-ws",
            WS,
            "--header-http",
            HTTP,
            "--cgidir",
            &cgi,
            "--staticdir",
            &site,
            "--maxforks=1",
        ],
        &["cat"],
    );
    (tree, server)
}

/// Which of the headers an answer has.
fn own(response: &Response) -> Vec<&str> {
    [ALL, WS, HTTP]
        .into_iter()
        .filter(|header| {
            let (name, value) = header.split_once(": ").unwrap();
            response.header(name) == Some(value)
        })
        .collect()
}

/// Returns all bytes of the response to a handshake, the 101 included.
fn upgrade(server: &Server, headers: &str) -> (crate::harness::http::Connection, Response) {
    let mut connection = server.http();
    connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/", headers));
    let response = connection.response("GET");
    (connection, response)
}

#[test]
fn every_answer_has_the_headers_of_its_kind() {
    let (_tree, server) = start();
    let get = |path: &str, headers: &str| server.get(path, headers);
    let ask = |head: &str| server.request(&format!("{head}\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host()));
    let etag = get("/a.txt", "").header("etag").unwrap().to_owned();
    let bad_upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let table = [
        (200, get("/a.txt", "")),
        (200, get("/ok", "")),
        (200, ask("HEAD /a.txt HTTP/1.1")),
        (206, get("/a.txt", "Range: bytes=0-1\r\n")),
        (304, get("/a.txt", &format!("If-None-Match: {etag}\r\n"))),
        (307, get("/sub", "")),
        (404, get("/nothing", "")),
        (405, ask("DELETE /a.txt HTTP/1.1")),
        (416, get("/a.txt", "Range: bytes=9-\r\n")),
        (500, get("/bad", "")),
        (400, server.request("GET /a.txt HTTP/1.1\r\n\r\n")),
        (400, get("/a.txt", "Host: another\r\n")),
        (400, get("/", &format!("{bad_upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"))),
        (403, upgrade(&server, "Origin: http://evil.example\r\n").1),
        (405, ask(&format!("POST / HTTP/1.1\r\n{}", bad_upgrade.trim_end()))),
        (426, get("/", &format!("{bad_upgrade}Sec-WebSocket-Version: 8\r\n"))),
    ];
    for (status, response) in table {
        assert_eq!((response.status, own(&response)), (status, vec![ALL, HTTP]), "{response}");
    }

    let (_session, response) = upgrade(&server, "");
    assert_eq!((response.status, own(&response)), (101, vec![ALL, WS]), "{response}");
    let (_, response) = upgrade(&server, "");
    assert_eq!((response.status, own(&response)), (429, vec![ALL, HTTP]), "{response}");
}

#[test]
fn a_header_may_come_several_times_and_takes_the_place_of_ours() {
    let tree = Tree::new();
    tree.file("a.txt", "hello");
    let flags = [
        "--header=X-Many: one",
        "--header=x-many:two",
        "--header-http=X-Many: three",
        "--header=Server: mine",
        "--header-http=Content-Type: text/x-mine",
        "--header=X-Empty:",
        "--header=X-Colon: a: b",
        "--header=X-Space: \t a\tb \t",
        "--header=X-Accent: é",
    ];
    let server = Server::serve(&[&["--staticdir", &tree.path("")][..], &flags].concat());

    let response = server.get("/a.txt", "");

    let values = |name: &str| -> Vec<String> {
        let lines = response.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
    };
    assert_eq!(values("x-many"), ["one", "two", "three"]);
    assert_eq!(values("server"), ["mine"]);
    assert_eq!(values("content-type"), ["text/x-mine"]);
    assert_eq!(values("x-empty"), [""]);
    assert_eq!(values("x-colon"), ["a: b"]);
    assert_eq!(values("x-space"), ["a\tb"]);
    assert_eq!(values("x-accent"), ["é"]);
}

#[test]
fn the_handshake_stays_whole() {
    let server = Server::command(&["--header=X-All: 1", "--header-ws=Set-Cookie: a=1"], &["cat"]);

    let (connection, response) = upgrade(&server, "");

    assert_eq!(response.header("sec-websocket-accept"), Some(crate::harness::websocket::ACCEPT));
    assert_eq!(response.header("set-cookie"), Some("a=1"));
    let mut client = crate::harness::websocket::Client::upgraded(connection);
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_subprotocol_as_a_header_goes_to_every_client() {
    // What users of websocketd do, which knows no subprotocols.
    let server = Server::command(&["--header-ws=Sec-WebSocket-Protocol: mine"], &["cat"]);

    for headers in ["", "Sec-WebSocket-Protocol: mine\r\n"] {
        assert_eq!(upgrade(&server, headers).1.header("sec-websocket-protocol"), Some("mine"));
    }
}

#[test]
fn without_the_flags_no_answer_tells_the_name_of_the_server() {
    let server = Server::command(&[], &["cat"]);

    assert_eq!(upgrade(&server, "").1.header("server"), None);
    assert_eq!(server.get("/", "").header("server"), None);
}

#[test]
fn a_bad_header_is_exit_1_and_named() {
    for flag in ["--header", "--header-ws", "--header-http"] {
        for header in [
            "",
            ":",
            ": value",
            "X-A",
            "X A: value",
            "X-A : value",
            "X-É: value",
            "X-A: one\r\nX-B: two",
            "X-A: one\nX-B: two",
            "X-A\r\nX-B: two",
            "X-A: \u{1b}[31m",
            "X-A: \u{7f}",
            "Connection: close",
            "upgrade: x",
            "Content-Length: 3",
            "Transfer-Encoding: chunked",
            "Sec-WebSocket-Accept: x",
            "Sec-WebSocket-Extensions: permessage-deflate",
            "Sec-WebSocket-Version: 14",
        ] {
            let outcome = run(&["--port=0", flag, header, "cat"]);

            assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flag} {header:?}: {outcome:?}");
            assert!(outcome.stderr.contains(&format!("{flag}: ")), "{flag} {header:?}: {outcome:?}");
            assert!(!outcome.stderr.contains(['\r', '\u{1b}']), "{flag} {header:?}: {outcome:?}");
        }
    }
}

#[test]
fn more_headers_than_an_answer_has_room_for_are_refused_at_the_start() {
    let tree = Tree::new();
    for (count, status) in [(1000, 0), (1001, 1)] {
        let headers: Vec<_> = (0..count).map(|number| format!("X-{number}: a")).collect();
        tree.file("wsd.toml", format!("header = {headers:?}"));

        let outcome = run(&["--check", "--config", &tree.path("wsd.toml"), "cat"]);

        assert_eq!(outcome.status, Some(status), "{count}: {outcome:?}");
    }
}

#[test]
fn a_script_header_of_the_same_name_stays() {
    let tree = Tree::new();
    let head = "Content-Type: text/plain\\nSet-Cookie: script=1\\nCache-Control: no-store\\n\\n";
    tree.program("cgi/x", &format!("#!/bin/sh\nprintf '{head}'\n"));
    let flags = ["--header=Set-Cookie: flag=1", "--header-http=Cache-Control: public", "--cgidir", &tree.path("cgi")];
    let server = Server::serve(&flags);

    let response = server.get("/x", "");

    let head = response.head.to_ascii_lowercase();
    for line in ["set-cookie: script=1", "set-cookie: flag=1", "cache-control: no-store", "cache-control: public"] {
        assert_eq!(head.lines().filter(|known| *known == line).count(), 1, "{line}:\n{response}");
    }
}

/// Begins a session at `path` with these headers. Returns it after its 101.
fn session(server: &Server, path: &str, headers: &str) -> (crate::harness::websocket::Client, Response) {
    let mut connection = server.http();
    connection.send(crate::harness::websocket::upgrade_request(&server.host(), path, headers));
    let response = connection.response("GET");
    assert_eq!(response.status, 101, "{response}");
    (crate::harness::websocket::Client::upgraded(connection), response)
}

#[test]
fn the_headers_of_a_101_hold_the_variables_of_its_program() {
    let flags = ["--header-ws=Acp-Connection-Id: ${UNIQUE_ID}", "--header-ws=X-From: ${REMOTE_ADDR}, $${x}, $5"];
    let server = Server::shell(&flags, "echo $UNIQUE_ID; read -r _", &[]);
    let mut ids = Vec::new();

    for _ in 0..3 {
        let (mut client, response) = session(&server, "/", "");
        let id = response.header("acp-connection-id").unwrap().to_owned();
        assert_eq!((client.line(), id.len()), (id.clone(), 32));
        assert_eq!(response.header("x-from"), Some("127.0.0.1, ${x}, $5"));
        ids.push(id);
    }

    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each session has its own");
}

#[test]
fn the_headers_of_a_101_hold_parts_of_the_request() {
    let flag = "--header-ws=X-Echo: [${QUERY_STRING}|${HTTP_X_MINE}|${HTTP_X_NONE}|${SEC_WEBSOCKET_PROTOCOL}]";
    let server = Server::command(&[flag, "--header-ws=X-Echo: second", "--subprotocol=chat"], &["cat"]);

    let (_client, response) = session(&server, "/?a=%C3%A9", "X-Mine: me\r\nSec-WebSocket-Protocol: x, chat\r\n");

    let echo = response.head.lines().filter_map(|line| line.strip_prefix("X-Echo: "));
    assert_eq!(echo.collect::<Vec<_>>(), ["[a=%C3%A9|me||chat]", "second"], "{response}");
}

#[test]
fn in_a_room_a_header_names_the_client_as_the_program_knows_it() {
    let flags = ["--shared", "--framing=json", "--header-ws=X-Client: ${UNIQUE_ID}"];
    let script = r#"while read -r line; do echo "{\"text\":\"$(echo "$line" | grep -o '"client":"[^"]*"' | cut -d'"' -f4)\"}"; done"#;
    let server = Server::shell(&flags, script, &[]);

    let (mut client, response) = session(&server, "/", "");

    assert_eq!(Some(client.line().as_str()), response.header("x-client"));
}

#[test]
fn a_header_that_a_variable_would_break_is_dropped_and_logged() {
    let flags = ["--header-ws=X-Path: ${PATH_INFO}", "--header-ws=X-Sure: ${REMOTE_ADDR}"];
    let server = Server::command(&flags, &["cat"]);

    for bad in ["/a%0d%0aX-Evil:%201", "/%7f"] {
        let (mut client, response) = session(&server, bad, "");
        assert_eq!((response.header("x-path"), response.header("x-evil")), (None, None), "{response}");
        assert_eq!(response.header("x-sure"), Some("127.0.0.1"));
        client.text("it works");
        assert_eq!(client.line(), "it works");
        server.expect_log("header dropped");
        server.expect_log("name=x-path");
    }

    assert_eq!(session(&server, "/%C3%A9", "").1.header("x-path"), Some("/é"));
}

#[test]
fn a_variable_that_no_session_has_is_refused_at_the_start() {
    let table = [
        ("${UNIQE_ID}", "unknown variable `UNIQE_ID`", "did you mean ${UNIQUE_ID}?"),
        ("${unique_id}", "unknown variable `unique_id`", "did you mean ${UNIQUE_ID}?"),
        ("a ${HOME} b", "unknown variable `HOME`", "use a CGI variable, such as ${UNIQUE_ID}"),
        ("${}", "unknown variable ``", "use a CGI variable"),
        ("${UNIQUE_ID", "a `${` has no `}`", "write $${ for a literal ${"),
    ];
    for (value, why, hint) in table {
        let outcome = run(&["--port=0", "--header-ws", &format!("X-A: {value}"), "cat"]);

        assert_eq!(outcome.status, Some(1), "{value}: {outcome:?}");
        for text in ["in --header-ws: ", why, hint] {
            assert!(outcome.stderr.contains(text), "{value}: {outcome:?}");
        }
    }
}

#[test]
fn variables_are_refused_in_headers_of_answers_without_a_program() {
    for flag in ["--header", "--header-http"] {
        let outcome = run(&["--port=0", flag, "X-A: ${UNIQUE_ID}", "cat"]);

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("cannot use `${{UNIQUE_ID}}` in {flag}: ")), "{outcome:?}");
        assert!(outcome.stderr.contains("hint: use --header-ws"), "{outcome:?}");
    }

    let server = Server::command(&["--header=X-A: $${UNIQUE_ID} $5"], &["cat"]);
    assert_eq!(server.get("/x", "").header("x-a"), Some("${UNIQUE_ID} $5"));
    assert_eq!(upgrade(&server, "").1.header("x-a"), Some("${UNIQUE_ID} $5"));
}
