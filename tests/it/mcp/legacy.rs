//! The form with sessions: each row of its table.

use serde_json::json;

use super::client::{BOTH, Events, Session, call, fault, initialize, start, text, value};
use crate::harness::process::{group_gone_within, pid};
use crate::harness::server::field;
use crate::harness::{DEADLINE, eventually};

#[test]
fn a_session_begins_with_initialize_and_ends_with_delete() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);

    assert!(session.id.len() >= 43 && session.id.bytes().all(|byte| byte.is_ascii_graphic()), "{}", session.id);
    assert_eq!(session.text("echo", r#"{"text":"hi"}"#), "hi");
    let started = server.expect_log("mcp started").text;
    assert!(started.contains(" kind=session"), "{started}");
    assert_eq!(session.delete().status, 200);

    assert!(group_gone_within(pid(&field(&started, "pid").unwrap()), DEADLINE));
    assert_eq!(fault(&session.call("echo", "{}")), (404, -32001));
    assert_eq!(session.delete().status, 404);
}

#[test]
fn requests_in_flight_end_without_an_answer_when_their_client_deletes_the_session() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let held = session.calling("4", "hold", "{}");
    eventually("it is held", || (session.state()["held"] == 1).then_some(()));

    session.delete();

    assert_eq!(Events::of(held).rest().len(), 0);
}

#[test]
fn each_session_has_a_program_of_its_own() {
    let server = start(&[], "legacy", &[]);
    let (one, other) = (Session::begin(&server), Session::begin(&server));

    assert_ne!(one.state()["pid"], other.state()["pid"]);
    assert_eq!(one.state()["pid"], one.state()["pid"]);
}

