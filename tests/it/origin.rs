//! The default policy: pages of the same origin may connect, and programs that are not browsers.

use crate::harness::http::Connection;
use crate::harness::server::{Server, field};
use crate::harness::websocket::{Client, upgrade_request};

/// The status that an upgrade gets with this Host and these further header lines. `PORT` stands for the server's port.
fn status(server: &Server, host: &str, headers: &str) -> u16 {
    let port = server.address.port().to_string();
    let request = upgrade_request(&host.replace("PORT", &port), "/", &headers.replace("PORT", &port));
    match Client::open(server.address, &request) {
        Ok(_) => 101,
        Err(response) => response.status,
    }
}

#[test]
fn a_page_may_connect_to_where_it_came_from_and_no_other() {
    let server = Server::command(&[], &["cat"]);
    let table = [
        // A port is part of an origin, and so is the name as it is written.
        (101, "localhost:PORT", "http://localhost:PORT"),
        (101, "127.0.0.1:PORT", "http://127.0.0.1:PORT"),
        (101, "[::1]:PORT", "http://[::1]:PORT"),
        (101, "app.localhost:PORT", "http://app.localhost:PORT"),
        (101, "127.1.2.3:PORT", "http://127.1.2.3:PORT"),
        (403, "127.0.0.1:PORT", "http://localhost:PORT"),
        (403, "localhost:PORT", "http://127.0.0.1:PORT"),
        (403, "localhost:PORT", "http://app.localhost:PORT"),
        (403, "localhost:PORT", "http://localhost:1"),
        (403, "localhost:PORT", "http://localhost"),
        (403, "localhost:PORT", "http://evil.example"),
        (403, "localhost:PORT", "http://evil.example:PORT"),
        (403, "localhost:PORT", "http://localhost.evil.example:PORT"),
        (403, "localhost:PORT", "http://localhost:PORT.evil.example"),
        (403, "localhost:PORT", "http://evil.example#localhost:PORT"),
        (403, "localhost:PORT", "http://localhost:PORT@evil.example"),
        // Case says nothing in a host name.
        (101, "localhost:PORT", "http://LOCALHOST:PORT"),
        (101, "LocalHost:PORT", "http://localhost:PORT"),
        // A missing port is the default of the origin's scheme, behind a proxy that speaks TLS too.
        (101, "localhost", "http://localhost"),
        (101, "localhost", "http://localhost:80"),
        (101, "localhost:80", "http://localhost"),
        (101, "localhost", "https://localhost"),
        (101, "localhost", "https://localhost:443"),
        (101, "localhost:443", "https://localhost"),
        (403, "localhost", "https://localhost:80"),
        (403, "localhost", "http://localhost:443"),
        (403, "localhost:80", "https://localhost"),
        (403, "localhost:443", "http://localhost"),
        // What is no origin of a page is refused.
        (403, "localhost:PORT", "null"),
        (403, "localhost:PORT", "localhost:PORT"),
        (403, "localhost:PORT", "localhost"),
        (403, "localhost:PORT", "http://"),
        (403, "localhost:PORT", "//localhost:PORT"),
        (403, "localhost:PORT", "file://"),
        (403, "localhost:PORT", "*"),
    ];
    for (want, host, origin) in table {
        assert_eq!(status(&server, host, &format!("Origin: {origin}\r\n")), want, "Host: {host}, Origin: {origin}");
    }
}

#[test]
fn a_program_that_is_no_browser_may_connect() {
    let server = Server::command(&[], &["cat"]);

    for host in ["localhost:PORT", "127.0.0.1:PORT", "localhost"] {
        assert_eq!(status(&server, host, ""), 101, "Host: {host}");
    }
}

#[test]
fn a_name_that_was_bent_to_loopback_is_refused() {
    // DNS rebinding: a page of evil.example, whose name now leads to 127.0.0.1, is of the same origin as its Host.
    let server = Server::command(&[], &["cat"]);

    for name in [
        "evil.example",
        "notlocalhost",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
    ] {
        for port in ["", ":PORT"] {
            let host = format!("{name}{port}");
            assert_eq!(status(&server, &host, &format!("Origin: http://{host}\r\n")), 403, "Host: {host}");
        }
    }
}

