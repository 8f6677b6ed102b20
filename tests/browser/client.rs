//! The client for pages, `wsd.js`, in a real browser: it comes back when a server does, and knows when not to.

use std::net::TcpListener;
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    self,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::harness::browser::{Browser, NETWORK_NAME};
use crate::harness::server::{Server, wsd};
use crate::harness::tree::Tree;

/// A loopback address that hardly any other test listens on, so that a port of it is still free when its server comes
/// again.
const ADDRESS: &str = if cfg!(target_os = "linux") { "127.0.0.3" } else { "127.0.0.1" };

const CAT: &[&str] = &["cat"];

/// A browser with the client on an empty page, and the server that it came from.
struct Bench {
    browser: Browser,
    server: Server,
    files: Tree,
}

impl Bench {
    fn with(command: &[&str]) -> Option<Self> {
        let browser = Browser::start()?;
        let files = Tree::new();
        files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
        let server = serve(&files, &["--port=0", &format!("--address={ADDRESS}")], command);
        let mut bench = Self { browser, server, files };
        bench.load(&format!("http://{}/", bench.server.address));
        Some(bench)
    }

    /// Loads the client into a page from this server.
    fn load(&mut self, url: &str) {
        self.browser.open(&format!("{url}blank.html"));
        self.browser.evaluate(
            "import('/.wsd/client.js').then(({ WsdSocket }) => {
                // The time that the client has read last: the page may stand still before it hears of it.
                const now = Date.now;
                Date.now = () => window.readAt = now();
                window.log = [];
                window.start = (options, url = './') => {
                    window.socket = new WsdSocket(url, [], options);
                    socket.onopen = () => log.push('open');
                    socket.onmessage = ({ data }) => log.push(data);
                    socket.onclose = ({ code, reason }) => log.push(`close ${code} ${reason}`);
                    socket.onstate = ({ detail }) => log.push(detail.name);
                    window.waits = [];
                    socket.addEventListener('state', ({ detail }) => {
                        if (detail.retryAt) waits.push(detail.retryAt - readAt);
                    });
                };
            })",
        );
    }

    fn start(&mut self) {
        self.browser.evaluate("start()");
        self.expect_state("open");
    }

    fn expect_state(&mut self, name: &str) {
        self.browser.expect(&format!("socket.state.name === '{name}'"));
    }

    /// Sends a message and waits until it comes back.
    fn expect_echo(&mut self, text: &str) {
        self.browser.evaluate(&format!("socket.send({text:?})"));
        self.browser.expect(&format!("log.includes({text:?})"));
    }

    /// Returns the client's pauses before its attempts, in milliseconds, after `count` of them.
    fn waits(&mut self, count: usize) -> Vec<f64> {
        self.browser.expect(&format!("waits.length >= {count}"));
        let waits = self.browser.evaluate("waits");
        waits.as_array().unwrap().iter().take(count).map(|wait| wait.as_f64().unwrap()).collect()
    }

    fn log(&mut self) -> Value {
        self.browser.evaluate("log")
    }

    /// Starts a server at the address of the one that has ended.
    fn start_again(&mut self, command: &[&str]) {
        let address = self.server.address;
        let flags = [format!("--port={}", address.port()), format!("--address={}", address.ip())];
        self.server = serve(&self.files, &flags.each_ref().map(String::as_str), command);
    }
}

fn serve(files: &Tree, flags: &[&str], command: &[&str]) -> Server {
    Server::spawn(wsd(&[flags, &[&format!("--staticdir={}", files.path(""))], command].concat()))
}

#[test]
fn a_message_queued_while_the_server_is_away_arrives_once_it_is_back() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();
    bench.expect_echo("before");

    bench.server.stop();
    bench.expect_state("waiting");
    assert_eq!(bench.browser.evaluate("[socket.state.code, socket.state.opened]"), json!([1001, true]));
    assert_eq!(bench.browser.evaluate("[socket.readyState, socket.bufferedAmount]"), json!([0, 0]));
    bench
        .browser
        .evaluate("socket.send('first'); socket.send(new TextEncoder().encode('second')); socket.send('third')");
    assert_eq!(bench.browser.evaluate("socket.bufferedAmount"), json!(5 + 6 + 5));
    // What a listener sends goes first: it is the place to say who one is.
    bench.browser.evaluate("socket.addEventListener('open', () => socket.send('it is me'))");
    bench.start_again(CAT);

    bench.browser.expect("log.includes('third')");
    let log = bench.log();
    let (old, new) = log.as_array().unwrap().split_at(4);
    assert_eq!(old, ["open", "open", "before", "waiting"]);
    let new: Vec<&Value> = new.iter().skip_while(|entry| *entry != "it is me").collect();
    assert_eq!(new, ["it is me", "first", "second", "third"]);
    assert_eq!(bench.browser.evaluate("socket.bufferedAmount"), 0);
}

