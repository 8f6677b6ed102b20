//! Clients that need a token.

use super::client::{BOTH, Session, fault, initialize, start};
use crate::harness::tree::Tree;

#[test]
fn a_client_without_a_token_learns_where_to_get_one() {
    let tree = Tree::new();
    tree.file("tokens", "ann:secret-of-ann-0123456789\nbob:secret-of-bob-0123456789\n");
    let server = start(&[&*format!("--auth=bearer:{}", tree.path("tokens"))], "legacy", &[]);
    let host = server.host();

    let refused = server.post("/a/mcp", BOTH, initialize("2025-11-25"));

    assert_eq!(refused.status, 401);
    let place = format!("resource_metadata=\"http://{host}/.well-known/oauth-protected-resource/a/mcp\"");
    assert!(refused.header("WWW-Authenticate").unwrap().contains(&place), "{refused}");
    let page = server.get("/.well-known/oauth-protected-resource/a/mcp", "");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("application/json")), "{page}");
    let page: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(page["resource"], format!("http://{host}/a/mcp"));
    assert!(!server.log().iter().any(|line| line.contains("mcp started")));
}

#[test]
fn without_authentication_there_is_no_description() {
    let server = start(&[], "legacy", &[]);

    assert_ne!(server.get("/.well-known/oauth-protected-resource", "").status, 200);
}

#[test]
fn a_session_is_its_users_alone() {
    let tree = Tree::new();
    tree.file("tokens", "ann:secret-of-ann-0123456789\nbob:secret-of-bob-0123456789\n");
    let server = start(&[&*format!("--auth=bearer:{}", tree.path("tokens"))], "legacy", &[]);
    let token = |user: &str| format!("Authorization: Bearer secret-of-{user}-0123456789\r\n");
    let begun = server.post("/", &format!("{BOTH}{}", token("ann")), initialize("2025-11-25"));
    let id = begun.header("Mcp-Session-Id").unwrap_or_else(|| panic!("{begun}")).to_owned();
    let ping = |user: &str| {
        let headers = format!("{BOTH}Mcp-Session-Id: {id}\r\n{}", token(user));
        server.post("/", &headers, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
    };

    assert_eq!(ping("ann").status, 200);
    assert_eq!(fault(&ping("bob")), (404, -32001));
}

#[test]
fn a_name_of_a_session_is_a_secret_that_nobody_can_guess() {
    let server = start(&[], "legacy", &[]);
    let (one, other) = (Session::begin(&server), Session::begin(&server));

    assert_ne!(one.id, other.id);
    assert!(!server.log().iter().any(|line| line.contains(&one.id)), "the log does not tell it");
}
