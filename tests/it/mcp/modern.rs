//! The form without sessions: each row of its table, and the shared process.

use std::thread;

use serde_json::json;

use super::client::{
    BOTH, Events, called, calling, fault, heads, initialize, modern, modern_with, start, state, text, value,
};
use crate::harness::eventually;
use crate::harness::server::Server;

#[test]
fn one_process_answers_all_clients() {
    let server = start(&[], "modern", &[]);

    let (one, other) = (state(&server), state(&server));

    assert_eq!(one["pid"], other["pid"]);
    let started = server.expect_log("mcp started").text;
    assert!(started.contains(" kind=shared"), "{started}");
    assert_eq!(server.log().iter().filter(|line| line.contains("mcp started")).count(), 1);
}

#[test]
fn fifty_clients_with_equal_ids_get_their_own_answers() {
    let server = start(&[], "modern", &[]);
    thread::scope(|scope| {
        for client in 0..50 {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..4 {
                    let want = format!("{client}.{turn}");
                    let response = called(server, "echo", &json!({ "text": want }).to_string());
                    assert_eq!((&value(&response)["id"], text(&value(&response))), (&json!(1), want));
                }
            });
        }
    });
}

#[test]
fn an_id_and_a_progress_token_come_back_byte_for_byte() {
    let server = start(&[], "modern", &[]);
    for id in ["1", "\"1\"", "1.0", "9007199254740993", "\"\"", "\"\\u00e9\""] {
        let answer = calling(&server, id, "progress", r#"{"count":1}"#).response("POST").text();
        assert!(answer.contains(&format!("\"progressToken\": {id},")), "{id}: {answer}");
        assert!(answer.contains(&format!("\"id\": {id},")), "{id}: {answer}");
    }
}

#[test]
fn other_bytes_are_not_touched() {
    let server = Server::shell(
        &["--mcp"],
        r#"read l; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; read -r l; printf '%s\n' "$l" >&2; cat"#,
        &[],
    );
    let body = modern("7", "tools/list", "\"x\": [1.0,1e2,-0,\"\\u0041 \\/\"]").replace("\"method\"", "\n\t\"method\"");
    let _open = server.posting("/", &heads("tools/list", ""), &*body);

    let line = server.expect_log("worker stderr").text;

    let want = r#"\"x\": [1.0,1e2,-0,\"\\u0041 \\/\"]"#;
    assert!(line.contains(want) || line.contains(r#""x": [1.0,1e2,-0,"\u0041 \/"]"#), "{line}");
    assert!(!line.contains("\\n\\t"), "{line}");
}

#[test]
fn an_error_of_the_server_has_the_status_of_its_code() {
    let server = start(&[], "modern", &[]);
    let unknown = server.post("/", &heads("no/such", ""), modern("1", "no/such", ""));
    assert_eq!(fault(&unknown), (404, -32601));
    assert_eq!(fault(&called(&server, "bad", "{}")), (400, -32602));
}

#[test]
fn wrong_requests_have_their_status_and_code() {
    let server = start(&[], "modern", &[]);
    let list = modern("1", "tools/list", "");
    let own = heads("tools/list", "");
    let no_capabilities = list.replace(",\"io.modelcontextprotocol/clientCapabilities\":{}", "");
    let old = list.replace("2026-07-28", "2025-11-25");
    let none = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    let table = [
        ("no JSON", &*own, "x", (400, -32700)),
        ("a batch", &own, "[]", (400, -32600)),
        ("a response", &own, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, (400, -32600)),
        ("no claim", &own, none, (400, -32602)),
        ("no capabilities", &own, &no_capabilities, (400, -32602)),
        ("an old version", &own.replace("2026-07-28", "2025-11-25"), &old, (400, -32022)),
        ("an old version in the body alone", &own, &old, (400, -32020)),
        ("an unknown version in the body alone", &own, &list.replace("2026-07-28", "1.0"), (400, -32020)),
        ("no headers", BOTH, &list, (400, -32020)),
        ("another method", &heads("tools/call", ""), &list, (400, -32020)),
        ("another version", &own.replace("2026", "2027"), &list, (400, -32020)),
        ("a name missing", &heads("tools/call", ""), &modern("1", "tools/call", "\"name\":\"echo\""), (400, -32020)),
    ];
    for (what, headers, body, want) in table {
        let response = server.post("/", headers, body);
        assert_eq!(fault(&response), want, "{what}");
        if want.1 == -32022 {
            assert_eq!(
                value(&response)["error"]["data"],
                json!({ "supported": ["2026-07-28"], "requested": "2025-11-25" })
            );
        }
    }
    let old_headers = format!("{own}Mcp-Session-Id: x\r\nLast-Event-ID: 1.1\r\n");
    let response = server.post("/", &old_headers, &*list);
    assert_eq!((response.status, response.header("Mcp-Session-Id")), (200, None), "old headers are ignored");
}

#[test]
fn a_modern_server_has_no_streams_and_sessions_by_get_and_delete() {
    for flag in ["--mcp=shared", "--mcp"] {
        let server = Server::command(&[flag], &[&crate::harness::server::program("mcp.py"), "modern"]);
        state(&server);
        for method in ["GET", "DELETE"] {
            let host = server.host();
            let head = format!("{method} / HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n\r\n");
            let response = server.request(&head);
            assert_eq!((response.status, response.header("Allow")), (405, Some("POST")), "{method} {flag}");
        }
    }
}

#[test]
fn a_notification_is_taken_and_a_cancelled_request_is_not_passed_on() {
    let server = start(&[], "modern", &[]);
    state(&server);
    let own = format!("{BOTH}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ");
    for method in ["notifications/cancelled", "notifications/some"] {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{{\"requestId\":1}}}}");
        let response = server.post("/", &format!("{own}{method}\r\n"), body);
        assert_eq!((response.status, response.body.len()), (202, 0), "{method}");
    }

    let state = state(&server);
    assert_eq!((&state["seen"], &state["cancelled"]), (&json!(["notifications/some"]), &json!([])));
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_its_request_once() {
    let server = start(&[], "modern", &[]);
    for note in ["{}", r#"{"note":1}"#] {
        let mut held = calling(&server, "\"mine\"", "hold", note);
        if note == "{}" {
            eventually("it is held", || (state(&server)["held"] == 1).then_some(()));
        } else {
            held.take(1);
        }
        held.reset();
        eventually("it is cancelled", || (state(&server)["held"] == 0).then_some(()));
    }

    let state = state(&server);
    assert_eq!(state["cancelled"].as_array().map(Vec::len), Some(2), "{state}");
    assert!(state["cancelled"][0].is_u64(), "by the number that the server has: {state}");
}

#[test]
fn a_complete_answer_cancels_nothing() {
    let server = start(&[], "modern", &[]);
    called(&server, "progress", r#"{"count":3}"#);
    called(&server, "late_progress", "{}");

    assert_eq!(state(&server)["cancelled"], json!([]));
    server.expect_log("mcp message dropped");
}

#[test]
fn a_message_for_the_log_goes_to_the_only_request_that_asked_for_such() {
    let server = start(&[], "modern", &[]);
    let asking = modern_with("1", "tools/call", "\"name\":\"log\"", "\"io.modelcontextprotocol/logLevel\":\"info\",");
    let one = Events::of(server.posting("/", &heads("tools/call", "log"), &*asking)).rest();
    assert_eq!((one.len(), &one[0]["method"]), (2, &json!("notifications/message")));

    assert_eq!(called(&server, "log", "{}").header("Content-Type"), Some("application/json"), "it asked for none");
}

#[test]
fn a_request_of_a_modern_server_is_refused_to_it() {
    let server = start(&[], "modern", &[]);
    let answer = called(&server, "sample", "{}");

    assert!(text(&value(&answer)).contains("-32600"), "{answer}");
}

#[test]
fn an_old_server_makes_clients_of_both_forms_fall_back() {
    let server = start(&[], "legacy", &[]);
    let response = server.post("/", &heads("no/such", ""), modern("1", "no/such", ""));
    assert_eq!(fault(&response), (400, -32000), "no modern code, and no 404");
    assert!(value(&response)["error"]["message"].as_str().unwrap().contains("send initialize"));

    assert_eq!(server.post("/", BOTH, initialize("2025-11-25")).status, 200);
    server.expect_log("mcp ended");
    let again = server.post("/", &heads("no/such", ""), modern("1", "no/such", ""));
    assert_eq!(fault(&again), (400, -32000));
    let shared = server.log().iter().filter(|line| line.contains("kind=shared")).count();
    assert_eq!(shared, 1, "wsd asks once");
}

#[test]
fn a_server_that_answers_nothing_is_taken_for_an_old_one() {
    let server = Server::shell(&["--mcp"], "cat >/dev/null", &[]);

    let response = server.post("/", &heads("tools/list", ""), modern("1", "tools/list", ""));

    assert_eq!(fault(&response), (400, -32000));
}

#[test]
fn a_server_that_starts_slowly_is_known_when_it_answers() {
    let fixture = crate::harness::server::program("mcp.py");
    let server = Server::shell(&["--mcp"], "sleep 6; exec \"$1\" modern", &[&fixture]);
    assert_eq!(fault(&called(&server, "echo", "{}")), (400, -32000));

    let answer =
        eventually("it has started", || Some(called(&server, "echo", "{}")).filter(|answer| answer.status == 200));

    assert_eq!(value(&answer)["id"], 1);
    assert_eq!(server.log().iter().filter(|line| line.contains("mcp started")).count(), 1);
}

#[test]
fn an_idle_process_ends_and_the_next_request_starts_another() {
    let server = start(&["--mcp-idle=0.3"], "modern", &[]);
    let before = state(&server);
    assert!(server.expect_log("mcp ended").text.contains("end=idle"));

    assert_ne!(state(&server)["pid"], before["pid"]);
}

#[test]
fn a_process_that_ends_is_started_again_after_a_pause() {
    let server = start(&[], "modern", &[]);
    let before = state(&server);
    let mut held = calling(&server, "5", "hold", "{}");
    eventually("it is held", || (state(&server)["held"] == 1).then_some(()));

    let ended = called(&server, "exit", r#"{"status":4}"#);

    assert_eq!(fault(&ended), (502, -32603));
    let other = held.response("POST");
    assert_eq!((fault(&other), &value(&other)["id"]), ((502, -32603), &json!(5)));
    assert_eq!(value(&other)["error"]["message"], "the server ended: exit 4");
    assert_ne!(state(&server)["pid"], before["pid"]);
}

#[test]
fn a_server_that_fails_again_and_again_is_told_at_once_until_its_pause_is_over() {
    let server = Server::shell(&["--mcp"], "exit 9", &[]);
    let ask = || server.post("/", &heads("tools/list", ""), modern("1", "tools/list", ""));
    ask();
    let second = ask();
    assert_eq!(value(&second)["error"]["message"], "the server ended: exit 9");

    let third = ask();

    assert_eq!(
        (fault(&third), value(&third)["error"]["message"].as_str()),
        ((502, -32603), Some("the server ended: exit 9"))
    );
    assert!(third.header("Retry-After").is_some(), "{third}");
    let started = server.log().iter().filter(|line| line.contains("mcp started")).count();
    assert_eq!(started, 2);
}
