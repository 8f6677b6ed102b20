//! The demo page in a real browser, with real programs behind it.

use std::path::Path;

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::pages::{blocks, text};
use crate::harness::server::{Server, wsd};
use crate::harness::tree::Tree;

/// The file of the counter page.
const PAGE: &str = "counter.html";
/// The texts of the page's log.
const LINES: &str = "[...document.querySelectorAll('#log .text')].map(line => line.textContent)";
/// The state of its connection that the page shows.
const STATE: &str = "document.querySelector('#state').textContent";

fn in_checkout(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).to_str().unwrap().to_owned()
}

/// The page with a line of shell behind it.
fn page(script: &str) -> Server {
    Server::shell(&["--resume=60", "--staticdir", &in_checkout("static")], script, &[&in_checkout("examples")])
}

fn url(server: &Server) -> String {
    format!("http://localhost:{}/{PAGE}", server.address.port())
}

#[test]
fn the_page_shows_the_counter_counting() {
    let Some(mut browser) = Browser::start() else { return };
    let server = page("exec \"$1/counter.sh\"");

    browser.open(&url(&server));

    browser.expect(&format!("{STATE}.includes('Open')"));
    browser.expect(&format!("{STATE}.includes('Closed')"));
    assert_eq!(browser.evaluate(LINES), json!(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]));
    let state = browser.evaluate(STATE);
    assert!(state.as_str().unwrap().contains("1000"), "{state}");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_sends_lines_with_the_keyboard_alone() {
    let Some(mut browser) = Browser::start() else { return };
    let server = page("exec \"$1/greeter.sh\"");
    browser.open(&url(&server));
    browser.expect(&format!("{STATE}.includes('Open')"));

    browser.tab_to("#line");
    browser.write("Ada <b>é</b>");
    browser.press("Enter");

    browser.expect(&format!("{LINES}.includes('Hello, Ada <b>é</b>!')"));
    assert_eq!(browser.evaluate("document.querySelector('#line').value"), "");
    assert_eq!(browser.evaluate("document.querySelectorAll('#log b').length"), 0);
}

#[test]
fn the_page_tells_why_a_session_ended_and_starts_another() {
    let Some(mut browser) = Browser::start() else { return };
    let server = page("echo hello; exit 3");
    browser.open(&url(&server));
    browser.expect(&format!("{STATE}.includes('4003') && {STATE}.includes('exit 3')"));

    browser.tab_to("#reconnect");
    browser.press("Enter");

    server.expect_nth_log("session ended", 2);
    browser.expect(&format!("{LINES}.length === 2 && {STATE}.includes('4003')"));
}

#[test]
fn the_page_tells_of_a_server_that_refuses() {
    let Some(mut browser) = Browser::start() else { return };
    let server = Server::command(&["--staticdir", &in_checkout("static"), "--maxforks=1"], &["cat"]);
    let _only = server.connect("/");

    browser.open(&url(&server));

    browser.expect(&format!("{STATE}.includes('Closed') && {STATE}.includes('1006')"));
}

#[test]
fn the_page_fits_a_phone_and_both_colour_schemes() {
    let Some(mut browser) = Browser::start() else { return };
    let server = page("head -c 1000 /dev/zero | tr '\\0' x; echo; echo 'a few words'; cat");
    browser.open(&url(&server));
    browser.expect(&format!("{LINES}.length === 2"));

    for width in [320, 390, 1280] {
        browser.resize(width, 700);
        browser.expect(&format!("innerWidth === {width}"));
        let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
        assert!(overflow <= 0, "{overflow} pixels wider than a window of {width}");
    }

    let background = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("light");
    let light = browser.evaluate(background);
    browser.prefer("dark");
    assert_ne!(browser.evaluate(background), light);
}

#[test]
fn a_page_of_another_origin_is_kept_out() {
    let Some(mut browser) = Browser::start() else { return };
    let victim = Server::command(&[], &["cat"]);
    let attacker = page("cat");
    browser.open(&url(&attacker));

    browser.evaluate(&format!("window.attack = new WebSocket('ws://localhost:{}/')", victim.address.port()));

    browser.expect("window.attack.readyState === WebSocket.CLOSED");
    let refusal = victim.expect_log("session refused").text;
    assert!(refusal.contains("why=origin"), "{refusal}");
    assert!(!victim.log().iter().any(|line| line.contains("session started")));
}

#[test]
fn the_pages_in_the_documentation_show_the_lines_of_the_program() {
    let Some(mut browser) = Browser::start() else { return };
    for document in ["README.md", "docs/guide.md"] {
        let page = blocks(&text(document), "html");
        assert_eq!(page.len(), 1, "{document}");
        let tree = Tree::new();
        let server = Server::spawn(wsd(&["--port=0", &format!("--staticdir={}", tree.path("")), "seq", "3"]));
        tree.file("page.html", &page[0]);

        browser.open(&format!("http://localhost:{}/page.html", server.address.port()));

        browser.expect("document.querySelector('#out').textContent === '1\\n2\\n3\\n'");
        assert_eq!(browser.complaints().iter().filter(|told| !told.contains("favicon")).count(), 0, "{document}");
    }
}
