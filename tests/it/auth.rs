//! `--auth`: each kind of credential, in each place where it may be, for each kind of answer.

mod backend;
mod certificates;
mod expiry;
mod guesses;
mod jwt;
mod kit;
mod listing;
mod nul;
mod open;
mod pages;
mod query;
mod questions;
mod refusals;
mod returns;
mod servers;
mod tickets;

use backend::Backend;
use kit::{Asked, Credential, PASSWORD, TARGETS, TOKEN, base64, base64url, start};

use crate::harness::tree::Tree;

/// A kind of credential: its flags, what a client shows that it knows, and `AUTH_TYPE` and `REMOTE_USER` then.
struct Kind {
    flags: Vec<String>,
    /// The server that wsd asks.
    _backend: Option<Backend>,
    right: Credential,
    wrong: Credential,
    identity: (&'static str, &'static str),
}

/// The kinds that need no TLS.
fn kinds(tree: &Tree) -> Vec<Kind> {
    let basic = |user: &str, password: &str| Credential::Basic(format!("{user}:{password}"));
    let token = |text: &str| Credential::Token(text.to_owned());
    let kind = |flags: Vec<String>, right, wrong, identity| Kind { flags, _backend: None, right, wrong, identity };
    let backend = Backend::that_knows(token("of-a-server").header());
    tree.program(
        "check",
        "#!/bin/sh\nif [ \"$HTTP_AUTHORIZATION\" = 'Bearer of-a-script' ]; then echo 'Status: 204'; echo 'Remote-User: ada'\n\
         else echo 'Status: 401'; fi; echo\n",
    );
    let ada = ("Basic", "ada");
    vec![
        kind(vec![kit::users(tree)], basic("ada", PASSWORD), basic("ada", "inc0rrect"), ada),
        kind(vec![kit::tokens(tree)], token(TOKEN), token("inc0rrect"), ("Bearer", "ci")),
        kind(
            jwt::flags(tree).to_vec(),
            token(&jwt::signed(&jwt::claims(600))),
            token(&jwt::signed(&jwt::claims(-600))),
            ("Bearer", "ada"),
        ),
        Kind {
            flags: vec![backend.flag()],
            _backend: Some(backend),
            ..kind(Vec::new(), token("of-a-server"), token("inc0rrect"), ("Proxy", "ada"))
        },
        kind(
            vec![format!("--auth=command:{}", tree.path("check"))],
            token("of-a-script"),
            token("inc0rrect"),
            ("Proxy", "ada"),
        ),
    ]
}

