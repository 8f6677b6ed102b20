//! `wsd.js` with `fallback`: where a network lets no WebSocket through, a page has its session over an event stream and POST.

use serde_json::json;

use crate::harness::blocking::{Blocking, Upgrades};
use crate::harness::browser::Browser;
use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// Starts a server of an empty page and of `command`.
pub(crate) fn serve(flags: &[&str], command: &[&str]) -> (Server, Tree) {
    let files = Tree::new();
    files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
    let folder = format!("--staticdir={}", files.path(""));
    (Server::command(&[flags, &["--http", &folder]].concat(), command), files)
}

/// Loads the client into a page that comes through a proxy. `start` opens a session through it.
pub(crate) fn load(browser: &mut Browser, proxy: &Blocking) {
    browser.open(&format!("http://{}/blank.html", proxy.address));
    browser.evaluate(
        "import('/.wsd/client.js').then(({ WsdSocket }) => {
            window.log = [];
            window.reports = [];
            window.start = (options = {}) => {
                window.socket = new WsdSocket('./', [], { fallback: true, ...options });
                socket.binaryType = 'arraybuffer';
                socket.onopen = () => log.push('open');
                socket.onmessage = ({ data }) => log.push(data);
                socket.onclose = ({ code, reason }) => log.push(`close ${code} ${reason}`);
                socket.onresume = ({ detail }) => reports.push(detail);
            };
            return import('/.wsd/wsd-stream.js');
        })",
    );
}

/// The kinds of networks that let no WebSocket through.
const BLOCKED: [Upgrades; 4] = [Upgrades::Close, Upgrades::Answer, Upgrades::Swallow, Upgrades::Mute];

#[test]
fn a_page_whose_websockets_are_blocked_has_its_session_over_an_event_stream() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    for blocked in BLOCKED {
        let proxy = Blocking::to(server.address, blocked);
        load(&mut browser, &proxy);

        browser.evaluate("start()");
        browser.expect("log[0] === 'open'");
        browser.evaluate(
            "for (const text of ['one', '', ' two', '\\0three', 'fo\\rur', 'ž😀', '\"', '{}']) socket.send(text)",
        );

        browser.expect("log.length === 9");
        let want = json!(["open", "one", "", " two", "\0three", "fo\rur", "ž😀", "\"", "{}"]);
        assert_eq!(browser.evaluate("log"), want, "{blocked:?}");
        browser.expect("socket.bufferedAmount === 0");
        assert!(proxy.wanted() <= 2, "{blocked:?}: {}", proxy.wanted());
    }
}

#[test]
fn bytes_arrive_as_they_are() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--binary"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate("start(); socket.onopen = () => socket.send(new Uint8Array([0, 255, 13, 10, 65]))");

    browser.expect("log.length === 1");
    assert_eq!(browser.evaluate("[...new Uint8Array(log[0])]"), json!([0, 255, 13, 10, 65]));
}

#[test]
fn the_end_of_the_program_is_told() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["sh", "-c", "read line; echo $line; exit 3"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate("start({ retry: () => false }); socket.send('bye')");

    browser.expect("log.length === 3");
    assert_eq!(browser.evaluate("log"), json!(["open", "bye", "close 4003 exit 3"]));
}

#[test]
fn a_stream_that_is_cut_again_and_again_loses_and_doubles_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate(
        "start();
         window.sent = 0;
         window.timer = setInterval(() => {
             for (let each = 0; each < 10 && sent < 1500; each += 1) { socket.send(`${sent}`); sent += 1; }
         }, 5)",
    );

    for received in [200, 500, 800, 1100] {
        browser.expect(&format!("log.length > {received}"));
        proxy.cut();
    }

    browser.expect("log.length >= 1501");
    browser.expect("socket.bufferedAmount === 0");
    assert_eq!(browser.evaluate("log.slice(1).every((text, number) => text === String(number))"), true);
    assert_eq!(browser.evaluate("log.length"), 1501);
    assert_eq!(browser.evaluate("reports.filter(({ lost, gap }) => lost || gap).length"), 0);
}

