//! `--redirport`: plain HTTP there leads to the same host, path and query at the scheme and port of the site.

use std::net::SocketAddr;

use crate::harness::certificates::Authority;
use crate::harness::http::{Connection, Response};
use crate::harness::places::free_port;
use crate::harness::server::{Server, run};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;
use crate::harness::websocket::upgrade_request;

/// A server, and where it redirects.
struct Redirecting {
    server: Server,
    redirect: SocketAddr,
}

impl Redirecting {
    fn start(flags: &[&str]) -> Self {
        let port = free_port();
        let flag = format!("--redirport={port}");
        let server = Server::command(&[&[&*flag], flags].concat(), &["cat"]);
        Self { redirect: SocketAddr::new(server.address.ip(), port), server }
    }

    fn ask(&self, request: &str) -> Response {
        let mut connection = Connection::open(self.redirect);
        connection.send(request);
        connection.response(request.split(' ').next().unwrap())
    }

    fn location(&self, host: &str, target: &str) -> String {
        let response = self.ask(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(response.status, 301, "{host} {target}:\n{response}");
        response.header("location").unwrap().to_owned()
    }
}

#[test]
fn a_redirect_has_the_headers_of_every_answer() {
    let flags = ["--header=X-All: 1", "--header-http=X-Http: 2", "--header-ws=X-Ws: 3", "--route=/r=cat"];
    let site = Redirecting::start(&flags);

    for (status, request) in [
        (301, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (301, "GET /r HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.0\r\n\r\n"),
    ] {
        let response = site.ask(request);
        let own = ["x-all", "x-http", "x-ws"].map(|name| response.header(name));
        assert_eq!((response.status, own), (status, [Some("1"), Some("2"), None]), "{request}");
    }
}

#[test]
fn a_redirect_keeps_host_path_and_query() {
    let site = Redirecting::start(&[]);
    let port = site.server.address.port();
    let table = [
        ("example.com", "/", "http://example.com:PORT/"),
        ("example.com:1234", "/", "http://example.com:PORT/"),
        ("127.0.0.1:1234", "/", "http://127.0.0.1:PORT/"),
        ("[::1]", "/x", "http://[::1]:PORT/x"),
        ("[::1]:1234", "/x", "http://[::1]:PORT/x"),
        ("example.com", "/a%20b/c?x=1&y=%2F", "http://example.com:PORT/a%20b/c?x=1&y=%2F"),
        ("example.com", "/?", "http://example.com:PORT/?"),
        ("example.com", "//evil.example/x", "http://example.com:PORT//evil.example/x"),
        ("example.com", "/a/../b", "http://example.com:PORT/a/../b"),
    ];
    for (host, target, want) in table {
        assert_eq!(site.location(host, target), want.replace("PORT", &port.to_string()), "{host} {target}");
    }
}

#[test]
fn a_redirect_to_tls_has_its_scheme() {
    let tree = Tree::new();
    let identity = Authority::new().identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let site = Redirecting::start(&["--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem")]);

    let location = site.location("example.com:80", "/path?x=1");

    assert_eq!(location, format!("https://example.com:{}/path?x=1", site.server.address.port()));
}

#[test]
fn every_method_and_an_upgrade_are_redirected() {
    let site = Redirecting::start(&[]);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        let response = site.ask(&format!("{method} /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"));

        assert_eq!(response.status, 301, "{method}");
        assert!(response.header("location").unwrap().starts_with("http://a.example:"), "{method}");
    }
    assert_eq!(site.ask(&upgrade_request("a.example", "/x", "")).status, 301);
}

#[test]
fn a_connection_is_redirected_as_often_as_it_asks() {
    let site = Redirecting::start(&[]);
    let mut connection = Connection::open(site.redirect);

    for path in ["/one", "/two"] {
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
        assert!(connection.response("GET").header("location").unwrap().ends_with(path));
    }
}

#[test]
fn a_host_that_is_none_is_a_400() {
    let site = Redirecting::start(&[]);
    for headers in [
        "",
        "Host:\r\n",
        "Host: :80\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: a\\b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: good.example@evil.example\r\n",
        "Host: one.example\r\nHost: two.example\r\n",
    ] {
        let response = site.ask(&format!("GET / HTTP/1.1\r\n{headers}\r\n"));

        assert_eq!(response.status, 400, "{headers}");
        assert_eq!(response.header("location"), None, "{headers}");
    }
    assert_eq!(site.ask("GET / HTTP/1.0\r\n\r\n").status, 400);
}

#[test]
fn a_target_in_absolute_form_leads_to_no_other_host() {
    let site = Redirecting::start(&[]);

    let location = site.location("good.example", "http://evil.example/x?y");

    assert_eq!(location, format!("http://good.example:{}/x?y", site.server.address.port()));
}

#[test]
fn the_site_itself_is_not_redirected() {
    let site = Redirecting::start(&[]);
    let mut client = site.server.connect("/");

    client.text("hello");

    assert_eq!(client.line(), "hello");
    assert_eq!(site.server.get("/", "").status, 200);
}

#[test]
fn every_address_redirects() {
    let site = Redirecting::start(&[]);
    for url in site.server.output() {
        let mut address = crate::harness::server::address_of(&url);
        address.set_port(site.redirect.port());
        let mut connection = Connection::open(address);

        connection.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");

        assert_eq!(connection.response("GET").status, 301, "{url}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_default_port_of_a_scheme_is_left_out() {
    let address = crate::harness::places::own_address();
    let tree = Tree::new();
    let identity = Authority::new().identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let (cert, key) = (tree.path("cert.pem"), tree.path("key.pem"));
    for (port, flags, want) in [
        (80, &[][..], "http://a.example/x"),
        (443, &["--ssl", "--sslcert", &cert, "--sslkey", &key][..], "https://a.example/x"),
    ] {
        if let Err(error) = std::net::TcpListener::bind((address, port)) {
            skip(&format!("a free port {port} ({error})"));
            continue;
        }
        let (address, port) = (format!("--address={address}"), format!("--port={port}"));

        let site = Redirecting::start(&[&[&*address, &port], flags].concat());

        assert_eq!(site.location("a.example", "/x"), want);
    }
}

#[test]
fn a_redirect_port_that_is_the_port_is_exit_1() {
    let outcome = run(&["--port=8080", "--redirport=8080", "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("--redirport") && outcome.stderr.contains("--port"), "{outcome:?}");
}

#[test]
fn a_redirect_port_in_use_is_exit_3_and_named() {
    let server = Server::command(&[], &["cat"]);

    let outcome = run(&["--port=0", &format!("--redirport={}", server.address.port()), "cat"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""), "{outcome:?}");
    assert!(outcome.stderr.contains(&server.host()), "{outcome:?}");
}

#[test]
fn a_redirect_port_of_0_is_none() {
    // As websocketd has it; a port that nobody is told of would be of no use.
    let tree = Tree::new();
    let socket = tree.path("socket");
    let server = Server::spawn(crate::harness::server::wsd(&["--redirport=0", "--unixsocket", &socket, "cat"]));

    assert_eq!(server.output(), [format!("unix:{socket}")]);
}
