//! The status page, `/.wsd/`, in a real browser.
//!
//! `WSD_PICTURES=1 cargo test --test browser status` writes pictures of it to `target/pictures`, for people.

use std::env;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::crowd::{Crowd, raise_descriptor_limit};
use crate::harness::eventually;
use crate::harness::server::Server;

/// The rows of the sessions in view, from the top: the numbers of their sessions.
const CONNS: &str = "[...document.querySelectorAll('#sessions .body .row:not([hidden])')]\
    .sort((one, other) => one.ariaRowIndex - other.ariaRowIndex).map(row => Number(row.querySelector('.conn').textContent))";

/// Whether the page has shown a snapshot.
const IS_LIVE: &str = "document.querySelector('#state').dataset.state === 'open'";

fn open(server: &Server) -> Option<Browser> {
    let mut browser = Browser::start()?;
    browser.open(&format!("http://localhost:{}/.wsd/", server.address.port()));
    browser.expect(IS_LIVE);
    Some(browser)
}

/// A server with rooms, sessions, ends and refusals, and a crowd of so many clients in its largest room.
fn busy(clients: usize) -> (Server, Crowd) {
    raise_descriptor_limit(4096);
    let routes = ["--route=/chat=cat", "--route=/tools/*=cat", "--route=/quiet=cat"];
    // The crowd answers no ping.
    let server = Server::serve(&[&["--shared=path", "--linger=0", "--admin", "--pingms=0"], &routes[..]].concat());
    let mut crowd = Crowd::default();
    for _ in 0..clients {
        crowd.add(server.connect("/chat"));
    }
    for path in ["/tools/one", "/tools/two", "/tools/two"] {
        crowd.add(server.connect(path));
    }
    for _ in 0..3 {
        drop(server.connect("/tools/gone"));
        assert_eq!(server.refusal("/chat", "Origin: http://evil.example\r\n").status, 403);
    }
    server.expect_nth_log("session ended", 3);
    (server, crowd)
}

