//! The demos in a real browser, each as `start.sh` serves them: all from one `wsd` and one file of settings.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::browser::Browser;
use crate::harness::eventually;
use crate::harness::lines::Lines;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;

const PAGES: [&str; 10] = [
    "",
    "calculator.html",
    "cat-chat.html",
    "chat.html",
    "connect4.html",
    "counter.html",
    "draw.html",
    "keyvalue.html",
    "log.html",
    "news.html",
];

/// A loopback address that no other test listens on, so that a port of it is still free when its server comes again.
const ADDRESS: &str = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };

/// All demos, in a directory of their own: the log of the log demo is written there.
struct Demos {
    server: Server,
    variables: Vec<(&'static str, String)>,
    tree: Tree,
}

impl Demos {
    fn start(variables: Vec<(&'static str, String)>) -> Self {
        let tree = Tree::new();
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        tree.link("static", checkout.join("static")).link("examples", checkout.join("examples"));
        let server = serve(&tree, &variables, 0);
        Self { server, variables, tree }
    }

    /// Starts the server, which has ended, again at the same address.
    fn start_again(&mut self) {
        self.server = serve(&self.tree, &self.variables, self.server.address.port());
    }

    fn url(&self, page: &str) -> String {
        format!("http://{}/{page}", self.server.address)
    }

    /// Opens a page in the browser, and waits for its session.
    fn open(&self, browser: &mut Browser, page: &str) {
        browser.open(&self.url(page));
        browser.expect_text("#state", "Open");
    }
}

fn serve(tree: &Tree, variables: &[(&str, String)], port: u16) -> Server {
    let mut command =
        wsd(&[&format!("--port={port}"), &format!("--address={ADDRESS}"), "--config=examples/demos.toml"]);
    command.current_dir(tree.path("")).envs(variables.iter().map(|(name, value)| (name, value)));
    Server::spawn(command)
}

/// One page of the browser, and the demos.
fn one() -> Option<(Browser, Demos)> {
    Browser::start().map(|browser| (browser, Demos::start(Vec::new())))
}

/// Two pages side by side, and the demos.
fn two() -> Option<(Browser, Browser, Demos)> {
    one().map(|(first, demos)| {
        let second = first.another();
        (first, second, demos)
    })
}

fn text(browser: &mut Browser, selector: &str) -> String {
    browser.evaluate(&format!("document.querySelector({selector:?}).innerText")).as_str().unwrap().to_owned()
}

/// The texts of all elements that `selector` names.
fn texts(browser: &mut Browser, selector: &str) -> Value {
    browser.evaluate(&format!("[...document.querySelectorAll({selector:?})].map(element => element.innerText)"))
}

#[test]
fn the_index_leads_to_every_demo() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url(""));

    let links = browser.evaluate("[...document.querySelectorAll('.card a')].map(link => link.href)");
    let links: Vec<&str> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap()).collect();
    for page in &PAGES[1..] {
        assert!(links.contains(&&*demos.url(page)), "{page} is not among {links:?}");
        assert_eq!(demos.server.get(&format!("/{page}"), "").status, 200, "{page}");
    }
    assert_eq!(links.len(), PAGES.len() - 1);
    // What a card says is behind its page is what the settings of the demos start.
    let settings = std::fs::read_to_string(demos.tree.path("examples/demos.toml")).unwrap();
    let shell = browser.evaluate("[...document.querySelectorAll('.card > code')].map(line => line.textContent)");
    for line in shell.as_array().unwrap().iter().map(|line| line.as_str().unwrap()) {
        let is_option = |word: &&str| word.starts_with('-');
        let mut words = line.rsplit("wsd ").next().unwrap().split(' ').skip_while(is_option);
        let program = words.next().unwrap();
        assert!(program == "bc" || settings.contains(&format!("command = [\"{program}\"")), "{line}");
    }

    if has("redis-cli") {
        browser.expect("!document.querySelector('#keyvalue').hidden");
    } else {
        demos.server.expect_log("code=4001");
        assert_eq!(browser.evaluate("document.querySelector('#keyvalue').hidden"), true);
    }
    assert_eq!(browser.complaints(), [""; 0]);
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
}

