//! The demos in a real browser, each as `start.sh` serves them: all from one `wsd` and one file of settings.

use std::net::{SocketAddr, TcpListener};
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

pub(crate) const PAGES: [&str; 14] = [
    "",
    "calculator.html",
    "cat-chat.html",
    "chat.html",
    "connect4.html",
    "counter.html",
    "draw.html",
    "keyvalue.html",
    "log.html",
    "lsp.html",
    "news.html",
    "private.html",
    "source.html",
    "terminal.html",
];

/// A loopback address that no other test listens on, so that a port of it is still free when its server comes again.
pub(crate) const ADDRESS: &str = if cfg!(target_os = "linux") { "127.0.0.2" } else { "127.0.0.1" };

/// All demos, in a directory of their own: the log of the log demo is written there.
pub(crate) struct Demos {
    pub(crate) server: Server,
    variables: Vec<(&'static str, String)>,
    pub(crate) tree: Tree,
}

/// The settings of the demos.
pub(crate) fn settings() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demos.toml")).unwrap()
}

impl Demos {
    pub(crate) fn start(variables: Vec<(&'static str, String)>) -> Self {
        Self::start_with(&settings(), variables)
    }

    pub(crate) fn start_with(settings: &str, variables: Vec<(&'static str, String)>) -> Self {
        let tree = Tree::new();
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        for name in ["static", "examples", "docs", "README.md"] {
            tree.link(name, checkout.join(name));
        }
        tree.file("demos.toml", settings);
        let server = serve(&tree, &variables, 0);
        Self { server, variables, tree }
    }

    /// Starts the server, which has ended, again at the same address.
    pub(crate) fn start_again(&mut self) {
        self.server = serve(&self.tree, &self.variables, self.server.address.port());
    }

    pub(crate) fn url(&self, page: &str) -> String {
        format!("http://{}/{page}", self.server.address)
    }

    /// Opens a page in the browser, and waits for its session.
    pub(crate) fn open(&self, browser: &mut Browser, page: &str) {
        browser.open(&self.url(page));
        browser.expect_text("#state", "Open");
    }
}

fn serve(tree: &Tree, variables: &[(&str, String)], port: u16) -> Server {
    let mut command = wsd(&[&format!("--port={port}"), &format!("--address={ADDRESS}"), "--config=demos.toml"]);
    command.current_dir(tree.path("")).envs(variables.iter().map(|(name, value)| (name, value)));
    Server::spawn(command)
}

/// One page of the browser, and the demos.
pub(crate) fn one() -> Option<(Browser, Demos)> {
    Browser::start().map(|browser| (browser, Demos::start(Vec::new())))
}

/// Two pages side by side, and the demos.
pub(crate) fn two() -> Option<(Browser, Browser, Demos)> {
    one().map(|(first, demos)| {
        let second = first.another();
        (first, second, demos)
    })
}

pub(crate) fn text(browser: &mut Browser, selector: &str) -> String {
    browser.evaluate(&format!("document.querySelector({selector:?}).innerText")).as_str().unwrap().to_owned()
}

/// The texts of all elements that `selector` names.
pub(crate) fn texts(browser: &mut Browser, selector: &str) -> Value {
    browser.evaluate(&format!("[...document.querySelectorAll({selector:?})].map(element => element.innerText)"))
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
fn the_text_on_the_screen_stays_when_the_server_is_started_again() {
    let Some((mut ada, mut bob, mut demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    demos.open(&mut bob, "cat-chat.html");
    ada.enter("#text", "first");
    ada.expect_text("#talk .message", "first");
    bob.enter("#text", "first");
    bob.enter("#text", "second");
    bob.expect_text("#talk", "second");

    demos.server.stop();
    ada.expect_text("#state", "Waiting");
    bob.expect_text("#state", "Waiting");
    demos.start_again();
    ada.expect_text("#talk .begin", "Connected again");
    bob.expect_text("#state", "Open");
    ada.enter("#text", "later");
    bob.enter("#text", "second");

    ada.expect("document.querySelectorAll('#talk .message').length === 2");
    assert_eq!(texts(&mut ada, "#talk .message .what"), json!(["first", "later"]));
    bob.expect("document.querySelectorAll('#talk .text').length === 3");
    assert_eq!(texts(&mut bob, "#talk .text"), json!(["first", "second", "second"]));
}

#[test]
fn a_lost_connection_brings_each_message_once() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    for (page, rows) in [("chat.html", "#talk .message .what"), ("cat-chat.html", "#talk .text")] {
        demos.open(&mut ada, page);
        demos.open(&mut bob, page);
        for line in ["one", "two", "two"] {
            ada.enter("#text", line);
        }
        ada.expect(&format!("document.querySelectorAll({rows:?}).length === 3"));

        ada.click("#reconnect");
        bob.enter("#text", "three");
        ada.expect_text("#talk", "three");

        assert_eq!(texts(&mut ada, rows), json!(["one", "two", "two", "three"]), "{page}");
    }
}

#[test]
fn a_refused_nickname_is_told_at_its_field() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    ada.expect_text("#here", "guest (you)");
    ada.enter("#nick", "Ada");
    ada.expect_text("#here", "Ada (you)");
    demos.open(&mut bob, "chat.html");
    // The browser has kept the name, which is taken.
    bob.expect_text("#nick-hint", "Ada is taken: you are Ada-2.");

    for (name, why) in [("ADA", "ADA is taken."), ("A B", "no spaces")] {
        bob.enter("#nick", name);

        bob.expect_text("#nick-hint", why);
        let field = "(({ value, ariaInvalid }) => [value, ariaInvalid, document.activeElement.id])";
        assert_eq!(bob.evaluate(&format!("{field}(document.querySelector('#nick'))")), json!([name, "true", "nick"]));
        assert_eq!(texts(&mut bob, "#talk .error"), json!([]));
    }

    bob.enter("#nick", "Bob");
    bob.expect_text("#here", "Bob (you)");
    assert_eq!(text(&mut bob, "#nick-hint"), "");
    assert_eq!(bob.evaluate("document.querySelector('#nick').ariaInvalid"), Value::Null);
    assert_eq!([ada.complaints(), bob.complaints()].concat(), [""; 0]);
}

#[test]
fn a_reader_who_has_scrolled_up_is_told_of_new_messages_and_led_to_them() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    demos.open(&mut bob, "chat.html");
    for number in 0..40 {
        ada.enter("#text", &format!("message {number}"));
    }
    bob.expect("document.querySelectorAll('#talk .message').length === 40");
    assert_eq!(bob.evaluate("document.querySelector('.newer button').hidden"), true);
    bob.evaluate("document.querySelector('#talk').scrollTop = 0");
    bob.expect("document.querySelector('#talk').scrollTop === 0");

    ada.enter("#text", "one");
    bob.expect("document.querySelector('.newer button').innerText === '↓ 1 new message'");
    ada.enter("#text", "two");
    bob.expect("document.querySelector('.newer button').innerText === '↓ 2 new messages'");
    assert_eq!(bob.evaluate("document.querySelector('#talk').scrollTop"), 0);
    bob.click(".newer button");

    bob.expect("document.querySelector('.newer button').hidden");
    bob.expect("(talk => talk.scrollHeight - talk.scrollTop - talk.clientHeight < 2)(document.querySelector('#talk'))");
}

#[test]
fn a_message_typed_while_the_server_is_away_is_sent_when_it_comes_again() {
    let Some((mut ada, mut bob, mut demos)) = two() else { return };
    demos.open(&mut ada, "chat.html");
    ada.expect_text("#here", "guest (you)");
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
    let Some(mut ada) = Browser::start() else { return };
    let demos = Demos::start_with(&with_short_seats(), Vec::new());
    let mut bob = ada.another();
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

/// The settings of the demos, but that a seat of Connect Four is kept for a second only.
fn with_short_seats() -> String {
    let (command, short) = (r#""./examples/connect4.py"]"#, r#""./examples/connect4.py", "1"]"#);
    assert!(settings().contains(command));
    settings().replace(command, short)
}

#[test]
fn a_seat_is_kept_through_a_reload_and_a_lost_connection() {
    let Some((mut ada, mut bob, demos)) = two() else { return };
    demos.open(&mut ada, "connect4.html");
    sees(&mut ada, "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    play(&mut [&mut ada, &mut bob], "443");

    ada.open("about:blank");
    sees(&mut bob, "Player one is away: the seat is kept for 30 seconds. Your turn.");
    demos.open(&mut ada, "connect4.html");
    ada.expect_text("#seat", "You are player one");
    sees(&mut ada, "Player two is next.");
    bob.click("#reconnect");
    bob.expect_text("#seat", "You are player two");
    sees(&mut bob, "Player one took column 3. Your turn.");

    for page in [&mut ada, &mut bob] {
        page.expect("document.querySelectorAll('[data-disc=\"1\"], [data-disc=\"2\"]').length === 3");
        assert_eq!(page.complaints(), [""; 0]);
    }
}

#[test]
fn a_copy_of_a_players_page_gets_a_seat_of_its_own() {
    let Some((mut ada, demos)) = one() else { return };
    demos.open(&mut ada, "connect4.html");
    sees(&mut ada, "Waiting for an opponent");

    // A copy of a tab, and only a copy, begins with what the storage of the tab holds.
    let kept = ada.evaluate("JSON.stringify(sessionStorage)");

    assert_eq!(kept, "{}");
    ada.open("about:blank");
    ada.open(&demos.url("favicon.svg"));
    assert_ne!(ada.evaluate("JSON.stringify(sessionStorage)"), "{}");
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

/// The picture on a canvas: its number of pixels, and a sum over their places and colours.
fn ink(browser: &mut Browser, canvas: &str) -> Value {
    browser.evaluate(&format!(
        "(() => {{
            const {{ data }} = document.querySelector('#{canvas}').getContext('2d').getImageData(0, 0, 1200, 1200);
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

#[test]
fn after_quit_the_calculator_says_so_and_offers_a_fresh_one() {
    if !has("bc") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "calculator.html");
    assert_eq!(browser.evaluate("document.querySelector('#over').hidden"), true);

    browser.enter("#line", "quit");

    browser.expect("!document.querySelector('#over').hidden && document.querySelector('#send').hidden");
    browser.expect_text("#over", "bc has ended, and its variables with it.");
    browser.expect_text("#log .begin", "bc has ended");
    browser.expect("document.activeElement.id === 'fresh'");
    browser.press("Enter");
    browser.expect("document.querySelector('#over').hidden && document.activeElement.id === 'line'");
    browser.expect_text("#state", "Open");
    browser.enter("#line", "6*7");
    browser.expect_text("#log .answer", "42");
}

#[test]
fn errors_of_the_calculator_look_like_errors() {
    if !has("bc") {
        return;
    }
    let Some((mut browser, demos)) = one() else { return };
    demos.open(&mut browser, "calculator.html");

    for line in ["1/0", "foo(", "6*7"] {
        browser.enter("#line", line);
    }

    browser.expect_text("#log .answer", "42");
    let looks = "[...document.querySelectorAll('#log .bad, #log .answer')].map(row => {
        const { borderLeftWidth, color } = getComputedStyle(row);
        return [row.className, borderLeftWidth, color === getComputedStyle(document.body).color];
    })";
    assert_eq!(browser.evaluate(looks), json!([["bad", "4px", false], ["bad", "4px", false], ["answer", "0px", true]]));
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
        (has("redis-server") && has("redis-cli")).then(|| Self::start_at(free_address()))
    }

    fn start_at(free: SocketAddr) -> Self {
        let mut command = Command::new("redis-server");
        command.args(["--bind", ADDRESS, "--port", &free.port().to_string(), "--save", "", "--protected-mode", "no"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = Lines::of(child.stdout.take().unwrap());
        let ready = said.wait_for("Ready to accept connections", 1);
        let redis = Self { child, url: format!("redis://{free}"), _said: Arc::clone(&said) };
        assert!(ready.is_some(), "{}", said.text());
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind((ADDRESS, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn the_page_says_that_a_redis_server_is_missing_and_how_to_start_one_until_there_is_one() {
    if !has("redis-server") || !has("redis-cli") {
        return;
    }
    let Some(mut browser) = Browser::start() else { return };
    let address = free_address();
    let demos = Demos::start(vec![("REDIS_URL", format!("redis://{address}"))]);
    browser.open(&demos.url("keyvalue.html"));

    browser.expect("!document.querySelector('#missing').hidden");
    let said = text(&mut browser, "#missing");
    assert!(said.contains("No Redis server answers") && said.contains("redis-server"), "{said}");
    assert!(!said.contains("not installed"), "{said}");
    assert_eq!(texts(&mut browser, ".verbs [aria-disabled=true]"), json!(["Set", "Get", "Subscribe"]));
    let mut index = browser.another();
    index.open(&demos.url(""));
    index.expect("!document.querySelector('#keyvalue').hidden && !document.querySelector('#redis').hidden");

    let _redis = Redis::start_at(address);
    browser.expect("document.querySelectorAll('.verbs [aria-disabled=false]').length === 3");
    assert_eq!(browser.evaluate("document.querySelector('#missing').hidden"), true);
    browser.enter("#value", "hello");
    browser.expect_text("#log", "stored greeting");
}

#[test]
fn a_key_that_one_page_sets_reaches_the_page_that_subscribed() {
    let Some(redis) = Redis::start() else { return };
    let Some(mut ada) = Browser::start() else { return };
    let demos = Demos::start(vec![("REDIS_URL", redis.url.clone())]);
    let mut bob = ada.another();
    demos.open(&mut ada, "keyvalue.html");
    demos.open(&mut bob, "keyvalue.html");
    for page in [&mut ada, &mut bob] {
        page.expect("document.querySelectorAll('.verbs [aria-disabled=false]').length === 3");
    }

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
