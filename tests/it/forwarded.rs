//! `--trust-proxy`: the headers in which a trusted proxy names the client, and the same headers of anybody else.

use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::http::{Connection, Response};
use crate::harness::places::free_port;
use crate::harness::server::{Server, field, run, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// Tells its client as CGI names it.
const PROGRAM: &str = r#"echo "$REMOTE_ADDR|$REMOTE_PORT|$REMOTE_HOST|$HTTPS|$SERVER_NAME|$SERVER_PORT"; cat"#;

/// A server that trusts the tests, and one more network.
fn trusting(flags: &[&str]) -> Server {
    Server::shell(&[&["--trust-proxy=127.0.0.1,10.0.0.0/8"], flags].concat(), PROGRAM, &[])
}

/// The address of the client, and its port, as the program gets them.
fn client(server: &Server, headers: &str) -> String {
    let line = server.connect_with("/", headers).line();
    line.split('|').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_trusted_proxy_names_the_client() {
    let server = trusting(&[]);

    for (headers, want) in [
        ("X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9 "),
        ("X-Forwarded-For: 203.0.113.9:4711\r\n", "203.0.113.9 4711"),
        ("X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.1\r\n", "203.0.113.9 "),
        ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9 "),
        ("X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n", "10.0.0.2 "),
        ("X-Forwarded-For: \u{FF}\", 2001:db8::1\r\n", "2001:db8::1 "),
        ("Forwarded: for=203.0.113.9;proto=https\r\n", "203.0.113.9 "),
        ("Forwarded: for=1.1.1.1, for=\"[2001:db8::1]:4711\"\r\nForwarded: for=10.0.0.1\r\n", "2001:db8::1 4711"),
        ("Forwarded: for=203.0.113.9\r\nX-Forwarded-For: 203.0.113.9:80\r\n", "203.0.113.9 80"),
    ] {
        assert_eq!(client(&server, headers), want, "{headers}");
    }
}

#[test]
fn a_header_of_anybody_else_changes_nothing() {
    let server = Server::shell(&["--trust-proxy=192.0.2.0/24,unix"], PROGRAM, &[]);
    let port = server.address.port();
    let forged = "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\n\
                  X-Forwarded-Host: evil.example\r\n";
    let mut session = server.connect_with("/", forged);
    let own = session.connection().local_address();

    assert_eq!(session.line(), format!("127.0.0.1|{}|127.0.0.1||127.0.0.1|{port}", own.port()));
    assert_eq!(server.refusal("/", &format!("{forged}Origin: https://evil.example\r\n")).status, 403);
}

#[test]
fn a_proxy_at_the_unix_socket_is_trusted_by_its_word() {
    let tree = Tree::new();
    let socket = format!("--unixsocket={}", tree.path("socket"));
    for (trusted, want) in [("unix", "203.0.113.9"), ("127.0.0.1", "unix-socket")] {
        let _server = Server::spawn(wsd(&[&socket, "--trust-proxy", trusted, "sh", "-c", PROGRAM]));
        let connection = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
        let request = upgrade_request("localhost", "/", "X-Forwarded-For: 203.0.113.9\r\n");
        let mut session = Client::upgrade(connection, &request).unwrap_or_else(|response| panic!("{response}"));

        assert_eq!(session.line().split('|').next(), Some(want), "{trusted}");
    }
}

#[test]
fn the_log_has_the_client_that_the_proxy_names() {
    let server = trusting(&[]);
    let mut connection = server.http();
    // Each request on the proxy's connection has a client of its own.
    for host in ["203.0.113.7", "203.0.113.8"] {
        connection.send(format!("GET /nothing HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {host}\r\n\r\n"));
        connection.response("GET");
    }
    server.connect_with("/", "X-Forwarded-For: 203.0.113.9\r\n");
    server.refusal("/", "X-Forwarded-For: 203.0.113.10\r\nOrigin: https://evil.example\r\n");

    for (event, peer) in [
        ("http request", "203.0.113.7"),
        ("http request", "203.0.113.8"),
        ("session started", "203.0.113.9"),
        ("session refused", "203.0.113.10"),
    ] {
        let line = server.expect_log(&format!("peer={peer} ")).text;
        assert!(line.contains(event), "{line}");
    }
}

#[test]
fn the_proxy_tells_the_scheme_and_the_host() {
    let server = trusting(&[]);
    let own = server.address.port();
    let client = "X-Forwarded-For: 203.0.113.9\r\n";

    for (headers, want) in [
        (format!("{client}X-Forwarded-Proto: https\r\n"), format!("on|127.0.0.1|{own}")),
        (format!("{client}X-Forwarded-Proto: WSS\r\nX-Forwarded-Host: a.example\r\n"), "on|a.example|443".to_owned()),
        (format!("{client}X-Forwarded-Proto: http\r\nX-Forwarded-Host: a.example\r\n"), "|a.example|80".to_owned()),
        (format!("{client}X-Forwarded-Host: evil.example, a.example:81\r\n"), "|a.example|81".to_owned()),
        ("Forwarded: for=203.0.113.9;proto=https;host=a.example\r\n".to_owned(), "on|a.example|443".to_owned()),
        ("X-Forwarded-Proto: https\r\n".to_owned(), format!("on|127.0.0.1|{own}")),
    ] {
        let line = server.connect_with("/", &headers).line();
        assert_eq!(line.splitn(4, '|').last(), Some(&*want), "{headers}");
    }
}

#[test]
fn a_page_of_the_host_that_the_proxy_names_is_of_the_same_origin() {
    let server = trusting(&[]);
    let forwarded = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n";

    server.connect_with("/", &format!("{forwarded}Origin: https://a.example\r\n"));
    let refused = server.refusal("/", &format!("{forwarded}Origin: https://b.example\r\n"));

    assert_eq!(refused.status, 403);
    server.expect_log("why=origin origin=https://b.example host=a.example");
}

#[test]
fn a_client_of_this_machine_behind_a_proxy_must_still_use_a_name_of_it() {
    let server = trusting(&[]);

    let rebound = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: evil.example\r\nOrigin: http://evil.example\r\n";
    assert_eq!(server.refusal("/", rebound).status, 403);
    server.expect_log("why=host");
}

#[test]
fn headers_that_name_different_clients_are_refused() {
    let server = trusting(&["--header=X-Own: 1"]);

    let refused = server.refusal("/", "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.8\r\n");

    assert_eq!((refused.status, refused.header("x-own")), (400, Some("1")), "{refused}");
    let line = server.expect_log("why=forwarded").text;
    assert!(!line.contains("203.0.113"), "{line}");
}

#[test]
fn a_malformed_header_of_a_proxy_is_told_once_and_does_not_count() {
    let server = trusting(&[]);

    for headers in [
        "X-Forwarded-For: 203.0.113.9, rubbish\r\n",
        "Forwarded: for=203.0.113.9;for=203.0.113.8\r\n",
        "X-Forwarded-For: 203.0.113.9, unknown\r\n",
    ] {
        assert!(client(&server, headers).starts_with("127.0.0.1 "), "{headers}");
    }
    for headers in ["X-Forwarded-Proto: gopher\r\n", "X-Forwarded-Host: a/b\r\n"] {
        let port = server.address.port();
        let line = server.connect_with("/", headers).line();
        assert_eq!(line.splitn(4, '|').last(), Some(&*format!("|127.0.0.1|{port}")), "{headers}");
    }
    server.expect_log("forwarded header malformed peer=127.0.0.1");
    assert_eq!(server.log().iter().filter(|line| line.contains("malformed")).count(), 1);
}

#[test]
fn the_first_header_of_a_proxy_that_is_not_trusted_is_told_with_the_flag() {
    let server = Server::shell(&["--trust-proxy=192.0.2.1"], PROGRAM, &[]);
    for _ in 0..2 {
        server.connect_with("/", "X-Forwarded-For: 203.0.113.9\r\n");
    }
    server.expect_nth_log("session ended", 2);

    let line = server.expect_log("proxy not trusted").text;
    assert_eq!(field(&line, "header").as_deref(), Some("x-forwarded-for"));
    assert!(field(&line, "hint").unwrap().ends_with("--trust-proxy=192.0.2.1,127.0.0.1"), "{line}");
    assert!(!line.contains("203.0.113.9"), "{line}");
    assert_eq!(server.log().iter().filter(|line| line.contains("proxy not trusted")).count(), 1);
}

#[test]
fn a_script_that_another_one_leads_to_has_the_same_client() {
    let tree = Tree::new();
    tree.program("cgi/first", "#!/bin/sh\nprintf 'Location: /second\\n\\n'\n");
    tree.program("cgi/second", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho \"$REMOTE_ADDR $HTTPS\"\n");
    let server = Server::serve(&["--cgidir", &tree.path("cgi"), "--trust-proxy=127.0.0.1"]);

    let answer = server.get("/first", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n");

    assert_eq!((answer.status, &*answer.text()), (200, "203.0.113.9 on\n"));
}

#[test]
fn a_redirect_to_the_site_has_the_host_that_the_proxy_names() {
    let port = free_port();
    let server = trusting(&[&format!("--redirport={port}")]);
    let ask = |headers: &str| -> Response {
        let mut connection = Connection::open(([127, 0, 0, 1], port).into());
        connection.send(format!("GET /a?b HTTP/1.1\r\nHost: inner\r\n{headers}\r\n"));
        connection.response("GET")
    };

    let answer = ask("X-Forwarded-Host: a.example\r\n");

    let want = format!("http://a.example:{}/a?b", server.address.port());
    assert_eq!((answer.status, answer.header("location")), (301, Some(&*want)));
}

#[test]
fn over_tls_the_scheme_of_the_client_counts() {
    let authority = Authority::new();
    let identity = authority.identity("server");
    let tree = Tree::new();
    tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
    let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
    let server = trusting(&["--ssl", "--sslcert", &cert, "--sslkey", &key]);
    let https = |headers: &str| {
        let stream = Stream::tcp(server.address).unwrap().secure(&authority.client(&[&TLS13], None)).unwrap();
        let request = upgrade_request("localhost", "/", headers);
        let session = Client::upgrade(Connection::over(stream), &request);
        session.unwrap_or_else(|response| panic!("{response}")).line().split('|').nth(3).unwrap().to_owned()
    };

    assert_eq!(https("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n"), "");
    assert_eq!(https("X-Forwarded-For: 203.0.113.9\r\n"), "on");
}

#[test]
fn an_entry_that_names_no_network_is_refused_with_what_it_may_mean() {
    for (entry, want) in [
        ("10.0.0.5/8", "did you mean 10.0.0.0/8?"),
        ("2001:db8::1/64", "did you mean 2001:db8::/64?"),
        ("10.0.0.0/33", "as in --trust-proxy=127.0.0.1"),
        ("proxy.example", "as in --trust-proxy=127.0.0.1"),
        ("127.0.0.1:80", "as in --trust-proxy=127.0.0.1"),
        ("::ffff:10.0.0.1", "write the address of IPv4"),
    ] {
        let outcome = run(&[&format!("--trust-proxy=::1,{entry}"), "--check", "cat"]);

        assert_eq!(outcome.status, Some(1), "{entry}: {outcome:?}");
        assert!(outcome.stderr.contains(&format!("invalid proxy `{entry}` in --trust-proxy: ")), "{outcome:?}");
        assert!(outcome.stderr.contains(want), "{entry}: {outcome:?}");
    }
}

#[test]
fn the_file_may_have_a_list_and_an_error_is_on_its_line() {
    let tree = Tree::new();
    tree.file("good.toml", "trust-proxy = [\"127.0.0.1\", \"unix\"]\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n");
    tree.file("bad.toml", "# a line\ntrust-proxy = \"x\"\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n");

    let server = Server::serve(&["--config", &tree.path("good.toml")]);
    server.expect_log("proxies  127.0.0.1,unix may name their clients");
    let outcome = run(&["--config", &tree.path("bad.toml"), "--check"]);

    assert!(outcome.stderr.contains("bad.toml:2: invalid proxy `x` in `trust-proxy`"), "{outcome:?}");
}

#[test]
fn a_list_that_trusts_everybody_is_warned_of() {
    for list in ["0.0.0.0/0", "::/0"] {
        let outcome = run(&[&format!("--trust-proxy={list}"), "--check", "cat"]);

        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("every client can choose its own address"), "{outcome:?}");
    }
}

#[test]
fn a_malformed_header_beside_another_one_is_refused() {
    let server = trusting(&["--deny=203.0.113.9"]);

    for headers in [
        "X-Forwarded-For: 203.0.113.9\r\nForwarded: junk\r\n",
        "X-Forwarded-For: junk\r\nForwarded: for=203.0.113.9\r\n",
        "X-Forwarded-For: junk\r\nForwarded: junk\r\n",
    ] {
        assert_eq!(server.refusal("/", headers).status, 400, "{headers}");
    }
    server.expect_log("why=forwarded");
}