/// The places of a credential: the name, and the header lines and the query with it; `None` if it cannot be there.
type Carrier = (&'static str, fn(&Credential) -> Option<(String, String)>);

const CARRIERS: [Carrier; 6] = [
    ("Authorization", |credential| Some((credential.header(), String::new()))),
    ("subprotocol", |credential| offer("base64url.bearer.authorization.wsd.", base64url, credential)),
    ("of Kubernetes", |credential| offer("base64url.bearer.authorization.k8s.io.", base64url, credential)),
    ("of Phoenix", |credential| offer("base64url.bearer.phx.", base64url, credential)),
    ("of Jupyter", |credential| {
        offer("v1.token.websocket.jupyter.org.", |token| token.replace('.', "%2E"), credential)
    }),
    ("query", |credential| Some((String::new(), format!("?access_token={}", credential.token()?)))),
];

fn offer(front: &str, encode: fn(&str) -> String, credential: &Credential) -> Option<(String, String)> {
    let offer = format!("{front}{}", encode(credential.token()?));
    Some((format!("Sec-WebSocket-Protocol: chat, {offer}\r\n"), String::new()))
}

#[test]
fn each_kind_is_asked_for_in_each_place_by_each_kind_of_answer() {
    let tree = Tree::new();
    for Kind { flags, right, wrong, identity, _backend } in kinds(&tree) {
        let flag = flags[0].clone();
        let flags: Vec<_> = flags.iter().map(String::as_str).chain(["--auth-query", "--subprotocol=chat"]).collect();
        let server = start(&tree, &flags);
        for (target, ask) in TARGETS {
            let Asked { status, text } = ask(&server, "", "");
            assert_eq!(status, 401, "{flag} {target}: nothing shown: {text}");
            for (carrier, carry) in CARRIERS {
                let Some((headers, query)) = carry(&right) else { continue };
                let Asked { status, text } = ask(&server, &headers, &query);
                assert_eq!(status, 200, "{flag} {target} {carrier}: {text}");
                let (kind, user) = identity;
                let has = |line: String| text.lines().any(|one| one == line);
                if text.contains("REMOTE_USER=") {
                    assert!(has(format!("REMOTE_USER={user}")), "{flag} {target} {carrier}: {text}");
                    assert!(has(format!("AUTH_TYPE={kind}")), "{flag} {target} {carrier}: {text}");
                }
                for secret in right.secrets() {
                    assert!(!text.contains(&secret), "{flag} {target} {carrier} shows {secret}: {text}");
                }
            }
        }
        let secrets = right.secrets();
        // A source may guess five times a minute; the console, the last one, is a page as a file is.
        for (target, ask) in &TARGETS[..5] {
            let Asked { status, text } = ask(&server, &wrong.header(), "");
            assert_eq!(status, 401, "{flag} {target}: {text}");
        }
        let log = server.log().join("\n");
        for secret in secrets.iter().chain(&wrong.secrets()) {
            assert!(!log.contains(secret), "{flag}: the log shows {secret}: {log}");
        }
        let line = std::fs::read(format!("/proc/{}/cmdline", server.pid().as_raw_nonzero())).unwrap_or_default();
        assert!(!secrets.iter().any(|secret| String::from_utf8_lossy(&line).contains(secret)));
    }
}

#[test]
fn a_program_sees_the_header_only_with_passauth_and_a_client_cannot_claim_to_be_somebody() {
    let tree = Tree::new();
    let flag = kit::users(&tree);
    let header = format!("Authorization: Basic {}\r\n", base64(&format!("ada:{PASSWORD}")));
    let claims = "Remote-User: eve\r\nRemote_User: eve\r\nX-Forwarded-User: eve\r\nWsd-Env-A: b\r\nX-Auth-Request-User: eve\r\n\
         X-Authentik-Username: eve\r\nX-Forwarded-Access-Token: eve\r\nAuth-Type: eve\r\nProxy-Authorization: eve\r\n";
    for (more, is_passed) in [(None, false), (Some("--passauth"), true)] {
        let flags: Vec<_> = [&*flag].into_iter().chain(more).collect();
        let server = start(&tree, &flags);
        for (target, ask) in TARGETS {
            let Asked { text, .. } = ask(&server, &format!("{header}{claims}Cookie: a=b\r\n"), "");
            if text.contains("REMOTE_USER=") {
                assert_eq!(text.contains("HTTP_AUTHORIZATION="), is_passed, "{target}: {text}");
                assert!(text.contains("HTTP_COOKIE=a=b"), "{target}: {text}");
                assert!(!text.contains("=eve"), "{target}: {text}");
                assert!(!text.contains("\nA=b"), "{target}: {text}");
            }
        }
    }
    // Without authentication, everything is as before.
    let server = start(&tree, &[]);
    let Asked { text, .. } = TARGETS[0].1(&server, &format!("{header}Remote-User: eve\r\n"), "");
    assert!(text.contains("HTTP_AUTHORIZATION=Basic") && text.contains("HTTP_REMOTE_USER=eve"), "{text}");
}

#[test]
fn the_101_names_a_listed_subprotocol_or_the_bare_carrier_and_never_the_token() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree), "--subprotocol=chat"]);
    let token = base64url(TOKEN);
    let front = "base64url.bearer.authorization.wsd";
    let table = [
        (format!("chat, {front}, {front}.{token}"), Some("chat")),
        (format!("{front}.{token}, {front}"), Some(front)),
        (format!("other, {front}.{token}"), None),
    ];
    for (offers, chosen) in table {
        let mut connection = server.http();
        let headers = format!("Sec-WebSocket-Protocol: {offers}\r\n");
        connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/ws", &headers));
        let response = connection.response("GET");
        assert_eq!(response.status, 101, "{offers}: {response}");
        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{offers}");
        assert!(!response.head.contains(&token), "{response}");
    }
}

#[test]
fn with_auth_for_ws_pages_are_open_and_sessions_are_not() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree), "--auth-for=ws"]);
    for (target, ask) in TARGETS {
        let is_session = kit::is_session(target);
        let Asked { status, text } = ask(&server, "", "");
        assert_eq!(status, if is_session { 401 } else { 200 }, "{target}: {text}");
        let Asked { status, text } = ask(&server, &Credential::Token(TOKEN.to_owned()).header(), "");
        assert_eq!(status, 200, "{target}: {text}");
        assert!(!text.contains(TOKEN), "{target}: {text}");
    }
}

#[test]
fn a_page_of_another_origin_may_ask_whether_it_may_show_a_token() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree), "--origin=https://app.example"]);
    let page = format!("Host: {}\r\nOrigin: https://app.example\r\n", server.host());

    let asked = server.request(&format!(
        "OPTIONS /ws HTTP/1.1\r\n{page}Access-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: authorization\r\n\r\n"
    ));
    assert_eq!(asked.status, 204, "{asked}");
    assert!(asked.header("access-control-allow-headers").unwrap().contains("Authorization"), "{asked}");

    let post = |more: &str| server.request(&format!("POST /ws HTTP/1.1\r\n{page}{more}Content-Length: 0\r\n\r\n"));
    assert_eq!(post("").status, 401);
    let answer = post(&Credential::Token(TOKEN.to_owned()).header());
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
}

#[test]
fn a_token_of_the_query_is_not_looked_for_without_auth_query() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::tokens(&tree)]);
    for (target, ask) in TARGETS {
        assert_eq!(ask(&server, "", &format!("?access_token={TOKEN}")).status, 401, "{target}");
    }
}
