//! `wsd connect --mcp`: a server of MCP on standard input and output, in front of one of Streamable HTTP.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::lines::Lines;
use crate::harness::places::free_port;
use crate::harness::server::{program, wsd};

/// A server of Streamable HTTP, which tells what it is asked.
struct Remote {
    child: Child,
    told: Arc<Lines>,
    url: String,
}

impl Remote {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(program("mcp_http.py")).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = Lines::of(child.stdout.take().unwrap());
        let port = told.wait_for("", 1).expect("it tells its port").text;
        Self { child, told, url: format!("http://127.0.0.1:{port}/mcp") }
    }

    /// Waits for the request whose fact contains this text, for the `count`th time.
    fn asked(&self, text: &str, count: usize) -> Value {
        let line = self.told.wait_for(text, count);
        serde_json::from_str(&line.unwrap_or_else(|| panic!("no {count} times {text}:\n{}", self.told.text())).text)
            .unwrap()
    }

    fn count(&self, text: &str) -> usize {
        self.told.so_far().iter().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `wsd connect --mcp` with the lines of its standard output.
struct Bridge {
    caller: Caller,
    output: Arc<Lines>,
}

impl Bridge {
    fn to(remote: &Remote, more: &[&str]) -> Self {
        let mut caller = Caller::start(&[&["--mcp", &remote.url], more].concat());
        let output = Lines::of(caller.output.take().unwrap());
        Self { caller, output }
    }

    fn send(&mut self, message: &Value) {
        self.caller.types(&format!("{message}\n"));
    }

    /// Waits for a message that contains this text.
    fn expect(&self, text: &str) -> Value {
        let line = self.output.wait_for(text, 1);
        let line = line.unwrap_or_else(|| panic!("no {text}:\n{}\n{}", self.output.text(), self.caller.errors.text()));
        serde_json::from_str(&line.text).unwrap()
    }

    /// Begins a legacy session.
    fn initialize(&mut self) {
        self.send(&json!({ "jsonrpc": "2.0", "id": "init", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }));
        self.expect(r#""id":"init""#);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }

    fn call(&mut self, id: &Value, tool: &str, arguments: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments } }));
    }

    /// Ends standard input. Returns the exit status.
    fn end(mut self) -> Option<i32> {
        drop(self.caller.input.take());
        self.caller.child.wait().unwrap().code()
    }
}

