//! `wsd connect` with servers that are slow, and with those that break the rules.

use crate::harness::caller::Caller;
use crate::harness::server::{Outcome, Server};

fn url(server: &Server) -> String {
    format!("ws://{}/", server.address)
}

/// Runs `wsd connect` with this input to its end.
fn call(arguments: &[&str], input: &str) -> Outcome {
    Caller::start(arguments).finish(input.as_bytes())
}

#[test]
fn a_message_that_is_still_arriving_is_no_silence() {
    // Its parts come after pauses that are longer than the silence.
    let part = "head -c 70000 /dev/zero | tr '\\0' a";
    let server = Server::shell(&[], &format!("read x; {part}; sleep 1.5; {part}; sleep 1.5; echo; read y"), &[]);

    let outcome = call(&[&url(&server)], "get\n");

    assert_eq!((outcome.status, outcome.stdout.len(), &*outcome.stderr), (Some(0), 140_001, ""));
}
