//! Tickets: what they open, where, and how often.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

use super::kit::{self, BCRYPT, Credential, PASSWORD, TOKEN, base64url, secret, start};

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

/// Starts a server whose script `/go` redirects to `/env`, and which issues tickets by this kind of credential.
fn redirecting(tree: &Tree, flag: &str) -> Server {
    tree.program("cgi/go", "#!/bin/sh\nprintf 'Location: /env\\n\\n'\n");
    start(tree, &[flag])
}

#[test]
fn a_ticket_goes_along_with_a_local_redirect_within_its_list() {
    let tree = Tree::new();
    let server = redirecting(&tree, &kit::users(&tree));
    let ticket = ticket(&server, "", &Credential::Basic(format!("ada:{PASSWORD}")).header()).expect("a ticket");
    let header = Credential::Token(ticket).header();

    let response = server.get("/go", &header);

    assert_eq!(response.status, 200, "{response}");
    assert!(response.text().contains("REMOTE_USER=ada\n"), "{response}");
    assert_eq!(server.get("/go", &header).status, 401, "it is used up");
}

#[test]
fn a_script_decides_about_the_target_of_a_redirect_without_the_ticket() {
    let tree = Tree::new();
    tree.program(
        "check",
        &format!(
            "#!/bin/sh\necho \"$PATH_INFO $HTTP_AUTHORIZATION\" >> {}\n\
             [ \"$HTTP_AUTHORIZATION\" = 'Bearer right' ] && status=200 || status=403\n\
             printf 'Status: %s\\nRemote-User: ada\\n\\n' $status\n",
            tree.path("seen")
        ),
    );
    let server = redirecting(&tree, &format!("--auth=command:{}", tree.path("check")));
    let ticket = ticket(&server, "?path=/go", &Credential::Token("right".to_owned()).header()).expect("a ticket");

    assert_eq!(server.get("/go", &Credential::Token(ticket).header()).status, 403);

    assert_eq!(String::from_utf8(tree.read("seen")).unwrap(), "/go Bearer right\n/env \n");
}

#[test]
fn a_ticket_buys_neither_a_cookie_nor_another_ticket() {
    let tree = Tree::new();
    let server = start(&tree, &[&kit::users(&tree)]);
    let header = Credential::Basic(format!("ada:{PASSWORD}")).header();
    let buy = || Credential::Token(ticket(&server, "", &header).expect("a ticket")).header();

    let page = server.get("/page.html", &buy());

    assert_eq!((page.status, page.header("set-cookie")), (200, None), "{page}");
    assert_eq!(ticket(&server, "", &buy()), Err(403));
}

#[test]
fn a_ticket_without_a_path_of_a_session_tells_how_to_ask() {
    let tree = Tree::new();
    let tokens = secret(&tree, "tokens", &format!("ci:{TOKEN}\n"));
    let settings = format!("[[route]]\npath = \"/chat\"\ncommand = [\"cat\"]\nauth = [\"bearer:{tokens}\"]\n");
    for more in ["", "[[route]]\npath = \"/*\"\ncommand = [\"cat\"]\n"] {
        tree.file("wsd.toml", format!("{settings}{more}"));
        let server = Server::serve(&[&format!("--config={}", tree.path("wsd.toml"))]);
        let header = Credential::Token(TOKEN.to_owned()).header();
        let ask = |method: &str, query: &str| {
            let host = server.host();
            server.request(&format!(
                "{method} /.wsd/ticket{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n{header}\r\n"
            ))
        };

        let missing = ask("POST", "");
        assert_eq!(missing.status, 404, "{missing}");
        assert!(missing.to_string().contains("/.wsd/ticket?path=/chat"), "{missing}");
        for query in ["", "?path=/chat"] {
            let got = ask("GET", query);
            assert_eq!((got.status, got.header("allow")), (405, Some("POST")), "{got}");
            assert!(got.to_string().contains("use POST"), "{got}");
        }
        assert_eq!(ask("POST", "?path=/chat").status, 200);
    }
}