#[test]
fn a_session_returns_to_a_websocket_when_the_network_lets_one_through() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate("start(); socket.send('over a stream')");
    browser.expect("log.length === 2");
    let wanted = proxy.wanted();

    proxy.change(Upgrades::Pass);
    browser.evaluate("dispatchEvent(new Event('online'))");
    proxy.cut();
    browser.evaluate("socket.send('over a WebSocket')");

    browser.expect("log.length === 3");
    assert_eq!(browser.evaluate("log"), json!(["open", "over a stream", "over a WebSocket"]));
    assert_eq!(browser.evaluate("reports"), json!([{ "resumed": true, "gap": 0 }]));
    assert!(proxy.wanted() > wanted);
}

#[test]
fn a_page_remembers_for_ten_minutes_that_websockets_are_blocked() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate("start()");
    browser.expect("log[0] === 'open'");
    let wanted = proxy.wanted();

    browser.evaluate("socket.close()");
    load(&mut browser, &proxy);
    browser.evaluate("start()");
    browser.expect("log[0] === 'open'");
    assert_eq!(proxy.wanted(), wanted, "no WebSocket is tried meanwhile");

    browser.evaluate("socket.close()");
    load(&mut browser, &proxy);
    browser.evaluate("const now = Date.now; Date.now = () => now() + 601_000; start()");
    browser.expect("log[0] === 'open'");
    assert!(proxy.wanted() > wanted, "later it is tried again");
}

#[test]
fn a_session_that_is_left_ends_its_program() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate("start(); socket.send('here')");
    browser.expect("log.length === 2");

    browser.evaluate("socket.close()");

    server.expect_log("session ended");
    browser.expect("log.at(-1) === 'close 1000 '");
}

#[test]
fn a_text_with_a_carriage_return_may_begin_with_any_character() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate(
        r#"start(); for (const text of ['\0a\rb', '\0{"ack":7}\rb', '\ufeffa\rb', '\ufeffa']) socket.send(text)"#,
    );

    browser.expect("log.length === 5");
    let want = json!(["open", "\0a\rb", "\0{\"ack\":7}\rb", "\u{feff}a\rb", "\u{feff}a"]);
    assert_eq!(browser.evaluate("log"), want);
}

#[test]
fn a_browser_that_cannot_iterate_over_a_stream_has_its_session() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate("delete ReadableStream.prototype[Symbol.asyncIterator]");

    browser.evaluate("start(); socket.send('as in Safari')");

    browser.expect("log.length === 2");
    assert_eq!(browser.evaluate("log"), json!(["open", "as in Safari"]));
}

#[test]
fn what_was_sent_before_the_close_arrives() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=600"], &["sh", "-c", "while read line; do echo got $line >&2; done"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate(
        "start();
         socket.onopen = () => {
             for (const text of ['one', 'two', 'bye']) socket.send(text);
             socket.close();
         }",
    );

    server.expect_log("got bye");
    server.expect_log("session ended");
    browser.expect("log[0] === 'close 1000 '");
}

#[test]
fn a_session_that_is_left_before_its_stream_comes_ends_its_program() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=600"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate(
        "const real = fetch;
         window.answered = 0;
         const held = new Promise((resolve) => { window.release = resolve; });
         window.fetch = async (url, options) => {
             const response = await real(url, options);
             if (options.method !== 'GET') return response;
             answered += 1;
             await held;
             options.signal.throwIfAborted();
             return response;
         };
         start()",
    );
    browser.expect("answered === 1");

    browser.evaluate("socket.close()");
    browser.expect("log[0] === 'close 1000 '");
    browser.evaluate("release()");

    server.expect_log("session ended");
}