#[test]
fn every_page_fits_a_phone_and_both_colour_schemes_and_names_its_fields() {
    let Some((mut browser, demos)) = one() else { return };
    for page in PAGES {
        browser.open(&demos.url(page));
        for width in [320, 390, 1200] {
            browser.resize(width, 844);
            browser.expect(&format!("innerWidth === {width}"));
            let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
            assert!(overflow <= 0, "{page} is {overflow} pixels wider than a window of {width}");
        }
        let background = "getComputedStyle(document.body).backgroundColor";
        browser.prefer("light");
        let light = browser.evaluate(background);
        browser.prefer("dark");
        assert_ne!(browser.evaluate(background), light, "{page}");
        let nameless = "[...document.querySelectorAll('input, button, a, [role=log], canvas')].filter(element => \
            !(element.innerText || element.ariaLabel || element.labels?.length || element.getAttribute('aria-labelledby') \
            || element.closest('[role=application][aria-label]') || element.hidden)).map(element => element.outerHTML)";
        assert_eq!(browser.evaluate(nameless), json!([]), "{page}");
    }
}

#[test]
fn the_counter_counts() {
    let Some((mut browser, demos)) = one() else { return };
    browser.open(&demos.url("counter.html"));

    browser.expect_text("#state", "Closed");

    assert_eq!(texts(&mut browser, "#log .text"), json!(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]));
    assert!(text(&mut browser, "#state").contains("1000"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn one_line_chat_reaches_both_pages_and_a_newcomer() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "cat-chat.html");
    demos.open(&mut bob, "cat-chat.html");

    ada.enter("#text", "Hello <b>you</b>");
    bob.expect_text("#talk", "Hello <b>you</b>");
    bob.enter("#text", "Hello too");
    ada.expect_text("#talk", "Hello too");

    let mut newcomer = ada.another();
    demos.open(&mut newcomer, "cat-chat.html");
    newcomer.expect_text("#talk", "Hello too");
    for page in [&mut ada, &mut bob, &mut newcomer] {
        assert_eq!(texts(page, "#talk .text"), json!(["Hello <b>you</b>", "Hello too"]));
        assert_eq!(page.evaluate("document.querySelectorAll('#talk b').length"), 0);
        assert_eq!(page.complaints(), [""; 0]);
    }
}

#[test]
fn chat_has_nicknames_and_both_pages_see_everything_at_once() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    ada.expect_text("#here", "guest (you)");
    ada.enter("#nick", "Ada");
    ada.expect_text("#here", "Ada (you)");

    // The name is kept in the browser, and each name is given once.
    demos.open(&mut bob, "chat.html");
    bob.expect_text("#here", "Ada-2 (you)");
    bob.enter("#text", "/nick ada");
    bob.expect_text("#talk", "ada is taken");
    bob.enter("#text", "/nick Bob");
    bob.expect("document.querySelector('#nick').value === 'Bob'");
    ada.expect_text("#talk", "Ada-2 is now Bob");
    ada.expect_text("#here-title", "Here now: 2");

    ada.enter("#text", "Hello <b>you</b> é 你好");
    bob.expect_text("#talk", "Hello <b>you</b> é 你好");
    bob.enter("#text", "/me waves");
    ada.expect_text("#talk .action", "waves");
    for page in [&mut ada, &mut bob] {
        assert_eq!(page.evaluate("document.querySelectorAll('#talk b').length"), 0, "a message is text");
    }

    let mut newcomer = ada.another();
    demos.open(&mut newcomer, "chat.html");
    newcomer.expect_text("#talk .action", "waves");
    newcomer.expect_text("#talk .message", "Hello <b>you</b>");
    ada.expect_text("#here-title", "Here now: 3");
    newcomer.open("about:blank");
    ada.expect_text("#here-title", "Here now: 2");
    ada.expect_text("#talk .leave", "left");
    assert_eq!([ada.complaints(), bob.complaints()].concat(), [""; 0]);
}

