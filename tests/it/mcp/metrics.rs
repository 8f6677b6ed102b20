//! The metrics and the status tell of the requests: how many of each method and tool, and what became of them.

use serde_json::{Value, json};

use super::client::{Events, Session, called, calling, heads, modern, start};
use crate::harness::eventually;
use crate::harness::scrape::{METRICS, Scrape, Watch};
use crate::harness::server::Server;

/// The requests of a method or the calls of a tool that have ended in this way; 0 before the first.
fn count(scrape: &Scrape, label: &str, end: &str) -> u64 {
    let name = if label.starts_with("tool=") { "wsd_mcp_tool_calls_total" } else { "wsd_mcp_requests_total" };
    let series = format!("{name}{{route=\"/*\",{label},end=\"{end}\"}} ");
    let value = scrape.text.lines().find_map(|line| line.strip_prefix(&*series));
    value.map_or(0, |value| value.parse().unwrap())
}

/// The requests in the status.
fn told(server: &Server) -> Value {
    let status: Value = serde_json::from_slice(&server.get("/.wsd/status", "").body).unwrap();
    status["routes"][0]["mcp"].clone()
}

#[test]
fn the_requests_of_sessions_are_counted_by_method_tool_and_end() {
    let server = start(&[METRICS], "legacy", &[]);
    let watch = Watch::of(&server);
    let session = Session::begin(&server);
    session.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    session.post(r#"{"jsonrpc":"2.0","id":1,"method":"made/up"}"#);
    for tool in ["echo", "bad", "broken"] {
        session.call(tool, "{}");
    }
    let mut held = Events::of(session.calling("9", "hold", r#"{"note":true}"#));
    held.message();
    let cancelled = Events::of(session.calling("8", "hold", r#"{"note":true}"#));
    session.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#);
    assert_eq!(session.call("exit", r#"{"status":0}"#).status, 502);
    held.rest();
    drop(cancelled);

    let scrape = watch.scrape();

    let calls = "method=\"tools/call\"";
    for (label, ends) in [
        ("method=\"initialize\"", [1, 0, 0, 0]),
        ("method=\"tools/list\"", [1, 0, 0, 0]),
        ("method=\"other\"", [0, 1, 0, 0]),
        (calls, [1, 2, 2, 1]),
        ("tool=\"echo\"", [1, 0, 0, 0]),
        ("tool=\"other\"", [0, 2, 2, 1]),
    ] {
        let found = ["result", "error", "failed", "cancelled"].map(|end| count(&scrape, label, end));
        assert_eq!(found, ends, "{label}");
    }
    assert_eq!(scrape.value(&format!("wsd_mcp_request_seconds_count{{route=\"/*\",{calls}}}")), 3);
    assert_eq!(scrape.value(r#"wsd_mcp_sessions{route="/*"}"#), 1);
    assert!(!scrape.text.contains("made/up") && !scrape.text.contains("broken"), "{}", scrape.text);
    let told = told(&server);
    let row = |name: &str| told["requests"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    let (calls, echo) = (row("tools/call"), row("tools/call echo"));
    assert_eq!(["result", "error", "failed", "cancelled"].map(|end| calls[end].clone()), [1, 2, 2, 1].map(Value::from));
    assert!(echo["mean"].as_f64() > Some(0.0) && echo["slowest"].as_f64() >= echo["mean"].as_f64(), "{echo}");
    assert_eq!(told["sessions"], 1);
    assert_eq!(session.delete().status, 200);
    let is_gone = || (watch.scrape().value(r#"wsd_mcp_sessions{route="/*"}"#) == 0).then_some(());
    eventually("no session counts", is_gone);
}

#[test]
fn the_requests_without_a_session_are_counted_and_a_subscription_has_no_time() {
    let server = start(&[METRICS], "modern", &[]);
    let watch = Watch::of(&server);
    let listen = modern("1", "subscriptions/listen", "");
    let mut stream = Events::of(server.posting("/", &heads("subscriptions/listen", ""), listen));
    stream.message();
    called(&server, "echo", "{}");
    let mut held = Events::of(calling(&server, "9", "hold", r#"{"note":true}"#));
    held.message();

    held.cut();
    stream.cut();

    let listens = "method=\"subscriptions/listen\"";
    let ends = |scrape: &Scrape| [listens, "method=\"tools/call\""].map(|label| count(scrape, label, "cancelled"));
    let scrape = eventually("both are cancelled", || Some(watch.scrape()).filter(|scrape| ends(scrape) == [1, 1]));
    assert_eq!(scrape.value(&format!("wsd_mcp_request_seconds_count{{route=\"/*\",{listens}}}")), 0);
    assert_eq!(count(&scrape, "method=\"tools/call\"", "result"), 1);
}

#[test]
fn a_route_without_the_flag_tells_of_no_requests() {
    let server = Server::command(&[METRICS], &["cat"]);

    assert!(!Watch::of(&server).scrape().text.contains("wsd_mcp"));
    assert_eq!(told(&server), json!(null));
}
