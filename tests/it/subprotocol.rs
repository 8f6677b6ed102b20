//! `--subprotocol`: the first one that the client offers and that is listed is chosen.

use std::collections::BTreeMap;

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::websocket::{Client, upgrade_request};

/// Returns the response to a handshake with these header lines: the 101, and the environment of the program.
fn open(server: &Server, headers: &str) -> (Response, BTreeMap<String, String>) {
    let mut connection = server.http();
    connection.send(upgrade_request(&server.host(), "/", headers));
    let response = connection.response("GET");
    assert_eq!(response.status, 101, "{headers}:\n{response}");
    let lines = Client::upgraded(connection).rest().0.into_iter();
    let pairs =
        lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap());
    (response, pairs.collect())
}

#[test]
fn the_first_offer_that_is_listed_is_chosen() {
    let server = Server::command(&["--subprotocol=chat,mqtt, v2.json"], &["env"]);
    let table = [
        ("chat", Some("chat")),
        ("mqtt", Some("mqtt")),
        ("v2.json", Some("v2.json")),
        ("mqtt, chat", Some("mqtt")),
        ("chat, mqtt", Some("chat")),
        ("other, mqtt, chat", Some("mqtt")),
        ("other,mqtt", Some("mqtt")),
        (" \t mqtt \t ", Some("mqtt")),
        ("", None),
        (",", None),
        ("other", None),
        ("mqtt2, chat-2, hat", None),
        // Names are compared as they are (RFC 6455, section 11.3.4).
        ("MQTT", None),
    ];
    for (offered, chosen) in table {
        let (response, environment) = open(&server, &format!("Sec-WebSocket-Protocol: {offered}\r\n"));

        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{offered}");
        assert_eq!(environment.get("SEC_WEBSOCKET_PROTOCOL").map(String::as_str), chosen, "{offered}");
        assert_eq!(environment["HTTP_SEC_WEBSOCKET_PROTOCOL"], offered.trim(), "{offered}");
    }
}

#[test]
fn offers_in_several_headers_are_one_list() {
    let server = Server::command(&["--subprotocol=chat,mqtt"], &["env"]);

    let headers = "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: mqtt, chat\r\n";
    let (response, environment) = open(&server, headers);

    assert_eq!(response.header("sec-websocket-protocol"), Some("mqtt"));
    assert_eq!(environment["HTTP_SEC_WEBSOCKET_PROTOCOL"], "other, mqtt, chat");
}

#[test]
fn without_an_offer_none_is_chosen() {
    let server = Server::command(&["--subprotocol=chat"], &["env"]);

    let (response, environment) = open(&server, "");

    assert_eq!(response.header("sec-websocket-protocol"), None);
    assert!(!environment.contains_key("SEC_WEBSOCKET_PROTOCOL"));
}

#[test]
fn without_the_flag_an_offer_is_passed_on_and_none_chosen() {
    let server = Server::command(&[], &["env"]);

    let (response, environment) = open(&server, "Sec-WebSocket-Protocol: chat\r\n");

    assert_eq!(response.header("sec-websocket-protocol"), None);
    assert!(!environment.contains_key("SEC_WEBSOCKET_PROTOCOL"));
    assert_eq!(environment["HTTP_SEC_WEBSOCKET_PROTOCOL"], "chat");
}

#[test]
fn a_client_cannot_set_the_chosen_one_itself() {
    let server = Server::command(&["--subprotocol=chat", "--passenv=SEC_WEBSOCKET_PROTOCOL"], &["env"]);

    let (_, environment) = open(&server, "Sec_WebSocket_Protocol: forged\r\n");

    assert!(!environment.values().any(|value| value == "forged"), "{environment:?}");
}

#[test]
fn a_name_that_is_none_is_exit_1() {
    for list in ["", ",", "chat,", ",chat", "chat,,mqtt", "a b", "a/b", "chat;q=1", "é", "a\r\nX-B: c"] {
        let outcome = run(&["--port=0", "--subprotocol", list, "cat"]);

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{list:?}: {outcome:?}");
        assert!(outcome.stderr.contains("--subprotocol"), "{list:?}: {outcome:?}");
    }
}
