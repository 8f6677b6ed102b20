//! `--auth=cert`: the name in the certificate of a client is its identity.

use std::sync::Arc;

use rcgen::SanType;
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};

use crate::harness::certificates::{Authority, Identity};
use crate::harness::http::Connection;
use crate::harness::server::Server;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

use super::CARRIERS;
use super::kit::{self, Credential};

/// Starts a server over TLS that knows clients by their certificates; as [`kit::start`] otherwise.
fn start(tree: &Tree, authority: &Authority) -> Server {
    let Identity { certificate, key } = authority.identity("server");
    tree.file("cert.pem", certificate).file("key.pem", key).file("ca.pem", authority.pem());
    let [cert, key, ca] =
        ["cert", "key", "ca"].map(|name| format!("--ssl{name}={}", tree.path(&format!("{name}.pem"))));
    kit::start(tree, &["--ssl", &cert, &key, &ca, "--auth=cert"])
}

/// Asks for each kind of answer, as [`kit::TARGETS`] does: the line of the request, and its headers.
const REQUESTS: [(&str, &str, &str); 6] = [
    ("WebSocket", "", ""),
    ("event stream", "GET /ws", "Accept: text/event-stream\r\n"),
    ("POST", "POST /ws", "Content-Length: 0\r\n"),
    ("file", "GET /page.html", "Accept: text/html\r\n"),
    ("CGI script", "GET /env", ""),
    ("console", "GET /nothing", "Accept: text/html\r\n"),
];

/// Asks over a connection of its own. Returns the status and the text; `None` if there is no connection for the client.
fn ask(
    server: &Server,
    config: &Arc<ClientConfig>,
    (target, line, headers): (&str, &str, &str),
    more: &str,
) -> Option<(u16, String)> {
    let host = format!("localhost:{}", server.address.port());
    let mut connection = Connection::over(Stream::tcp(server.address).unwrap().secure(config).ok()?);
    if target == "WebSocket" {
        return Some(match Client::upgrade(connection, &upgrade_request(&host, "/ws", more)) {
            Ok(mut client) => (200, client.rest().0.join("\n")),
            Err(response) => (response.status, response.to_string()),
        });
    }
    connection.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}{more}\r\n"));
    let response = connection.response("GET");
    Some((response.status, response.to_string().replace("\ndata: ", "\n")))
}

#[test]
fn a_certificate_admits_to_each_kind_of_answer_whatever_else_the_client_shows() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let server = start(&tree, &authority);
    let nameless = authority.named("", vec![SanType::IpAddress("192.0.2.1".parse().unwrap())]);
    let config = |identity| authority.client(&[&TLS12], Some(identity));
    let (known, nameless) = (config(&authority.named("Ada L.", vec![])), config(&nameless));
    let wrong = Credential::Token("inc0rrect".to_owned());
    let carried = CARRIERS.iter().filter_map(|(name, carry)| carry(&wrong).map(|(headers, _)| (*name, headers)));
    let carried: Vec<_> = [("nothing", String::new())].into_iter().chain(carried).collect();
    for target in REQUESTS {
        for (carrier, headers) in &carried {
            let (status, text) = ask(&server, &known, target, headers).expect("a connection");
            let name = target.0;
            assert_eq!(status, 200, "{name} with {carrier}: {text}");
            assert!(!wrong.secrets().iter().any(|secret| text.contains(secret)), "{name} with {carrier}: {text}");
            if text.contains("REMOTE_USER=") {
                let has = |line: &str| text.lines().any(|one| one == line);
                assert!(has("REMOTE_USER=Ada L.") && has("AUTH_TYPE=Certificate"), "{name} with {carrier}: {text}");
            }
        }
        let (status, text) = ask(&server, &nameless, target, "").expect("a connection");
        assert_eq!(status, 401, "{}: a certificate without a name: {text}", target.0);
    }
}

#[test]
fn no_certificate_or_one_of_another_authority_is_no_connection_for_any_kind_of_answer() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let server = start(&tree, &authority);
    // TLS 1.2: the handshake itself fails.
    let strangers = [None, Some(Authority::new().identity("eve")), Some(authority.expired()), Some(authority.early())];
    for stranger in strangers {
        let config = authority.client(&[&TLS12], stranger.as_ref());
        for target in REQUESTS {
            assert_eq!(ask(&server, &config, target, ""), None, "{}", target.0);
        }
    }
    assert!(!server.log().iter().any(|line| line.contains(" started ")), "{:?}", server.log());
}

#[test]
fn the_name_in_a_certificate_is_the_user() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let Identity { certificate, key } = authority.identity("server");
    tree.file("cert.pem", certificate).file("key.pem", key).file("ca.pem", authority.pem());
    let [cert, key, ca] =
        ["cert", "key", "ca"].map(|name| format!("--ssl{name}={}", tree.path(&format!("{name}.pem"))));
    let server = Server::command(&["--ssl", &cert, &key, &ca, "--auth=cert"], &["env"]);
    let (email, dns) = (
        SanType::Rfc822Name("ada@example.com".try_into().unwrap()),
        SanType::DnsName("host.example".try_into().unwrap()),
    );
    let address = SanType::IpAddress("192.0.2.1".parse().unwrap());
    let table = [
        (vec![], "REMOTE_USER=Ada L."),
        (vec![email.clone(), dns.clone()], "REMOTE_USER=ada@example.com"),
        (vec![address.clone(), dns], "REMOTE_USER=host.example"),
        (vec![address], "REMOTE_USER=Ada L."),
    ];
    for (alternatives, user) in table {
        let identity = authority.named("Ada L.", alternatives);
        let stream =
            Stream::tcp(server.address).unwrap().secure(&authority.client(&[&TLS13], Some(&identity))).unwrap();
        let request = upgrade_request(&format!("localhost:{}", server.address.port()), "/", "");
        let client = Client::upgrade(Connection::over(stream), &request);
        let text = client.unwrap_or_else(|response| panic!("{response}")).rest().0.join("\n");
        assert!(text.lines().any(|line| line == user), "{user}: {text}");
        assert!(text.contains("AUTH_TYPE=Certificate"), "{text}");
    }
}
