//! `--devconsole`: the page where nothing else answers, and what it does in a real browser.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::certificates::Authority;
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

/// The page, open in a browser.
fn open(server: &Server, path: &str) -> Option<Browser> {
    let mut browser = Browser::start()?;
    browser.open(&format!("http://localhost:{}{path}", server.address.port()));
    Some(browser)
}

/// Whether a message of this way shows this text.
fn shows(way: &str, text: &str) -> String {
    let rows = format!("[...document.querySelectorAll('#messages [data-way={way}] .body')]");
    format!("{rows}.some(body => body.textContent.includes({}))", json!(text))
}

fn connect(browser: &mut Browser) {
    browser.click("#connect");
    browser.expect("document.querySelector('#state').dataset.state === 'open'");
}

#[test]
fn nothing_is_connected_before_it_is_asked_for() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/some/path?x=1") else { return };

    browser.expect("document.querySelector('#state').dataset.state === 'idle'");

    let url = browser.evaluate("document.querySelector('#url').value");
    assert_eq!(url, format!("ws://localhost:{}/some/path?x=1", server.address.port()));
    assert!(!server.log().iter().any(|line| line.contains("session started")));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn lines_go_out_and_come_back() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/some/path") else { return };
    connect(&mut browser);
    assert!(server.expect_log("session started").text.contains("path=/some/path"));

    browser.enter("#line", "Ada <b>é</b>");

    browser.expect(&shows("sent", "Ada <b>é</b>"));
    browser.expect(&shows("received", "Ada <b>é</b>"));
    assert_eq!(browser.evaluate("document.querySelectorAll('#messages b').length"), 0);
    assert_eq!(browser.evaluate("document.querySelector('#line').value"), "");
    browser.expect_text("#messages [data-way=received] .meta", "13 B");
    browser.expect_text("#count", "1 received, 1 sent");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn text_of_several_lines_is_one_message() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/") else { return };
    connect(&mut browser);
    browser.click("#multiline");

    browser.enter("#line", "one");
    browser.write("two");
    browser.click("#submit");

    browser.expect(&shows("sent", "one\ntwo"));
    browser.expect(&shows("received", "two"));
    browser.expect_text("#count", "2 received, 1 sent");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn json_is_laid_out() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/") else { return };
    connect(&mut browser);

    browser.enter("#line", r#"{"a":[1,{"b":null}],"c":"</script>"}"#);
    browser.expect("document.querySelector('#messages [data-way=received] .toggle')?.hidden === false");
    browser.expect_text("#messages [data-way=received] .meta", "JSON");
    browser.click("#messages [data-way=received] .toggle");

    browser
        .expect_text("#messages [data-way=received] pre", "\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ]");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_file_is_sent_as_one_binary_message() {
    let tree = Tree::new();
    let collect = crate::harness::server::program("collect.sh");
    let server = Server::command(&["--devconsole", "--binary"], &[&collect, &tree.path("input")]);
    let Some(mut browser) = open(&server, "/") else { return };
    connect(&mut browser);

    browser.evaluate(
        "{ const transfer = new DataTransfer(); const files = document.querySelector('#files'); \
           transfer.items.add(new File([new Uint8Array([0, 255, 10, 65])], 'four.bin')); \
           files.files = transfer.files; files.dispatchEvent(new Event('change')); }",
    );
    browser.expect(&shows("sent", "four.bin"));
    browser.click("#disconnect");

    server.expect_log("session ended");
    assert_eq!(tree.read("input"), [0, 255, 10, 65]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_end_of_a_session_is_told_in_words() {
    let table = [
        (&["sh", "-c", "exit 3"][..], "4003", "the program exited with status 3"),
        (&["sh", "-c", "kill -KILL $$"], "4137", "SIGKILL"),
        (&["true"], "1000", "the program exited with status 0"),
    ];
    for (command, code, words) in table {
        let server = console(command);
        let Some(mut browser) = open(&server, "/") else { return };
        browser.click("#connect");

        browser.expect_text("#state", code);
        browser.expect_text("#state", words);
        assert_eq!(browser.complaints(), [""; 0]);
    }
}

#[test]
fn a_disconnect_ends_the_session() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/") else { return };
    connect(&mut browser);

    browser.click("#disconnect");

    browser.expect_text("#state", "you disconnected");
    server.expect_log("session ended");
    browser.click("#connect");
    server.expect_nth_log("session started", 2);
}

#[test]
fn the_log_is_filtered() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/") else { return };
    connect(&mut browser);
    for line in ["one apple", "two pears"] {
        browser.enter("#line", line);
        browser.expect(&shows("received", line));
    }

    browser.enter("#filter", "APPLE");

    let texts = "[...document.querySelectorAll('#messages .body')].map(body => body.textContent)";
    browser.expect(&format!("{texts}.length === 2"));
    assert_eq!(browser.evaluate(texts), json!(["one apple", "one apple"]));
    browser.click("#direction [value=sent]");
    browser.expect(&format!("{texts}.length === 1"));
}

#[test]
fn lines_sent_before_are_kept_for_their_url() {
    let server = console(&["cat"]);
    let Some(mut browser) = open(&server, "/one") else { return };
    connect(&mut browser);
    browser.enter("#line", "remember me");
    browser.expect(&shows("received", "remember me"));

    for (path, found) in [("/two", ""), ("/one", "remember me")] {
        browser.open(&format!("http://localhost:{}{path}", server.address.port()));
        browser.evaluate("document.querySelector('#line').focus()");
        browser.press("ArrowUp");

        assert_eq!(browser.evaluate("document.querySelector('#line').value"), found, "{path}");
    }
}

#[test]
fn a_page_within_tls_connects_within_tls() {
    let tree = Tree::new();
    let identity = Authority::new().identity("server");
    tree.file("cert.pem", identity.certificate).file("key.pem", identity.key);
    let tls = ["--ssl", "--sslcert", &tree.path("cert.pem"), "--sslkey", &tree.path("key.pem"), "--devconsole"];
    let server = Server::command(&tls, &["cat"]);
    let Some(mut browser) = Browser::start() else { return };
    browser.trust_any_certificate();
    browser.open(&format!("https://localhost:{}/path", server.address.port()));
    let url = browser.evaluate("document.querySelector('#url').value");
    assert_eq!(url, format!("wss://localhost:{}/path", server.address.port()));

    connect(&mut browser);
    browser.enter("#line", "hello");

    browser.expect(&shows("received", "hello"));
}

#[test]
fn a_refusal_is_told() {
    let server = Server::command(&["--devconsole", "--maxforks=1"], &["cat"]);
    let _only = server.connect("/");
    let Some(mut browser) = open(&server, "/") else { return };

    browser.click("#connect");

    browser.expect_text("#state", "1006");
    browser.expect_text("#state", "the server refused, or cannot be reached");
}
