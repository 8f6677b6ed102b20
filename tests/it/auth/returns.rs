//! `--auth` with `--resume` and `--http`: a session is for its user only.

use super::kit::{Credential, secret};
use crate::harness::returning::Returning;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

#[test]
fn the_token_of_a_session_of_another_user_is_unknown() {
    let tree = Tree::new();
    let tokens = secret(&tree, "tokens", "ada:t0ken-of-ada\nbob:t0ken-of-bob\n");
    let server = Server::command(&["--resume=60", "--http", &format!("--auth=bearer:{tokens}")], &["cat"]);
    let header = |user: &str| Credential::Token(format!("t0ken-of-{user}")).header();
    let client = |user: &str| Returning::new(server.address, "/", "wsd.resume.1", &header(user));
    let (mut ada, mut bob) = (client("ada"), client("bob"));
    ada.connect().unwrap();

    ada.token.clone_into(&mut bob.token);
    bob.connect().unwrap();
    let post = |user: &str| {
        let (host, token, header) = (server.host(), &ada.token, header(user));
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nWsd-Session: {token}\r\nContent-Length: 5\r\n{header}");
        server.request(&format!("{head}\r\nhello")).status
    };

    assert_eq!((post("bob"), post("ada")), (404, 204));
    assert_eq!(bob.greetings[0]["lost"], "unknown");
    assert_ne!(bob.token, ada.token);
    assert_eq!(ada.line(), "hello");
}