/// Returns a request of a modern client.
fn modern(id: &Value, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {} });
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn a_legacy_session_has_the_headers_of_its_answer_and_is_deleted_at_the_end() {
    let remote = Remote::start(&["legacy"]);
    let mut bridge = Bridge::to(&remote, &["--header=Authorization: Bearer t"]);

    bridge.initialize();
    let stream = remote.asked(r#""method":"GET""#, 1);
    bridge.call(&json!(7), "echo", &json!({ "a": 1.0 }));
    let answer = bridge.expect(r#""id":7"#);
    let status = bridge.end();

    assert_eq!(answer["result"]["echo"], json!({ "a": 1.0 }));
    let first = remote.asked(r#""initialize""#, 1);
    assert_eq!(first["headers"]["accept"], "application/json, text/event-stream");
    assert_eq!(
        (&first["headers"]["mcp-session-id"], &first["headers"]["mcp-protocol-version"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(stream["headers"]["accept"], "text/event-stream");
    let rest = [
        stream,
        remote.asked("notifications/initialized", 1),
        remote.asked("tools/call", 1),
        remote.asked(r#""DELETE""#, 1),
    ];
    for request in rest {
        let headers = &request["headers"];
        assert_eq!(headers["mcp-session-id"], "session-0", "{request}");
        assert_eq!(headers["mcp-protocol-version"], "2025-06-18", "{request}");
        assert_eq!(headers["authorization"], "Bearer t", "{request}");
    }
    assert_eq!(status, Some(0));
}

#[test]
fn all_lines_of_a_pipe_are_answered_in_the_order_that_the_protocol_needs() {
    let remote = Remote::start(&["legacy"]);
    let lines = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18" } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "stream" } }),
        json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" }),
    ];
    let input: String = lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();

    let outcome = Caller::start(&["--mcp", &remote.url]).finish(input.as_bytes());

    assert_eq!((outcome.status, &*outcome.stderr), (Some(0), ""));
    let mut answers: Vec<_> = outcome.stdout.lines().collect();
    answers.sort_unstable();
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert!(answers[0].contains(r#""id":1"#) && answers[1].contains(r#""id":2"#), "{answers:?}");
    assert!(answers[2].contains(r#""id":3"#) && answers[3].contains("notifications/message"), "{answers:?}");
}

#[test]
fn a_stream_that_ends_before_the_answer_is_read_on_from_its_last_event() {
    let remote = Remote::start(&["legacy", "streamless"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();

    bridge.call(&json!(1), "cut", &json!({}));
    bridge.expect(r#""data":"cut""#);
    bridge.expect(r#""done":"cut""#);

    let returned = remote.asked("cut/1", 1);
    assert_eq!((&returned["method"], &returned["headers"]["last-event-id"]), (&json!("GET"), &json!("cut/1")));
    assert_eq!(bridge.end(), Some(0));
}

#[test]
fn the_stream_of_a_session_is_opened_again_from_its_last_event() {
    let remote = Remote::start(&["legacy", "ending"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();

    for number in 1..=2 {
        bridge.call(&json!(number), "push", &json!({}));
        remote.asked(r#""GET""#, number + 1);
    }

    assert_eq!(remote.asked(r#""GET""#, 2)["headers"]["last-event-id"], "1");
    assert_eq!(remote.asked(r#""GET""#, 3)["headers"]["last-event-id"], "2");
    assert!(bridge.output.wait_for("notifications/message", 2).is_some());
    assert!(!bridge.caller.errors.text().contains("stream"), "{}", bridge.caller.errors.text());
}

#[test]
fn a_question_of_the_server_reaches_the_client_and_its_answer_the_server() {
    let remote = Remote::start(&["legacy"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();

    bridge.call(&json!("a"), "ask", &json!({}));
    bridge.expect("sampling/createMessage");
    bridge.send(&json!({ "jsonrpc": "2.0", "id": "q", "result": { "text": "from the client" } }));

    assert_eq!(bridge.expect(r#""id":"a""#)["result"]["text"], "from the client");
}

#[test]
fn a_lost_session_is_begun_again_without_an_error() {
    for options in [&["legacy"][..], &["legacy", "strange"]] {
        let remote = Remote::start(options);
        let mut bridge = Bridge::to(&remote, &[]);
        bridge.initialize();
        bridge.call(&json!(1), "forget", &json!({}));
        bridge.expect(r#""forget""#);

        for id in 2..6 {
            bridge.call(&json!(id), "echo", &json!({ "id": id }));
        }
        for id in 2..6 {
            assert_eq!(bridge.expect(&format!(r#""id":{id},"#))["result"]["echo"]["id"], id);
        }

        assert_eq!(remote.count(r#""initialize""#), 2, "{options:?}");
        remote.asked("notifications/initialized", 2);
        assert_eq!(bridge.output.text().matches("serverInfo").count(), 1, "the client has one answer to initialize");
        assert!(bridge.caller.errors.wait_for("the server has lost the session", 1).is_some());
    }
}

#[test]
fn a_session_whose_stream_is_the_first_to_find_it_lost_is_begun_again() {
    let remote = Remote::start(&["legacy", "ending"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();
    remote.asked(r#""method":"GET""#, 1);

    bridge.call(&json!(1), "forget", &json!({}));

    remote.asked("notifications/initialized", 2);
    bridge.call(&json!(2), "echo", &json!({}));
    bridge.expect(r#""echo""#);
    let headers = &remote.asked(r#""name":"echo""#, 1)["headers"];
    assert_eq!(headers["mcp-protocol-version"], "2025-06-18", "{headers}");
    remote.asked(r#""method":"GET""#, 3);
    assert_eq!(remote.count(r#""initialize""#), 2);
}

#[test]
fn a_modern_request_has_headers_that_repeat_its_body() {
    let remote = Remote::start(&["modern"]);
    let mut bridge = Bridge::to(&remote, &[]);

    bridge.send(&modern(&json!(1), "tools/list", json!({})));
    bridge.expect("inputSchema");
    bridge.send(&modern(&json!(2), "tools/call", json!({ "name": "echo", "arguments": { "where": "hé" } })));
    bridge.expect(r#""id":2"#);
    bridge.send(&modern(&json!(3), "resources/read", json!({ "uri": "file:///a b" })));
    bridge.expect(r#""id":3"#);
    let status = bridge.end();

    let call = &remote.asked("tools/call", 1)["headers"];
    assert_eq!(call["mcp-protocol-version"], "2026-07-28");
    assert_eq!((&call["mcp-method"], &call["mcp-name"]), (&json!("tools/call"), &json!("echo")));
    assert_eq!(call["mcp-param-where"], "=?base64?aMOp?=");
    assert_eq!(remote.asked("resources/read", 1)["headers"]["mcp-name"], "file:///a b");
    assert_eq!(remote.count(r#""GET""#) + remote.count(r#""DELETE""#) + remote.count("mcp-session-id"), 0);
    assert_eq!(status, Some(0));
}

#[test]
fn a_cancelled_modern_request_is_closed_and_nothing_else_is_sent() {
    for tool in ["slow", "silent"] {
        let remote = Remote::start(&["modern"]);
        let mut bridge = Bridge::to(&remote, &[]);
        bridge.send(&modern(&json!(5), "tools/call", json!({ "name": tool })));
        remote.asked("tools/call", 1);
        if tool == "slow" {
            bridge.expect("slow");
        }

        bridge.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } }));

        assert_eq!(remote.asked("closed", 1)["closed"], "/mcp");
        assert_eq!(remote.count("notifications/cancelled"), 0);
        assert_eq!(bridge.end(), Some(0));
    }
}

#[test]
fn a_cancelled_legacy_request_is_cancelled_by_a_message() {
    let remote = Remote::start(&["legacy"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();
    bridge.call(&json!(5), "slow", &json!({}));
    bridge.expect("slow");

    bridge.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } }));

    remote.asked("notifications/cancelled", 1);
    remote.asked("closed", 1);
    assert_eq!(bridge.end(), Some(0));
}

#[test]
fn a_listening_request_stays_open_and_ends_with_standard_input() {
    let remote = Remote::start(&["modern"]);
    let mut bridge = Bridge::to(&remote, &[]);

    bridge.send(&modern(&json!("l"), "subscriptions/listen", json!({})));
    bridge.expect("acknowledged");
    bridge.send(&modern(&json!(2), "tools/call", json!({ "name": "echo" })));
    bridge.expect(r#""id":2"#);

    assert_eq!(bridge.end(), Some(0));
    remote.asked("closed", 1);
}

#[test]
fn every_failure_is_an_error_with_the_id_of_the_request() {
    let remote = Remote::start(&["modern"]);
    let rpc = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"unknown","data":1e400}}"#;
    let table = [
        ("error", json!({ "status": 502, "text": "no\nway" }), "502 Bad Gateway: no way", "-32000"),
        (
            "error",
            json!({ "status": 405, "text": "405 Method Not Allowed\n\nno" }),
            "405 Method Not Allowed: no",
            "-32000",
        ),
        ("error", json!({ "status": 401, "text": "<p>", "kind": "text/html" }), "401 Unauthorized", "-32000"),
        (
            "error",
            json!({ "status": 404, "text": rpc, "kind": "application/json" }),
            r#""message":"unknown","data":1e400"#,
            "-32601",
        ),
        (
            "error",
            json!({ "status": 200, "text": rpc, "kind": "application/json" }),
            r#""message":"unknown","data":1e400"#,
            "-32601",
        ),
        ("error", json!({ "status": 200, "text": "junk" }), "the stream ended without", "-32000"),
        ("taken", json!({}), "the stream ended without", "-32000"),
        ("short", json!({}), "the stream ended without", "-32000"),
    ];
    let mut bridge = Bridge::to(&remote, &[]);
    for (number, (tool, arguments, want, code)) in table.into_iter().enumerate() {
        let id = format!("i{number}");
        bridge.send(&modern(&json!(id), "tools/call", json!({ "name": tool, "arguments": arguments })));

        let line = bridge.output.wait_for(&format!(r#""id":"{id}""#), 1).expect(want).text;
        assert!(line.contains(want) && line.contains(&format!(r#""code":{code}"#)), "{line}");
    }
    bridge.caller.types("junk\n[]\n");
    assert!(bridge.output.wait_for(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700"#, 1).is_some());
    assert!(bridge.output.wait_for(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600"#, 1).is_some());
    let errors = Arc::clone(&bridge.caller.errors);
    assert_eq!(bridge.end(), Some(0));
    for hint in ["add --header='Authorization: Bearer ...'", "check the path of the URL, such as /mcp; "] {
        assert!(errors.wait_for(&format!("hint: {hint}"), 1).is_some(), "{}", errors.text());
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_for_each_request_and_exit_1() {
    let url = format!("http://127.0.0.1:{}/mcp", free_port());
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {} });

    let outcome = Caller::start(&["--mcp", &url]).finish(format!("{request}\n").as_bytes());

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.starts_with(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"#), "{outcome:?}");
    assert!(
        outcome.stderr.contains("wsd: cannot connect to 127.0.0.1:") && outcome.stderr.contains("hint: "),
        "{outcome:?}"
    );
}

#[test]
fn one_connection_serves_requests_one_after_another() {
    let remote = Remote::start(&["modern"]);
    let mut bridge = Bridge::to(&remote, &[]);

    for id in 0..5 {
        bridge.send(&modern(&json!(id), "tools/call", json!({ "name": "echo" })));
        bridge.expect(&format!(r#""id":{id},"#));
    }

    let ports: Vec<_> = (1..=5).map(|count| remote.asked("tools/call", count)["port"].clone()).collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
}

#[test]
fn fifty_requests_at_once_get_their_own_answers() {
    let remote = Remote::start(&["modern"]);
    let mut bridge = Bridge::to(&remote, &[]);

    for id in 0..50 {
        let large = "x".repeat(20_000);
        bridge.send(&modern(&json!(id), "tools/call", json!({ "name": "echo", "arguments": { "n": id, "x": large } })));
    }

    for id in 0..50 {
        assert_eq!(bridge.expect(&format!(r#""id":{id},"#))["result"]["echo"]["n"], id);
    }
}

#[test]
fn a_signal_ends_the_session_and_is_told_by_the_exit_status() {
    let remote = Remote::start(&["legacy"]);
    let mut bridge = Bridge::to(&remote, &[]);
    bridge.initialize();
    bridge.call(&json!(1), "slow", &json!({}));
    bridge.expect("slow");

    kill_process(bridge.caller.pid(), Signal::TERM).unwrap();

    assert_eq!(bridge.caller.child.wait().unwrap().code(), Some(143));
    remote.asked(r#""DELETE""#, 1);
}

#[test]
fn the_end_of_input_waits_for_answers_no_longer_than_asked() {
    let remote = Remote::start(&["modern"]);
    let request = modern(&json!(1), "tools/call", json!({ "name": "slow" }));

    let outcome = Caller::start(&["--mcp", "--wait=0.1", &remote.url]).finish(format!("{request}\n").as_bytes());

    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn a_missing_url_is_told_with_one_of_mcp() {
    let outcome = crate::harness::server::run_to_end(wsd(&["connect", "--mcp"]));

    assert!(outcome.stderr.contains("wsd connect --mcp http://localhost:8080/mcp"), "{outcome:?}");
}

#[test]
fn flags_of_websockets_are_refused() {
    for (more, named) in [
        (&["--pty"][..], "--pty"),
        (&["--resume"], "--resume"),
        (&["--framing=nul"], "--framing"),
        (&["--subprotocol=mcp"], "--subprotocol"),
        (&["http://h/", "cat"], "COMMAND"),
        (&["--header=Mcp-Session-Id: x"], "mcp-session-id"),
    ] {
        let outcome = crate::harness::server::run_to_end(wsd(&[&["connect", "--mcp"], more, &["http://h/"]].concat()));

        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(named) && outcome.stderr.contains("hint: "), "{outcome:?}");
    }
}
