//! The questions to an authentication server or script: how many at a time, and what they say of the client.

use std::fs::read_to_string;
use std::net::Ipv4Addr;
use std::thread;

use crate::harness::eventually;
use crate::harness::http::{Connection, Response};
use crate::harness::server::Server;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;

use super::backend::Backend;
use super::kit::{Credential, PASSWORD};

/// The questions about one source at a time.
const OF_SOURCE_MAX: usize = 16;

/// Sends a request from an address of this machine, and returns its connection.
fn ask(server: &Server, own: u8, headers: &str) -> Connection {
    let mut connection = Connection::over(Stream::tcp_from(Ipv4Addr::new(127, 0, 0, own), server.address));
    connection.send(format!("GET / HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.host()));
    connection
}

/// Takes all questions of one source, and returns the answer to its next request and the number of questions with that of another.
fn fill(server: &Server, count: impl Fn() -> usize) -> Response {
    let _held: Vec<_> = (0..OF_SOURCE_MAX).map(|_| ask(server, 2, "")).collect();
    eventually("all are asked about", || (count() == OF_SOURCE_MAX).then_some(()));

    let refused = ask(server, 2, "").response("GET");
    let _other = ask(server, 3, "");
    eventually("another source is asked about", || (count() == OF_SOURCE_MAX + 1).then_some(()));
    refused
}

#[test]
fn one_source_leaves_questions_to_a_server_for_others() {
    let backend = Backend::start(|_| None);
    let server = Server::command(&[&backend.flag()], &["cat"]);

    let response = fill(&server, || backend.count());

    assert_eq!((response.status, response.header("retry-after")), (429, Some("1")), "{response}");
    server.expect_log("why=auth-unavailable");
}

#[test]
fn one_source_leaves_questions_to_a_script_for_others() {
    let tree = Tree::new();
    tree.program("check", &format!("#!/bin/sh\necho x >> {}\nexec sleep 60\n", tree.path("seen")));
    let server = Server::command(&[&format!("--auth=command:{}", tree.path("check"))], &["cat"]);

    let response = fill(&server, || read_to_string(tree.path("seen")).unwrap_or_default().lines().count());

    assert_eq!(response.status, 429, "{response}");
}

#[test]
fn users_with_passwords_do_not_wait_for_each_other_at_a_slow_server() {
    let backend = Backend::start(|_| None);
    let server = Server::command(&[&backend.flag()], &["cat"]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();

    let _asking: Vec<_> = (0..4).map(|_| ask(&server, 1, &header)).collect();

    eventually("the server is asked about all of them", || (backend.count() == 4).then_some(()));
    assert!(!server.log().join("\n").contains("auth not answered"), "none has waited for the end of another");
}

#[test]
fn wrong_passwords_before_a_server_are_counted_one_after_the_other() {
    let tree = Tree::new();
    let users = super::kit::users(&tree);
    let backend =
        Backend::start(|_| Some("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n".into()));
    let server = Server::command(&[&users, &backend.flag()], &["cat"]);
    let header = Credential::Basic("ada:wrong".to_owned()).header();

    let statuses: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..15).map(|_| scope.spawn(|| server.refusal("/", &header).status)).collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });

    assert_eq!(statuses.iter().filter(|status| **status == 302).count(), 5, "{statuses:?}");
    assert!(statuses.iter().all(|status| [302, 429].contains(status)), "{statuses:?}");
}

#[test]
fn the_server_learns_the_address_of_the_client_from_wsd_only() {
    let backend = Backend::that_knows("X-Forwarded-For: 127.0.0.1".to_owned());
    let server = Server::command(&[&backend.flag()], &["env"]);
    let forged = ["X-Forwarded-For", "True-Client-IP", "X-Real-IP", "CF-Connecting-IP", "X-Client-IP"];
    let headers = forged.map(|name| format!("{name}: 192.0.2.1\r\n")).concat();
    let host = server.host();
    let response = server.request(&format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\n{headers}Forwarded: for=192.0.2.1;host=evil.example\r\nX-Forwarded-Host: evil.example\r\n\
         X-Forwarded-Proto: gopher\r\nConnection: keep-alive, X-Of-Hop,x-forwarded-for\r\nX-Of-Hop: hop\r\nX-Other: kept\r\n\r\n"
    ));

    let head = backend.last().to_ascii_lowercase();
    for part in ["192.0.2.1", "evil", "gopher", "x-of-hop"] {
        assert!(!head.contains(part), "{part}: {head}");
    }
    for line in ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http", "x-other: kept"] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert_ne!(response.status, 401, "{response}");
}