#[test]
fn a_second_origin_does_not_hide_the_first() {
    let server = Server::command(&[], &["cat"]);

    for headers in [
        "Origin: http://localhost:PORT\r\nOrigin: http://evil.example\r\n",
        "Origin: http://evil.example\r\nOrigin: http://localhost:PORT\r\n",
        "Origin: http://localhost:PORT, http://evil.example\r\n",
    ] {
        assert_eq!(status(&server, "localhost:PORT", headers), 403, "{headers}");
    }
}

#[test]
fn a_second_host_does_not_hide_the_first() {
    let server = Server::command(&[], &["cat"]);

    for headers in [
        "Host: evil.example\r\nOrigin: http://evil.example\r\n",
        "Host: evil.example\r\nOrigin: http://localhost:PORT\r\n",
    ] {
        let status = status(&server, "localhost:PORT", headers);
        assert!(status == 400 || status == 403, "{headers}: {status}");
    }
}

#[test]
fn a_target_in_absolute_form_does_not_help_a_page() {
    // Whether its host counts (RFC 9112, section 3.2.2) or the Host header does, this page is of another origin.
    let server = Server::command(&[], &["cat"]);
    let request = upgrade_request(&server.host(), "http://evil.example/", "Origin: http://evil.example\r\n");

    assert_eq!(Client::open(server.address, &request).err().map(|response| response.status), Some(403));
}

#[test]
fn a_refusal_names_the_origin_and_the_flag_that_allows_it() {
    let server = Server::command(&[], &["cat"]);
    let mut connection = Connection::open(server.address);
    let peer = connection.local_address().to_string();

    connection.send(upgrade_request(&server.host(), "/", "Origin: http://evil.example\r\n"));
    let response = connection.response("GET");

    assert_eq!(response.status, 403);
    assert!(!response.body.is_empty());
    let line = server.expect_log("session refused").text;
    assert!(line.contains(" WARN "), "{line}");
    assert_eq!(field(&line, "peer"), Some(peer), "{line}");
    assert_eq!(field(&line, "why").as_deref(), Some("origin"), "{line}");
    assert_eq!(field(&line, "origin").as_deref(), Some("http://evil.example"), "{line}");
    let hint = field(&line, "hint").unwrap();
    let want = format!("--origin={},http://evil.example lets every page of that site connect", server.host());
    assert!(hint.starts_with(&want), "{line}");
}

#[test]
fn the_flag_that_a_refusal_names_keeps_the_pages_that_may_connect() {
    let (first, second) = ("Origin: http://localhost:3000\r\n", "Origin: https://b.example:8443\r\n");
    // A name of 127.0.0.1 that stays, although the port changes with the server.
    let (host, own) = ("wsd.localhost", "Origin: http://wsd.localhost\r\n");
    let server = Server::command(&[], &["cat"]);
    assert_eq!((status(&server, host, own), status(&server, host, first)), (101, 403));
    let one = field(&server.expect_log("session refused").text, "hint").unwrap();
    let one = one.split(' ').next().unwrap();
    let server = Server::command(&[one], &["cat"]);
    assert_eq!([own, first, second].map(|page| status(&server, host, page)), [101, 101, 403], "{one}");
    let both = field(&server.expect_log("session refused").text, "hint").unwrap();
    let both = both.split(' ').next().unwrap();

    let server = Server::command(&[both], &["cat"]);

    assert_eq!([own, first, second].map(|page| status(&server, host, page)), [101; 3], "{both}");
}

#[test]
fn a_refusal_of_the_same_origin_names_the_flag_to_remove() {
    let server = Server::command(&["--sameorigin"], &["cat"]);

    assert_eq!(status(&server, "localhost:PORT", "Origin: http://a.example\r\n"), 403);

    let hint = field(&server.expect_log("session refused").text, "hint").unwrap();
    assert!(hint.starts_with("instead of --sameorigin, --origin=localhost:"), "{hint}");
}

