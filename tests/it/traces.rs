//! The trace context of a request: what programs get, and the key `trace` in the log.

use crate::harness::eventsource::EventSource;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
                     tracestate: a=1\r\nTraceState: b=2\r\nbaggage: user=ada;p, k=v\r\n";

/// Says the variables of a trace, also the one of the header.
const SAY: &str = "echo \"${TRACEPARENT-none} ${TRACESTATE-none} ${BAGGAGE-none} ${HTTP_TRACEPARENT-none}\"";

/// The answer of [`SAY`] to a request with [`TRACE`].
const SAID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1,b=2 user=ada;p, k=v \
                    00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The events of the lines with this trace.
fn traced(server: &Server, id: &str) -> Vec<String> {
    let log = server.log().into_iter().filter(|line| field(line, "trace").as_deref() == Some(id));
    log.map(|line| line.split_once(' ').unwrap().1.split('=').next().unwrap().to_owned()).collect()
}

#[test]
fn a_program_gets_the_context_of_the_trace_of_its_client() {
    let tree = Tree::new();
    tree.program("cgi/say", &format!("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n{SAY}\n"));
    let server = Server::shell(&["--http", "--cgidir", &tree.path("cgi")], SAY, &[]);

    assert_eq!(server.connect_with("/", TRACE).line(), SAID);

    assert_eq!(server.post("/", TRACE, "").text(), format!("{SAID}\n"));
    assert_eq!(server.get("/say", TRACE).text(), format!("{SAID}\n"));
    let mut stream = EventSource::new(server.address, "/", TRACE);
    stream.connect().unwrap();
    assert_eq!(stream.line(), SAID);
}

#[test]
fn without_one_valid_parent_a_program_gets_nothing_of_a_trace() {
    let server = Server::shell(&["--passenv=PATH"], SAY, &[]);
    let others = "tracestate: a=1\r\nbaggage: k=v\r\n";
    let parent = format!("traceparent: 00-{ID}-00f067aa0ba902b7-01\r\n");
    let zeros = "0".repeat(32);
    for (parents, header) in [
        (String::new(), "none".to_owned()),
        (format!("{parent}{parent}"), format!("00-{ID}-00f067aa0ba902b7-01, 00-{ID}-00f067aa0ba902b7-01")),
        (
            parent.to_uppercase().replace("TRACEPARENT", "traceparent"),
            format!("00-{ID}-00f067aa0ba902b7-01").to_uppercase(),
        ),
        (parent.replace(ID, &zeros), format!("00-{zeros}-00f067aa0ba902b7-01")),
        (parent.replace("00-4", "ff-4"), format!("ff-{ID}-00f067aa0ba902b7-01")),
        (parent.replace("-01", "-01-more"), format!("00-{ID}-00f067aa0ba902b7-01-more")),
    ] {
        let mut client = server.connect_with("/", &format!("{parents}{others}"));

        assert_eq!(client.line(), format!("none none none {header}"));
        client.rest();
    }
    assert!(!server.log().iter().any(|line| line.contains(" trace=")), "{:?}", server.log());
}

#[test]
fn the_lines_of_a_session_have_its_trace() {
    let tree = Tree::new();
    tree.program("cgi/say", "#!/bin/sh\necho oops >&2\nprintf 'Content-Type: text/plain\\n\\n'\n");
    let flags = ["--http", "--cgidir", &tree.path("cgi"), "--loglevel=trace"];
    let mut server = Server::shell(&flags, "echo oops >&2; read -r line; echo \"$line\"", &[]);
    let trace = |number| TRACE.replace(ID, &format!("{number}{}", &ID[1..]));
    let id = |number| format!("{number}{}", &ID[1..]);
    let mut client = server.connect_with("/", &trace(1));
    let mut other = server.connect("/");
    client.text("one");
    client.rest();
    client.close(1000);
    other.close(1000);
    other.drain();
    server.post("/", &trace(2), "two\n");
    server.get("/say", &trace(3));
    server.refusal("/", &format!("Origin: http://evil.example\r\n{}", trace(5)));

    server.stop();

    let session = [
        "INFO session started conn",
        "INFO worker stderr conn",
        "TRACE message conn",
        "TRACE message conn",
        "INFO session ended conn",
    ];
    let mut got = traced(&server, &id(1));
    got.sort();
    let mut want = session.map(str::to_owned);
    want.sort();
    assert_eq!(got, want);
    let post = ["INFO post started conn", "INFO worker stderr conn", "INFO post ended conn", "INFO http request peer"];
    let mut got = traced(&server, &id(2));
    got.sort();
    let mut want = post.map(str::to_owned);
    want.sort();
    assert_eq!(got, want);
    assert_eq!(traced(&server, &id(3)), ["INFO worker stderr conn", "INFO http request peer"]);
    assert_eq!(traced(&server, &id(5)), ["WARN session refused peer", "INFO http request peer"]);
    let untraced = server.log().into_iter().filter(|line| line.contains("session ended") && !line.contains("trace="));
    assert_eq!(untraced.count(), 1);
}

#[test]
fn the_recording_of_a_session_has_its_trace_and_that_of_a_room_has_none() {
    let tree = Tree::new();
    let record = format!("--record={}", tree.path("rec"));
    for (flags, want) in [
        (&["--http"][..], ["INFO recording ended conn", "INFO recording started conn"].as_slice()),
        (&["--shared", "--linger=0"], &[]),
    ] {
        let mut server = Server::command(&[&[&*record], flags].concat(), &["cat"]);
        let mut client = server.connect_with("/", TRACE);
        client.close(1000);
        client.drain();
        server.expect_log("recording ended");

        server.stop();

        let mut got = traced(&server, ID);
        got.retain(|event| event.contains("recording"));
        got.sort();
        assert_eq!(got, want, "{flags:?}");
    }
}

#[test]
fn a_shared_program_gets_no_trace_and_open_tells_that_of_each_client() {
    let server = Server::shell(&["--shared", "--http"], &format!("{SAY} >&2; exec cat"), &[]);
    let mut client = server.connect_with("/", TRACE);
    client.text("one");
    assert_eq!(client.line(), "one");
    assert!(server.expect_log("worker stderr").text.ends_with("line=\"none none none none\""));
    assert_eq!(traced(&server, ID), ["INFO session started conn"]);

    let server = Server::command(&["--shared", "--framing=json"], &["sh", "-c", "head -n 1 >&2"]);
    let _client = server.connect_with("/", TRACE);
    let open = server.expect_log("worker stderr").text;
    assert!(open.contains(r#"\"TRACEPARENT\":\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\""#), "{open}");
    assert!(!open.contains(" trace="), "{open}");
}

#[test]
fn the_trace_is_a_key_of_json_and_a_variable_of_headers() {
    let mut server = Server::command(&["--logformat=json", "--header-ws=X-Trace: ${TRACEPARENT}"], &["cat"]);
    let mut client = server.connect_with("/", TRACE);
    client.close(1000);
    client.drain();
    let bare = server.request(&crate::harness::websocket::upgrade_request(&server.host(), "/", TRACE));

    let log = server.stop();

    assert_eq!(bare.header("X-Trace"), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), "{bare}");
    let line = log.lines().find(|line| line.contains("session ended")).unwrap();
    assert!(line.ends_with(&format!(",\"trace\":\"{ID}\"}}")), "{line}");
}
