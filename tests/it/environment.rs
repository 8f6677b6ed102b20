//! The environment of a program: CGI/1.1 variables, and nothing that a client could forge.

use std::collections::BTreeMap;

use crate::addresses::has_ipv6;
use crate::harness::server::{Server, wsd};
use crate::harness::websocket::{Client, KEY, upgrade_request};

/// The environment of a worker, as `env` prints it.
fn environment(mut client: Client) -> BTreeMap<String, String> {
    let lines = client.rest().0.into_iter();
    lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

fn env(flags: &[&str]) -> Server {
    Server::command(flags, &["env"])
}

#[test]
fn a_worker_gets_these_variables_and_no_other() {
    let mut command = wsd(&["--port=0", "env"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("SECRET", "of the administrator").env("HOME", "/root");
    let server = Server::spawn(command);
    let mut client = server.connect_with("/a%20b/c?x=1&y=%20", "X-Real-IP: 10.1.2.3\r\n");
    let peer = client.connection().local_address();

    let mut found = environment(client);

    let unique = found.remove("UNIQUE_ID").unwrap();
    assert!(unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()), "{unique}");
    let (port, peer_port) = (server.address.port().to_string(), peer.port().to_string());
    let host = server.host();
    let want = [
        ("PATH", "/usr/bin:/bin"),
        ("SERVER_SOFTWARE", concat!("wsd/", env!("CARGO_PKG_VERSION"))),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_PORT", &port),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REMOTE_PORT", &peer_port),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/a%20b/c?x=1&y=%20"),
        ("SCRIPT_NAME", "/"),
        ("PATH_INFO", "/a b/c"),
        ("PATH_TRANSLATED", "/a b/c"),
        ("QUERY_STRING", "x=1&y=%20"),
        ("AUTH_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("CONTENT_TYPE", ""),
        ("REMOTE_IDENT", ""),
        ("REMOTE_USER", ""),
        ("HTTP_HOST", &host),
        ("HTTP_UPGRADE", "websocket"),
        ("HTTP_CONNECTION", "Upgrade"),
        ("HTTP_SEC_WEBSOCKET_VERSION", "13"),
        ("HTTP_SEC_WEBSOCKET_KEY", KEY),
        ("HTTP_X_REAL_IP", "10.1.2.3"),
    ];
    let want: BTreeMap<_, _> = want.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(found, want);
}

#[test]
fn the_name_and_port_of_the_server_are_those_of_the_host_header() {
    let server = env(&[]);
    let table =
        [("localhost:1234", "localhost", "1234"), ("localhost", "localhost", "80"), ("[::1]:1234", "::1", "1234")];
    for (host, name, port) in table {
        let found = environment(Client::open(server.address, &upgrade_request(host, "/", "")).ok().unwrap());

        assert_eq!((found["SERVER_NAME"].as_str(), found["SERVER_PORT"].as_str()), (name, port), "{host}");
        assert_eq!(found["HTTP_HOST"], host);
    }
}

#[test]
fn headers_of_one_name_are_joined() {
    let server = env(&[]);
    let headers = "X-Many: one\r\nX-Many: two\r\nCookie: a=1\r\nCookie: b=2\r\nX-Space: \t in\tside \t\r\nX-Empty:\r\n";

    let found = environment(server.connect_with("/", headers));

    assert_eq!(found["HTTP_X_MANY"], "one, two");
    assert_eq!(found["HTTP_COOKIE"], "a=1; b=2");
    assert_eq!(found["HTTP_X_SPACE"], "in\tside");
    assert_eq!(found["HTTP_X_EMPTY"], "");
}

#[test]
fn a_proxy_header_does_not_become_http_proxy() {
    // httpoxy: many a program takes the variable HTTP_PROXY for the proxy it is to use.
    let server = env(&[]);

    for name in ["Proxy", "proxy", "PROXY"] {
        let found = environment(server.connect_with("/", &format!("{name}: http://evil.example\r\n")));

        assert!(!found.contains_key("HTTP_PROXY"), "{name}");
    }
}

#[test]
fn a_header_with_an_underscore_cannot_pose_as_another() {
    let server = env(&[]);

    let found =
        environment(server.connect_with("/", "X_Real_IP: forged\r\nX-Real-IP: of the proxy\r\nX_Other: forged\r\n"));

    assert_eq!(found["HTTP_X_REAL_IP"], "of the proxy");
    assert!(!found.contains_key("HTTP_X_OTHER"));
}

#[test]
fn a_header_cannot_set_any_other_variable() {
    let server = env(&[]);

    let found = environment(
        server.connect_with("/", "PATH: /evil\r\nREMOTE-ADDR: 1.2.3.4\r\nContent-Type: x\r\nLD-PRELOAD: x\r\n"),
    );

    assert_ne!(found["PATH"], "/evil");
    assert_eq!(found["REMOTE_ADDR"], "127.0.0.1");
    assert!(!found.contains_key("LD_PRELOAD"));
}

#[test]
fn every_session_has_an_id_of_its_own() {
    let server = env(&[]);
    let ids: std::collections::BTreeSet<_> =
        (0..20).map(|_| environment(server.connect("/"))["UNIQUE_ID"].clone()).collect();

    assert_eq!(ids.len(), 20);
}

#[test]
fn passenv_names_the_variables_that_are_passed() {
    let start = |flag: &str| {
        let mut command = wsd(&["--port=0", flag, "/usr/bin/env"]);
        command.env_clear();
        for (name, value) in [("PATH", "/bin"), ("LD_LIBRARY_PATH", "/lib"), ("ONE", "1"), ("TWO", "2"), ("EMPTY", "")]
        {
            command.env(name, value);
        }
        command.env("HTTPS", "on").env("REMOTE_ADDR", "6.6.6.6").env("SERVER_SOFTWARE", "mine");
        command.env("HTTP_PROXY", "http://proxy.example").env("HTTP_HOST", "evil.example");
        Server::spawn(command)
    };
    let table: [(&str, &[&str], &[&str]); 6] = [
        ("--passenv=PATH,LD_LIBRARY_PATH", &["PATH", "LD_LIBRARY_PATH"], &["ONE", "TWO"]),
        ("--passenv=ONE", &["ONE"], &["PATH", "LD_LIBRARY_PATH", "TWO"]),
        ("--passenv=ONE,TWO", &["ONE", "TWO"], &["PATH"]),
        ("--passenv=ONE, TWO", &["ONE", "TWO"], &["PATH"]),
        ("--passenv=ONE,NO_SUCH_VARIABLE", &["ONE"], &["NO_SUCH_VARIABLE"]),
        ("--passenv=", &[], &["PATH", "ONE"]),
    ];
    for (flag, passed, kept) in table {
        let found = environment(start(flag).connect("/"));

        for name in passed {
            assert!(found.contains_key(*name), "{flag}: {name} is missing");
        }
        for name in kept {
            assert!(!found.contains_key(*name), "{flag}: {name} is there");
        }
    }
    let found = environment(start("--passenv=HTTPS,REMOTE_ADDR").connect("/"));
    assert!(!found.contains_key("HTTPS"));
    assert_eq!(found["REMOTE_ADDR"], "127.0.0.1");
    let server = start("--passenv=HTTP_PROXY,HTTP_HOST");
    let found = environment(server.connect_with("/", "Proxy: http://evil.example\r\n"));
    assert_eq!((&*found["HTTP_PROXY"], &*found["HTTP_HOST"]), ("http://proxy.example", &*server.host()));
}

#[test]
fn path_and_library_path_are_passed_by_default() {
    let mut command = wsd(&["--port=0", "/usr/bin/env"]);
    command.env("LD_LIBRARY_PATH", "/no/such/directory").env("SECRET", "x");
    let found = environment(Server::spawn(command).connect("/"));

    assert!(found.contains_key("PATH"));
    assert!(!found.contains_key("SECRET"));
    if cfg!(target_os = "linux") {
        assert_eq!(found["LD_LIBRARY_PATH"], "/no/such/directory");
    }
}

#[test]
fn a_client_over_ipv6_is_seen_as_one() {
    if !has_ipv6() {
        return;
    }
    let server = env(&[]);
    let url = server.expect_output(2).into_iter().find(|url| url.contains('[')).unwrap();
    let address = crate::harness::server::address_of(&url);

    let found = environment(Client::open(address, &upgrade_request(&address.to_string(), "/", "")).ok().unwrap());

    assert_eq!(found["REMOTE_ADDR"], "::1");
    assert_eq!(found["SERVER_NAME"], "::1");
}