#[test]
fn the_flag_that_a_refusal_names_lets_the_page_in() {
    let page = "Origin: http://evil.example\r\n";
    let server = Server::command(&[], &["cat"]);
    assert_eq!(status(&server, "localhost:PORT", page), 403);
    let hint = field(&server.expect_log("session refused").text, "hint").unwrap();
    let hint = hint.split(' ').next().unwrap();

    let server = Server::command(&[hint], &["cat"]);

    assert_eq!(status(&server, "localhost:PORT", page), 101);
    assert_eq!(status(&server, "localhost:PORT", "Origin: http://other.example\r\n"), 403);
}

#[test]
fn the_hint_for_a_refused_name_lets_the_client_in_or_says_what_does() {
    // A name that leads to 127.0.0.1; the origin of the page, and the hint's first word or a part of its text.
    let table = [
        ("evil.example", "http://a.example", Ok("--origin=http://a.example")),
        ("evil.example", "http://[::2]:80", Ok("--origin=http://[::2]:80")),
        ("evil.example", "", Ok("--origin=file://")),
        ("evil.example", "file://", Ok("--origin=file://")),
        ("evil.example", "null", Err("--origin=null would admit sandboxed frames of any site")),
        ("evil.example", "127.0.0.1", Err("only --anyorigin would admit it")),
        ("evil.example", "http://a.example/", Err("only --anyorigin would admit it")),
        ("evil.example", "*", Err("only --anyorigin would admit it")),
        ("evil.example", "http://user@x", Err("only --anyorigin would admit it")),
        ("evil.example", "http://m\u{fc}nchen.de", Err("only --anyorigin would admit it")),
        ("evil.example", "http://a:99999", Err("only --anyorigin would admit it")),
    ];
    for (host, origin, want) in table {
        let server = Server::command(&[], &["cat"]);
        assert_eq!(status(&server, host, &format!("Origin: {origin}\r\n")), 403, "{origin}");
        let line = server.expect_log("why=host").text;
        let hint = field(&line, "hint").unwrap();

        match want {
            Err(text) => assert!(hint.contains(text), "{line}"),
            Ok(flag) => {
                assert_eq!(hint.split(' ').next(), Some(flag), "{line}");
                let server = Server::command(&[flag], &["cat"]);
                assert_eq!(status(&server, host, &format!("Origin: {origin}\r\n")), 101, "{flag}");
            }
        }
    }

    let tree = crate::harness::tree::Tree::new();
    let server = Server::serve(&["--staticdir", &tree.path("")]);
    assert_eq!(status_of_page(&server, "/", "m\u{fc}nchen.de"), 403);
    let line = server.expect_log("why=host").text;
    assert!(line.contains("connect by localhost, or by an address"), "{line}");
}

#[test]
fn files_are_for_everybody() {
    let tree = crate::harness::tree::Tree::new();
    tree.file("index.html", "hello");
    let server = Server::command(&["--staticdir", &tree.path("")], &["cat"]);

    assert_eq!(server.get("/", "Origin: http://evil.example\r\n").status, 200);
}

/// The status of a file, the console or the built-in client, asked for with this Host.
fn status_of_page(server: &Server, path: &str, host: &str) -> u16 {
    server.request(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).status
}

#[test]
fn nothing_is_read_under_a_name_that_was_bent_to_loopback() {
    let tree = crate::harness::tree::Tree::new();
    tree.file("a.txt", "hello");
    let files = tree.path("");
    let server = Server::command(&["--devconsole", "--staticdir", &files], &["cat"]);

    // A file, the console, a part of it, the client, and nothing.
    for path in ["/a.txt", "/", "/.wsd/console.js", "/.wsd/client.js", "/.none"] {
        for host in ["evil.example", "evil.example:PORT", "10.0.0.1:PORT"] {
            let host = host.replace("PORT", &server.address.port().to_string());
            assert_eq!(status_of_page(&server, path, &host), 403, "{path} of {host}");
        }
        for host in ["localhost", "app.localhost:1", "127.0.0.1", "[::1]:80"] {
            assert_eq!(status_of_page(&server, path, host), 200, "{path} of {host}");
        }
        // No browser leaves Host out.
        assert_eq!(server.request(&format!("GET {path} HTTP/1.0\r\n\r\n")).status, 200, "{path}");
    }
    let line = server.expect_log("session refused").text;
    assert_eq!(field(&line, "why").as_deref(), Some("host"), "{line}");
    let hint = field(&line, "hint").unwrap();
    let hint = hint.split(' ').next().unwrap();
    assert_eq!(hint, "--origin=evil.example");

    // The flag that the log names, and the others that take the place of the rule.
    for flag in [hint, "--anyorigin", "--origin=https://app.example"] {
        let server = Server::command(&[flag, "--staticdir", &files], &["cat"]);
        assert_eq!(status_of_page(&server, "/a.txt", "evil.example"), 200, "{flag}");
    }
}

