//! The limits of requests in flight, and the stop of wsd.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::client::{BOTH, Events, Session, called, calling, fault, heads, start, state, text, value};
use crate::harness::eventually;
use crate::harness::server::Server;

#[test]
fn an_address_has_64_requests_in_flight() {
    let server = start(&[], "modern", &[]);
    let held: Vec<_> = (0..63).map(|id| calling(&server, &id.to_string(), "hold", "{}")).collect();
    eventually("they are held", || (state(&server)["held"] == 63).then_some(()));
    let last = calling(&server, "64", "hold", "{}");
    let refused =
        eventually("one more is refused", || Some(called(&server, "echo", "{}")).filter(|answer| answer.status != 200));
    assert_eq!((fault(&refused), refused.header("Retry-After")), ((429, -32000), Some("1")));

    last.reset();

    eventually("there is room again", || (called(&server, "release", "{}").status == 200).then_some(()));
    for mut connection in held {
        assert_eq!(text(&value(&connection.response("POST"))), "held");
    }
}

#[test]
fn a_client_with_64_requests_in_flight_can_answer_the_server_and_cancel_a_request() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let _held: Vec<_> = (1..=64).map(|id| session.calling(&id.to_string(), "hold", "{}")).collect();
    eventually("no more are taken", || (session.call("echo", "{}").status == 429).then_some(()));

    assert_eq!(session.post(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).status, 202);
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    assert_eq!(session.post(cancel).status, 202);

    assert_eq!(session.text("echo", r#"{"text":"x"}"#), "x", "a cancelled request counts no more");
}

#[test]
fn an_id_and_a_progress_token_have_up_to_1_kib() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let (fit, long) = (format!("\"{}\"", "i".repeat(1022)), format!("\"{}\"", "i".repeat(1023)));
    let with = |id: &str, token: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping","params":{{"_meta":{{"progressToken":{token}}}}}}}"#)
    };

    assert_eq!(session.post(&with(&fit, &fit)).status, 200);
    for body in [with(&long, "1"), with("1", &long)] {
        assert_eq!(fault(&session.post(&body)), (400, -32600));
    }
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{long},"result":{{}}}}"#);
    assert_eq!(session.post(&answer).status, 202, "the id of an answer is the server's");
}

#[test]
fn the_limit_of_programs_of_a_source_counts_sessions() {
    let server = start(&["--maxforks-per-client=1"], "legacy", &[]);
    let session = Session::begin(&server);

    let refused = server.post("/", super::client::BOTH, super::client::initialize("2025-11-25"));

    assert_eq!(fault(&refused), (429, -32603));
    assert!(refused.header("Retry-After").is_some());
    assert_eq!(session.text("echo", r#"{"text":"x"}"#), "x", "requests of a session start nothing");
}

#[test]
fn a_client_whose_body_stops_coming_gets_408() {
    let servers = [start(&[], "legacy", &[]), Server::command(&["--http", "--shared"], &["cat"])];
    let stalled = servers.each_ref().map(|server| {
        let mut connection = server.http();
        let head = format!("POST / HTTP/1.1\r\nHost: {}\r\n{BOTH}Content-Length: 100\r\n\r\n", server.host());
        connection.send(head + "{");
        connection
    });

    let [of_mcp, of_room] = stalled.map(|mut connection| connection.response("POST"));

    assert_eq!((fault(&of_mcp), of_room.status), ((408, -32000), 408), "{of_mcp}{of_room}");
    assert!(!servers[0].log().iter().any(|line| line.contains("mcp started")));
}

#[test]
fn a_client_without_a_session_that_reads_nothing_loses_its_request_and_nobody_else() {
    let server = start(&[], "modern", &[]);
    let mut quick = calling(&server, "1", "hold", r#"{"text":"quick"}"#);
    eventually("it is held", || (state(&server)["held"] == 1).then_some(()));

    let _slow = calling(&server, "2", "progress", r#"{"count":256,"size":65536}"#);

    let dropped = server.expect_log("its client reads nothing").text;
    assert!(dropped.contains("mcp message dropped"), "{dropped}");
    server.expect_log("worker answer unmatched");
    let state = state(&server);
    assert_eq!(state["cancelled"].as_array().map(Vec::len), Some(1), "{state}");
    assert_eq!(state["held"], 1, "the other request goes on: {state}");
    assert_eq!(called(&server, "release", "{}").status, 200);
    // It is an event stream if the flood has taken more than five seconds.
    assert!(quick.response("POST").text().contains(r#""text": "quick""#));
}

#[test]
fn a_request_in_flight_gets_its_answer_or_an_error_when_wsd_stops() {
    for era in ["legacy", "modern"] {
        // Its end takes longer than clients may wait.
        let mut server = start(&[], era, &["stubborn"]);
        let mut held = if era == "legacy" {
            let session = Session::begin(&server);
            let held = session.calling("5", "hold", "{}");
            eventually("it is held", || (session.state()["held"] == 1).then_some(()));
            held
        } else {
            let held = calling(&server, "5", "hold", "{}");
            eventually("it is held", || (state(&server)["held"] == 1).then_some(()));
            held
        };

        server.signal(Signal::TERM);

        let response = held.response("POST");
        assert_eq!((fault(&response), &value(&response)["id"]), ((503, -32603), &5.into()), "{era}");
        server.wait();
    }
}

#[test]
fn a_session_whose_client_reads_nothing_ends_when_the_buffers_are_full() {
    let server = start(&["--maxbuffer=1M", "--replay=64M"], "legacy", &[]);
    let session = Session::begin(&server);

    let _unread = session.calling("9", "progress", r#"{"count":400000}"#);

    let ended = server.expect_log("mcp ended").text;
    assert!(ended.contains("end=overload"), "{ended}");
}

#[test]
fn a_server_that_does_not_read_holds_up_its_clients() {
    let server = start(&[], "modern", &[]);
    let pid = state(&server)["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().unwrap())).unwrap();
    let meta =
        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}";
    let text = "x".repeat(3 << 20);
    let body =
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{{\"text\":\"{text}\",\"_meta\":{{{meta}}}}}}}");
    let tell = || server.posting("/", &heads("x", ""), body.clone());
    kill_process(pid, Signal::STOP).unwrap();

    assert_eq!(tell().response("POST").status, 202);
    let mut waiting = [tell(), tell()];
    assert!(waiting.iter_mut().all(|connection| connection.is_silent_for(Duration::from_millis(200))));
    kill_process(pid, Signal::CONT).unwrap();

    for connection in &mut waiting {
        assert_eq!(connection.response("POST").status, 202);
    }
}

#[test]
fn a_request_to_a_server_that_does_not_read_can_be_cancelled() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let pid = session.state()["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().unwrap())).unwrap();
    let mut held = Events::of(session.calling("5", "hold", r#"{"note":1}"#));
    assert_eq!(held.message()["method"], "notifications/progress");
    kill_process(pid, Signal::STOP).unwrap();
    let text = "x".repeat(3 << 20);
    let long = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{{\"text\":\"{text}\"}}}}");
    assert_eq!(session.post(&long).status, 202);

    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    assert_eq!(session.post(cancel).status, 202);

    assert_eq!(held.message()["error"]["code"], -32000);
    kill_process(pid, Signal::CONT).unwrap();
}
