//! The index page of the demos, and the page of their docs and source.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use toml::{Table, Value};

use crate::demos::{Demos, PAGES, one, settings, text, texts, two};
use crate::harness::browser::Browser;
use crate::harness::skip::has;
use crate::harness::tree::Tree;

#[test]
fn the_index_leads_to_every_demo() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url(""));

    let links = browser.evaluate("[...document.querySelectorAll('.card h2 a')].map(link => link.href)");
    let links: Vec<&str> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();
    let pages: Vec<_> = PAGES.into_iter().filter(|page| !["", "source.html"].contains(page)).collect();
    for page in &pages {
        assert!(links.contains(&&*demos.url(page)), "{page} is not among {links:?}");
        assert_eq!(demos.server.get(&format!("/{page}"), "").status, 200, "{page}");
    }
    assert_eq!(links.len(), pages.len());
    if has("redis-cli") {
        browser.expect("!document.querySelector('#keyvalue').hidden");
    } else {
        demos.server.expect_log("code=4001");
        assert_eq!(browser.evaluate("document.querySelector('#keyvalue').hidden"), true);
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn every_link_of_the_index_leads_to_something() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url(""));

    let links = browser.evaluate("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))");
    let links: Vec<&str> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();

    for link in &links {
        assert!(!link.contains("://"), "{link} leaves this server");
        if let Some(file) = link.strip_prefix("source.html?") {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{link}");
        }
        assert_eq!(demos.server.get(&format!("/{}", link.trim_start_matches("./")), "").status, 200, "{link}");
    }
    for link in ["console", "source.html?README.md", "source.html"] {
        assert!(links.contains(&link), "{link} is not among {links:?}");
    }
    browser.open(&demos.url("console"));
    browser.click("#connect");
    browser.expect("document.querySelector('#state').dataset.state === 'open'");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_card_its_page_and_the_settings_say_the_same_line() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url(""));
    let cards = browser.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.card')].map(card => \
            [card.querySelector('h2 a').getAttribute('href'), card.querySelector(':scope > code').textContent]))",
    );

    let settings = settings();
    let parsed: Table = settings.parse().unwrap();
    for route in parsed["route"].as_array().unwrap() {
        let route = route.as_table().unwrap();
        let line = line_of(route);
        let path = route["path"].as_str().unwrap();
        let comment = format!("# {line}\n[[route]]\npath = \"{path}\"\n");
        assert!(settings.contains(&comment), "demos.toml does not say:\n{comment}");
        if ["/write-log", "/words"].contains(&path) {
            continue; // they have no page
        }
        let page = format!("{}.html", &path[1..]);
        browser.open(&demos.url(&page));
        assert_eq!(text(&mut browser, ".foot .line code"), line, "the foot of {page}");
        if page != "source.html" {
            assert_eq!(cards[&page], json!(line), "the card of {page}");
        }
    }
}

/// The command line that is the same service as a route.
fn line_of(route: &Table) -> String {
    let mut words = vec!["wsd".to_owned()];
    for (key, value) in route {
        match value {
            _ if key == "path" || key == "command" => {}
            // All demos have it, and one of them another time.
            _ if key == "resume" => {}
            Value::Boolean(true) => words.push(format!("--{key}")),
            Value::String(text) => words.push(format!("--{key}={text}")),
            Value::Integer(number) => words.push(format!("--{key}={number}")),
            other => panic!("{key} = {other:?} is of no kind that a flag has here"),
        }
    }
    // As in the file, which has them in the order in which one reads them best.
    words[1..].sort_by_key(|word| !word.starts_with("--shared"));
    words.extend(route["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()));
    words.join(" ")
}

#[test]
fn a_counter_counts_on_the_index_and_begins_again() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url(""));

    for number in ["2", "10", "1"] {
        browser.expect(&format!("document.querySelector('#count').innerText === {number:?}"));
    }

    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_index_shows_who_is_in_the_chat_and_is_not_there_itself() {
    let Some((mut index, mut ada, demos)) = two() else { return };
    index.open(&demos.url(""));
    index.expect_text("#here", "Nobody is in the chat now");

    demos.open(&mut ada, "chat.html");
    ada.expect_text("#here", "guest (you)");
    ada.enter("#nick", "Ada");
    index.expect("document.querySelector('#here').innerText === 'In the chat now: Ada'");
    ada.expect_text("#here-title", "Here now: 1");
    ada.enter("#text", "Hello <b>you</b>");
    index.expect("document.querySelector('#said').innerText === 'Ada Hello <b>you</b>'");
    ada.open("about:blank");
    index.expect_text("#here", "Nobody is in the chat now");

    assert_eq!(index.complaints(), [""; 0]);
}

#[test]
fn the_index_has_no_card_for_redis_where_redis_cli_is_not_installed() {
    let Some(mut browser) = Browser::start() else { return };
    let programs = Tree::new();
    for (program, found) in [
        ("cat", Command::new("sh").args(["-c", "command -v cat"]).output()),
        ("python3", Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output()),
    ] {
        programs.link(program, String::from_utf8(found.unwrap().stdout).unwrap().trim());
    }
    let demos = Demos::start(vec![("PATH", programs.path(""))]);

    browser.open(&demos.url(""));

    demos.server.expect_log("redis-cli is not installed");
    demos.server.expect_log("session ended");
    assert_eq!(browser.evaluate("document.querySelector('#keyvalue').hidden"), true);
    browser.open(&demos.url("keyvalue.html"));
    browser.expect("!document.querySelector('#missing').hidden");
    let said = text(&mut browser, "#missing");
    assert!(said.contains("redis-cli is not installed") && !said.contains("No Redis server"), "{said}");
}

#[test]
fn the_texts_of_the_source_page_link_to_texts_that_it_shows() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url("source.html"));
    browser.expect("document.querySelectorAll('#files a').length > 40");
    let names = texts(&mut browser, "#files a");
    let names = names.as_array().unwrap();
    let is_shown = |name: &str| names.iter().any(|shown| shown == name);
    assert!(is_shown("README.md") && is_shown("docs/README.md") && is_shown("examples/README.md"), "{names:?}");
    let listed: Vec<String> = demos.server.connect("/source").rest().0;

    for name in ["README.md", "docs/README.md"] {
        browser.open(&demos.url(&format!("source.html?{name}")));
        browser.expect("document.querySelectorAll('#text a').length > 5");
        let links = browser.evaluate("[...document.querySelectorAll('#text a')].map(link => link.search.slice(1))");
        for link in links.as_array().unwrap() {
            assert!(listed.iter().any(|file| link == file), "{link} of {name}");
        }
    }
}

#[test]
fn the_source_page_lists_the_files_and_shows_them() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url("source.html"));
    browser.expect("document.querySelectorAll('#files a').length > 40");
    assert_eq!(texts(&mut browser, "#files h2"), json!(["Docs", "Programs", "Pages"]));

    for name in ["examples/chat.py", "static/chat.js", "docs/json.md"] {
        browser.open(&demos.url("source.html"));
        browser.expect("document.querySelectorAll('#files a').length > 40");
        browser.click(&format!("#files a[href='source.html?{name}']"));
        browser.expect(&format!("document.querySelector('#title')?.innerText === {name:?}"));
        let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        assert_eq!(browser.evaluate("document.querySelector('#text').textContent"), source.trim_end(), "{name}");
    }

    for name in ["Cargo.toml", "examples/../Cargo.toml", "examples/chat.p*", "<b>"] {
        browser.open(&demos.url(&format!("source.html?{name}")));
        browser.expect_text("#lead", "There is no");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}
