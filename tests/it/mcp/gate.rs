//! The one gate: Origin, Host, CORS, and who may see what.

use super::client::{BOTH, Session, fault, initialize, start};
use crate::harness::tree::Tree;

const ALLOWED: &str = "https://app.example";

#[test]
fn a_page_of_another_origin_is_refused_before_any_program_starts() {
    let server = start(&[], "legacy", &[]);
    for header in ["Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        assert_eq!(server.post("/", &format!("{BOTH}{header}"), initialize("2025-11-25")).status, 403, "{header}");
    }
    let body = initialize("2025-11-25");
    let rebound = server.request(&format!(
        "POST / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: {}\r\n{BOTH}\r\n{body}",
        body.len()
    ));

    assert_eq!(rebound.status, 403, "a name that leads here");
    assert!(!server.log().iter().any(|line| line.contains("mcp started")));
}

#[test]
fn a_page_of_an_allowed_origin_may_read_the_answers() {
    let server = start(&[&*format!("--origin={ALLOWED}")], "legacy", &[]);
    let origin = format!("Origin: {ALLOWED}\r\n");
    let response = server.post("/", &format!("{BOTH}{origin}"), initialize("2025-11-25"));

    assert_eq!(response.header("Access-Control-Allow-Origin"), Some(ALLOWED));
    let exposed = response.header("Access-Control-Expose-Headers").unwrap();
    for name in ["Mcp-Session-Id", "Mcp-Protocol-Version", "WWW-Authenticate"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    let ask = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: mcp-param-x, content-type\r\n";
    let asked = |origin: &str| {
        server.request(&format!("OPTIONS / HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n{ask}\r\n", server.host()))
    };
    let preflight = asked(ALLOWED);
    assert_eq!(preflight.status, 204);
    let headers = [
        ("Access-Control-Allow-Origin", ALLOWED),
        ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", "mcp-param-x, content-type"),
        ("Access-Control-Max-Age", "600"),
    ];
    for (name, want) in headers {
        assert_eq!(preflight.header(name), Some(want), "{name}");
    }
    let refused = asked("https://evil.example");
    assert_eq!((refused.status, refused.header("Access-Control-Allow-Origin")), (403, None));
}

#[test]
fn a_browsers_window_gets_the_page_of_wsd() {
    let server = start(&[], "legacy", &[]);

    let page = server.get("/", "Accept: text/html,*/*;q=0.8\r\n");

    assert_eq!(page.status, 200, "{page}");
    assert_eq!(server.get("/", "Accept: text/event-stream\r\n").status, 400, "a stream needs a session");
    assert_eq!(server.get("/", "").status, 400);
}

#[test]
fn files_and_metrics_are_there_beside_a_gateway_at_all_paths() {
    let tree = Tree::new();
    tree.file("look.css", "body {}");
    let server = start(&["--metrics=/metrics", &format!("--staticdir={}", tree.path(""))], "legacy", &[]);

    for accept in ["", "Accept: */*\r\n", "Accept: text/css,*/*;q=0.1\r\n"] {
        assert_eq!(server.get("/look.css", accept).text(), "body {}", "{accept}");
        assert_eq!(server.get("/metrics", accept).status, 200, "{accept}");
    }
    for head in ["Accept: text/event-stream\r\n", "Mcp-Session-Id: none\r\n"] {
        assert!([400, 404].contains(&fault(&server.get("/look.css", head)).0), "{head}");
    }
    assert_eq!(server.post("/mcp", BOTH, initialize("2025-11-25")).status, 200);
}

#[test]
fn a_websocket_at_the_same_path_goes_on() {
    let server = start(&[], "legacy", &[]);
    let mut client = server.connect_with("/", "Sec-WebSocket-Protocol: mcp\r\n");

    client.text(r#"{"jsonrpc":"2.0","id":1.0,"method":"ping"}"#);
    assert_eq!(client.line(), r#"{"jsonrpc": "2.0", "id": 1.0, "result": {}}"#);

    client.binary(b"{}");
    server.expect_log("message ignored");
    client.text(r#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#);
    assert_eq!(client.line(), r#"{"jsonrpc": "2.0", "id": "x", "result": {}}"#);
}

#[test]
fn a_stream_that_is_silent_has_a_comment_every_15_seconds() {
    let server = start(&[], "legacy", &[]);
    let session = Session::begin(&server);
    let mut connection = session.get("");
    let mut text = String::new();
    while !text.contains(":\n\n") || !text.contains("\r\n\r\n") {
        text.push_str(&String::from_utf8(connection.take(1).expect("a comment")).unwrap());
    }
}
