//! Routes without authentication beside others with it: their programs get no credentials either.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

use super::kit::{self, Credential, PASSWORD, TOKEN, base64url};

/// Starts a server with the route `/private`, with authentication, and routes with these lines at `/open`.
fn start(tree: &Tree, lines: &str, private: &str) -> Server {
    tree.program("cgi/env", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n");
    tree.program("cgi/go", "#!/bin/sh\nprintf 'Location: /private/env\\n\\n'\n");
    let cgi = tree.path("cgi");
    tree.file(
        "wsd.toml",
        format!(
            "port = 0\n[[route]]\npath = \"/open\"\ncommand = [\"env\"]\n{lines}\n\
             [[route]]\npath = \"/scripts/*\"\ncgidir = \"{cgi}\"\n{lines}\n\
             [[route]]\npath = \"/private/*\"\ncgidir = \"{cgi}\"\n{private}\n"
        ),
    );
    Server::serve(&["--config", &tree.path("wsd.toml")])
}

fn auth(tree: &Tree) -> String {
    format!("auth = \"{}\"\nauth-query = true", kit::tokens(tree).trim_start_matches("--auth="))
}

/// The headers of a client that shows its credentials in each place.
fn shown() -> String {
    let (token, user) = (base64url(TOKEN), Credential::Basic(format!("ada:{PASSWORD}")));
    format!(
        "{}Cookie: a=b; wsd-auth=c.1.d\r\nSec-WebSocket-Protocol: chat, base64url.bearer.authorization.wsd.{token}\r\n",
        user.header()
    )
}

#[test]
fn programs_of_open_routes_get_no_credentials_once_another_route_asks_for_some() {
    let tree = Tree::new();
    let server = start(&tree, "auth = \"none\"", &auth(&tree));
    let target = format!("?access_token={TOKEN}&x=1");
    let of_session = server.connect_with(&format!("/open{target}"), &shown()).rest().0.join("\n");
    let of_script = server.get(&format!("/scripts/env{target}"), &shown()).text();

    for text in [of_session, of_script] {
        for secret in ["HTTP_AUTHORIZATION", "wsd-auth", TOKEN, &base64url(TOKEN), "access_token"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        for line in ["HTTP_COOKIE=a=b", "HTTP_SEC_WEBSOCKET_PROTOCOL=chat", "QUERY_STRING=x=1"] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
    }
}

#[test]
fn passauth_passes_the_header_on_an_open_route() {
    let tree = Tree::new();
    let server = start(&tree, "auth = \"none\"\npassauth = true", &auth(&tree));

    let text = server.get("/scripts/env", &shown()).text();

    assert!(text.contains("HTTP_AUTHORIZATION=Basic") && !text.contains("wsd-auth"), "{text}");
}

#[test]
fn without_authentication_anywhere_programs_get_all_that_the_client_sends() {
    let tree = Tree::new();
    let server = start(&tree, "", "");
    let target = format!("?access_token={TOKEN}&x=1");

    let text = server.get(&format!("/scripts/env{target}"), &shown()).text();

    for part in ["HTTP_AUTHORIZATION=Basic", "wsd-auth=c.1.d", &base64url(TOKEN), &format!("access_token={TOKEN}")] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn credentials_of_an_open_route_count_where_its_script_redirects_to() {
    let tree = Tree::new();
    let server = start(&tree, "auth = \"none\"", &auth(&tree));
    let table = [
        (String::new(), String::new(), 401),
        (Credential::Token(TOKEN.to_owned()).header(), String::new(), 200),
        (String::new(), format!("?access_token={TOKEN}"), 200),
    ];
    for (headers, query, status) in table {
        let response = server.get(&format!("/scripts/go{query}"), &headers);
        assert_eq!(response.status, status, "{query} {headers}: {response}");
        assert!(!response.text().contains(TOKEN), "{response}");
    }
}

#[test]
fn a_browser_that_offers_a_token_may_connect_to_an_open_route() {
    let tree = Tree::new();
    let server = start(&tree, "auth = \"none\"", &auth(&tree));
    let front = "base64url.bearer.authorization.wsd";
    let mut connection = server.http();
    let offers = format!("Sec-WebSocket-Protocol: {front}, {front}.{}\r\n", base64url(TOKEN));

    connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/open", &offers));

    let response = connection.response("GET");
    assert_eq!((response.status, response.header("sec-websocket-protocol")), (101, Some(front)), "{response}");
}