#[test]
fn what_is_said_while_the_server_is_away_is_said_when_it_comes_again() {
    let Some((mut ada, mut bob, mut demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    ada.enter("#nick", "Ada");
    ada.expect_text("#here", "Ada (you)");
    demos.open(&mut bob, "chat.html");
    bob.expect_text("#here", "Ada-2 (you)");

    demos.server.stop();
    ada.expect_text("#state", "Waiting");
    ada.enter("#text", "Is anybody there?");
    ada.expect_text("#talk .waits", "Is anybody there?");
    demos.start_again();

    bob.expect_text("#state", "Open");
    ada.expect_text("#talk .message", "Is anybody there?");
    ada.expect_text("#here", "Ada (you)");
    bob.expect_text("#here-title", "Here now: 2");
}

/// The state of the game as one who looks at the page sees it.
fn sees(browser: &mut Browser, news: &str) {
    browser.expect_text("#news", news);
}

/// The pages of players one and two take these columns in turn, with the keyboard.
fn play(players: &mut [&mut Browser; 2], columns: &str) {
    for (turn, column) in columns.chars().enumerate() {
        let player = &mut *players[turn % 2];
        // All discs so far, for the page may still show the turn before.
        player.expect(&format!("document.querySelectorAll('[data-disc=\"1\"], [data-disc=\"2\"]').length === {turn}"));
        sees(player, "Your turn");
        player.press(&column.to_string());
    }
}

#[test]
fn connect_four_is_won_and_watched_and_played_again() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "connect4.html");
    sees(&mut ada, "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    ada.expect_text("#seat", "You are player one");
    bob.expect_text("#seat", "You are player two");
    let mut watcher = ada.another();
    let link = ada.evaluate("document.querySelector('#link').href");
    watcher.open(link.as_str().unwrap());
    watcher.expect_text("#seat", "You are watching");

    // It is not player two's turn.
    bob.press("3");
    play(&mut [&mut ada, &mut bob], "4433552");

    sees(&mut ada, "You win!");
    for page in [&mut bob, &mut watcher] {
        sees(page, "Player one wins.");
        assert_eq!(page.evaluate("document.querySelectorAll('.winning').length"), 4);
        assert_eq!(
            page.evaluate("document.querySelector('.column:nth-child(3)').ariaLabel"),
            "Column 3, from below: one, two"
        );
    }

    bob.click("#again");
    sees(&mut ada, "Player two would like to play again.");
    ada.click("#again");
    bob.expect_text("#seat", "You are player one");
    ada.expect_text("#seat", "You are player two");
    sees(&mut bob, "Your turn.");
    for page in [&ada, &bob, &watcher] {
        assert_eq!(page.complaints(), [""; 0]);
    }
}

#[test]
fn connect_four_ends_in_a_draw_and_when_a_player_leaves() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "connect4.html");
    sees(&mut ada, "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    ada.expect_text("#seat", "You are player one");
    let link = ada.evaluate("document.querySelector('#link').href");

    play(&mut [&mut ada, &mut bob], "656173566152215676422337377473141445425321");

    sees(&mut ada, "A draw");
    sees(&mut bob, "A draw");
    bob.open("about:blank");
    sees(&mut ada, "Player two has left");
    ada.click("#again");
    sees(&mut ada, "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    sees(&mut ada, "Your turn");

    let mut late = ada.another();
    demos.open(&mut late, link.as_str().unwrap().rsplit('/').next().unwrap());
    late.expect_text("#hint", "This game is over");
}

#[test]
fn the_columns_are_reached_with_the_keyboard() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "connect4.html");
    sees(&mut ada, "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    sees(&mut ada, "Your turn");

    ada.tab_to(".column:nth-child(1)");
    ada.press("ArrowLeft");
    assert_eq!(ada.evaluate("document.activeElement.ariaLabel"), "Column 7, empty");
    ada.press("ArrowRight");
    ada.press("ArrowRight");
    ada.press("Enter");

    sees(&mut bob, "Player one took column 2. Your turn.");
}

/// What is on a canvas: how many pixels, and a sum over their places and colours.
fn ink(browser: &mut Browser, canvas: &str) -> Value {
    browser.evaluate(&format!(
        "(() => {{
            const {{ data }} = document.querySelector('#{canvas}').getContext('2d').getImageData(0, 0, 1600, 1000);
            const pixels = new Uint32Array(data.buffer);
            let [count, sum] = [0, 0];
            pixels.forEach((pixel, at) => {{
                if (pixel === 0) return;
                count += 1;
                sum = (Math.imul(sum, 31) + pixel + at) | 0;
            }});
            return [count, sum];
        }})()"
    ))
}