#[test]
fn a_server_that_dies_is_waited_for() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();

    bench.server.signal(Signal::KILL);
    bench.server.wait();

    bench.expect_state("waiting");
    assert_eq!(bench.browser.evaluate("socket.state.code"), 1006);
    bench.start_again(CAT);
    bench.expect_state("open");
    bench.expect_echo("again");
}

#[test]
fn a_server_that_flaps_is_tried_less_and_less() {
    let Some(mut bench) = Bench::with(&["sh", "-c", "exit 3"]) else { return };

    bench.browser.evaluate("start()");

    // Each wait is twice the last one, up to half of it less.
    for (wait, whole) in bench.waits(4).into_iter().zip([1000.0, 2000.0, 4000.0, 8000.0]) {
        assert!((whole / 2.0 - 5.0..=whole).contains(&wait), "{wait} ms instead of about {whole} ms");
    }
    assert_eq!(bench.browser.evaluate("[socket.state.code, socket.state.reason]"), json!([4003, "exit 3"]));
}

#[test]
fn a_program_that_ends_well_is_not_asked_again_by_itself() {
    let Some(mut bench) = Bench::with(&["echo", "that is all"]) else { return };

    bench.browser.evaluate("start()");
    bench.expect_state("closed");
    assert_eq!(bench.log(), json!(["open", "open", "that is all", "closed", "close 1000 "]));
    assert_eq!(bench.browser.evaluate("[socket.readyState, waits.length]"), json!([3, 0]));

    bench.browser.evaluate("log.length = 0; socket.reconnect()");
    bench.browser.expect("log.at(-1) === 'close 1000 '");
    assert_eq!(bench.log(), json!(["connecting", "open", "open", "that is all", "closed", "close 1000 "]));
    bench.browser.evaluate("log.length = 0; start({ retry: ({ code }) => code === 1000 })");
    bench.browser.expect("log.filter((entry) => entry === 'that is all').length === 2");
}

#[test]
fn a_session_that_the_page_closes_stays_closed() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();

    assert_eq!(bench.browser.evaluate("socket.close(3001), socket.readyState"), 2);

    bench.expect_state("closed");
    assert_eq!(bench.browser.evaluate("log.at(-1)"), "close 3001 ");
    bench.server.expect_log("code=3001");

    // Between two sessions, too, and then at once.
    bench.browser.evaluate("socket.reconnect()");
    bench.expect_state("open");
    bench.server.stop();
    bench.expect_state("waiting");
    bench.browser.evaluate("socket.send('kept'); socket.close()");
    assert_eq!(bench.browser.evaluate("[socket.state.name, socket.bufferedAmount]"), json!(["closed", 0]));
}

#[test]
fn a_hidden_page_waits_long_and_comes_back_when_it_is_seen() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();
    let mut other = bench.browser.another();
    bench.browser.hide_behind(&mut other);

    bench.server.stop();
    assert!(bench.waits(1)[0] > 14_000.0, "nobody looks, so there is no hurry");
    bench.start_again(CAT);
    assert_eq!(bench.browser.evaluate("socket.state.name"), "waiting");
    bench.browser.bring_to_front();

    bench.expect_state("open");
    assert_eq!(bench.browser.evaluate("waits.length"), 1);
}

