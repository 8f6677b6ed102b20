//! The upgrade from HTTP: what counts as one, and what is answered to a bad one.

use crate::harness::http::Connection;
use crate::harness::server::{Server, field};
use crate::harness::websocket::{ACCEPT, Client, Frame, KEY, PING, PONG, TEXT, upgrade_request};

/// An upgrade request of these lines, in which `HOST` stands for the address of the server.
fn request(server: &Server, method: &str, lines: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", server.host())
}

const REST: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn the_answer_is_that_of_the_standard() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = server.http();

    connection.send(upgrade_request(&server.host(), "/", ""));
    let response = connection.response("GET");

    assert_eq!(response.status, 101);
    assert!(response.head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{response}");
    assert_eq!(response.header("upgrade").map(str::to_ascii_lowercase).as_deref(), Some("websocket"));
    assert_eq!(response.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
}

#[test]
fn every_line_and_token_counts_in_any_case() {
    let server = Server::command(&[], &["cat"]);

    for lines in [
        "Upgrade: websocket\r\nConnection: Upgrade\r\n",
        "upgrade: WebSocket\r\nconnection: upgrade\r\n",
        "UPGRADE: WEBSOCKET\r\nCONNECTION: UPGRADE\r\n",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade,keep-alive\r\nUpgrade: websocket\r\n",
        "Connection:keep-alive ,\tupgrade , x\r\nUpgrade: websocket\r\n",
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket, foo\r\n",
        "Connection: Upgrade\r\nUpgrade: foo, websocket\r\n",
        "Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: websocket\r\n",
    ] {
        let client = Client::open(server.address, &request(&server, "GET", &format!("{lines}{REST}")));

        assert!(client.is_ok(), "{lines}");
    }
}

#[test]
fn a_request_without_a_whole_upgrade_is_one_like_any_other() {
    let server = Server::command(&[], &["cat"]);

    for lines in [
        "",
        "Connection: Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: websocket\r\nConnection: keep-alive\r\n",
        "Upgrade: websocket\r\nConnection: x-upgrade\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n",
        "Upgrade: websockets\r\nConnection: Upgrade\r\n",
    ] {
        let response = server.request(&request(&server, "GET", &format!("{lines}{REST}")));

        assert_eq!(response.status, 200, "{lines}");
    }
}

#[test]
fn a_bad_upgrade_gets_the_status_that_says_why() {
    let server = Server::command(&[], &["cat"]);
    let ask = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let table = [
        ("POST", format!("{version}{key}Content-Length: 0\r\n"), 405),
        ("PUT", format!("{version}{key}"), 405),
        ("HEAD", format!("{version}{key}"), 405),
        ("GET", key.clone(), 426),
        ("GET", format!("Sec-WebSocket-Version: 12\r\n{key}"), 426),
        ("GET", format!("Sec-WebSocket-Version: 8\r\n{key}"), 426),
        ("GET", format!("Sec-WebSocket-Version: 14\r\n{key}"), 426),
        ("GET", format!("Sec-WebSocket-Version: 130\r\n{key}"), 426),
        ("GET", format!("Sec-WebSocket-Version: abc\r\n{key}"), 426),
        ("GET", format!("Sec-WebSocket-Version:\r\n{key}"), 426),
        ("GET", version.to_owned(), 400),
        ("GET", format!("{version}Sec-WebSocket-Key:\r\n"), 400),
        ("GET", format!("{version}Sec-WebSocket-Key: c2hvcnQ=\r\n"), 400),
        ("GET", format!("{version}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"), 400),
        ("GET", format!("{version}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBhbmQ=\r\n"), 400),
        ("GET", format!("{version}Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), 400),
        ("GET", format!("{version}{key}{key}"), 400),
    ];
    for (method, lines, status) in table {
        let response = server.request(&request(&server, method, &format!("{ask}{lines}")));

        assert_eq!(response.status, status, "{method} with {lines}");
        assert_eq!(response.header("sec-websocket-version"), Some("13"), "{method} with {lines}");
        assert!(method == "HEAD" || !response.body.is_empty(), "{method} with {lines}");
        if status == 405 {
            assert!(response.header("allow").is_some_and(|allow| allow.contains("GET")), "{response}");
        }
    }
}

#[test]
fn an_upgrade_has_no_body() {
    let server = Server::command(&[], &["cat"]);
    let table = [
        ("Content-Length: 8\r\n", "12345678", 400),
        ("Content-Length: 8\r\n", "", 400),
        ("Content-Length: 08\r\n", "12345678", 400),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", 400),
        ("Content-Length: 0\r\n", "", 101),
        ("Content-Length: 00\r\n", "", 101),
        ("", "", 101),
    ];
    for (count, (headers, body, status)) in table.into_iter().enumerate() {
        let mut connection = server.http();
        connection.send(upgrade_request(&server.host(), "/", headers) + body);

        assert_eq!(connection.response("GET").status, status, "{headers}{body}");
        if status == 400 {
            let line = server.expect_nth_log("session refused", count + 1).text;
            assert_eq!(field(&line, "why").as_deref(), Some("body"), "{line}");
        }
    }
}

#[test]
fn a_frame_in_the_packet_of_the_request_is_not_lost() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = Connection::open(server.address);
    let mut bytes = upgrade_request(&server.host(), "/", "").into_bytes();
    bytes.extend(Frame::new(TEXT, "early").masked());
    bytes.extend(Frame::new(PING, "early too").masked());

    connection.send(bytes);

    assert_eq!(connection.response("GET").status, 101);
    let mut client = Client::upgraded(connection);
    let mut found = [client.frame(), client.frame()];
    found.sort_by_key(|frame| frame.opcode);
    assert_eq!(found, [Frame::new(TEXT, "early"), Frame::new(PONG, "early too")]);
}

#[test]
fn half_a_frame_in_the_packet_of_the_request_is_not_lost() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = Connection::open(server.address);
    let frame = Frame::new(TEXT, "early").masked();
    let (first, second) = frame.split_at(4);

    connection.send([upgrade_request(&server.host(), "/", "").as_bytes(), first].concat());
    assert_eq!(connection.response("GET").status, 101);
    connection.send(second);

    assert_eq!(Client::upgraded(connection).line(), "early");
}

#[test]
fn a_flood_in_the_packet_of_the_request_is_not_lost() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = Connection::open(server.address);
    let mut bytes = upgrade_request(&server.host(), "/", "").into_bytes();
    for number in 0..5000 {
        bytes.extend(Frame::new(TEXT, number.to_string()).masked());
    }

    connection.send(bytes);

    assert_eq!(connection.response("GET").status, 101);
    let mut client = Client::upgraded(connection);
    assert!((0..5000).all(|number| client.line() == number.to_string()));
}

