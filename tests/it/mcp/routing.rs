//! Which message of a legacy server goes to which stream.

use serde_json::json;

use super::client::{Events, Session, call, start, text, value};
use crate::harness::eventually;

#[test]
fn messages_without_a_request_go_to_the_only_request_in_flight() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut stream = session.stream("");
    stream.next();

    let messages = Events::of(session.calling("1", "log", "{}")).rest();

    assert_eq!(messages[0]["method"], "notifications/message");
    assert_eq!(text(&messages[1]), "logged");
    session.alone("tell_alone");
    assert_eq!(stream.message()["method"], "notifications/tools/list_changed", "the first message of the stream");
}

#[test]
fn with_several_requests_in_flight_they_go_to_the_stream_of_the_get() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut stream = session.stream("");
    stream.next();
    let _held = session.calling("5", "hold", "{}");
    eventually("it is held", || (session.state()["held"] == 1).then_some(()));

    assert_eq!(session.text("log", r#"{"text":"both"}"#), "logged");

    assert_eq!(stream.message()["params"]["data"], "both");
}

#[test]
fn progress_goes_to_its_request_whoever_else_waits() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut held = Events::of(session.calling("\"a\"", "hold", r#"{"note":1}"#));
    assert_eq!(held.message()["params"]["progressToken"], "a");

    let messages = Events::of(session.calling("\"b\"", "progress", r#"{"count":1}"#)).rest();

    assert_eq!(messages[0]["params"]["progressToken"], "b");
    session.call("release", "{}");
    assert_eq!(held.rest().len(), 1);
}

#[test]
fn progress_of_a_request_that_is_over_reaches_no_other_one() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut stream = session.stream("");
    stream.next();

    assert_eq!(session.text("late_progress", "{}"), "done");

    assert!(server.expect_log("mcp message dropped").text.contains("method=notifications/progress"));
    session.alone("tell_alone");
    assert_eq!(stream.message()["method"], "notifications/tools/list_changed", "the first message of the stream");
}

#[test]
fn progress_of_a_request_that_has_become_a_task_goes_to_the_stream_of_the_get() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut stream = session.stream("");
    stream.next();

    let began = value(&session.post(&call("\"mine\"", "task", "{}")));

    assert_eq!(began["result"]["task"]["taskId"], "t");
    assert_eq!(stream.message()["params"], json!({ "progressToken": "mine", "progress": 1 }));
}

#[test]
fn messages_for_which_there_is_no_stream_wait_for_one() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    session.alone("tell_alone");
    session.alone("ask_alone");

    let mut stream = session.stream("");

    assert_eq!(stream.message()["method"], "notifications/tools/list_changed");
    assert_eq!(stream.message()["method"], "roots/list");
}

#[test]
fn beyond_64_the_oldest_is_refused_to_the_server() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    for _ in 0..65 {
        session.alone("ask_alone");
    }

    let state = eventually("one is refused", || {
        Some(session.state()).filter(|state| state["seen"].as_array().is_some_and(|seen| seen.len() == 2))
    });

    assert_eq!(state["seen"][1], json!({ "code": -32001, "message": "no client stream" }));
    let mut stream = session.stream("");
    assert_eq!(stream.message()["id"], 2, "the first one is gone");
}

#[test]
fn an_answer_that_nobody_waits_for_is_logged_and_dropped() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);

    assert_eq!(session.text("answer", r#"{"id":999}"#), "answered");
    server.expect_log("worker answer unmatched");
    assert_eq!(session.text("answer", r#"{"id":"x"}"#), "answered");
    server.expect_nth_log("worker answer unmatched", 2);
}
