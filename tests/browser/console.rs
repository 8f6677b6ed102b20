//! The page of `--devconsole` in a real browser.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::certificates::Authority;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

fn console(command: &[&str]) -> Server {
    Server::command(&["--devconsole"], command)
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
    browser.expect_text("#state", "the server refused, or cannot be reached; the log of wsd tells why");
}

/// The programs that the console offers.
fn offered(browser: &mut Browser) -> serde_json::Value {
    browser.expect("document.querySelector('.program').hidden === false");
    browser.evaluate("[...document.querySelector('#program').options].map(option => option.value)")
}

#[test]
fn with_routes_the_console_offers_them_and_its_first_connect_works() {
    let server = Server::serve(&["--devconsole", "--route=/echo=cat", "--route=/tools/*=cat", "--route=/a b=cat"]);
    let Some(mut browser) = open(&server, "/") else { return };

    assert_eq!(offered(&mut browser), json!(["/echo", "/tools", "/a%20b"]));
    connect(&mut browser);
    assert!(server.expect_log("session started").text.contains("path=/echo"));
    browser.enter("#line", "hello");
    browser.expect(&shows("received", "hello"));

    let choose = "(select => { select.value = '/a%20b'; select.dispatchEvent(new Event('change')); })";
    browser.evaluate(&format!("{choose}(document.querySelector('#program'))"));
    let url = format!("ws://localhost:{}/a%20b", server.address.port());
    assert_eq!(browser.evaluate("document.querySelector('#url').value"), url);
    browser.click("#connect");
    server.expect_nth_log("session started", 2);
    browser.expect("document.querySelector('#state').dataset.state === 'open'");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn with_a_folder_of_programs_the_console_offers_them_and_its_first_connect_works() {
    let tree = Tree::new();
    let echo = "#!/bin/sh\nexec cat\n";
    tree.program("ok.sh", echo)
        .program("sub/with space", echo)
        .program(".hidden", echo)
        .file("notes.txt", "no program");
    let server = Server::serve(&["--devconsole", "--dir", &tree.path("")]);
    let Some(mut browser) = open(&server, "/?x=1") else { return };

    assert_eq!(offered(&mut browser), json!(["/ok.sh", "/sub/with%20space"]));
    let url = format!("ws://localhost:{}/ok.sh?x=1", server.address.port());
    assert_eq!(browser.evaluate("document.querySelector('#url').value"), url);
    connect(&mut browser);

    // A path that has a program stays as it is.
    for path in ["/sub/with%20space", "/ok.sh/more"] {
        browser.open(&format!("http://localhost:{}{path}", server.address.port()));
        offered(&mut browser);
        let url = format!("ws://localhost:{}{path}", server.address.port());
        assert_eq!(browser.evaluate("document.querySelector('#url').value"), url);
        connect(&mut browser);
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_console_of_a_route_alone_works() {
    let tree = Tree::new();
    tree.file("wsd.toml", "[[route]]\npath = \"/echo\"\ncommand = [\"cat\"]\ndevconsole = true\n");
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    let Some(mut browser) = open(&server, "/echo") else { return };

    connect(&mut browser);
    browser.enter("#line", "hello");

    browser.expect(&shows("received", "hello"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn below_a_base_the_console_offers_the_programs_and_connects() {
    let server = Server::serve(&["--devconsole", "--base=/live/app", "--route=/echo=cat"]);
    let Some(mut browser) = open(&server, "/live/app") else { return };

    browser.expect_text("#program option", "/live/app/echo");
    connect(&mut browser);
    assert!(server.expect_log("session started").text.contains("path=/live/app/echo"));
    assert_eq!(browser.evaluate("location.pathname"), "/live/app/");

    let imported = "import('/live/app/.wsd/client.js').then(({ WsdSocket }) => typeof WsdSocket)";
    assert_eq!(browser.evaluate(imported), "function");
    assert_eq!(browser.complaints(), [""; 0]);
}
