//! The cookie that a page gets, tickets, and local redirects of scripts.

use crate::harness::server::{Server, field};
use crate::harness::tree::Tree;

use super::kit::{self, Asked, BCRYPT, Credential, PASSWORD, SHA512, TARGETS, TOKEN, base64url, secret, start};

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
fn only_pages_get_a_cookie() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::users(&tree)]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();
    tree.file("www/data.json", "{}");

    assert_eq!(server.get("/data.json", &header).header("set-cookie"), None);
    assert_eq!(server.get("/env", &header).header("set-cookie"), None);
    assert_eq!(server.get("/page.html", "").header("set-cookie"), None);
}

fn ticket(server: &Server, query: &str, headers: &str) -> Result<String, u16> {
    let host = server.host();
    let request = format!("POST /.wsd/ticket{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{headers}\r\n");
    let response = server.request(&request);
    if response.status != 200 {
        return Err(response.status);
    }
    let text = response.text();
    assert!(text.ends_with(",\"expires\":30}\n"), "{text}");
    assert_eq!(response.header("cache-control"), Some("no-store"));
    Ok(text.split('"').nth(3).unwrap().to_owned())
}

#[test]
fn a_ticket_is_for_the_path_that_a_script_was_asked_about() {
    let tree = Tree::new();
    tree.program(
        "check",
        "#!/bin/sh\ncase $PATH_INFO in /admin*) status=403 ;; *) status=200 ;; esac\n\
         printf 'Status: %s\\nRemote-User: alice\\n\\n' $status\n",
    );
    let server = start(&tree, &[&format!("--auth=command:{}", tree.path("check"))]);
    let offer =
        |ticket: &str| format!("Sec-WebSocket-Protocol: base64url.bearer.authorization.wsd.{}\r\n", base64url(ticket));

    assert_eq!(ticket(&server, "?path=/admin", ""), Err(403));
    let chat = ticket(&server, "?path=%2Fchat", "").expect("a ticket");
    assert_eq!(server.refusal("/admin", &offer(&chat)).status, 403);
    let chat = ticket(&server, "?path=/chat", "").expect("a ticket");
    let text = server.connect_with("/chat", &offer(&chat)).rest().0.join("\n");
    assert!(text.contains("REMOTE_USER=alice"), "{text}");
    // At the path of tickets a WebSocket is one to that path.
    let text = server.connect_with("/.wsd/ticket?path=/admin", "").rest().0.join("\n");
    assert!(text.contains("PATH_INFO=/.wsd/ticket"), "{text}");
}

#[test]
fn a_ticket_opens_one_session() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::users(&tree)]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();
    assert_eq!(ticket(&server, "", ""), Err(401));
    assert_eq!(ticket(&server, "", "Origin: https://evil.example\r\n"), Err(403));
    assert_eq!(server.get("/.wsd/ticket", &header).status, 405);
    let ticket = ticket(&server, "", &header).expect("a ticket");

    let offer = format!("base64url.bearer.authorization.wsd.{}", base64url(&ticket));
    let headers = format!("Sec-WebSocket-Protocol: {offer}\r\n");
    let text = server.connect_with("/ws", &headers).rest().0.join("\n");

    assert!(text.contains("REMOTE_USER=ada") && text.contains("AUTH_TYPE=Basic"), "{text}");
    assert!(!text.contains(&ticket), "{text}");
    assert_eq!(server.refusal("/ws", &headers).status, 401, "it is used up");
    assert!(!server.log().join("\n").contains(&ticket));
}

#[test]
fn a_ticket_is_for_the_sites_with_the_same_list() {
    let tree = Tree::new();
    let (users, admins) = (kit::users(&tree), secret(&tree, "admins", &format!("root:{BCRYPT}\n")));
    let text = format!(
        "port = 0\nauth = \"{}\"\n[[route]]\npath = \"/*\"\ncommand = [\"env\"]\n[[route]]\npath = \"/admin\"\ncommand = [\"env\"]\n\
         auth = \"basic:{admins}\"\n[[route]]\npath = \"/open\"\ncommand = [\"env\"]\nauth = \"none\"\n",
        users.trim_start_matches("--auth=")
    );
    tree.file("wsd.toml", text);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let bearer = |ticket: String| Credential::Token(ticket).header();
    let (ada, root) = (format!("ada:{PASSWORD}"), format!("root:{PASSWORD}"));
    let (ada, root) = (Credential::Basic(ada).header(), Credential::Basic(root).header());

    let of_ada = ticket(&server, "", &ada).expect("a ticket");
    assert_eq!(server.refusal("/admin", &bearer(of_ada)).status, 401);
    assert_eq!(ticket(&server, "?path=/admin", &ada), Err(401));
    let of_root = ticket(&server, "?path=%2Fadmin", &root).expect("a ticket");
    let text = server.connect_with("/admin", &bearer(of_root)).rest().0.join("\n");
    assert!(text.contains("REMOTE_USER=root"), "{text}");
    assert_eq!(ticket(&server, "?path=/open", &ada), Err(404));
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
