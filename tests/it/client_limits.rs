//! `--maxforks-per-client` and `--requests-per-client`: what one source uses at a time, and what another one still may.

use std::net::{Ipv4Addr, SocketAddr};

use crate::harness::http::{Connection, Response};
use crate::harness::returning::Returning;
use crate::harness::server::{Server, field, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};
use crate::harness::{eventually, within};

/// Lets the tests name the client of each request.
const TRUST: &str = "--trust-proxy=127.0.0.1";

/// Asks for a session as a client of this address.
pub(crate) fn session_of(server: &Server, address: &str, path: &str) -> Result<Client, Response> {
    server.try_connect(path, &format!("X-Forwarded-For: {address}\r\n"))
}

/// Asks for a page as a client of this address.
fn page_of(server: &Server, address: &str, path: &str) -> u16 {
    server.get(path, &format!("X-Forwarded-For: {address}\r\n")).status
}

/// Sends a request as a client of this address, and leaves it without an answer.
fn begin_of(server: &Server, address: &str, path: &str) -> Connection {
    let mut connection = server.http();
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\nX-Forwarded-For: {address}\r\n\r\n", server.host()));
    connection
}

/// Checks the refusal of a source that has reached the limit of this flag, and its line in the log.
fn assert_over(server: &Server, refusal: &Response, flag: &str) {
    assert_eq!((refusal.status, refusal.header("retry-after")), (429, Some("1")), "{refusal}");
    let line = server.expect_log("session refused").text;
    assert_eq!(field(&line, "why").as_deref(), Some(flag), "{line}");
    assert_eq!(field(&line, "hint"), Some(format!("raise --{flag}")), "{line}");
}

#[test]
fn a_source_has_so_many_programs_and_another_one_as_many() {
    for flags in [&[][..], &["--shared"], &["--framing=json"]] {
        let server = Server::command(&[&["--maxforks-per-client=2", TRUST], flags].concat(), &["cat"]);
        let open = |address| session_of(&server, address, "/");
        let mut clients = [open("203.0.113.1").unwrap(), open("203.0.113.1").unwrap()];

        let refusal = open("203.0.113.1").err().expect("a refusal");

        assert_over(&server, &refusal, "maxforks-per-client");
        let _others = [open("203.0.113.2").unwrap(), open("203.0.113.2").unwrap()];
        clients[0].close(1000);
        clients[0].close_at_last();
        eventually("the program of the one that has left is over", || open("203.0.113.1").ok());
    }
}

#[test]
fn who_has_the_close_of_a_session_may_open_the_next_one_at_once() {
    for flags in [&[][..], &["--shared"]] {
        let script = "while read -r line; do [ \"$line\" != exit ] || exit 0; done";
        let server = Server::shell(&[&["--maxforks-per-client=1"], flags].concat(), script, &[]);
        for _ in 0..30 {
            let mut client = server.connect("/");
            client.text("exit");
            assert_eq!(client.expect_close().code, Some(1000), "{flags:?}");
        }
    }
}

#[test]
fn a_network_of_ipv6_is_one_source_and_an_address_of_ipv4_within_ipv6_is_that_of_ipv4() {
    let server = Server::command(&["--maxforks-per-client=1", TRUST], &["cat"]);
    let _clients =
        ["2001:db8:0:1::1", "2001:db8:0:2::1", "203.0.113.1"].map(|own| session_of(&server, own, "/").unwrap());

    for same in ["2001:db8:0:1:ffff::2", "2001:db8:0:2:1::1", "::ffff:203.0.113.1"] {
        let refusal = session_of(&server, same, "/").err().expect("a refusal");
        assert_eq!(refusal.status, 429, "{same}");
    }
}