/// Writes a picture of the window if somebody wants to look.
fn picture(browser: &mut Browser, name: &str, (width, height): (u32, u32)) {
    if env::var_os("WSD_PICTURES").is_none() {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    fs::create_dir_all(&folder).unwrap();
    browser.resize(width, height);
    browser.expect(&format!("innerWidth === {width}"));
    let whole = data_encoding::BASE64.decode(browser.picture_of("body").as_bytes()).unwrap();
    fs::write(folder.join(format!("{name}.png")), whole).unwrap();
}

fn count(browser: &mut Browser, selector: &str) -> i64 {
    browser.evaluate(&format!("document.querySelectorAll({selector:?}).length")).as_i64().unwrap()
}

#[test]
fn a_thousand_sessions_are_shown_within_a_second() {
    let (server, _crowd) = busy(1000);
    let Some(mut browser) = open(&server) else { return };

    browser.expect_text("#sessions .count", "1,00");
    let paint =
        browser.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime").as_f64().unwrap();
    let shown = browser.evaluate("performance.getEntriesByName('shown')[0].startTime").as_f64().unwrap();

    assert!(paint < 1000.0, "the first paint took {paint} ms");
    // The server has no optimisation here, and shares the processor with the browser.
    assert!(shown < 2000.0, "the first rows took {shown} ms");
    assert!(count(&mut browser, "*") < 2500, "only rows in view are elements");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn updates_reuse_the_rows_and_the_memory() {
    let (server, _crowd) = busy(1000);
    let Some(mut browser) = open(&server) else { return };
    // Ten minutes of updates, one each second, in a burst: sessions come and go, and all send.
    let update = |from: u32, to: u32| {
        format!(
            "(async () => {{
                const {{ show }} = await import('/.wsd/status.js');
                window.snapshot ??= await (await fetch('/.wsd/status')).json();
                const {{ snapshot }} = window;
                for (let at = {from}; at < {to}; at += 1) {{
                    const sessions = snapshot.sessions.map((session, nth) => ({{ ...session,
                        conn: session.conn + 10 * at, age: session.age + at,
                        in: {{ messages: at * nth, bytes: 100 * at * nth }}, out: {{ messages: at, bytes: at * at * nth }} }}));
                    show({{ ...snapshot, sessions }});
                    await new Promise(requestAnimationFrame);
                }}
            }})()"
        )
    };
    browser.evaluate(&update(0, 100));
    let (elements, memory) = (count(&mut browser, "*"), browser.script_memory());

    browser.evaluate(&update(100, 700));

    let elements_after = count(&mut browser, "*");
    assert!(elements_after <= elements + 40, "{elements_after} elements, {elements} before");
    // An update of the server's own may be there in the moment of the look.
    eventually("the memory is that of before", || (browser.script_memory() < memory + 1.5).then_some(()));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_filters_by_words() {
    let (server, _crowd) = busy(5);
    let Some(mut browser) = open(&server) else { return };
    assert_eq!(browser.evaluate(CONNS).as_array().unwrap().len(), 8);

    browser.press("/");
    assert_eq!(browser.evaluate("document.activeElement.id"), "filter", "the key / leads to the filter");
    browser.write("TOOLS open");

    browser.expect_text("#sessions .count", "3 of 8");
    browser.expect_text("#recent .count", "0 of 6");
    browser.expect("document.querySelector('#recent .empty').hidden === false");
    browser.enter("#filter", "origin");
    browser.expect_text("#recent .count", "3 of 6");
    browser.evaluate("filter.value = ''; filter.dispatchEvent(new Event('input'))");
    browser.expect("document.querySelector('#sessions .count').textContent === '8'");
    browser.click("#rooms .body .row:not([hidden]) .members button");
    browser.expect("document.querySelector('#filter').value.startsWith('room-')");
    browser.expect_text("#sessions .count", "5 of 8");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_page_sorts_with_the_keyboard_alone() {
    let (server, _crowd) = busy(30);
    let Some(mut browser) = open(&server) else { return };
    let first = |browser: &mut Browser| browser.evaluate(CONNS)[0].as_i64().unwrap();
    let lowest = first(&mut browser);
    let sort = "document.querySelector('#sessions .head .conn').ariaSort";
    assert_eq!(browser.evaluate(sort), "ascending");

    browser.tab_to("#sessions .head .conn button");
    browser.press("Enter");

    browser.expect(&format!("{sort} === 'descending'"));
    assert!(first(&mut browser) > lowest);
    browser.press("Tab");
    browser.press("Enter");
    browser.expect("document.querySelector('#sessions .head .peer').ariaSort === 'ascending'");
    assert_eq!(browser.evaluate(sort), "none");
    browser.tab_to("#sessions .body");
    browser.press("ArrowDown");
    browser.expect("document.querySelector('#sessions .body').scrollTop > 0");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_session_is_ended_with_a_button_after_a_question() {
    let (server, _crowd) = busy(3);
    let Some(mut browser) = open(&server) else { return };
    browser.evaluate("document.querySelector('#sessions .body .row:not([hidden]) .end button').focus()");
    let label = browser.evaluate("document.activeElement.ariaLabel");
    let conn = label.as_str().unwrap().rsplit(' ').next().unwrap().to_owned();

    browser.press("Enter");
    browser.expect("document.querySelector('#confirm').open");
    browser.expect_text("#confirm-text", &format!("Session {conn} of 127.0.0.1:"));
    browser.press("Enter");
    browser.expect("!document.querySelector('#confirm').open");
    assert!(!server.log().iter().any(|line| line.contains("session dismissed")), "the first answer is to keep it");

    browser.press("Enter");
    browser.expect("document.querySelector('#confirm').open");
    browser.click("#confirm .danger");

    let line = server.expect_log("session dismissed").text;
    assert!(line.contains(&format!("conn={conn}")), "{line}");
    browser.enter("#filter", "admin");
    browser.expect_text("#recent .body .row:not([hidden]) .reason", "admin (1008)");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_session_that_could_not_be_ended_is_told_for_longer_than_a_snapshot() {
    let server = Server::command(&["--admin"], &["cat"]);
    let client = server.connect("/");
    let Some(mut browser) = open(&server) else { return };
    browser.expect(&format!("{CONNS}.length === 1"));
    browser.click("#sessions .body .row:not([hidden]) .end button");
    browser.expect("document.querySelector('#confirm').open");
    drop(client);
    server.expect_log("session ended");

    browser.click("#confirm .danger");

    browser.expect_text("#state strong", "Not ended");
    let _other = [server.connect("/"), server.connect("/")];
    browser.expect_text("#sessions .count", "2");
    assert_eq!(browser.evaluate("document.querySelector('#state strong').textContent"), "Not ended");
}

#[test]
fn without_admin_the_page_has_no_such_button() {
    let server = Server::command(&[], &["cat"]);
    let _client = server.connect("/");
    let Some(mut browser) = open(&server) else { return };
    browser.expect(&format!("{CONNS}.length === 1"));

    assert_eq!(count(&mut browser, ".end"), 0);
    server.expect_log("session started");
}

#[test]
fn the_page_fits_a_phone_and_both_colour_schemes() {
    let (server, mut crowd) = busy(40);
    let Some(mut browser) = open(&server) else { return };
    let hello = [0x81, 0x85, 0, 0, 0, 0, b'h', b'e', b'l', b'l', b'o'];
    for number in crowd.numbers() {
        crowd.send(number, &hello);
    }
    browser.expect_text("#sessions .body .row:not([hidden]) .in", "1 · 5 B");
    browser.expect("[...document.querySelectorAll('#sessions canvas')].some(canvas => /^[1-9]/.test(canvas.title))");

    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        picture(&mut browser, &format!("status-{scheme}"), (1360, 900));
        picture(&mut browser, &format!("status-{scheme}-phone"), (390, 844));
    }
    for width in [320, 390, 800, 1280] {
        browser.resize(width, 844);
        browser.expect(&format!("document.documentElement.clientWidth === {width}"));
        let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
        assert!(overflow <= 0, "{overflow} pixels wider than a window of {width}");
        let cut = "[...document.querySelectorAll('.body .row:not([hidden])')].filter(row => \
                   [...row.children].some(cell => cell.offsetHeight > 0 \
                   && cell.getBoundingClientRect().bottom > row.getBoundingClientRect().bottom + 1)).length";
        browser.expect(&format!("{cut} === 0"));
    }
    let background = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("light");
    let light = browser.evaluate(background);
    browser.prefer("dark");
    assert_ne!(browser.evaluate(background), light);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_screen_reader_gets_tables_with_names_headers_and_counts() {
    let (server, _crowd) = busy(50);
    let Some(mut browser) = open(&server) else { return };

    let told: Value = browser.evaluate(
        "[...document.querySelectorAll('[role=table]')].map(table => [
            document.getElementById(table.getAttribute('aria-labelledby')).textContent,
            Number(table.getAttribute('aria-rowcount')),
            table.querySelectorAll('[role=columnheader]').length === table.querySelector('.body [role=row]').children.length,
            [...table.querySelectorAll('button, canvas')].every(part => part.textContent || part.ariaLabel)])",
    );

    let want = json!([
        ["Routes", 4, true, true],
        ["Sessions", 54, true, true],
        ["Rooms", 4, true, true],
        ["Last ends and refusals", 7, true, true]
    ]);
    assert_eq!(told, want);
}
