//! `--http`: which pages may send a POST, and which may read its answer.

use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// A program that leaves a mark where it ran.
fn marking(tree: &Tree, flags: &[&str]) -> Server {
    Server::shell(&[&["--http"], flags].concat(), "echo >> \"$1\"; cat", &[&tree.path("mark")])
}

#[test]
fn a_page_of_another_site_starts_no_process() {
    // A form, a fetch, a beacon, and a form of a page without an origin.
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let plain = "Content-Type: text/plain\r\n";
    let table = [
        format!("{form}Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"),
        format!("{plain}Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"),
        format!("{plain}Origin: null\r\n"),
        format!("{plain}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"),
        format!("{plain}Sec-Fetch-Site: same-site\r\n"),
    ];
    let tree = Tree::new();
    let server = marking(&tree, &[]);
    for headers in table {
        let response = server.post("/", &headers, "x");

        assert_eq!(response.status, 403, "{headers}{response}");
        assert_eq!(response.header("access-control-allow-origin"), None, "{headers}{response}");
    }

    assert!(!tree.holds("mark"));
    assert!(!server.log().iter().any(|line| line.contains("post started")), "{:?}", server.log());
}

#[test]
fn a_page_of_the_same_origin_and_a_program_may_post() {
    let tree = Tree::new();
    let server = marking(&tree, &[]);
    let own = format!("Origin: http://{}\r\nSec-Fetch-Site: same-origin\r\n", server.host());

    for headers in [&*own, "", "Sec-Fetch-Site: none\r\n"] {
        let response = server.post("/", headers, "x");

        assert_eq!((response.status, response.text().as_str()), (200, "x"), "{headers}{response}");
        assert_eq!(response.header("access-control-allow-origin"), None, "{headers}{response}");
    }
}

#[test]
fn a_page_of_an_admitted_origin_may_read_answers_and_refusals() {
    const ORIGIN: &str = "https://app.example";
    for flag in ["--origin=https://app.example", "--anyorigin"] {
        let server = Server::shell(&["--http", flag, "--maxforks=1"], "read -r status; exit $status", &[]);
        let held = server.http();
        let from = format!("Origin: {ORIGIN}\r\nSec-Fetch-Site: cross-site\r\n");
        let answers = [(server.post("/", &from, "0\n"), 200), (server.post("/", &from, "3\n"), 500), {
            let mut held = held;
            let request = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n{from}\r\n", server.host());
            held.send(request);
            server.expect_post(3);
            (server.post("/", &from, "0\n"), 429)
        }];

        for (response, status) in answers {
            assert_eq!(response.status, status, "{flag}: {response}");
            assert_eq!(response.header("access-control-allow-origin"), Some(ORIGIN), "{flag}: {response}");
            assert_eq!(response.header("vary"), Some("Origin"), "{flag}: {response}");
            let exposed = response.header("access-control-expose-headers").unwrap_or_default();
            assert!(exposed.contains("Wsd-Exit"), "{flag}: {response}");
        }
    }
}

#[test]
fn a_browser_that_asks_first_is_told_what_a_page_may_send() {
    let server = Server::command(&["--http", "--origin=https://app.example"], &["cat"]);
    let ask = |origin: &str| {
        server.request(&format!(
            "OPTIONS / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n",
            server.host()
        ))
    };

    let admitted = ask("https://app.example");
    assert_eq!(admitted.status, 204, "{admitted}");
    assert_eq!(admitted.header("access-control-allow-origin"), Some("https://app.example"), "{admitted}");
    assert!(admitted.header("access-control-allow-methods").unwrap().contains("POST"), "{admitted}");
    assert!(admitted.header("access-control-allow-headers").unwrap().contains("Content-Type"), "{admitted}");

    let refused = ask("https://evil.example");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None), "{refused}");
}