#[test]
fn the_source_of_a_direct_connection_is_its_address_and_what_it_says_changes_nothing() {
    let server = Server::command(&["--maxforks-per-client=1"], &["cat"]);
    let open = |own: [u8; 4], headers: &str| {
        let stream = Stream::tcp_from(Ipv4Addr::from(own), SocketAddr::from(([127, 0, 0, 1], server.address.port())));
        Client::upgrade(Connection::over(stream), &upgrade_request(&server.host(), "/", headers))
    };
    let _client = open([127, 0, 0, 2], "").unwrap();

    let refusal = open([127, 0, 0, 2], "X-Forwarded-For: 203.0.113.9\r\n").err().expect("a refusal");

    assert_eq!(refusal.status, 429, "{refusal}");
    let _other = open([127, 0, 0, 3], "").unwrap();
}

#[test]
fn clients_of_a_unix_socket_are_no_source_unless_a_proxy_names_them() {
    let tree = Tree::new();
    let socket = format!("--unixsocket={}", tree.path("socket"));
    let limits = ["--maxforks-per-client=1", "--rate=1/h", "--requests-per-client=1", "--trust-proxy=unix"];
    let _server = Server::spawn(wsd(&[&[&*socket], &limits[..], &["cat"]].concat()));
    let open = |headers: &str| {
        let connection = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
        Client::upgrade(connection, &upgrade_request("localhost", "/", headers))
    };

    let _own = [open("").unwrap(), open("").unwrap(), open("").unwrap()];
    let _named = open("X-Forwarded-For: 203.0.113.1\r\n").unwrap();

    assert_eq!(open("X-Forwarded-For: 203.0.113.1\r\n").err().expect("a refusal").status, 429);
}

#[test]
fn scripts_count_as_programs_and_leave_their_place_when_they_end() {
    let tree = Tree::new();
    tree.program("cgi/slow", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun\\n'\nexec sleep 1000\n");
    tree.program("cgi/quick", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ndone\\n'\n");
    tree.program("cgi/there", "#!/bin/sh\nprintf 'Location: /quick\\n\\n'\n");
    let flags = ["--maxforks-per-client=1", "--requests-per-client=1", TRUST];
    let server = Server::serve(&[&["--cgidir", &tree.path("cgi")], &flags[..]].concat());

    for path in ["/quick", "/there", "/quick"] {
        // The client may have the whole answer a moment before wsd notes that.
        let status = eventually("an answer", || Some(page_of(&server, "203.0.113.1", path)).filter(|got| *got != 429));
        assert_eq!(status, 200, "{path}");
    }
    let slow = begin_of(&server, "203.0.113.1", "/slow");
    eventually("the slow one counts", || (page_of(&server, "203.0.113.1", "/quick") == 429).then_some(()));
    assert_eq!(page_of(&server, "203.0.113.2", "/quick"), 200);
    slow.reset();
    eventually("its client has left", || (page_of(&server, "203.0.113.1", "/quick") == 200).then_some(()));
}

#[test]
fn a_source_has_so_many_requests_in_flight_and_sessions_are_none() {
    let tree = Tree::new();
    tree.program("cgi/slow", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nbegun\\n'\nexec sleep 1000\n");
    tree.file("pages/file.txt", "text");
    let (cgi, pages) = (tree.path("cgi"), tree.path("pages"));
    let flags = ["--cgidir", &cgi, "--staticdir", &pages, "--requests-per-client=2", TRUST];
    let server = Server::command(&flags, &["cat"]);
    let _sessions: Vec<_> = (0..5).map(|_| session_of(&server, "203.0.113.1", "/").unwrap()).collect();
    let flight = [begin_of(&server, "203.0.113.1", "/slow"), begin_of(&server, "203.0.113.1", "/slow")];

    eventually("both count", || (page_of(&server, "203.0.113.1", "/file.txt") == 429).then_some(()));

    let refusal = session_of(&server, "203.0.113.1", "/").err().expect("a refusal");
    assert_over(&server, &refusal, "requests-per-client");
    assert_eq!(page_of(&server, "203.0.113.2", "/file.txt"), 200, "another source");
    drop(flight);
    eventually("they are over", || (page_of(&server, "203.0.113.1", "/file.txt") == 200).then_some(()));
}

#[test]
fn a_route_with_its_own_limit_counts_alone_and_others_count_together() {
    let tree = Tree::new();
    let route = |path, own| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{own}\n");
    let routes = [
        route("/a", ""),
        route("/b", ""),
        route("/own", "maxforks-per-client = 2"),
        route("/free", "maxforks-per-client = 0"),
    ];
    tree.file("wsd.toml", format!("maxforks-per-client = 1\n{}", routes.concat()));
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), TRUST]);
    let open = |path| session_of(&server, "203.0.113.1", path).map_err(|refusal| refusal.status);

    let _a = open("/a").unwrap();

    assert_eq!(open("/b").err(), Some(429));
    let _own = [open("/own").unwrap(), open("/own").unwrap()];
    assert_eq!(open("/own").err(), Some(429));
    let _free = [open("/free").unwrap(), open("/free").unwrap(), open("/free").unwrap()];
}