#[test]
fn an_acknowledgement_that_is_lost_is_told_again() {
    let Some(mut browser) = Browser::start() else { return };
    let program = "for each in 1 2 3 4 5; do printf '%070000d\\n' $each; done; cat";
    let (server, _files) = serve(&["--replay=65536"], &["sh", "-c", program]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    browser.evaluate(
        "const real = fetch;
         window.lost = new Set();
         window.fetch = (url, options) => {
             const got = options.method === 'POST' && options.headers['Wsd-Got'];
             if (!got || lost.has(got)) return real(url, options);
             lost.add(got);
             return Promise.reject(new TypeError('lost'));
         }",
    );

    browser.evaluate("start()");

    browser.expect("log.length === 6");
    assert_eq!(browser.evaluate("log.slice(1).map(Number)"), json!([1, 2, 3, 4, 5]));
    assert_eq!(browser.evaluate("lost.size > 0"), true);
}

#[test]
fn messages_that_are_too_big_together_are_sent_apart() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--maxframesize=1024"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate(
        "start();
         window.texts = Array.from({ length: 2000 }, (_, each) => (each < 200 ? 'ž'.repeat(each) : ''));
         for (const text of texts) socket.send(text)",
    );

    browser.expect("log.length === 2001 || log.at(-1)?.startsWith('close')");
    assert_eq!(browser.evaluate("JSON.stringify(log.slice(1)) === JSON.stringify(texts)"), true);
}

#[test]
fn a_message_that_is_too_big_alone_ends_the_session() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--maxframesize=1024"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);

    browser.evaluate("start(); socket.send('a')");
    browser.expect("log.length === 2");

    browser.evaluate("for (const text of ['b'.repeat(10_000), 'c']) socket.send(text)");

    browser.expect("log.length === 3");
    assert_eq!(browser.evaluate("log"), json!(["open", "a", "close 1009 message too big"]));
}

#[test]
fn a_page_can_tell_which_way_its_session_goes() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=60"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Pass);
    load(&mut browser, &proxy);

    browser.evaluate("start()");
    browser.expect("log[0] === 'open'");
    assert_eq!(browser.evaluate("socket.transport"), "websocket");

    proxy.change(Upgrades::Close);
    proxy.cut();
    browser.expect("reports.length === 1");
    assert_eq!(browser.evaluate("socket.transport"), "stream");
}

#[test]
fn a_stream_begins_ten_seconds_after_websockets_without_an_answer() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&[], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Swallow);
    load(&mut browser, &proxy);
    browser.evaluate(
        "const real = setTimeout;
         window.waited = [];
         window.setTimeout = (act, ms) => {
             if (socket.transport === 'stream') return real(act, ms);
             waited.push(ms);
             return real(act, ms / 50);
         };
         window.socket = { transport: 'websocket' }",
    );

    browser.evaluate("start()");

    browser.expect("log[0] === 'open'");
    assert_eq!(browser.evaluate("waited.reduce((sum, ms) => sum + ms)"), 10_000);
}

/// Opens a session on whose first message the server never answers. `methods` are those of the requests from then on.
fn start_unanswered(browser: &mut Browser) {
    browser.evaluate("start()");
    browser.expect("log[0] === 'open'");
    browser.evaluate(
        "const real = fetch;
         window.methods = [];
         window.fetch = (url, options) => {
             methods.push(options.method);
             return options.method === 'POST' ? new Promise(() => {}) : real(url, options);
         };
         socket.send('never answered')",
    );
}

#[test]
fn a_close_waits_five_seconds_for_what_cannot_be_delivered() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=600"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    start_unanswered(&mut browser);

    browser.evaluate("window.closedAt = performance.now(); socket.close()");
    assert_eq!(browser.evaluate("socket.readyState"), 2);

    browser.expect("log[1] === 'close 1006 '");
    assert_eq!(browser.evaluate("performance.now() - closedAt >= 5000"), true);
    server.expect_log("session ended");
}

#[test]
fn a_page_that_goes_away_leaves_its_session_at_once() {
    let Some(mut browser) = Browser::start() else { return };
    let (server, _files) = serve(&["--resume=600"], &["cat"]);
    let proxy = Blocking::to(server.address, Upgrades::Close);
    load(&mut browser, &proxy);
    start_unanswered(&mut browser);

    browser.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: false }))");

    assert_eq!(browser.evaluate("methods"), json!(["POST", "DELETE"]));
    server.expect_log("session ended");
}
