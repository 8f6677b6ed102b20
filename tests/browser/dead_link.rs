//! `wsd.js` with `resume` and a connection that is dead, of which nobody tells the page: it finds out by itself. The clock of the
//! page is the test's.

use serde_json::json;

use crate::harness::browser::Browser;
use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::server::Server;
use crate::harness::tree::Tree;

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// The question of the page whether wsd is there.
const PING: &str = "\0{\"ping\":1}";

/// A clock that stands still until `advance`, a page that is seen or not by `see`, and a client.
const SCRIPT: &str = "
    (() => {
        let now = 0;
        let last = 0;
        const timers = new Map();
        window.setTimeout = (act, ms = 0) => {
            last += 1;
            timers.set(last, { act, at: now + ms });
            return last;
        };
        window.clearTimeout = (id) => timers.delete(id);
        performance.now = () => now;
        Date.now = () => 1_700_000_000_000 + now;
        window.advance = (ms) => {
            const end = now + ms;
            for (;;) {
                const due = [...timers].filter(([, { at }]) => at <= end).sort(([, one], [, other]) => one.at - other.at);
                if (due.length === 0) break;
                const [id, { act, at }] = due[0];
                timers.delete(id);
                now = Math.max(now, at);
                act();
            }
            now = end;
            return socket.state.name;
        };
        let isHidden = false;
        Object.defineProperty(document, 'hidden', { get: () => isHidden });
        window.see = (shall) => {
            isHidden = !shall;
            document.dispatchEvent(new Event('visibilitychange'));
        };
    })();
    import('/.wsd/client.js').then(({ WsdSocket }) => {
        window.log = [];
        window.reports = [];
        window.start = (url) => {
            window.asked = 0;
            window.socket = new WsdSocket(url, [], { resume: true, retry: () => { asked += 1; return false; } });
            socket.onopen = () => log.push('open');
            socket.onmessage = ({ data }) => log.push(data);
            socket.onresume = ({ detail }) => reports.push(detail);
        };
    })";

/// A page with an open session over a cable that can be pulled.
struct Bench {
    browser: Browser,
    cable: Cutting,
    server: Server,
    _files: Tree,
}

impl Bench {
    fn start() -> Option<Self> {
        let mut browser = Browser::start()?;
        let files = Tree::new();
        files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
        let folder = format!("--staticdir={}", files.path(""));
        let server = Server::command(&["--resume=60", "--anyorigin", "--pingms=0", &folder], &["cat"]);
        let cable = Cutting::to(server.address, || WHOLE);
        browser.open(&format!("http://{}/blank.html", server.address));
        browser.evaluate(SCRIPT);
        browser.evaluate(&format!("start('ws://{}/')", cable.address));
        browser.expect("log.length === 1");
        Some(Self { browser, cable, server, _files: files })
    }

    /// Goes on by so many milliseconds. Returns the state then.
    fn advance(&mut self, ms: u32) -> String {
        self.browser.evaluate(&format!("advance({ms})")).as_str().unwrap().to_owned()
    }

    /// Is out of sight for so many milliseconds.
    fn hide_for(&mut self, ms: u32) {
        self.browser.evaluate(&format!("see(false); advance({ms})"));
    }

    fn show(&mut self) {
        self.browser.evaluate("see(true)");
    }

    /// Sends a text, and waits until it comes back.
    fn expect_echo(&mut self, text: &str) {
        self.browser.evaluate(&format!("socket.send({text:?})"));
        self.browser.expect(&format!("log.at(-1) === {text:?}"));
    }

    fn pings(&self) -> usize {
        self.browser.sent().iter().filter(|text| *text == PING).count()
    }

    /// Fails unless the connection is given up after so many milliseconds, not before, and the session goes on over another one.
    fn expect_return_after(&mut self, ms: u32) {
        assert_eq!(self.advance(ms - 1), "open");
        assert_eq!(self.advance(1), "connecting");
        self.browser.expect("reports.length === 1");
        assert_eq!(self.browser.evaluate("reports"), json!([{ "resumed": true, "gap": 0 }]));
    }

    /// Fails if the connection is given up within so many milliseconds.
    fn assert_kept_for(&mut self, ms: u32) {
        assert_eq!(self.advance(ms), "open");
        assert_eq!(self.browser.evaluate("reports"), json!([]));
        self.expect_echo("still there");
        assert!(!self.server.log().iter().any(|line| line.contains("session detached")));
    }
}

#[test]
fn a_message_without_an_acknowledgement_for_20_seconds_drops_the_connection_and_is_sent_again() {
    let Some(mut bench) = Bench::start() else { return };

    bench.cable.pull();
    bench.browser.evaluate("socket.send('first')");
    bench.advance(1_000);
    bench.browser.evaluate("socket.send('second')");

    bench.expect_return_after(19_000);
    bench.browser.expect("log.at(-1) === 'second'");
    assert_eq!(bench.browser.evaluate("log"), json!(["open", "first", "second"]));
}

#[test]
fn a_message_that_is_acknowledged_keeps_the_connection() {
    let Some(mut bench) = Bench::start() else { return };

    bench.expect_echo("acknowledged");
    bench.browser.expect("socket.bufferedAmount === 0");

    bench.assert_kept_for(60_000);
    assert_eq!(bench.pings(), 0);
}

#[test]
fn a_page_that_sends_nothing_keeps_a_connection_on_which_nothing_comes() {
    let Some(mut bench) = Bench::start() else { return };

    bench.assert_kept_for(600_000);
}

#[test]
fn a_page_that_was_out_of_sight_for_more_than_30_seconds_asks_and_returns_after_5_without_an_answer() {
    let Some(mut bench) = Bench::start() else { return };
    bench.hide_for(30_001);

    bench.cable.pull();
    bench.show();

    bench.expect_return_after(5_000);
    assert_eq!(bench.pings(), 1);
}

#[test]
fn a_page_that_gets_its_answer_keeps_the_connection() {
    let Some(mut bench) = Bench::start() else { return };
    bench.hide_for(30_001);

    bench.show();
    // The answer is before the echo.
    bench.expect_echo("after the answer");
    bench.browser.expect("socket.bufferedAmount === 0");

    bench.assert_kept_for(10_000);
    assert_eq!(bench.pings(), 1);
}

#[test]
fn a_page_that_was_out_of_sight_for_30_seconds_asks_nothing() {
    let Some(mut bench) = Bench::start() else { return };
    bench.hide_for(30_000);

    bench.show();

    bench.assert_kept_for(10_000);
    assert_eq!(bench.pings(), 0);
}

#[test]
fn a_device_that_has_a_network_again_asks_and_returns_after_5_seconds_without_an_answer() {
    let Some(mut bench) = Bench::start() else { return };

    bench.cable.pull();
    bench.browser.evaluate("dispatchEvent(new Event('online'))");

    bench.expect_return_after(5_000);
    assert_eq!(bench.pings(), 1);
}

#[test]
fn retry_is_asked_only_once_the_server_no_longer_keeps_the_session() {
    let Some(mut bench) = Bench::start() else { return };
    bench.cable.refuse(true);
    bench.cable.cut();
    bench.browser.expect("socket.state.name !== 'open'");
    let kept_until = bench.browser.evaluate("socket.state.keptUntil - Date.now()");
    assert_eq!(kept_until, 60_000);

    assert_ne!(bench.advance(60_000), "closed");
    assert_eq!(bench.browser.evaluate("asked"), 0);

    assert_eq!(bench.advance(60_000), "closed");
    assert_eq!(bench.browser.evaluate("asked"), 1);
}