#[test]
fn a_client_returns_to_its_session_although_its_source_has_no_place_left() {
    let server = Server::command(&["--resume=60", "--maxforks-per-client=1", "--rate=1/h,2"], &["cat"]);
    let mut client = Returning::open(server.address);

    client.drop_connection();
    server.expect_log("session detached");
    assert_eq!(server.refusal("/", "").status, 429, "the session holds its place without its client");
    client.connect().unwrap();
    client.text("here");

    assert_eq!(client.line(), "here");
    client.drop_connection();
    client.connect().unwrap();
    client.text("and again");
    assert_eq!(client.line(), "and again");
}

#[test]
fn a_return_to_no_session_counts_as_a_new_one() {
    let server = Server::command(&["--resume=60", "--rate=1/h"], &["cat"]);
    let offer = format!("Sec-WebSocket-Protocol: wsd.resume.1, wsd.resume.1~{}~0\r\n", "A".repeat(43));

    let _first = server.connect_with("/", &offer);

    assert_eq!(server.refusal("/", &offer).status, 429);
}

#[test]
fn many_sources_at_their_limit_do_not_keep_out_another() {
    let server = Server::command(&["--shared", "--maxforks-per-client=1", TRUST], &["cat"]);
    let clients: Vec<_> = (0..300)
        .map(|number| session_of(&server, &format!("10.0.{}.{}", number / 250, number % 250), "/").unwrap())
        .collect();

    for number in [0, 1, 299] {
        let address = format!("10.0.{}.{}", number / 250, number % 250);
        assert_eq!(session_of(&server, &address, "/").err().expect("a refusal").status, 429, "{address}");
    }
    let mut other = session_of(&server, "203.0.113.1", "/").unwrap();
    other.text("here");
    assert_eq!(other.line(), "here");
    drop(clients);
    let again = within(crate::harness::DEADLINE, || session_of(&server, "10.0.0.0", "/").ok());
    assert!(again.is_some(), "its place is free again");
}

#[test]
fn rooms_that_a_source_has_started_count_while_nobody_is_there() {
    let flags = ["--http", "--shared=path", "--linger=600", "--maxforks-per-client=2", TRUST];
    let server = Server::command(&flags, &["cat"]);
    let post = |address, path| server.post(path, &format!("X-Forwarded-For: {address}\r\n"), "hello\n");
    assert_eq!((post("203.0.113.1", "/1").status, post("203.0.113.1", "/2").status), (202, 202));

    let refusal = post("203.0.113.1", "/3");

    assert_over(&server, &refusal, "maxforks-per-client");
    let session = session_of(&server, "203.0.113.1", "/4").err().expect("a refusal");
    assert_over(&server, &session, "maxforks-per-client");
    assert_eq!(post("203.0.113.1", "/1").status, 202, "it runs already");
    assert_eq!(post("203.0.113.2", "/3").status, 202, "another source");
    let mut clients =
        [session_of(&server, "203.0.113.1", "/1").unwrap(), session_of(&server, "203.0.113.1", "/3").unwrap()];
    clients[1].close(1000);
}
