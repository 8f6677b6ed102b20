//! The cookie that a page gets, and local redirects of scripts.

use crate::harness::eventually;
use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

use super::kit::{self, Asked, Credential, PASSWORD, SHA512, TARGETS, TOKEN, secret, start};

/// Returns the cookie of a response, as a header line.
fn cookie(server: &Server, credential: &Credential) -> Option<String> {
    let response = server.get("/page.html", &credential.header());
    assert_eq!(response.status, 200, "{response}");
    let cookie = response.header("set-cookie")?;
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    Some(format!("Cookie: a=b; {}\r\n", cookie.split(';').next().unwrap()))
}

#[test]
fn the_cookie_of_a_page_opens_its_websocket_as_the_same_user() {
    let tree = Tree::new();
    let (users, tokens) = (kit::users(&tree), kit::tokens(&tree));
    let server = start(&tree, &[&users, &tokens]);
    let table = [
        (Credential::Basic(format!("ada:{PASSWORD}")), "REMOTE_USER=ada", "AUTH_TYPE=Basic"),
        (Credential::Token(TOKEN.to_owned()), "REMOTE_USER=ci", "AUTH_TYPE=Bearer"),
    ];
    for (credential, user, kind) in table {
        let cookie = cookie(&server, &credential).expect("a cookie");
        for (target, ask) in TARGETS {
            let Asked { status, text } = ask(&server, &cookie, "");
            assert_eq!(status, 200, "{target}: {text}");
            if text.contains("REMOTE_USER=") {
                assert!(text.contains(user) && text.contains(kind), "{target}: {text}");
                assert!(text.contains("HTTP_COOKIE=a=b\n") && !text.contains("wsd-auth"), "{target}: {text}");
            }
        }
        let forged = cookie.replacen(".1", ".2", 1);
        assert_eq!(server.refusal("/ws", &forged).status, 401, "{forged}");
    }
}

#[test]
fn a_new_password_ends_the_cookies_of_the_old_one() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::users(&tree)]);
    let cookie = cookie(&server, &Credential::Basic(format!("ada:{PASSWORD}"))).expect("a cookie");
    server.connect_with("/ws", &cookie);

    secret(&tree, "users", &format!("ada:{SHA512}\n"));
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("auth file loaded");

    assert_eq!(server.refusal("/ws", &cookie).status, 401);
}

#[test]
fn cookies_are_valid_after_a_restart_only_with_a_key() {
    let tree = Tree::new();
    let (users, key) = (kit::users(&tree), secret(&tree, "key", "0123456789012345678901234567890123456789\n"));
    let key = format!("--auth-key={key}");
    for (flags, status) in [(&[&*users][..], 401), (&[&*users, &key], 200)] {
        let cookie = cookie(&start(&tree, flags), &Credential::Basic(format!("ada:{PASSWORD}"))).expect("a cookie");
        assert_eq!(TARGETS[0].1(&start(&tree, flags), &cookie, "").status, status, "{flags:?}");
    }
}

#[test]
fn a_new_key_ends_all_cookies_without_a_restart() {
    let tree = Tree::new();
    let (users, key) = (kit::users(&tree), secret(&tree, "key", "0123456789012345678901234567890123456789\n"));
    let server = start(&tree, &[&users, &format!("--auth-key={key}")]);
    let ada = Credential::Basic(format!("ada:{PASSWORD}"));
    let old = cookie(&server, &ada).expect("a cookie");
    server.connect_with("/ws", &old);

    secret(&tree, "key", "9876543210987654321098765432109876543210\n");
    server.signal(rustix::process::Signal::HUP);
    server.expect_log(&format!("auth file loaded file={key}"));

    assert_eq!(server.refusal("/ws", &old).status, 401);
    server.connect_with("/ws", &cookie(&server, &ada).expect("a cookie"));
    secret(&tree, "key", "short\n");
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("the secret has less than 32 characters");
    server.connect_with("/ws", &cookie(&server, &ada).expect("a cookie"));

    secret(&tree, "key", "0123456789012345678901234567890123456789\n");
    eventually("wsd notices the change by itself", || server.try_connect("/ws", &old).ok());
}

#[test]
fn only_pages_get_a_cookie() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::users(&tree)]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();
    tree.file("www/data.json", "{}");

    assert_eq!(server.get("/data.json", &header).header("set-cookie"), None);
    assert_eq!(server.get("/env", &header).header("set-cookie"), None);
    assert_eq!(server.get("/page.html", "").header("set-cookie"), None);
}

#[test]
fn a_local_redirect_does_not_lead_around_the_gate() {
    let tree = Tree::new();
    tree.program("cgi/go", "#!/bin/sh\nprintf 'Location: /private/page.html\\n\\n'\n");
    tree.file("private/page.html", "<p>a secret</p>");
    let text = format!(
        "port = 0\ncgidir = \"{}\"\n[[route]]\npath = \"/private\"\nstaticdir = \"{}\"\nauth = \"{}\"\n",
        tree.path("cgi"),
        tree.path("private"),
        kit::users(&tree).trim_start_matches("--auth=")
    );
    tree.file("wsd.toml", text);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    let response = server.get("/go", "");
    assert_eq!(response.status, 401, "{response}");
    assert!(!response.text().contains("secret"), "{response}");
    let response = server.get("/go", &Credential::Basic(format!("ada:{PASSWORD}")).header());
    assert_eq!((response.status, response.text().contains("secret")), (200, true), "{response}");
}

#[test]
fn a_local_redirect_within_the_gate_knows_the_client() {
    let tree = Tree::new();
    tree.program("cgi/go", "#!/bin/sh\nprintf 'Location: /env\\n\\n'\n");
    let server = start(&tree, &[&kit::users(&tree)]);

    let response = server.get("/go", &Credential::Basic(format!("ada:{PASSWORD}")).header());

    assert!(response.text().contains("REMOTE_USER=ada\n"), "{response}");
    let line = server.expect_log("http request").text;
    assert_eq!(field(&line, "status").as_deref(), Some("200"), "{line}");
}
