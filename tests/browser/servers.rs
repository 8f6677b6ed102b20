//! The page of the servers of MCP in a real browser.

use crate::harness::browser::Browser;
use crate::harness::server::Server;

#[test]
fn the_console_leads_to_the_servers_of_mcp_with_the_lines_to_paste() {
    let server = Server::command(&["--mcp", "--devconsole"], &["cat"]);
    let Some(mut browser) = Browser::start() else { return };
    let root = format!("http://localhost:{}", server.address.port());
    browser.open(&format!("{root}/other"));
    browser.expect("document.querySelector('#mcp')?.hidden === false");

    browser.click("#mcp");

    browser.expect("document.querySelectorAll('#servers pre').length === 5");
    browser.expect_text("#servers h2", "localhost");
    browser.expect_text("#servers pre", &format!("claude mcp add --transport http localhost {root}/mcp"));
    assert_eq!(browser.complaints(), [""; 0]);
}
