//! `--compress`, with a real browser at the other end.

use crate::harness::browser::Browser;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

#[test]
fn a_browser_and_wsd_compress_both_ways() {
    let Some(mut browser) = Browser::start() else { return };
    let tree = Tree::new();
    tree.file("index.html", "<!doctype html><title>empty</title>");
    for flags in [&["--compress"][..], &["--compress", "--shared"]] {
        let server = Server::command(&[flags, &["--staticdir", &tree.path("")]].concat(), &["cat"]);
        let host = format!("localhost:{}", server.address.port());
        browser.open(&format!("http://{host}/"));
        browser.evaluate(&format!(
            "window.sent = Array.from({{length: 200}}, (_, n) => JSON.stringify({{method: 'progress', n, of: 200, more: 'é'.repeat(n * 20)}}));
             window.got = [];
             window.socket = new WebSocket('ws://{host}/');
             socket.onmessage = ({{data}}) => got.push(data);
             socket.onopen = () => sent.forEach((text) => socket.send(text));"
        ));

        browser.expect("got.length === 200 && got.every((text, n) => text === sent[n])");
        browser.expect("socket.extensions.startsWith('permessage-deflate')");
        browser.evaluate("socket.close()");
        let end = server.expect_log("session ended").text;
        let bytes = |key| field(&end, key).unwrap().parse::<usize>().unwrap();
        assert!(bytes("packed_in") * 4 < bytes("in_bytes") && bytes("packed_out") * 4 < bytes("out_bytes"), "{end}");
    }
}
