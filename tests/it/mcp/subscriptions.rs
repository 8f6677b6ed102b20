//! `subscriptions/listen`: streams of a modern server that stay open.

use rustix::process::Signal;
use serde_json::json;

use super::client::{Events, called, fault, heads, modern, state};
use crate::harness::eventually;
use crate::harness::process::pid;
use crate::harness::server::{Server, field, program};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

/// Starts the fixture. Its form is set: a busy machine may need longer for its start than the 5 seconds of the probe.
fn serve(own: &[&str]) -> Server {
    Server::command(&["--mcp=shared"], &[&[&*program("mcp.py"), "modern"], own].concat())
}

fn listen(server: &Server, id: &str) -> Events {
    Events::of(server.posting("/", &heads("subscriptions/listen", ""), modern(id, "subscriptions/listen", "")))
}

#[test]
fn each_subscription_gets_its_own_messages_with_its_own_id() {
    let server = serve(&[]);
    let (mut one, mut other) = (listen(&server, "1"), listen(&server, "\"x\""));
    for (stream, id) in [(&mut one, json!(1)), (&mut other, json!("x"))] {
        let first = stream.message();
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(first["params"]["_meta"][ID], id);
    }

    called(&server, "change", "{}");

    assert_eq!(one.message()["params"]["_meta"][ID], 1);
    assert_eq!(other.message()["params"]["_meta"][ID], "x");
}

#[test]
fn nothing_comes_before_the_acknowledgement() {
    let server = serve(&["early"]);

    assert_eq!(listen(&server, "1").message()["method"], "notifications/subscriptions/acknowledged");
}

#[test]
fn a_client_that_leaves_ends_its_subscription() {
    let server = serve(&[]);
    let mut stream = listen(&server, "1");
    stream.message();

    stream.cut();

    eventually("it is cancelled", || (state(&server)["cancelled"].as_array().unwrap().len() == 1).then_some(()));
}

#[test]
fn a_server_that_ends_a_subscription_completes_it() {
    let server = serve(&[]);
    let mut stream = listen(&server, "\"x\"");
    stream.message();

    called(&server, "finish", "{}");

    let last = stream.message();
    assert_eq!(
        last,
        json!({ "jsonrpc": "2.0", "id": "x", "result": { "resultType": "complete", "_meta": { ID: "x" } } })
    );
    assert!(stream.next().is_none());
}

#[test]
fn a_subscription_of_a_server_that_is_killed_ends_with_an_error() {
    let server = serve(&[]);
    let mut stream = listen(&server, "1");
    stream.message();
    let started = server.expect_log("mcp started").text;

    rustix::process::kill_process(pid(&field(&started, "pid").unwrap()), Signal::KILL).unwrap();

    let last = stream.message();
    assert_eq!(last["error"]["message"], "the server ended: signal 9");
    assert!(stream.next().is_none());
}

#[test]
fn a_subscription_completes_when_wsd_stops() {
    let server = serve(&[]);
    let mut stream = listen(&server, "1");
    stream.message();

    server.signal(Signal::TERM);

    assert_eq!(stream.message()["result"]["resultType"], "complete");
}

#[test]
fn an_address_has_16_subscriptions() {
    let server = serve(&[]);
    let mut open: Vec<_> = (0..16).map(|id| listen(&server, &id.to_string())).collect();
    for stream in &mut open {
        stream.message();
    }
    let more = || server.posting("/", &heads("subscriptions/listen", ""), modern("99", "subscriptions/listen", ""));

    let refused = more().response("POST");
    assert_eq!((fault(&refused), refused.header("Retry-After")), ((429, -32000), Some("1")));

    open.pop().unwrap().cut();
    eventually("there is room again", || {
        let mut connection = more();
        let head = String::from_utf8(connection.take(12).unwrap()).unwrap();
        (head == "HTTP/1.1 200").then_some(())
    });
}
