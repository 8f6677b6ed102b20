//! The end of a POST with the token of its client.

use std::time::{Duration, Instant};

use crate::harness::http::Connection;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

use super::jwt;
use super::kit::Credential;

/// The leeway of wsd, in seconds.
const LEEWAY: i64 = 60;

/// Starts a server, and sends it the head of a POST with a token that is valid for two seconds more.
fn begin(tree: &Tree, flags: &[&str], command: &[&str]) -> (Server, Connection) {
    let [kind, audience, issuer] = jwt::flags(tree);
    let server = Server::command(&[&[&*kind, &audience, &issuer, "--http"], flags].concat(), command);
    let token = Credential::Token(jwt::signed(&jwt::claims(2 - LEEWAY))).header();
    let mut connection = server.http();
    let host = server.host();
    connection.send(format!("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n{token}\r\n"));
    (server, connection)
}

#[test]
fn the_answer_of_a_program_breaks_off_when_the_token_of_its_client_expires() {
    let tree = Tree::new();
    let script = ["sh", "-c", "while echo out; do sleep 0.1; done"];
    let (server, mut connection) = begin(&tree, &[], &script);

    let answer = String::from_utf8(connection.rest()).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("out\n\r\n"), "{answer}");
    let end = server.expect_log("post ended").text;
    assert_eq!(field(&end, "end").as_deref(), Some("expired"), "{end}");

    let (_server, mut connection) = begin(&tree, &["--auth-expire=ignore"], &["cat"]);
    assert_eq!(connection.take(17).as_deref(), Some(&b"HTTP/1.1 200 OK\r\n"[..]));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        connection.send("2\r\nx\n\r\n");
        connection.take(1).expect("it goes on");
    }
}

#[test]
fn a_post_to_a_room_whose_token_expires_meanwhile_is_a_401_with_a_challenge() {
    let tree = Tree::new();
    let (server, mut connection) = begin(&tree, &["--shared"], &["cat"]);

    let response = connection.response("POST");

    let challenge = Some("Bearer realm=\"wsd\", error=\"invalid_token\"");
    assert_eq!((response.status, response.header("www-authenticate")), (401, challenge), "{response}");
    let line = server.expect_log("session refused").text;
    assert_eq!(field(&line, "why").as_deref(), Some("expired"), "{line}");
    assert!(!server.log().iter().any(|line| line.contains("room started")), "{:?}", server.log());
}