#[test]
fn each_wrong_request_has_its_status_and_code() {
    let server = start(&["--maxbody=1k"], "legacy", &[]);
    let session = Session::begin(&server);
    let long = call("1", "echo", &json!({ "text": "x".repeat(1000) }).to_string());
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let own = session.headers();
    let without = |name: &str| own.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect::<String>();
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#, "[".repeat(130), "]".repeat(130));
    let table = [
        ("no session", BOTH.to_owned(), ping, (400, -32000)),
        ("an unknown session", format!("{BOTH}Mcp-Session-Id: x\r\n"), ping, (404, -32001)),
        ("a second initialize", own.clone(), &*initialize("2025-11-25"), (400, -32600)),
        ("no JSON accepted", without("Accept") + "Accept: text/event-stream\r\n", ping, (406, -32000)),
        ("no events accepted", without("Accept") + "Accept: application/json\r\n", ping, (406, -32000)),
        ("another type", without("Content-Type") + "Content-Type: text/plain\r\n", ping, (415, -32000)),
        ("no type", without("Content-Type"), ping, (415, -32000)),
        ("an unknown version", without("MCP-Proto") + "MCP-Protocol-Version: 1999-01-01\r\n", ping, (400, -32000)),
        ("a long body", own.clone(), &*long, (413, -32000)),
        ("no JSON", own.clone(), "{", (400, -32700)),
        ("too deep", own.clone(), &*deep, (400, -32700)),
        ("a batch", own.clone(), "[]", (400, -32600)),
        ("no message", own.clone(), r#"{"jsonrpc":"2.0"}"#, (400, -32600)),
        ("the id null", own.clone(), r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, (400, -32600)),
    ];
    for (what, headers, body, want) in table {
        assert_eq!(fault(&server.post("/", &headers, body)), want, "{what}");
    }
    for accept in ["", "Accept: */*\r\n", "Accept: text/*, application/*;q=0.5\r\n"] {
        assert_eq!(server.post("/", &(without("Accept") + accept), ping).status, 200, "{accept}");
    }
    assert_eq!(server.post("/", &without("MCP-Proto"), ping).status, 200, "without a version it is 2025-03-26");
    let put = server.request(&format!("PUT / HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", server.host()));
    assert_eq!((put.status, put.header("Allow")), (405, Some("GET, POST, DELETE")));
}

#[test]
fn an_id_comes_back_byte_for_byte() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    for id in ["1", "\"1\"", "1.0", "9007199254740993", "\"\"", "\"é\\u00e9\"", "-1e400"] {
        let response = session.post(&call(id, "echo", r#"{"text":"x"}"#));
        assert!(response.text().contains(&format!("\"id\": {id},")), "{id}: {response}");
    }
}

#[test]
fn a_fast_answer_is_json_and_one_with_messages_before_it_is_events() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let fast = session.call("echo", r#"{"text":"x"}"#);
    assert_eq!(fast.header("Content-Type"), Some("application/json"));

    let mut events = Events::of(session.calling("\"t\"", "progress", r#"{"count":2}"#));

    assert!(
        events.head.contains("cache-control: no-cache, no-transform") && events.head.contains("x-accel-buffering: no")
    );
    let messages = events.rest();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[0]["params"], json!({ "progressToken": "t", "progress": 0 }));
    assert_eq!(messages[1]["params"]["progress"], 1);
    assert_eq!((messages[2]["id"].as_str(), text(&messages[2])), (Some("t"), "done".to_owned()));
}

#[test]
fn only_clients_of_the_newest_version_get_an_event_without_data() {
    let server = start(&[], "legacy", &[]);
    for (version, is_primed) in [("2025-03-26", false), ("2025-06-18", false), ("2025-11-25", true)] {
        let session = Session::begin_with(&server, version);
        let mut events = Events::of(session.calling("1", "progress", r#"{"count":1}"#));
        let first = events.next().unwrap();
        assert_eq!(first.data.is_null(), is_primed, "{version}: {first:?}");
        assert!(!first.id.is_empty());
    }
}

#[test]
fn a_client_can_answer_requests_of_the_server() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut events = Events::of(session.calling("7", "sample", "{}"));
    let asked = events.message();
    assert_eq!(asked["method"], "sampling/createMessage");

    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": { "model": "m" } });
    assert_eq!(session.post(&answer.to_string()).status, 202);

    let result = events.message();
    assert_eq!((&result["id"], text(&result)), (&json!(7), r#"{"model": "m"}"#.to_owned()));
    assert!(events.next().is_none());
}

#[test]
fn a_cancelled_request_is_named_by_the_number_that_the_server_has() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut held = session.calling("\"mine\"", "hold", "{}");
    eventually("it is held", || (session.state()["held"] == 1).then_some(()));

    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine"}}"#;
    assert_eq!(session.post(cancel).status, 202);

    let state = eventually("it is cancelled", || Some(session.state()).filter(|state| state["held"] == 0));
    assert_eq!(state["cancelled"].as_array().map(Vec::len), Some(1), "{state}");
    let answer = held.response("POST");
    assert_eq!((fault(&answer), &value(&answer)["id"]), ((200, -32000), &json!("mine")), "the server answers no more");
}

#[test]
fn equal_ids_in_flight_get_their_own_answers() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut one = session.calling("1", "hold", r#"{"text":"one"}"#);
    eventually("it is held", || (session.state()["held"] == 1).then_some(()));
    let mut other = session.calling("1", "hold", r#"{"text":"other"}"#);
    eventually("it is held", || (session.state()["held"] == 2).then_some(()));

    session.call("release", "{}");

    assert_eq!(text(&value(&one.response("POST"))), "one");
    assert_eq!(text(&value(&other.response("POST"))), "other");
}

#[test]
fn the_program_has_the_variables_of_the_request_that_began_the_session() {
    let server = start(&[], "legacy", &[]);
    let response = server.post("/some?a=1", &format!("{BOTH}X-Tenant: t\r\n"), initialize("2025-06-18"));
    let id = response.header("Mcp-Session-Id").unwrap().to_owned();
    let headers = format!("{BOTH}Mcp-Session-Id: {id}\r\nX-Tenant: other\r\n");
    for (name, want) in [("HTTP_X_TENANT", "t"), ("QUERY_STRING", "a=1"), ("REMOTE_ADDR", "127.0.0.1")] {
        let body = call("1", "env", &json!({ "name": name }).to_string());
        assert_eq!(text(&value(&server.post("/some", &headers, body))), want, "{name}");
    }
}

#[test]
fn an_error_of_initialize_begins_no_session() {
    let server = start(&[], "legacy", &["fails"]);

    let response = server.post("/", BOTH, initialize("2025-11-25"));

    assert_eq!((response.status, value(&response)["error"]["code"].as_i64()), (200, Some(-32602)));
    assert_eq!(response.header("Mcp-Session-Id"), None);
    server.expect_log("mcp ended");
}

#[test]
fn a_client_that_leaves_before_its_session_begins_leaves_no_program() {
    let server = crate::harness::server::Server::shell(&["--mcp"], "cat >/dev/null", &[]);
    let connection = server.posting("/", BOTH, initialize("2025-11-25"));
    server.expect_log("mcp started");

    connection.reset();

    assert!(server.expect_log("mcp ended").text.contains("end=left"));
}
