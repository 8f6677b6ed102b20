//! The page with a language server behind it.

use std::process::Command;

use serde_json::json;

use crate::demos::{Demos, one, text, texts};
use crate::harness::browser::Browser;
use crate::harness::skip::has;
use crate::harness::tree::Tree;

/// Puts a text in the place of the one on the page, as a paste does.
fn paste(browser: &mut Browser, text: &str) {
    browser.evaluate("(field => { field.focus(); field.select(); })(document.querySelector('#text'))");
    browser.write(text);
}

#[test]
fn the_page_shows_the_problems_of_a_text_as_one_types() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "lsp.html");
    browser.expect_text("#problems", "undefined name 'nane'");
    browser.expect_text("#problems", "'os' imported but unused");
    browser.expect("document.querySelector('#marks .bad').textContent.startsWith('nane')");

    paste(&mut browser, "print('é 😀')\n");
    browser.expect_text("#count", "No problems");
    assert_eq!(texts(&mut browser, "#problems li"), json!([]));
    assert_eq!(browser.evaluate("document.querySelectorAll('#marks mark').length"), 0);

    paste(&mut browser, "# é 😀\nprint(nmae)\n");
    browser.expect_text("#problems", "undefined name 'nmae'");
    browser.expect("document.querySelector('#marks mark').textContent.startsWith('nmae')");
    browser.click("#problems button");
    let chosen = "(({ value, selectionStart, selectionEnd }) => value.slice(selectionStart, selectionEnd))";
    assert_eq!(browser.evaluate(&format!("{chosen}(document.querySelector('#text')).startsWith('nmae')")), true);
    assert_eq!(browser.evaluate("document.activeElement.id"), "text");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_new_session_checks_the_text_that_is_on_the_page() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "lsp.html");
    browser.expect_text("#problems", "undefined name 'nane'");
    paste(&mut browser, "<b>\n");
    browser.expect_text("#problems", "invalid syntax");

    browser.evaluate("document.querySelector('#problems').replaceChildren()");
    browser.click("#reconnect");

    browser.expect_text("#problems", "invalid syntax");
    assert_eq!(browser.evaluate("document.querySelectorAll('.editor b').length"), 0, "a text is no HTML");
    assert_eq!(demos.server.expect_nth_log("session started", 2).text.matches("path=/lsp").count(), 1);
}

#[test]
fn a_text_that_nobody_checks_has_no_verdict() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, mut demos)) = one() else { return };
    demos.open(&mut browser, "lsp.html");
    browser.expect_text("#problems", "undefined name 'nane'");
    paste(&mut browser, "print(1)\n");
    browser.expect_text("#count", "No problems");

    demos.server.stop();
    browser.expect("document.querySelector('#state').dataset.state !== 'open'");
    paste(&mut browser, "print(nmae)\n");

    browser.expect_text("#count", "Not checked yet");
    assert_eq!(texts(&mut browser, "#problems li"), json!([]));
}

#[test]
fn the_marks_are_scrolled_with_the_text() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "lsp.html");
    let long = "print('a long line', 'a long line', 'a long line', 'a long line', 'a long line', 'a long line')\n";
    paste(&mut browser, &format!("{}nmae\n", long.repeat(60)));
    browser.expect("document.querySelector('#marks .bad')?.textContent === 'nmae'");

    browser.evaluate("(field => field.scrollTo(0, field.scrollHeight))(document.querySelector('#text'))");

    let is_seen = "(({ top, bottom }, box) => top >= box.top && bottom <= box.bottom)(\
        document.querySelector('#marks .bad').getBoundingClientRect(), \
        document.querySelector('#text').getBoundingClientRect())";
    browser.expect(is_seen);
}

#[test]
fn without_pylsp_the_page_says_what_to_install_and_the_index_has_no_card() {
    let Some(mut browser) = Browser::start() else { return };
    let programs = Tree::new();
    for (program, found) in [
        ("cat", Command::new("sh").args(["-c", "command -v cat"]).output()),
        ("python3", Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()),
    ] {
        programs.link(program, String::from_utf8(found.unwrap().stdout).unwrap().trim());
    }
    let demos = Demos::start(vec![("PATH", programs.path(""))]);

    browser.open(&demos.url("lsp.html"));

    browser.expect("!document.querySelector('#missing').hidden");
    assert!(text(&mut browser, "#missing").contains("pip install python-lsp-server"));
    demos.server.expect_log("pylsp is not installed");
    browser.open(&demos.url(""));
    browser.expect("performance.now() > 0 && document.querySelector('#lsp').hidden");
    demos.server.expect_log("code=4127");
}

#[test]
fn the_index_has_a_card_where_there_is_pylsp() {
    if !has("pylsp") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };

    browser.open(&demos.url(""));

    browser.expect("!document.querySelector('#lsp').hidden");
    assert_eq!(browser.complaints(), [""; 0]);
}