#[test]
fn http_1_0_gets_an_answer_and_no_half_open_session() {
    let server = Server::command(&[], &["cat"]);
    let request = request(&server, "GET", &format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{REST}"))
        .replace("HTTP/1.1", "HTTP/1.0");

    // RFC 6455, section 4.1, asks for HTTP/1.1 at least.
    let response = Client::open(server.address, &request).err().expect("a refusal");

    assert!((400..=505).contains(&response.status), "{response}");
    assert!(!response.body.is_empty());
}

#[test]
fn nothing_is_promised_that_was_not_configured() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = server.http();
    let offer = "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

    connection.send(upgrade_request(&server.host(), "/", offer));
    let response = connection.response("GET");

    assert_eq!(response.status, 101);
    assert_eq!(response.header("sec-websocket-protocol"), None);
    assert_eq!(response.header("sec-websocket-extensions"), None);
}

#[test]
fn an_upgrade_works_however_its_bytes_are_cut() {
    let server = Server::command(&[], &["cat"]);
    let request = upgrade_request(&server.host(), "/", "");
    let mut connection = Connection::open(server.address);

    for byte in request.as_bytes() {
        connection.send([*byte]);
    }

    assert_eq!(connection.response("GET").status, 101);
    let mut client = Client::upgraded(connection);
    for byte in Frame::new(TEXT, "hello").masked() {
        client.raw([byte]);
    }
    assert_eq!(client.line(), "hello");
}

#[test]
fn a_client_that_leaves_during_the_upgrade_leaves_nothing() {
    let server = Server::command(&["--maxforks=1"], &["cat"]);

    for _ in 0..10 {
        let mut connection = Connection::open(server.address);
        connection.send(upgrade_request(&server.host(), "/", ""));
        connection.reset();
    }

    crate::harness::eventually("the fork is free again", || server.try_connect("/", "").ok());
}