/// Waits until the pages show the same drawing, not an empty one, and none has strokes on their way.
fn agree(pages: &mut [&mut Browser]) -> Value {
    eventually("all pages show the same drawing", || {
        let drawings: Vec<Value> = pages.iter_mut().map(|page| ink(page, "drawn")).collect();
        let is_settled = pages.iter_mut().all(|page| ink(page, "mine") == json!([0, 0]));
        let is_one = drawings.iter().all(|drawing| *drawing == drawings[0] && drawing[0] != 0);
        (is_settled && is_one).then(|| drawings[0].clone())
    })
}

#[test]
fn two_pages_draw_on_one_sheet_and_a_newcomer_sees_it() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "draw.html");
    demos.open(&mut bob, "draw.html");
    bob.resize(390, 844);

    ada.drag("#paper", &[(0.1, 0.2), (0.4, 0.3), (0.5, 0.8)]);
    let first = agree(&mut [&mut ada, &mut bob]);
    bob.click("#colours input[aria-label=Blue]");
    bob.drag("#paper", &[(0.2, 0.8), (0.5, 0.5), (0.9, 0.4)]);
    eventually("the second stroke is there", || (ink(&mut ada, "drawn") != first).then_some(()));
    let second = agree(&mut [&mut ada, &mut bob]);

    // The keyboard: pen down, to the right, pen up.
    ada.evaluate("document.querySelector('#paper').focus()");
    for key in [" ", "ArrowRight", "ArrowRight", "ArrowDown", " "] {
        ada.press(key);
    }
    eventually("the third stroke is there", || (ink(&mut bob, "drawn") != second).then_some(()));
    let third = agree(&mut [&mut ada, &mut bob]);

    let mut newcomer = ada.another();
    demos.open(&mut newcomer, "draw.html");
    assert_eq!(agree(&mut [&mut ada, &mut bob, &mut newcomer]), third);

    bob.click("#clear");
    for page in [&mut ada, &mut bob, &mut newcomer] {
        eventually("the sheet is white again", || (ink(page, "drawn") == json!([0, 0])).then_some(()));
        assert_eq!(page.complaints(), [""; 0]);
    }
}

