//! `--http`: a POST runs a program, whose standard input is the body and whose standard output is the answer.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::server::{Server, field};
use crate::harness::skip::has;

/// The head of a POST whose body comes in chunks.
fn chunked(server: &Server, path: &str) -> Connection {
    let mut connection = server.http();
    connection.send(format!("POST {path} HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", server.host()));
    connection
}

/// Reads until the bytes end with `end`.
fn until(connection: &mut Connection, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let read = String::from_utf8_lossy(&text).into_owned();
        text.extend(connection.take(1).unwrap_or_else(|| panic!("no `{end}` in `{read}`")));
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn the_body_is_standard_input_and_standard_output_is_the_answer() {
    let server = Server::shell(&["--http"], "tr a-z A-Z; echo end", &[]);

    let response = server.post("/", "", "one\ntwo\n");

    assert_eq!((response.status, response.text().as_str()), (200, "ONE\nTWO\nend\n"), "{response}");
    assert_eq!(response.header("transfer-encoding"), Some("chunked"), "{response}");
}

#[test]
fn a_post_without_a_body_is_an_empty_standard_input() {
    let server = Server::shell(&["--http"], "cat; echo end", &[]);
    let request = format!("POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());

    assert_eq!(server.request(&request).text(), "end\n");
}

#[test]
fn a_program_answers_before_the_body_has_ended() {
    let server = Server::command(&["--http"], &["cat"]);
    let mut connection = chunked(&server, "/");

    for line in ["one\n", "two\n", "three\n"] {
        connection.send(format!("{:x}\r\n{line}\r\n", line.len()));
        until(&mut connection, line);
    }
    connection.send("0\r\n\r\n");

    until(&mut connection, "0\r\n\r\n");
}

#[test]
fn the_head_comes_after_a_second_if_the_program_is_silent() {
    let server = Server::command(&["--http"], &["cat"]);
    let start = Instant::now();
    let mut connection = chunked(&server, "/");

    let head = until(&mut connection, "\r\n\r\n");

    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    connection.send("1\r\nx\r\n0\r\n\r\n");
    until(&mut connection, "1\r\nx\r\n0\r\n\r\n");
}

#[test]
fn the_type_of_the_answer_follows_from_the_framing() {
    let (text, bytes) = ("text/plain; charset=utf-8", "application/octet-stream");
    let table: [(&[&str], _); 8] = [
        (&[], text),
        (&["--passstderr"], text),
        (&["--framing=jsonrpc"], text),
        (&["--framing=lines,nul"], text),
        (&["--binary"], bytes),
        (&["--framing=nul"], bytes),
        (&["--framing=length"], bytes),
        (&["--framing=lsp"], bytes),
    ];
    for (flags, want) in table {
        let server = Server::command(&[flags, &["--http"]].concat(), &["cat"]);

        let response = server.post("/", "", [0, 0xFF, b'\n']);

        // The framing changes no byte.
        assert_eq!(response.body, [0, 0xFF, b'\n'], "{flags:?}");
        assert_eq!(response.header("content-type"), Some(want), "{flags:?}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{flags:?}");
    }
}

#[test]
fn a_proxy_is_told_to_pass_the_answer_on_as_it_comes() {
    let server = Server::command(&["--http"], &["cat"]);

    let response = server.post("/", "", "x");

    assert_eq!(response.header("x-accel-buffering"), Some("no"), "{response}");
    assert_eq!(response.header("cache-control"), Some("no-cache, no-transform"), "{response}");
}

#[test]
fn the_program_gets_the_query_and_the_headers_and_no_token() {
    let server = Server::command(&["--http"], &["env"]);

    let response = server.post("/some/path?a=1&b=%20", "Content-Type: text/csv\r\nX-One: 1\r\n", "abc");

    let text = response.text();
    for line in [
        "REQUEST_METHOD=POST",
        "PATH_INFO=/some/path",
        "QUERY_STRING=a=1&b=%20",
        "CONTENT_LENGTH=3",
        "CONTENT_TYPE=text/csv",
        "HTTP_X_ONE=1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(!text.contains("WSD_SESSION"), "{text}");
}

#[test]
fn standard_error_goes_to_the_log_and_not_into_the_answer() {
    let server = Server::shell(&["--http"], "echo out; echo mistake >&2", &[]);

    assert_eq!(server.post("/", "", "").text(), "out\n");

    assert!(server.expect_log("worker stderr").text.contains("line=mistake"));
}

#[test]
fn the_log_tells_of_the_start_and_the_end_with_the_bytes() {
    let server = Server::shell(&["--http"], "cat; exit 3", &[]);
    server.post("/path?query", "", "12345");

    let start = server.expect_log("post started").text;
    let conn = field(&start, "conn").unwrap();

    assert_eq!(field(&start, "path").as_deref(), Some("/path"), "{start}");
    assert!(field(&start, "pid").is_some() && field(&start, "peer").is_some(), "{start}");
    let end = server.expect_log(&format!("post ended conn={conn} ")).text;
    assert!(end.contains(" end=exit status=3 ") && end.contains(" in=5 out=5"), "{end}");
    let request = server.expect_log("http request").text;
    assert!(request.contains(" method=POST path=/path status=200 bytes=5 "), "{request}");
}

#[test]
fn two_posts_over_one_connection_have_numbers_of_their_own() {
    let server = Server::command(&["--http"], &["cat"]);
    let mut connection = server.http();
    for _ in 0..2 {
        connection.send(format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\n\r\nx", server.host()));
        assert_eq!(connection.response("POST").text(), "x");
    }

    let conn = |count| field(&server.expect_nth_log("post started", count).text, "conn");
    assert_ne!(conn(1), conn(2));
}

#[test]
fn a_program_that_buffers_gives_each_line_at_once_with_unbuffer() {
    if !has("grep") {
        return;
    }
    let server = Server::command(&["--http", "--unbuffer"], &["grep", "x"]);
    let mut connection = chunked(&server, "/");

    connection.send("2\r\nx\n\r\n");

    until(&mut connection, "x\n");
    connection.send("0\r\n\r\n");
    until(&mut connection, "0\r\n\r\n");
}

#[test]
fn a_client_of_http_1_0_gets_the_answer_up_to_the_end_of_the_connection() {
    let server = Server::command(&["--http"], &["cat"]);
    let request = format!("POST / HTTP/1.0\r\nHost: {}\r\nContent-Length: 4\r\n\r\nabc\n", server.host());

    let response = server.request(&request);

    assert_eq!((response.status, response.text().as_str()), (200, "abc\n"), "{response}");
    assert_eq!(response.header("transfer-encoding"), None, "{response}");
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on_once_the_program_runs() {
    let server = Server::command(&["--http"], &["cat"]);
    let mut connection = server.http();
    connection.send(format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
        server.host()
    ));

    assert_eq!(until(&mut connection, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    server.expect_post(1);

    connection.send("x");
    assert_eq!(connection.response("POST").text(), "x");
}

#[test]
fn paths_without_a_program_and_reads_are_answered_as_without_the_flag() {
    let tree = crate::harness::tree::Tree::new();
    tree.program("programs/cat", "#!/bin/sh\nexec cat\n");
    for flags in [&["--http"][..], &[]] {
        let server = Server::serve(&[flags, &["--dir", &tree.path("programs")]].concat());
        let status = |method: &str, path: &str| {
            let rest = format!("HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
            server.request(&format!("{method} {path} {rest}")).status
        };

        assert_eq!(status("POST", "/nothing"), 404, "{flags:?}");
        assert_eq!(status("GET", "/cat"), 426, "{flags:?}");
        assert_eq!(status("HEAD", "/cat"), 426, "{flags:?}");
        let other = if flags.is_empty() { 426 } else { 405 };
        assert_eq!(status("PUT", "/cat"), other, "{flags:?}");
        assert_eq!(status("DELETE", "/cat"), other, "{flags:?}");
        assert_eq!(status("OPTIONS", "/cat"), other, "{flags:?}");
        assert_eq!(status("POST", "/cat"), if flags.is_empty() { 405 } else { 200 }, "{flags:?}");
    }
}

/// Sends a request without a body.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> Response {
    let host = server.host();
    server.request(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn another_method_is_told_which_there_are_and_what_to_do() {
    let tree = crate::harness::tree::Tree::new();
    tree.file("index.html", "page");
    for flags in [&["--http"][..], &["--http", "--devconsole"], &["--http", "--staticdir", &tree.path("")]] {
        let server = Server::command(flags, &["cat"]);
        for path in ["/", "/chat"] {
            for (method, advice) in [
                ("PUT", "Use POST: with `curl -T`, add `-X POST`"),
                ("DELETE", "send it in `Wsd-Session`"),
                ("PATCH", "takes POST"),
                ("TRACE", "takes POST"),
                ("OPTIONS", "takes POST"),
            ] {
                let answer = ask(&server, method, path, "");

                assert_eq!(answer.status, 405, "{flags:?}: {method} {path}: {answer}");
                assert_eq!(
                    answer.header("allow"),
                    Some("GET, HEAD, POST, DELETE, OPTIONS"),
                    "{flags:?}: {method} {path}"
                );
                assert!(answer.text().contains(advice), "{flags:?}: {method} {path}: {answer}");
            }
        }
        assert_eq!(ask(&server, "PUT", "/.wsd/client.js", "").header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn a_program_without_the_flag_names_it_to_a_post_and_to_an_event_stream() {
    let tree = crate::harness::tree::Tree::new();
    tree.file("index.html", "page");
    for flags in [&[][..], &["--devconsole"], &["--staticdir", &tree.path("")]] {
        let server = Server::command(flags, &["cat"]);
        for path in ["/", "/chat"] {
            for (method, headers, status) in [("POST", "", 405), ("GET", "Accept: text/event-stream\r\n", 426)] {
                let answer = ask(&server, method, path, headers);

                assert_eq!(answer.status, status, "{flags:?}: {method} {path}: {answer}");
                assert!(answer.text().contains("Start wsd with --http"), "{flags:?}: {method} {path}: {answer}");
            }
        }
    }
}

#[test]
fn the_banner_shows_how_to_post() {
    for (flags, is_there) in [(&["--http"][..], true), (&[], false), (&["--http", "--pty"], false)] {
        let mut server = Server::command(flags, &["cat"]);
        let line = format!("  post     curl --data-binary @FILE http://127.0.0.1:{}/\n", server.address.port());
        let banner = server.stop();

        assert_eq!(banner.contains(&line), is_there, "{flags:?}: {banner}");
        let how = "one for each WebSocket, event stream or POST\n";
        assert_eq!(banner.contains(how), is_there, "{flags:?}: {banner}");
    }
}

#[test]
fn the_whole_of_32_mib_goes_through_both_ways_in_a_few_mib_of_memory() {
    const BYTES: usize = 32 << 20;
    if !has("curl") {
        return;
    }
    let server = Server::command(&["--http", "--threads=1"], &["cat"]);
    server.post("/", "", "x");
    #[cfg(target_os = "linux")]
    let before = crate::harness::process::linux::peak_memory(server.pid());
    let mut curl = Command::new("curl");
    curl.args(["-sNT", "-", "-X", "POST"]).arg(format!("http://{}/", server.host()));
    let mut curl = curl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut up, mut down) = (curl.stdin.take().unwrap(), curl.stdout.take().unwrap());
    let part: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();

    let sent = part.clone();
    let sender = thread::spawn(move || (0..BYTES >> 20).for_each(|_| up.write_all(&sent).unwrap()));
    let mut received = vec![0; 1 << 20];
    for _ in 0..BYTES >> 20 {
        down.read_exact(&mut received).unwrap();
        assert!(received == part);
    }
    sender.join().unwrap();

    assert_eq!(down.read(&mut received).unwrap(), 0);
    assert!(curl.wait().unwrap().success());
    #[cfg(target_os = "linux")]
    {
        let more = crate::harness::process::linux::peak_memory(server.pid()) - before;
        assert!(more < 6 << 10, "{more} KiB more");
    }
}

#[test]
fn a_reader_that_has_enough_ends_the_program() {
    if !has("curl") {
        return;
    }
    let server = Server::command(&["--http"], &["yes"]);
    let url = format!("http://{}/", server.host());

    let output = Command::new("sh").args(["-c", "curl -sN -X POST \"$1\" | head -1", "sh", &url]).output().unwrap();

    assert_eq!(output.stdout, b"y\n");
    let end = server.expect_log("post ended").text;
    assert!(end.contains(" end=left status=130 "), "{end}");
    eventually("yes is gone", || crate::harness::process::is_gone(server.expect_post(1)).then_some(()));
}
