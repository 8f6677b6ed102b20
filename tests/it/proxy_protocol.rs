//! `--proxy-protocol`: a trusted proxy names the client before the first byte of HTTP or TLS.

use std::net::SocketAddr;

use rustls::version::TLS13;

use crate::harness::certificates::Authority;
use crate::harness::http::Connection;
use crate::harness::places::free_port;
use crate::harness::server::{Server, run, wsd};
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

const PROGRAM: &str = r#"echo "$REMOTE_ADDR $REMOTE_PORT"; cat"#;

/// The beginning of a header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Addresses of 203.0.113.9 and 10.0.0.1, ports 4711 and 80.
const FOUR: [u8; 12] = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 0, 80];

fn start(flags: &[&str]) -> Server {
    Server::shell(&[&["--trust-proxy=127.0.0.1,10.0.0.0/8", "--proxy-protocol"], flags].concat(), PROGRAM, &[])
}

/// A header of version 2.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

fn open(address: SocketAddr, header: &[u8]) -> Connection {
    let mut connection = Connection::open(address);
    connection.send(header);
    connection
}

/// Returns what the program says of its client behind this header.
fn client(server: &Server, header: &[u8], headers: &str) -> (String, SocketAddr) {
    let connection = open(server.address, header);
    let own = connection.local_address();
    let session = Client::upgrade(connection, &upgrade_request("localhost", "/", headers));
    (session.unwrap_or_else(|response| panic!("{response}")).line(), own)
}

/// Whether the server closes a connection that begins so, without an answer.
fn is_closed(server: &Server, header: &[u8]) -> bool {
    let mut connection = open(server.address, header);
    let _ = connection.try_send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.try_response("GET").is_none()
}

