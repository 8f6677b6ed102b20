//! The flags, and what cannot go with them.

use rustix::process::Signal;

use super::client::{BOTH, Session, fault, heads, initialize, modern, value};
use crate::harness::server::{Server, program, run};
use crate::harness::tree::Tree;

#[test]
fn flags_that_give_a_program_another_protocol_cannot_go_with_mcp() {
    for other in
        ["--http", "--acp", "--pty", "--binary", "--passstderr", "--shared", "--framing=lines", "--framing=lsp"]
    {
        let outcome = run(&["--check", "--mcp", other, "cat"]);
        assert_eq!(outcome.status, Some(1), "{other}: {outcome:?}");
        assert!(outcome.stderr.contains("--mcp"), "{other}: {outcome:?}");
    }
    assert_eq!(run(&["--check", "--mcp", "--framing=jsonrpc", "cat"]).status, Some(0));
}

#[test]
fn each_form_can_be_refused() {
    let server = Server::command(&["--mcp=session"], &[&program("mcp.py"), "modern"]);
    assert_eq!(fault(&server.post("/", &heads("tools/list", ""), modern("1", "tools/list", ""))), (400, -32000));

    let server = Server::command(&["--mcp=shared"], &[&program("mcp.py"), "legacy"]);
    let refused = server.post("/", BOTH, initialize("2025-06-18"));
    assert_eq!(fault(&refused), (400, -32022));
    assert_eq!(value(&refused)["error"]["data"]["requested"], "2025-06-18");
    assert!(!server.log().iter().any(|line| line.contains("mcp started")));
}

#[test]
fn a_route_can_be_a_gateway_beside_others() {
    let tree = Tree::new();
    let fixture = program("mcp.py");
    let table = format!(
        "[[route]]\npath = \"/tools/mcp\"\ncommand = [\"{fixture}\", \"legacy\"]\nmcp = true\nmcp-idle = 60\n\
         [[route]]\npath = \"/echo\"\ncommand = [\"cat\"]\n"
    );
    tree.file("wsd.toml", &table);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    assert_eq!(server.post("/tools/mcp", BOTH, initialize("2025-11-25")).status, 200);
    assert_eq!(server.post("/echo", BOTH, initialize("2025-11-25")).status, 405);
    let mut client = server.connect("/echo");
    client.text("x");
    assert_eq!(client.line(), "x");
}

#[test]
fn a_reload_that_changes_the_route_ends_no_session() {
    let tree = Tree::new();
    let settings = |era: &str, more: &str| {
        let fixture = program("mcp.py");
        let table = format!("[[route]]\npath = \"/\"\ncommand = [\"{fixture}\", \"{era}\"]\nmcp = true\n{more}\n");
        tree.file("wsd.toml", &table);
    };
    settings("legacy", "mcp-idle = 60");
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let session = Session::begin(&server);
    let before = session.state();

    settings("legacy", "mcp-idle = 90");
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");

    assert_eq!(session.state()["pid"], before["pid"], "the process goes on");
    assert_eq!(session.call("exit", r#"{"status":0}"#).status, 502);
    assert_ne!(session.state()["pid"], before["pid"], "the next one starts by the new route");
    assert_eq!(session.delete().status, 200);
}

#[test]
fn without_the_flag_a_post_is_refused_as_before() {
    let server = Server::command(&[], &["cat"]);

    assert_eq!(server.post("/", BOTH, initialize("2025-11-25")).status, 405);
}
