//! The demos without a browser; `tests/browser/demos.rs` opens their pages.

use std::path::Path;

use rustix::process::Signal;

use crate::harness::server::{Server, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;

#[test]
fn all_demos_end_with_their_server() {
    if !["python3", "bc"].into_iter().all(has) {
        return;
    }
    // The log of the log demo is written to where the server is started.
    let tree = Tree::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    tree.link("static", checkout.join("static")).link("examples", checkout.join("examples"));
    let mut command = wsd(&["--port=0", "--config=examples/demos.toml"]);
    command.current_dir(tree.path(""));
    let mut server = Server::spawn(command);
    let mut clients = ["/counter", "/chat", "/cat-chat", "/connect4", "/draw", "/news", "/log", "/calculator"]
        .map(|path| server.connect(path));

    server.signal(Signal::TERM);

    for client in &mut clients {
        assert_eq!(client.close_at_last().code, Some(1001));
    }
    assert_eq!(server.wait().code(), Some(0));
}
