//! `--devconsole`: the page where nothing else answers; `tests/browser/console.rs` opens it.

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

fn console(command: &[&str]) -> Server {
    Server::command(&["--devconsole"], command)
}

/// The page's parts that it or its scripts name.
fn parts(server: &Server) -> Vec<String> {
    parts_of(server, "/")
}

/// The parts that the page at `path` or its scripts name.
fn parts_of(server: &Server, path: &str) -> Vec<String> {
    let mut parts: Vec<String> = quoted(&server.get(path, "").text());
    let mut next = 0;
    while let Some(part) = parts.get(next) {
        let more = quoted(&server.get(part, "").text());
        let new: Vec<_> = more.into_iter().filter(|part| !parts.contains(part)).collect();
        parts.extend(new);
        next += 1;
    }
    parts
}

/// The quoted names of parts in a page or a script.
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
fn a_page_that_the_browser_has_is_not_sent_again() {
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

        for path in ["/.wsd/console.js", "/.wsd/console.css", "/.wsd/paths.json"] {
            assert_eq!(server.get(path, "").status, 404, "{flags:?} {path}");
        }
        assert!(!server.get("/", "").text().contains("console.js"), "{flags:?}");
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
fn a_missing_file_of_a_page_is_not_the_console() {
    let tree = Tree::new();
    let server = Server::command(&["--devconsole", "--staticdir", &tree.path("")], &["cat"]);

    for (path, accept, status) in [
        ("/none.png", "image/avif,image/*,*/*;q=0.8", 404),
        ("/none.js", "*/*", 404),
        ("/none", "text/html,application/xhtml+xml,*/*;q=0.8", 200),
        ("/", "*/*", 200),
    ] {
        assert_eq!(server.get(path, &format!("Accept: {accept}\r\n")).status, status, "{path} {accept}");
    }
    assert_eq!(console(&["cat"]).get("/none.png", "Accept: image/*\r\n").status, 200);
}

/// The paths that the console offers, as the server lists them.
fn paths(server: &Server) -> Vec<String> {
    let response = server.get("/.wsd/paths.json", "");
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")), "{response}");
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn the_list_of_paths_has_every_program_and_nothing_else() {
    let tree = Tree::new();
    let program = "#!/bin/sh\nexec cat\n";
    tree.program("outside/secret", program);
    tree.program("bin/ok.sh", program).program("bin/sub/é x", program).program("bin/100%", program);
    tree.program("bin/.hidden", program).program("bin/.git/hook", program).program("bin/sub/.env", program);
    tree.file("bin/notes.txt", "no program").directory("bin/empty");
    tree.link("bin/link", "ok.sh").link("bin/out", tree.path("outside/secret"));
    tree.link("bin/away", tree.path("outside")).link("bin/loop", tree.path("bin")).link("bin/to-hidden", ".hidden");
    tree.file("site/a.txt", "a file");
    let settings = format!(
        "devconsole = true\ndir = {bin:?}\n\n[[route]]\npath = \"/chat\"\ncommand = [\"cat\"]\n\n\
         [[route]]\npath = \"/tools\"\ndir = {bin:?}\n\n[[route]]\npath = \"/any/*\"\ncommand = [\"cat\"]\n\n\
         [[route]]\npath = \"/files/*\"\nstaticdir = {site:?}\n",
        bin = tree.path("bin"),
        site = tree.path("site"),
    );
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    let programs = ["/100%25/*", "/link/*", "/ok.sh/*", "/sub/%C3%A9%20x/*"];
    let below = programs.iter().map(|program| format!("/tools{program}"));
    let mut expected: Vec<_> = ["/chat", "/any/*"].iter().chain(&programs).map(|path| (*path).to_owned()).collect();
    expected.extend(below);
    let mut listed = paths(&server);
    for path in &listed {
        drop(server.connect(path.trim_end_matches("/*")));
    }
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn one_program_for_every_path_is_one_pattern() {
    assert_eq!(paths(&console(&["cat"])), ["/*"]);
    assert_eq!(paths(&Server::serve(&["--devconsole", "--route=/a=cat", "cat"])), ["/a", "/*"]);
}

#[test]
fn a_console_of_a_route_alone_lists_the_programs_of_such_routes_only() {
    let tree = Tree::new();
    tree.file(
        "wsd.toml",
        "[[route]]\npath = \"/open\"\ncommand = [\"cat\"]\ndevconsole = true\n\n\
         [[route]]\npath = \"/other\"\ncommand = [\"cat\"]\n",
    );
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    assert_eq!(paths(&server), ["/open"]);
    assert!(is_console(&server.get("/open", "")));
    let parts = parts_of(&server, "/open");
    assert!(parts.len() > 5 && parts.iter().all(|part| server.get(part, "").status == 200), "{parts:?}");
}

#[test]
fn the_list_of_paths_ends_at_its_limit() {
    let tree = Tree::new();
    tree.program("program", "#!/bin/sh\n");
    for number in 0..1200 {
        std::fs::hard_link(tree.path("program"), tree.path(&format!("program{number}"))).unwrap();
    }
    let server = Server::serve(&["--devconsole", "--dir", &tree.path("")]);

    assert_eq!(paths(&server).len(), 1000);
}

#[test]
fn a_page_without_a_program_to_talk_to_is_exit_1() {
    let outcome = run(&["--port=0", "--devconsole"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("COMMAND"), "{outcome:?}");
}