#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    let busy = TcpListener::bind((ADDRESS, 0)).unwrap();
    let url = format!("ws://{}/", busy.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = busy.accept().unwrap();
        let mut session = tungstenite::accept(stream).unwrap();
        session.close(Some(CloseFrame { code: CloseCode::Again, reason: "too slow".into() })).unwrap();
        while session.read().is_ok() {}
    });

    bench.browser.evaluate(&format!("start({{}}, {url:?})"));

    let wait = bench.waits(1)[0];
    assert!((9_000.0..=20_000.0).contains(&wait), "{wait}");
    assert_eq!(bench.browser.evaluate("[socket.state.name, socket.state.code]"), json!(["waiting", 1013]));
    server.join().unwrap();
    // That somebody looks is no reason to be impatient.
    let mut other = bench.browser.another();
    bench.browser.hide_behind(&mut other);
    bench.browser.bring_to_front();
    bench.browser.expect("!document.hidden");
    assert_eq!(bench.browser.evaluate("[log, waits.length]"), json!([["open", "open", "waiting"], 1]));
}

#[test]
fn the_queue_is_bounded_in_bytes_and_in_messages_and_loses_nothing() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();
    bench.server.stop();
    bench.expect_state("waiting");
    bench.browser.evaluate(
        "window.fill = (text) => {
            for (let count = 0; ; count += 1) {
                try { socket.send(text(count)); } catch ({ name }) { return [count, name]; }
            }
        }",
    );

    // A KiB each: 1 MiB has room for 1024 of them; then 10,000 less these have room, if they are empty.
    let numbered = "fill((count) => `${count}`.padStart(1024, '.'))";
    assert_eq!(bench.browser.evaluate(numbered), json!([1024, "QuotaExceededError"]));
    assert_eq!(bench.browser.evaluate("socket.bufferedAmount"), 1 << 20);
    assert_eq!(bench.browser.evaluate("fill(() => '')"), json!([10_000 - 1024, "QuotaExceededError"]));
    bench.browser.evaluate("log.length = 0");
    bench.start_again(CAT);

    bench.browser.expect("log.filter((entry) => entry === '').length === 10_000 - 1024");
    let numbers = bench
        .browser
        .evaluate("log.filter((entry) => entry.length === 1024).map((entry) => Number(entry.replace(/^\\.+/, '')))");
    assert_eq!(numbers, json!((0..1024).collect::<Vec<_>>()));
    assert_eq!(bench.browser.evaluate("socket.bufferedAmount"), 0);
}

#[test]
fn without_a_network_the_client_waits_for_it() {
    let Some(browser) = Browser::start() else { return };
    let files = Tree::new();
    files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
    let server = serve(&files, &["--port=0", &format!("--origin={NETWORK_NAME}:*")], CAT);
    let url = format!("http://{NETWORK_NAME}:{}/", server.address.port());
    let mut bench = Bench { browser, server, files };
    bench.load(&url);
    bench.start();

    bench.browser.set_offline(true);
    bench.expect_state("offline");
    assert!(bench.waits(1)[0] > 14_000.0, "nothing can be done before the network is back");
    bench.browser.evaluate("socket.send('kept')");
    bench.browser.set_offline(false);

    bench.expect_state("open");
    bench.browser.expect("log.at(-1) === 'kept'");
    assert_eq!(bench.browser.evaluate("waits.length"), 1);
}

#[test]
fn a_server_on_this_machine_needs_no_network() {
    let Some(mut bench) = Bench::with(CAT) else { return };
    bench.start();

    // What a browser tells a page when the cable is pulled out; the loopback interface stays.
    bench.browser.evaluate("Object.defineProperty(navigator, 'onLine', { get: () => false })");
    bench.browser.evaluate("dispatchEvent(new Event('offline'))");

    bench.expect_echo("still here");
    assert_eq!(bench.browser.evaluate("waits.length"), 0);
}

#[test]
fn a_server_that_refuses_is_told_apart_from_one_that_ends() {
    let Some(browser) = Browser::start() else { return };
    let files = Tree::new();
    files.file("blank.html", "<!doctype html><link rel=icon href=data:,><title>blank</title>");
    let server = serve(&files, &["--port=0", "--maxforks=1"], CAT);
    let url = format!("http://{}/", server.address);
    let mut bench = Bench { browser, server, files };
    bench.load(&url);
    let mut only = bench.server.connect("/");

    bench.browser.evaluate("start()");
    bench.expect_state("waiting");
    assert_eq!(bench.browser.evaluate("[socket.state.code, socket.state.opened]"), json!([1006, false]));

    only.close(1000);
    bench.expect_state("open");
    bench.expect_echo("my turn");
}