#[test]
fn the_header_names_the_client() {
    let server = start(&[]);
    let six = [&[0x20, 1, 0x0D, 0xB8][..], &[0; 11], &[1], &[0; 16], &[0x12, 0x67, 0, 80]].concat();
    let mut with_more = FOUR.to_vec();
    with_more.extend([0x04, 0, 253]);
    with_more.extend([b'x'; 253]);

    for (header, want) in [
        (b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n".to_vec(), "203.0.113.9 4711"),
        (b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n".to_vec(), "2001:db8::1 4711"),
        (binary(0x21, 0x11, &FOUR), "203.0.113.9 4711"),
        (binary(0x21, 0x11, &with_more), "203.0.113.9 4711"),
        (binary(0x21, 0x21, &six), "2001:db8::1 4711"),
    ] {
        assert_eq!(client(&server, &header, "").0, want, "{}", header.escape_ascii());
    }
    server.expect_log("session started conn=1 peer=203.0.113.9:4711 ");
}

#[test]
fn a_proxy_that_names_nobody_is_the_client_itself() {
    let server = start(&[]);

    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ::1 ::1 1 2\r\n".to_vec(),
        binary(0x20, 0, b""),
        binary(0x20, 0x11, &FOUR),
        binary(0x21, 0, b"abc"),
        binary(0x21, 0x31, &[b'x'; 216]),
    ] {
        // Behind it may be anybody, who may write such a header.
        let (line, own) = client(&server, &header, "X-Forwarded-For: 203.0.113.9\r\n");
        assert_eq!(line, format!("127.0.0.1 {}", own.port()), "{}", header.escape_ascii());
    }
}

#[test]
fn headers_count_only_if_the_client_that_the_proxy_names_is_a_proxy_itself() {
    let server = start(&[]);
    let forged = "X-Forwarded-For: 198.51.100.1\r\n";

    assert_eq!(client(&server, b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n", forged).0, "203.0.113.9 4711");
    assert_eq!(client(&server, b"PROXY TCP4 10.0.0.7 10.0.0.1 4711 80\r\n", forged).0, "198.51.100.1 ");
    assert!(!server.log().iter().any(|line| line.contains("proxy not trusted")));
}

#[test]
fn a_header_in_pieces_is_one_header() {
    let server = start(&[]);

    for header in [b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n".to_vec(), binary(0x21, 0x11, &FOUR)] {
        let mut connection = Connection::open(server.address);
        for byte in header {
            connection.send([byte]);
        }
        connection.send("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");

        connection.response("GET");
    }
    server.expect_nth_log("http request peer=203.0.113.9:4711 ", 2);
}

#[test]
fn a_trusted_peer_without_a_header_is_refused() {
    let server = start(&[]);
    let broken = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"PROXY TCP4 203.0.113.9 10.0.0.1 4711\r\n".to_vec(),
        [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat(),
        binary(0x21, 0x11, &FOUR[..8]),
        binary(0x31, 0x11, &FOUR),
        binary(0x21, 0x11, &[0; 4097]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\x00".to_vec(),
    ];

    for header in &broken {
        assert!(is_closed(&server, header), "{}", header.escape_ascii());
    }
    server.expect_nth_log("connection refused peer=127.0.0.1:", broken.len());
}

#[test]
fn a_peer_that_is_not_trusted_is_refused_whatever_it_sends() {
    let server = Server::shell(&["--trust-proxy=192.0.2.1", "--proxy-protocol"], PROGRAM, &[]);

    assert!(is_closed(&server, b""));
    assert!(is_closed(&server, b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n"));
    let line = server.expect_nth_log("connection refused peer=127.0.0.1:", 2).text;
    assert!(line.contains("why=proxy cause=\"--trust-proxy does not have this peer\""), "{line}");
    assert!(!server.log().iter().any(|line| line.contains("192.0.2.1:4711")));
}

#[test]
fn a_slow_header_is_not_waited_for() {
    let server = start(&[]);

    let mut connection = open(server.address, b"PROXY TCP4 203.0.");

    assert!(connection.try_response("GET").is_none());
    server.expect_log("why=proxy cause=\"its header of the PROXY protocol is too slow\"");
}

#[test]
fn the_header_is_in_front_of_tls() {
    let authority = Authority::new();
    let identity = authority.identity("server");
    let tree = Tree::new();
    tree.file("cert.pem", &identity.certificate).file("key.pem", &identity.key);
    let server = start(&["--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem")]);
    let connection = open(server.address, b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n");
    let (socket, _) = connection.into_parts();
    let stream = Stream::over(socket).secure(&authority.client(&[&TLS13], None)).unwrap();

    let session = Client::upgrade(Connection::over(stream), &upgrade_request("localhost", "/", ""));

    assert_eq!(session.unwrap_or_else(|response| panic!("{response}")).line(), "203.0.113.9 4711");
    // The log names the client of a handshake that fails, too.
    drop(open(server.address, b"PROXY TCP4 203.0.113.8 10.0.0.1 4712 443\r\n"));
    server.expect_log("connection refused peer=203.0.113.8:4712 why=tls");
}

#[test]
fn every_socket_has_the_protocol() {
    let tree = Tree::new();
    let port = free_port();
    let socket = format!("--unixsocket={}", tree.path("socket"));
    let redirect = format!("--redirport={port}");
    let flags = [&*socket, "--port=0", &redirect, "--trust-proxy=127.0.0.1,unix", "--proxy-protocol"];
    let server = Server::spawn(wsd(&[&flags[..], &["sh", "-c", PROGRAM]].concat()));
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut at_unix = Connection::over(Stream::unix(&tree.path("socket")).unwrap());
    let mut at_redirect = Connection::open(([127, 0, 0, 1], port).into());

    for connection in [&mut at_unix, &mut at_redirect] {
        connection.send(format!("PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n{get}"));
        connection.response("GET");
    }

    server.expect_nth_log("http request peer=203.0.113.9:4711 ", 2);
}

#[test]
fn the_protocol_without_trusted_proxies_is_refused() {
    let outcome = run(&["--proxy-protocol", "cat"]);

    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("cannot use --proxy-protocol without --trust-proxy"), "{outcome:?}");
}
