//! Bytes that no variable of a program can have: none of them reaches a program, and none makes the check fail.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

use super::kit::{self, TARGETS};

/// Starts a server that asks a script, which admits everybody and notes that it was asked.
fn start(tree: &Tree) -> Server {
    let script =
        format!("#!/bin/sh\necho >> {}\necho 'Status: 204'; echo 'Remote-User: ada'; echo\n", tree.path("asked"));
    tree.program("check", &script);
    kit::start(tree, &[&format!("--auth=command:{}", tree.path("check"))])
}

#[test]
fn a_path_with_a_nul_is_a_404_and_no_program_is_asked_about_it() {
    let tree = Tree::new();
    let server = start(&tree);
    let paths = ["/x%00", "/%00", "/page.html%00", "/env%00/x", "/env/%00", "/.wsd/paths.json%00"];
    for path in paths {
        let host = server.host();
        let requests = [
            ("", "GET"),
            ("Accept: text/event-stream\r\n", "GET"),
            ("Content-Length: 0\r\n", "POST"),
            ("Wsd-Session: x\r\nContent-Length: 0\r\n", "POST"),
            ("", "HEAD"),
        ];
        for (headers, method) in requests {
            let mut connection = server.http();
            connection.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n"));
            assert_eq!(connection.response(method).status, 404, "{method} {path} {headers}");
        }
        assert_eq!(server.refusal(path, "").status, 404, "{path}");
        let ticket = format!("POST /.wsd/ticket?path={path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(server.request(&ticket).status, 404, "{path}");
    }
    assert!(!tree.holds("asked"), "the script was asked");
    for (target, ask) in TARGETS {
        assert_eq!(ask(&server, "", "").status, 200, "{target}");
    }
    assert!(tree.holds("asked"));
}

#[test]
fn a_nul_in_the_query_stays_encoded_and_one_in_a_header_is_no_http() {
    let tree = Tree::new();
    let server = start(&tree);
    for (target, ask) in TARGETS {
        let asked = ask(&server, "X-High: \u{e9}\r\n", "?x=%00&%00=y");
        assert_eq!(asked.status, 200, "{target}: {}", asked.text);
        if kit::is_session(target) || target == "CGI script" {
            assert!(asked.text.contains("QUERY_STRING=x=%00&%00=y"), "{target}: {}", asked.text);
        }
    }
    for head in [
        "GET / HTTP/1.1\r\nX-Nul: a\0b\r\n",
        "GET / HTTP/1.1\r\nX-Nul\0: a\r\n",
        "GET /\0 HTTP/1.1\r\n",
        "GET /?\0 HTTP/1.1\r\n",
    ] {
        let response = server.request(&format!("{head}Host: {}\r\n\r\n", server.host()));
        assert_eq!(response.status, 400, "{head:?}: {response}");
    }
}

#[test]
fn a_credential_with_a_nul_is_a_wrong_one() {
    let tree = Tree::new();
    tree.program("check", "#!/bin/sh\necho 'Status: 401'; echo\n");
    let kinds = [kit::users(&tree), kit::tokens(&tree), format!("--auth=command:{}", tree.path("check"))];
    for kind in kinds {
        let server = Server::command(&[&kind, "--auth-query"], &["cat"]);
        let offer = |name: &str, token: &str| format!("Sec-WebSocket-Protocol: {name}.{token}\r\n");
        let carriers = [
            ("/", format!("Authorization: Basic {}\r\n", kit::base64("a\0da:x"))),
            ("/", format!("Authorization: Basic {}\r\n", kit::base64("ada:x\0"))),
            ("/", offer("base64url.bearer.authorization.wsd", &kit::base64url("t\0ken"))),
            ("/?access_token=t%00ken", String::new()),
        ];
        for (path, headers) in carriers {
            assert_eq!(server.refusal(path, &headers).status, 401, "{kind} {path} {headers}");
        }
    }
}
