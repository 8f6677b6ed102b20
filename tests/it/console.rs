//! `--devconsole`: the page where nothing else answers; `tests/browser/console.rs` opens it.

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

fn console(command: &[&str]) -> Server {
    Server::command(&["--devconsole"], command)
}

/// The page's parts that it or its scripts name.
fn parts(server: &Server) -> Vec<String> {
    let mut parts: Vec<String> = quoted(&server.get("/", "").text());
    let mut next = 0;
    while let Some(part) = parts.get(next) {
        let more = quoted(&server.get(part, "").text());
        let new: Vec<_> = more.into_iter().filter(|part| !parts.contains(part)).collect();
        parts.extend(new);
        next += 1;
    }
    parts
}

/// What stands in quotes in a page or a script and names a part.
fn quoted(text: &str) -> Vec<String> {
    let is_part = |word: &&str| {
        let extension = word.rsplit_once('.').map(|(_, extension)| extension);
        matches!(extension, Some("js" | "css")) && !word.contains([' ', '\n'])
    };
    let named = text.split(['"', '\'']).filter(is_part);
    named.map(|name| format!("/.wsd/{}", name.rsplit('/').next().unwrap())).collect()
}

fn is_console(response: &Response) -> bool {
    response.status == 200 && response.text().contains("wsd console")
}

#[test]
fn the_page_is_at_every_path_and_the_same_at_all_of_them() {
    let server = console(&["cat"]);
    let page = server.get("/", "");
    assert!(is_console(&page), "{page}");

    for path in ["/a", "/a/b.html?x=1", "/.wsd", "/.wsd/nothing.js", "/%3Cscript%3Ealert(1)%3C/script%3E"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: evil.localhost\r\nReferer: <b>\r\nConnection: close\r\n\r\n");
        let response = server.request(&request);

        assert!(response.status == 200 && response.body == page.body, "{path}:\n{response}");
        assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
}

#[test]
fn every_part_is_served_with_its_type_and_no_type_is_guessed() {
    let server = console(&["cat"]);
    let parts = parts(&server);
    assert!(parts.len() >= 2, "{parts:?}");

    for part in parts.iter().map(String::as_str).chain(["/"]) {
        let response = server.get(part, "");
        let kind = match part.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!((response.status, response.header("content-type")), (200, Some(kind)), "{part}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{part}");
        assert!(!response.body.is_empty(), "{part}");
    }
}

#[test]
fn no_code_but_that_of_the_parts_may_run() {
    let server = console(&["cat"]);
    for path in parts(&server).iter().map(String::as_str).chain(["/"]) {
        let response = server.get(path, "");
        let policy = response.header("content-security-policy").expect("Content-Security-Policy").to_owned();

        for rule in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.split(';').any(|found| found.trim() == rule), "{path}: {rule} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let page = server.get("/", "").text();
    for inline in ["<script>", "<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline}");
    }
}

#[test]
fn what_a_browser_has_already_is_not_sent_again() {
    let server = console(&["cat"]);
    for path in parts(&server).iter().map(String::as_str).chain(["/"]) {
        let etag = server.get(path, "").header("etag").expect("ETag").to_owned();

        for (known, status) in [
            (etag.clone(), 304),
            (format!("W/{etag}"), 304),
            (format!("\"another\", {etag}"), 304),
            ("*".to_owned(), 304),
            ("\"another\"".to_owned(), 200),
        ] {
            let response = server.get(path, &format!("If-None-Match: {known}\r\n"));

            assert_eq!(response.status, status, "{path}, {known}");
            assert_eq!(response.body.is_empty(), status == 304, "{path}, {known}");
            assert_eq!(response.header("etag"), Some(&*etag), "{path}, {known}");
        }
    }
}

#[test]
fn the_page_is_only_gotten() {
    let server = console(&["cat"]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        for path in ["/", "/.wsd/console.js"] {
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let response = server.request(&head);

            assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    let mut connection = server.http();
    connection.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let head = connection.response("HEAD");
    assert_eq!(head.header("content-length"), server.get("/", "").header("content-length"));
    assert_eq!(connection.rest(), b"");
}

#[test]
fn without_the_flag_there_is_no_page() {
    for flags in [&[][..], &["--devconsole=false"]] {
        let server = Server::command(flags, &["cat"]);

        for path in ["/", "/.wsd/console.js", "/.wsd/console.css"] {
            assert_eq!(server.get(path, "").status, 404, "{flags:?} {path}");
        }
    }
}

#[test]
fn everything_else_comes_before_the_page() {
    let tree = Tree::new();
    tree.file("site/a.txt", "a file").file("site/sub/index.html", "sub").file("site/.env", "hidden");
    tree.program("cgi/script", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nit ran'\n")
        .file("cgi/plain", "hidden");
    let (site, cgi) = (tree.path("site"), tree.path("cgi"));
    let server = Server::command(&["--devconsole", "--staticdir", &site, "--cgidir", &cgi], &["echo", "the program"]);

    assert_eq!(server.get("/a.txt", "").text(), "a file");
    assert_eq!(server.get("/sub/", "").text(), "sub");
    assert_eq!(server.get("/script", "").text(), "it ran");
    assert_eq!(server.get("/plain", "").status, 500);
    assert_eq!(server.connect("/a.txt").line(), "the program");
    for path in ["/", "/nothing", "/.env", "/a.txt/x"] {
        assert!(is_console(&server.get(path, "")), "{path}");
    }
    let head = format!("DELETE /a.txt HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.host());
    assert_eq!(server.request(&head).status, 405);
}

#[test]
fn a_page_without_a_program_to_talk_to_is_exit_1() {
    let outcome = run(&["--port=0", "--devconsole"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("COMMAND"), "{outcome:?}");
}