#[test]
fn a_drawing_survives_what_is_no_stroke() {
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "draw.html");
    let strokes = [
        r#"{"colour":0,"width":1,"points":[160,200,640,300]}"#,
        r#"{"colour":1,"width":0,"points":[800,500,900,600]}"#,
    ];
    let nonsense = [
        "x",
        "null",
        "[]",
        r#"{"points":[1]}"#,
        r#"{"colour":0,"width":0,"points":[-1,5]}"#,
        r#"{"colour":99,"width":0,"points":[1,5]}"#,
        r#"{"colour":0,"width":0,"points":["<b>",5]}"#,
        r#"{"colour":0.5,"width":0,"points":[1,5]}"#,
        r#"{"colour":"__proto__","width":0,"points":[1,5]}"#,
        r#"{"clear":1}"#,
    ];
    let mut stranger = demos.server.connect("/draw");
    for message in [&strokes[..1], &nonsense, &strokes[1..]].concat() {
        stranger.text(message);
    }

    // A sheet with nothing but the strokes, to compare with.
    let other = Demos::start(Vec::new());
    let mut clean = browser.another();
    other.open(&mut clean, "draw.html");
    let mut stranger = other.server.connect("/draw");
    for stroke in strokes {
        stranger.text(stroke);
    }
    agree(&mut [&mut browser, &mut clean]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_stroke_drawn_while_the_server_is_away_is_not_lost() {
    let Some((mut browser, mut demos)) = one() else { return };
    demos.open(&mut browser, "draw.html");
    demos.server.stop();
    browser.expect_text("#state", "Waiting");

    browser.drag("#paper", &[(0.1, 0.2), (0.4, 0.3)]);
    assert_ne!(ink(&mut browser, "mine"), json!([0, 0]));
    demos.start_again();

    agree(&mut [&mut browser]);
}

#[test]
fn news_go_both_ways_and_again_after_a_restart() {
    let Some((mut browser, mut demos)) = one() else { return };
    demos.open(&mut browser, "news.html");

    browser.expect_text("#program", "my other event {\"my\":\"data\"}");
    browser.expect_text("#page", "news {\"hello\":\"world\"}");
    browser.enter("#text", "<i>x</i>");
    browser.expect_text("#program", "note {\"text\":\"<i>x</i>\"}");

    demos.server.stop();
    browser.expect_text("#state", "Waiting");
    demos.start_again();

    browser.expect_text("#page", "session 2");
    browser.expect("document.querySelectorAll('#program .event').length === 3");
    browser.expect("document.querySelectorAll('#page .event').length === 2");
}

#[test]
fn the_log_grows_and_its_filter_holds() {
    let Some((mut browser, demos)) = one() else { return };
    let log = demos.tree.path("target/shop.log");
    eventually("the log is being written", || Path::new(&log).exists().then_some(()));
    demos.open(&mut browser, "log.html");
    let count = "document.querySelectorAll('#lines li').length";
    browser.expect(&format!("{count} >= 2"));
    let before = browser.evaluate(count);
    browser.expect(&format!("{count} > {before}"));

    let add = |line: &str| {
        let mut end = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
        std::io::Write::write_all(&mut end, line.as_bytes()).unwrap();
    };
    browser.enter("#filter", "needle HAY");
    browser.expect("document.querySelector('#lines-title').innerText === 'Lines with needle and HAY'");
    browser.expect(&format!("{count} === 0"));
    add("WARN a Needle in the hay\nWARN a needle\n<b>needle</b> and hay\n");

    browser.expect(&format!("{count} === 2"));
    assert_eq!(texts(&mut browser, "#lines .text"), json!(["WARN a Needle in the hay", "<b>needle</b> and hay"]));
    browser.enter("#filter", "");
    browser.expect("document.querySelector('#lines-title').innerText === 'All lines'");
    browser.expect(&format!("{count} > {before}"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_calculator_calculates_and_remembers() {
    if !has("bc") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "calculator.html");

    browser.enter("#line", "x = 6");
    browser.enter("#line", "x * 7");
    browser.expect_text("#log", "42");
    browser.click(".tries button:nth-of-type(2)");
    browser.expect_text("#log", "1606938044258990275541962092341162602522202993782792835301376");
    browser.enter("#line", "1/0");
    browser.expect("document.querySelector('#log').innerText.toLowerCase().includes('zero')");

    browser.press("ArrowUp");
    assert_eq!(browser.evaluate("document.querySelector('#line').value"), "1/0");
    browser.enter("#line", "quit");
    browser.expect_text("#state", "Closed 1000");
    browser.click("#reconnect");
    browser.expect_text("#log", "a new bc");
    assert_eq!(browser.complaints(), [""; 0]);
}

/// A Redis of this test's own.
struct Redis {
    child: Child,
    url: String,
    _said: Arc<Lines>,
}

impl Redis {
    /// Starts one; where it is not installed, skips the test and returns `None`.
    fn start() -> Option<Self> {
        if !has("redis-server") || !has("redis-cli") {
            return None;
        }
        let free = TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--bind", ADDRESS, "--port", &free.port().to_string(), "--save", "", "--protected-mode", "no"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = Lines::of(child.stdout.take().unwrap());
        let ready = said.wait_for("Ready to accept connections", 1);
        let redis = Self { child, url: format!("redis://{free}"), _said: Arc::clone(&said) };
        assert!(ready.is_some(), "{}", said.text());
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_key_that_one_page_sets_reaches_the_page_that_subscribed() {
    let Some(redis) = Redis::start() else { return };
    let Some(mut ada) = Browser::start() else { return };
    let demos = Demos::start(vec![("REDIS_URL", redis.url.clone())]);
    let mut bob = ada.another();
    demos.open(&mut ada, "keyvalue.html");
    demos.open(&mut bob, "keyvalue.html");

    bob.click("[value=get]");
    bob.expect_text("#log", "none greeting");
    bob.click("[value=subscribe]");
    bob.expect_text("#log", "subscribed greeting");
    let value = "héllo \"w\" $(x) <b>";
    ada.enter("#value", value);
    ada.expect_text("#log", "stored greeting");
    bob.expect_text("#log", &format!("value greeting {value}"));
    ada.click("[value=get]");
    ada.expect_text("#log", &format!("value greeting {value}"));
    assert_eq!([ada.complaints(), bob.complaints()].concat(), [""; 0]);
}
