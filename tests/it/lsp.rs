//! `--framing=lsp`: a header and a body on the program's side, a body in a text message on the client's.

use crate::harness::server::{Server, field, run};
use crate::harness::websocket::{BINARY, Client, Close, Frame, TEXT};

const FLAG: &str = "--framing=lsp";

/// Returns a body with its header.
fn headed(body: &str) -> String {
    format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Starts a program that prints `output` and then waits.
fn printing(output: &str) -> Server {
    Server::shell(&[FLAG], "printf %s \"$1\"; read -r _", &[output])
}

/// Waits for the end of this client's session. Returns its word in the log.
fn end(server: &Server, client: &mut Client) -> String {
    field(&server.expect_end_of(client), "end").unwrap()
}

#[test]
fn each_body_is_a_message_both_ways() {
    let server = Server::start(&[FLAG], "lsp.py");
    let mut client = server.connect("/");
    let bodies = ["{\"jsonrpc\":\"2.0\"}", "{\"text\":\"é€😀\\n\"}", "[\r\n\r\n]", "Content"];

    for body in bodies {
        client.text(body);
        assert_eq!(client.line(), body);
        client.binary(body.as_bytes());
        assert_eq!(client.line(), body);
    }
    for body in bodies {
        client.text(body);
    }
    for body in bodies {
        assert_eq!(client.line(), body, "several are under way");
    }

    client.text("\"exit\"");
    assert_eq!(client.expect_close(), Close::new(1000, ""));
}

#[test]
fn messages_may_be_cut_anywhere() {
    let bodies = ["{\"id\":1}", "{\"name\":\"é😀\"}", "[3]"];
    let types = "CONTENT-TYPE: application/vscode-jsonrpc; charset=utf-8\r\n";
    let output = format!("{}{types}content-length: 17\r\n\r\n{}{}", headed(bodies[0]), bodies[1], headed(bodies[2]));
    let server = Server::command(&[FLAG], &[&crate::harness::server::program("cuts.pl"), &output]);
    let mut client = server.connect("/");

    for cut in 0..=output.len() {
        for body in bodies {
            assert_eq!(client.line(), body, "cut at {cut}");
        }
    }
    assert_eq!(client.expect_close(), Close::new(1000, ""));
}

#[test]
fn a_banner_is_logged_and_skipped() {
    let server = printing(&format!("Loading…\r\n\nNode 1.2\n{}oops\n{}", headed("{}"), headed("[]")));
    let mut client = server.connect("/");

    assert_eq!((client.line(), client.line()), ("{}".to_owned(), "[]".to_owned()));
    for (count, line) in [(1, "Loading…"), (2, "Node 1.2"), (3, "oops")] {
        assert_eq!(field(&server.expect_nth_log("worker junk", count).text, "line").unwrap(), line);
    }
}

#[test]
fn a_client_may_speak_the_stream_itself() {
    for kind in [BINARY, TEXT] {
        let server = Server::command(&[FLAG], &["cat"]);
        let mut client = server.connect("/");
        let parts = ["content-length: 5\r\n\r\n", "{\"a\"", "}Content-Length: 2\r\n", "\r\n[", "]"];

        for part in parts {
            client.send(&Frame::new(kind, part));
        }

        let stream = parts.concat();
        assert_eq!(client.bytes(stream.len()), stream.as_bytes());
    }
}

#[test]
fn a_header_that_a_client_sends_later_is_checked_and_stripped() {
    let server = Server::start(&[FLAG], "lsp.py");
    let mut client = server.connect("/");

    client.text("{}");
    client.text(&headed("[1]"));
    client.text("content-type: x\ncontent-length: 3\n\n[2]");
    assert_eq!([client.line(), client.line(), client.line()], ["{}", "[1]", "[2]"]);

    client.text("Content-Length: 4\r\n\r\n[3]");
    assert_eq!(client.expect_close(), Close::new(1007, "wrong Content-Length"));
    assert_eq!(end(&server, &mut client), "invalid");
}

#[test]
fn an_empty_message_is_dropped() {
    let server = Server::start(&[FLAG], "lsp.py");
    let mut client = server.connect("/");

    client.text("");
    client.text(" ");
    client.text("{}");

    assert_eq!(client.line(), "{}");
    server.expect_events("message ignored", 1);
}

#[test]
fn a_bad_header_ends_its_session_only() {
    let table = [
        ("Content-Length: -1\r\n\r\n{}", "an invalid Content-Length"),
        ("Content-Length: 4294967296\r\n\r\n{}", "an invalid Content-Length"),
        ("Content-Length: 99999999999999999999999999\r\n\r\n{}", "an invalid Content-Length"),
        ("Content-Length: two\r\n\r\n{}", "an invalid Content-Length"),
        ("Content-Type: text/plain\r\n\r\n{}", "a header without Content-Length"),
        ("Content-Length\r\n\r\n{}", "a header line without a colon"),
    ];
    for (output, why) in table {
        let script = "if [ \"$PATH_INFO\" = /bad ]; then printf %s \"$1\"; fi; cat";
        let server = Server::shell(&[FLAG], script, &[&(headed("{}") + output)]);
        let (mut other, mut client) = (server.connect("/"), server.connect("/bad"));

        assert_eq!(client.line(), "{}");
        assert_eq!(client.expect_close(), Close::new(1011, why), "{output:?}");
        assert_eq!(end(&server, &mut client), "garbled");

        other.text("[]");
        assert_eq!(other.line(), "[]");
    }
}

#[test]
fn a_body_that_is_not_utf_8_or_cut_ends_the_session() {
    for (output, why) in [
        ("Content-Length: 3\\r\\n\\r\\n\"\\377\"", "a body that is not UTF-8"),
        ("Content-Length: 3\\r\\n\\r\\n{}", "the output ends within a message"),
        ("Content-Leng", "the output ends within a message"),
    ] {
        let server = Server::shell(&[FLAG], &format!("printf '{output}'"), &[]);
        let mut client = server.connect("/");

        assert_eq!(client.close_at_last(), Close::new(1011, why));
        assert_eq!(end(&server, &mut client), "garbled");
    }
}

#[test]
fn another_charset_is_told_once() {
    let header = "Content-Type: application/vscode-jsonrpc; charset=latin1\r\nContent-Length: 2\r\n\r\n{}";
    let server = printing(&header.repeat(2));
    let mut client = server.connect("/");

    assert_eq!([client.line(), client.line()], ["{}", "{}"]);
    let hint = field(&server.expect_log("worker output not UTF-8").text, "hint").unwrap();
    assert_eq!(hint, "let the program send the charset utf-8");
    server.expect_events("worker output not UTF-8", 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_body_of_10_mib_streams_through_in_flat_memory() {
    use crate::harness::process::linux::peak_memory;
    const BODY_BYTES: usize = 10 << 20;
    let script = "print 'Content-Length: ', 2 * $ARGV[0], qq(\\r\\n\\r\\n), qq(\\xC3\\xA9) x $ARGV[0], \
                  qq(Content-Length: 2\\r\\n\\r\\n[])";
    let server = Server::command(&[FLAG], &["perl", "-e", script, &(BODY_BYTES / 2).to_string()]);
    let mut client = server.connect("/");
    let before = peak_memory(server.pid());

    let body = client.line();

    assert!(body.len() == BODY_BYTES && body.chars().all(|c| c == 'é'), "{} bytes", body.len());
    assert_eq!(client.line(), "[]");
    let growth_kib = peak_memory(server.pid()) - before;
    assert!(growth_kib < 4 << 10, "memory grew by {growth_kib} KiB");
}

#[test]
fn a_body_larger_than_maxframesize_is_no_fault_of_the_program() {
    let body = format!("[\"{}\"]", "x".repeat(5000));
    let server = Server::shell(&[FLAG, "--maxframesize=1000"], "printf %s \"$1\"; read -r _", &[&headed(&body)]);

    assert_eq!(server.connect("/").line(), body);
}

#[test]
fn answers_of_one_client_never_go_to_all() {
    let outcome = run(&["--port=0", FLAG, "--shared", "cat"]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("cannot combine --framing=lsp and --shared: "), "{outcome:?}");
    assert!(outcome.stderr.contains("answers to one client would go to all"), "{outcome:?}");
}
