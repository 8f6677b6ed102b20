//! The page of the servers of MCP in a real browser.

use crate::harness::browser::Browser;
use crate::harness::server::{Server, program};

#[test]
fn the_console_leads_to_the_servers_of_mcp_with_the_lines_to_paste() {
    let server = Server::command(&["--mcp", "--devconsole"], &["cat"]);
    let Some(mut browser) = Browser::start() else { return };
    let root = format!("http://localhost:{}", server.address.port());
    browser.open(&format!("{root}/other"));
    browser.expect_text("#mcp", "MCP");

    browser.click("#mcp");

    browser.expect("document.querySelectorAll('#servers pre').length === 7");
    browser.expect_text("#servers h2", "localhost");
    browser.expect_text("#servers pre", &format!("claude mcp add --transport http localhost {root}/mcp"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_status_shows_the_requests_of_mcp_with_their_times() {
    let server = Server::command(&["--mcp"], &[&program("mcp.py"), "legacy"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&format!("http://localhost:{}/.wsd/", server.address.port()));
    browser.expect("document.querySelector('#mcp').hidden === false");
    browser.expect_text("#mcp .empty", "No request of MCP is over yet.");

    let headers = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
    let params = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}"#;
    server.post("/", headers, format!(r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{params}}}"#));

    browser.expect_text("#mcp .body .name", "initialize");
    browser.expect_text("#mcp .body .result", "1");
    browser.expect_text("#mcp .body .slowest", "s");
    assert_eq!(browser.complaints(), [""; 0]);
}
