//! `wsd.js` with `fallback` behind proxies that let no event stream last: one withholds each answer until its end, one cuts each
//! connection after a time.

use std::time::Duration;

use serde_json::json;

use crate::fallback::{load, serve};
use crate::harness::blocking::{Blocking, Upgrades};
use crate::harness::browser::Browser;
use crate::harness::server::Server;
use crate::harness::time::scaled;

/// A proxy that lets no WebSocket through, and withholds each answer until its end.
fn withholding(server: &Server) -> Blocking {
    let proxy = Blocking::to(server.address, Upgrades::Close);
    proxy.withhold();
    proxy
}

/// Opens a session in a page through a proxy.
fn open(browser: &mut Browser, proxy: &Blocking) {
    load(browser, proxy);
    browser.evaluate("start()");
    browser.expect("log[0] === 'open'");
}

#[test]
fn a_page_whose_streams_are_withheld_polls() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = withholding(&server);
    open(&mut browser, &proxy);

    browser.evaluate("for (const text of ['one', '', 'fo\\rur', 'ž😀']) socket.send(text)");
    browser.expect("log.length === 5");

    assert_eq!(browser.evaluate("log"), json!(["open", "one", "", "fo\rur", "ž😀"]));
    browser.expect("socket.bufferedAmount === 0");
    assert_eq!(browser.evaluate("[socket.transport, reports]"), json!(["stream", []]));

    browser.evaluate("socket.close()");
    browser.expect("log.at(-1) === 'close 1000 '");
    server.expect_log("session ended");
}

#[test]
fn a_page_that_polls_keeps_to_it_and_loses_and_doubles_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = withholding(&server);
    open(&mut browser, &proxy);

    browser.evaluate(
        "window.sent = 0;
         window.timer = setInterval(() => {
             for (let each = 0; each < 10 && sent < 900; each += 1) { socket.send(`${sent}`); sent += 1; }
         }, 5);
         const real = fetch;
         window.unpolled = 0;
         window.fetch = (url, options) => {
             if (options.method === 'GET' && !options.headers['Wsd-Poll']) unpolled += 1;
             return real(url, options);
         }",
    );
    for received in [200, 500] {
        browser.expect(&format!("log.length > {received}"));
        proxy.cut();
    }

    browser.expect("log.length >= 901");
    browser.expect("socket.bufferedAmount === 0");
    assert_eq!(browser.evaluate("log.slice(1).every((text, number) => text === String(number))"), true);
    assert_eq!(browser.evaluate("[log.length, unpolled]"), json!([901, 0]));
    assert_eq!(browser.evaluate("reports.filter(({ lost, gap }) => lost || gap).length"), 0);
}

#[test]
fn the_end_of_a_program_is_told_to_a_page_that_polls() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["sh", "-c", "read line; echo $line; exit 3"]);
    let proxy = withholding(&server);
    load(&mut browser, &proxy);

    browser.evaluate("start({ retry: () => false }); socket.send('bye')");

    browser.expect("log.length === 3");
    assert_eq!(browser.evaluate("log"), json!(["open", "bye", "close 4003 exit 3"]));
}

#[test]
fn a_page_survives_a_proxy_that_cuts_every_connection_after_a_time() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    open(&mut browser, &proxy);

    // The page would wait longer after each loss, since none of its connections lasts.
    browser.evaluate(
        "socket.onstate = ({ detail }) => {
             if (detail.name === 'waiting') queueMicrotask(() => document.dispatchEvent(new Event('visibilitychange')));
         };
         window.sent = 0;
         window.timer = setInterval(() => { if (sent - log.length < 20) { socket.send(`${sent}`); sent += 1; } }, 5)",
    );
    proxy.cut_each_after(scaled(Duration::from_millis(300)));
    proxy.cut();
    browser.expect("reports.length >= 24");

    browser.evaluate("clearInterval(timer)");
    browser.expect("log.length === sent + 1");
    assert_eq!(browser.evaluate("log.slice(1).every((text, number) => text === String(number))"), true);
    assert_eq!(browser.evaluate("reports.filter(({ lost, gap }) => lost || gap).length"), 0);
    assert!(proxy.aged() >= 24, "{}", proxy.aged());
}
