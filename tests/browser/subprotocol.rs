//! `--subprotocol`, asked for by a real browser.

use crate::harness::browser::Browser;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

#[test]
fn a_browser_that_asks_for_one_gets_it() {
    // A browser ends a session whose answer lacks the subprotocol that it asked for.
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    tree.file("index.html", "<!doctype html><title>empty</title>");
    let server = Server::command(&["--subprotocol=mqtt,chat", "--staticdir", &tree.path("")], &["cat"]);
    let host = format!("localhost:{}", server.address.port());
    browser.open(&format!("http://{host}/"));

    browser.evaluate(&format!("window.socket = new WebSocket('ws://{host}/', ['other', 'chat', 'mqtt'])"));

    browser.expect("window.socket.readyState === WebSocket.OPEN && window.socket.protocol === 'chat'");
}
