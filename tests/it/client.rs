//! The client for pages, `wsd.js`, as the server hands it out; `tests/browser/client.rs` uses it.

use std::fs;
use std::path::Path;

use crate::harness::server::Server;

const CAT: &[&str] = &["cat"];

#[test]
fn the_client_is_built_into_the_server() {
    let server = Server::command(&[], CAT);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    for (path, name) in [("/.wsd/wsd-stream.js", "wsd-stream.js"), ("/.wsd/client.js", "wsd.js")] {
        let response = server.get(path, "");
        assert_eq!((response.status, &response.body), (200, &fs::read(folder.join(name)).unwrap()));
        assert_eq!(response.header("content-type"), Some("text/javascript; charset=utf-8"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn the_client_is_sent_again_only_when_it_has_changed() {
    let server = Server::command(&[], CAT);
    let response = server.get("/.wsd/client.js", "");

    let tag = response.header("etag").unwrap();
    let same = server.get("/.wsd/client.js", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((same.status, same.header("etag")), (304, Some(tag)));
    let other = server.get("/.wsd/client.js", "If-None-Match: \"other\"\r\n");
    assert_eq!((other.status, &other.body), (200, &response.body));
    assert_eq!(Server::command(&[], CAT).get("/.wsd/client.js", "").header("etag"), Some(tag));

    assert_eq!(server.get("/.wsd/wsd.js", "").status, 404);
    let posted = server.request(&format!("POST /.wsd/client.js HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()));
    assert_eq!(posted.status, 405);
}
