//! Sessions that go on with another process.

use serde_json::{Value, json};

use super::client::{BOTH, Events, Session, call, fault, initialize, start, start_named, text, value};
use crate::harness::eventually;

#[test]
fn an_idle_session_goes_on_with_a_new_process() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let session = Session::begin(&server);
    session.post(r#"{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"debug"}}"#);
    for uri in ["a", "b"] {
        session
            .post(&format!(r#"{{"jsonrpc":"2.0","id":6,"method":"resources/subscribe","params":{{"uri":"{uri}"}}}}"#));
    }
    session.post(r#"{"jsonrpc":"2.0","id":7,"method":"resources/unsubscribe","params":{"uri":"a"}}"#);
    let before = session.state();
    assert!(server.expect_log("mcp ended").text.contains("end=idle"));

    let after = session.state();

    assert_ne!(before["pid"], after["pid"]);
    assert_eq!(after["level"], "debug");
    assert_eq!(after["seen"], json!(["notifications/initialized", "subscribe b"]));
}

#[test]
fn a_session_in_use_is_not_idle() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let (held, streaming, idle) = (Session::begin(&server), Session::begin(&server), Session::begin(&server));
    let _request = held.calling("4", "hold", "{}");
    let mut stream = streaming.stream("");
    stream.next();
    let (before_held, before_streaming) = (held.state()["pid"].clone(), streaming.state()["pid"].clone());
    let _ = idle.state();

    server.expect_log("mcp ended");

    assert_eq!(held.state()["pid"], before_held);
    assert_eq!(streaming.state()["pid"], before_streaming);
}

#[test]
fn a_process_that_ends_by_itself_is_replaced_too() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let before = session.state();
    let ended = session.call("exit", r#"{"status":3}"#);
    assert_eq!(fault(&ended), (502, -32603));
    assert_eq!(value(&ended)["error"]["message"], "the server ended: exit 3");

    let after = session.state();

    assert_ne!(before["pid"], after["pid"]);
}

#[test]
fn requests_of_a_process_that_has_ended_reach_nobody_and_their_answers_no_other_process() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    session.alone("ask_alone");
    assert_eq!(session.call("exit", r#"{"status":0}"#).status, 502);
    server.expect_log("mcp ended");

    assert_eq!(session.post(r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#).status, 202);

    let mut stream = session.stream("");
    stream.next();
    session.alone("tell_alone");
    assert_eq!(stream.message()["method"], "notifications/tools/list_changed", "the first message of the stream");
    assert_eq!(session.state()["seen"], json!(["notifications/initialized"]));
}

#[test]
fn a_late_answer_is_not_one_to_a_request_of_the_next_process() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let asked = Events::of(session.calling("7", "sample", "{}")).message();
    session.call("exit", r#"{"status":0}"#);
    let mut events = Events::of(session.calling("8", "sample", "{}"));
    let again = events.message();
    let answer = |id: &Value, model: &str| json!({ "jsonrpc": "2.0", "id": id, "result": model }).to_string();

    assert_eq!(session.post(&answer(&asked["id"], "late")).status, 202);
    assert_eq!(session.post(&answer(&again["id"], "own")).status, 202);

    assert_eq!(text(&events.message()), "own");
}

#[test]
fn a_session_whose_server_is_another_one_now_is_over() {
    let server = start_named("1", "legacy", &["counted"]);
    let session = Session::begin(&server);
    server.expect_log("mcp ended");

    assert_eq!(fault(&session.call("state", "{}")), (404, -32001), "the version has changed");

    assert_eq!(fault(&session.call("state", "{}")), (404, -32001));
    server.expect_nth_log("mcp ended", 2);
}

#[test]
fn a_session_with_a_long_initialize_ends_with_its_process() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let long = initialize("2025-11-25").replace("test", &"x".repeat(70_000));
    let response = server.post("/", BOTH, long);
    let id = response.header("Mcp-Session-Id").unwrap().to_owned();
    server.expect_log("mcp ended");

    let later = server.post("/", &format!("{BOTH}Mcp-Session-Id: {id}\r\n"), call("1", "echo", "{}"));

    assert_eq!(fault(&later), (404, -32001));
}

#[test]
fn many_requests_at_once_revive_a_session_once() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let session = Session::begin(&server);
    server.expect_log("mcp ended");

    let calls: Vec<_> = (0..8).map(|id| session.calling(&id.to_string(), "echo", r#"{"text":"x"}"#)).collect();

    for mut connection in calls {
        assert_eq!(text(&value(&connection.response("POST"))), "x");
    }
    let started = server.log().iter().filter(|line| line.contains("mcp started")).count();
    assert_eq!(started, 2);
}

#[test]
fn a_new_process_has_the_variables_of_the_first_request() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let session = Session::begin(&server);
    server.expect_log("mcp ended");

    let body = call("1", "env", r#"{"name":"HTTP_MCP_SESSION_ID"}"#);
    let response = server.post("/", &format!("{BOTH}Mcp-Session-Id: {}\r\n", session.id), body);

    assert_eq!(text(&value(&response)), "", "initialize had none");
}

#[test]
fn a_get_revives_a_session_too() {
    let server = start(&["--mcp-idle=0.3"], "legacy", &[]);
    let session = Session::begin(&server);
    server.expect_log("mcp ended");

    let mut stream = session.stream("");

    eventually("a second process", || {
        (server.log().iter().filter(|line| line.contains("mcp started")).count() == 2).then_some(())
    });
    session.alone("tell_alone");
    assert_eq!(stream.message()["method"], "notifications/tools/list_changed");
}