/// The status of a script, asked for with these headers.
fn status_of_script(server: &Server, method: &str, headers: &str) -> u16 {
    server.request(&format!("{method} /job HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", server.host())).status
}

#[test]
fn a_script_is_not_for_pages_of_other_sites() {
    let tree = crate::harness::tree::Tree::new();
    tree.program("cgi/job", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran'\n").file("files/a.txt", "hello");
    let flags = ["--cgidir", &tree.path("cgi"), "--staticdir", &tree.path("files")];
    let server = Server::serve(&flags);
    let cross = "Sec-Fetch-Site: cross-site\r\n";
    let window = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    let image = "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n";
    let frame = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";

    for (method, status, headers) in [
        // Browsers send no Origin with these.
        ("GET", 403, format!("{cross}{image}")),
        ("GET", 403, format!("{cross}{frame}")),
        ("GET", 403, cross.to_owned()),
        ("GET", 403, format!("Sec-Fetch-Site: none\r\n{cross}{image}")),
        ("POST", 403, format!("{cross}{window}")),
        // A link leads where it leads.
        ("GET", 200, format!("{cross}{window}")),
        ("GET", 200, format!("Sec-Fetch-Site: same-origin\r\n{image}")),
        ("GET", 200, format!("Sec-Fetch-Site: none\r\n{window}")),
        ("GET", 200, String::new()),
    ] {
        assert_eq!(status_of_script(&server, method, &headers), status, "{method} {headers}");
    }
    let line = server.expect_log("session refused").text;
    assert_eq!(field(&line, "why").as_deref(), Some("site"), "{line}");
    let hint = field(&line, "hint").unwrap();
    assert!(hint.contains("only --anyorigin would admit that"), "{line}");
    // Files are for everybody.
    assert_eq!(server.get("/a.txt", &format!("{cross}{image}")).status, 200);

    let server = Server::serve(&[&flags[..], &["--anyorigin"]].concat());
    assert_eq!(status_of_script(&server, "GET", &format!("{cross}{image}")), 200);
    // Where a page says its origin, that decides.
    let server = Server::serve(&[&flags[..], &["--origin=a.com"]].concat());
    for (origin, status) in [("http://a.com", 200), ("http://b.com", 403)] {
        let headers = format!("{cross}Sec-Fetch-Mode: cors\r\nOrigin: {origin}\r\n");
        assert_eq!(status_of_script(&server, "GET", &headers), status, "{origin}");
    }
    assert_eq!(status_of_script(&server, "GET", &format!("{cross}{image}")), 403);
}

#[test]
fn an_origin_that_no_entry_can_match_gets_the_hint_that_would_admit_it() {
    let server = Server::command(&[], &["cat"]);
    let origins =
        ["127.0.0.1", "localhost", "http://a.example/", "http://user@a.example", "*", "http://\u{e9}.example"];
    for (count, origin) in (1..).zip(origins) {
        assert_eq!(server.try_connect("/", &format!("Origin: {origin}\r\n")).err().unwrap().status, 403, "{origin}");
        let line = server.expect_nth_log("session refused", count).text;
        assert!(field(&line, "hint").is_some_and(|hint| hint.contains("only --anyorigin would admit it")), "{line}");
    }

    assert_eq!(server.try_connect("/", "Origin: null\r\n").err().unwrap().status, 403);
    let line = server.expect_nth_log("session refused", origins.len() + 1).text;
    assert!(field(&line, "hint").is_some_and(|hint| hint.contains("--staticdir")), "{line}");

    let server = Server::command(&["--anyorigin"], &["cat"]);
    for origin in origins {
        assert!(server.try_connect("/", &format!("Origin: {origin}\r\n")).is_ok(), "{origin}");
    }
}
