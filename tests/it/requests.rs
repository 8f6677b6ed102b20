//! Requests in the log, and requests that cannot be read.

use crate::harness::http::Response;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;
use crate::harness::websocket::upgrade_request;

/// Sends bytes on a connection of their own, and returns the answer.
fn ask(server: &Server, bytes: impl AsRef<[u8]>) -> Response {
    let mut connection = server.http();
    connection.send(bytes);
    connection.response("GET")
}

#[test]
fn a_request_that_cannot_be_read_gets_a_text_and_a_line_in_the_log() {
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let table: [(&[u8], u16, &str, &str); 8] = [
        (b"GET /?f={\"a\":1} HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid URI", "percent"),
        (b"GET /?f=<b> HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid URI", "percent"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET / HTTP/1.1\r\n\r\n", 400, "PROXY", "PROXY"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x50\x1f\x90", 400, "PROXY", "PROXY"),
        (b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03 0123456789012345678901234567890123456789", 400, "TLS", "http://"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400, "HTTP/2", "not HTTP/2"),
        (b"EHLO example.com\r\n\r\n", 400, "invalid", "HTTP/1.1"),
        (long.as_bytes(), 431, "large", "32 KiB"),
    ];
    for (bytes, status, cause, help) in table {
        let server = Server::command(&[], &["cat"]);

        let response = ask(&server, bytes);

        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert_eq!(
            (response.status, response.header("content-type")),
            (status, Some("text/plain; charset=utf-8")),
            "{shown}"
        );
        assert!(response.text().contains(help), "{shown}: {response}");
        let line = server.expect_log("request not readable").text;
        assert!(line.contains(" INFO ") && field(&line, "cause").is_some_and(|said| said.contains(cause)), "{line}");
        assert!(field(&line, "peer").is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
    }
}

#[test]
fn a_request_that_cannot_be_read_gets_its_text_after_readable_ones_too() {
    let tree = Tree::new();
    tree.file("a.txt", "content").file("b.txt", "b".repeat(300_000));
    let server = Server::serve(&["--staticdir", &tree.path("")]);
    for (method, path, bytes) in
        [("GET", "/a.txt", 7), ("GET", "/b.txt", 300_000), ("HEAD", "/b.txt", 0), ("GET", "/none", 0)]
    {
        let mut connection = server.http();
        for _ in 0..2 {
            connection.send(format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
            let response = connection.response(method);
            assert!(bytes == 0 || response.body.len() == bytes, "{path}: {response}");
        }

        connection.send("GET /?f={\"a\":1} HTTP/1.1\r\nHost: x\r\n\r\n");

        let response = connection.response("GET");
        assert_eq!(response.status, 400, "{method} {path}");
        assert!(response.text().contains("percent-encoded"), "{method} {path}: {response}");
        assert_eq!(connection.rest(), b"");
    }
}

#[test]
fn unreadable_requests_do_not_fill_the_log() {
    let server = Server::command(&[], &["cat"]);

    for _ in 0..300 {
        assert_eq!(ask(&server, "EHLO example.com\r\n\r\n").status, 400);
    }

    server.expect_events("request not readable", 300);
    let lines = server.log().iter().filter(|line| line.contains("request not readable")).count();
    assert!(lines < 200, "{lines} lines");
}

#[test]
fn the_bytes_of_a_body_are_not_taken_for_an_answer() {
    let tree = Tree::new();
    tree.program("cgi/empty", "#!/bin/sh\nprintf 'Status: 404 Not Found\\n\\n'\n");
    let bare = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let slow = format!("printf 'Content-Type: text/plain\\nContent-Length: {}\\n\\n'; sleep 0.3", bare.len());
    tree.program("cgi/slow", &format!("#!/bin/sh\n{slow}; printf '{}'\n", bare.replace("\r\n", "\\r\\n")));
    let block = format!("HTTP/1.1 404 Not Found\r\n{}\r\n\r\n", "a".repeat(65_536 - 28));
    assert_eq!(block.len(), 65_536);
    tree.file("files/blocks", block.repeat(4)).file("files/bare", bare);
    let server = Server::serve(&["--cgidir", &tree.path("cgi"), "--staticdir", &tree.path("files")]);
    let mut connection = server.http();

    for (path, status, want) in [
        ("/empty", 404, ""),
        ("/slow", 200, bare),
        ("/bare", 200, bare),
        ("/blocks", 200, &block.repeat(4)),
        ("/slow", 200, bare),
    ] {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
        let response = connection.response("GET");
        assert!((response.status, &*response.text()) == (status, want), "{path}: {} bytes", response.body.len());
    }
    connection.send("EHLO example.com\r\n\r\n");
    assert_eq!(connection.response("GET").status, 400);
    server.expect_log("request not readable");
}

#[test]
fn a_request_whose_client_leaves_before_the_answer_is_logged_as_499() {
    let tree = Tree::new();
    tree.pipe("gate");
    tree.program("cgi/slow", &format!("#!/bin/sh\ncat '{}'\n", tree.path("gate")));
    let server = Server::serve(&["--cgidir", &tree.path("cgi")]);
    let mut connection = server.http();
    connection.send(format!("GET /slow HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));

    drop(connection);

    let line = server.expect_log("http request").text;
    assert_eq!(field(&line, "status").as_deref(), Some("499"), "{line}");
}

#[test]
fn every_http_request_is_a_line_in_the_log() {
    let tree = Tree::new();
    tree.file("files/a.txt", "content");
    tree.program("cgi/job", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ndone\\n'\n");
    tree.program("cgi/broken", "#!/bin/sh\nexit 1\n");
    let folders = ["--staticdir", &tree.path("files"), "--cgidir", &tree.path("cgi")];
    let table = [
        ("GET", "/a.txt", 200, 7),
        ("HEAD", "/a.txt", 200, 0),
        ("GET", "/job", 200, 5),
        ("GET", "/broken", 500, 0),
        ("GET", "/.wsd/client.js", 200, 0),
        ("GET", "/nothing", 404, 0),
        ("DELETE", "/a.txt", 405, 0),
    ];
    for (method, path, status, bytes) in table {
        let server = Server::serve(&folders);
        let mut connection = server.http();

        connection.send(format!("{method} {path}?token=secret HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
        let response = connection.response(method);

        let line = server.expect_log("http request").text;
        let said = |key: &str| field(&line, key).unwrap_or_default();
        assert_eq!((&*said("method"), &*said("path"), said("status")), (method, path, status.to_string()), "{line}");
        assert!(line.contains(" INFO ") && said("peer").starts_with("127.0.0.1:"), "{line}");
        assert_eq!(response.status, status);
        let bytes = if bytes == 0 && method != "HEAD" { response.body.len() } else { bytes };
        assert_eq!(said("bytes"), bytes.to_string(), "{line}");
        assert!(said("ms").parse::<u64>().is_ok_and(|ms| ms < 10_000), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn a_session_is_no_http_request_in_the_log() {
    let server = Server::command(&[], &["cat"]);

    server.connect("/").close(1000);
    server.expect_log("session ended");
    assert_eq!(server.try_connect("/", "Origin: http://evil.example\r\n").err().unwrap().status, 403);

    let refused = server.expect_log("http request").text;
    assert_eq!(field(&refused, "status").as_deref(), Some("403"), "{refused}");
    assert!(!server.log().iter().any(|line| line.contains("status=101")));
}

#[test]
fn the_headers_of_a_101_are_spelled_as_in_rfc_6455() {
    // The name of a header, as hyper spells it, is a valid subprotocol, too.
    const CHAT: &str = "Sec-Websocket-Chat";
    let server = Server::command(&["--subprotocol", CHAT], &["cat"]);

    let response = ask(&server, upgrade_request(&server.host(), "/", &format!("Sec-WebSocket-Protocol: {CHAT}\r\n")));

    assert_eq!((response.status, response.header("sec-websocket-protocol")), (101, Some(CHAT)), "{response}");
    let names: Vec<_> = response.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    for name in ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"] {
        assert!(names.contains(&name), "{name}: {response}");
    }
}

#[test]
fn a_target_in_absolute_form_is_answered_as_its_path_by_each_kind_of_answer() {
    let tree = Tree::new();
    tree.program("cgi/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n")
        .file("tokens", "ci:t0p-secret\n");
    let route = format!("[[route]]\npath = '/closed'\ncommand = ['env']\nauth = 'bearer:{}'\n", tree.path("tokens"));
    tree.file(
        "wsd.toml",
        format!("http = true\nbase = '/live'\n{route}[[route]]\npath = '/open/*'\ncommand = ['env']\n"),
    );
    let flags = ["--config", &tree.path("wsd.toml"), "--cgidir", &tree.path("cgi")];
    let server = Server::serve(&flags);
    let (host, front) = (server.host(), "http://evil.example:81");
    let uri = |path: &str| format!("REQUEST_URI={path}");
    let table = [
        ("GET", "/live/open/a?b=c", "Accept: text/event-stream\r\n"),
        ("POST", "/live/open/a?b=c", "Content-Length: 0\r\n"),
        ("GET", "/live/env/a?b=c", ""),
    ];
    for (method, path, headers) in table {
        let request = format!("{method} {front}{path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        let response = server.request(&request);
        assert_eq!(response.status, 200, "{method} {path}: {response}");
        assert!(
            response.text().contains(&uri(path)) && !response.text().contains("evil"),
            "{method} {path}: {response}"
        );
    }
    let text = server.connect(&format!("{front}/live/open/a?b=c")).rest().0.join("\n");
    assert!(text.contains(&uri("/live/open/a?b=c")) && !text.contains("evil"), "{text}");

    let closed = format!("{front}/live/closed");
    assert_eq!(server.refusal(&closed, "").status, 401);
    let text = server.connect_with(&closed, "Authorization: Bearer t0p-secret\r\n").rest().0.join("\n");
    assert!(text.contains("REMOTE_USER=ci"), "{text}");
    assert_eq!(server.refusal(&format!("{front}/closed"), "").status, 404, "outside of the base");
}
