//! The demos while their network is away, and after: nothing is lost, nothing doubled, and the page says so.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::demos::{ADDRESS, Demos, settings, text, texts};
use crate::harness::browser::{Browser, NETWORK_NAME};
use crate::harness::cutting::{Cut, Cutting, Way};
use crate::harness::skip::has;

/// A connection that lasts.
const WHOLE: Cut = Cut { down: usize::MAX, up: usize::MAX, way: Way::Fin };

/// The words of a page whose session goes on.
const BACK: &str = "back, nothing lost";

/// The network of a page: a cable that can be pulled.
struct Network {
    proxy: Cutting,
}

impl Network {
    fn to(server: SocketAddr) -> Self {
        Self { proxy: Cutting::to(server, || WHOLE) }
    }

    /// The address of a page behind it. A server of this machine would need no network.
    fn url(&self, page: &str) -> String {
        format!("http://{NETWORK_NAME}:{}/{page}", self.proxy.address.port())
    }

    /// Opens a page, and waits for its session.
    fn open(&self, page: &mut Browser, name: &str) {
        page.open(&self.url(name));
        page.expect_text("#state", "Open");
    }

    /// Pulls the cable: nobody is told, and what is sent from now on gets lost.
    fn pull(&self) {
        self.proxy.pull();
    }

    /// Has the device notice that it has no network.
    fn notice(page: &mut Browser) {
        page.set_offline(true);
        page.expect_text("#state", "session kept");
    }

    /// Plugs the cable in again.
    fn plug(page: &mut Browser) {
        page.set_offline(false);
        page.expect_text("#state", BACK);
        assert!(text(page, "#state").starts_with("Open"));
    }
}

/// The demos, and two pages: the network of the first one can be taken away.
fn start() -> Option<(Browser, Browser, Demos, Network)> {
    start_with(&settings())
}

fn start_with(settings: &str) -> Option<(Browser, Browser, Demos, Network)> {
    let ada = Browser::start()?;
    let bob = ada.another();
    // Slow machines take their time between pulling the cable and plugging it in.
    let settings = settings.replace("resume = 20\n", "resume = 600\n").replace("resume = 60\n", "resume = 600\n");
    let origins = format!("origin = [\"{NETWORK_NAME}:*\", \"{ADDRESS}:*\"]\n{settings}");
    let demos = Demos::start_with(&origins, Vec::new());
    let network = Network::to(demos.server.address);
    Some((ada, bob, demos, network))
}

/// How often the log tells of this event.
fn told(demos: &Demos, event: &str) -> usize {
    demos.server.log().iter().filter(|line| line.contains(event)).count()
}

#[test]
fn a_cable_pulled_in_the_middle_of_a_chat_loses_and_doubles_nothing() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    network.open(&mut ada, "chat.html");
    demos.open(&mut bob, "chat.html");
    bob.expect_text("#here-title", "Here now: 2");
    ada.enter("#text", "one");
    bob.expect_text("#talk", "one");

    network.pull();
    ada.enter("#text", "two, which the network swallows");
    Network::notice(&mut ada);
    ada.enter("#text", "three, while it is away");
    ada.expect_text("#talk .waits", "To be sent: three");
    bob.enter("#text", "four, meanwhile");
    bob.expect_text("#talk", "four");
    Network::plug(&mut ada);

    let said = json!(["one", "four, meanwhile", "two, which the network swallows", "three, while it is away"]);
    for page in [&mut ada, &mut bob] {
        page.expect("document.querySelectorAll('#talk .message').length === 4");
        assert_eq!(texts(page, "#talk .message .what"), said);
        assert_eq!(texts(page, "#talk .leave, #talk .begin, #talk .waits"), json!([]), "nobody has left");
        page.expect_text("#here-title", "Here now: 2");
    }
    ada.enter("#text", "five");
    bob.expect_text("#talk .message:last-child", "five");
    assert_eq!(told(&demos, "session started"), 2);
}

#[test]
fn a_cable_pulled_in_the_middle_of_a_game_loses_and_doubles_no_move() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    let discs =
        |count: usize| format!("document.querySelectorAll('[data-disc=\"1\"], [data-disc=\"2\"]').length === {count}");
    network.open(&mut ada, "connect4.html");
    ada.expect_text("#news", "Waiting for an opponent");
    demos.open(&mut bob, "connect4.html");
    ada.expect_text("#news", "Your turn");

    // A move that the network swallows.
    network.pull();
    ada.press("4");
    Network::notice(&mut ada);
    ada.expect_text("#news", "The game waits for you.");
    ada.expect(&discs(0));
    Network::plug(&mut ada);
    bob.expect_text("#news", "Player one took column 4. Your turn.");
    bob.expect(&discs(1));

    // A move of the other meanwhile.
    network.pull();
    Network::notice(&mut ada);
    bob.press("4");
    bob.expect_text("#news", "Player one is next.");
    Network::plug(&mut ada);
    ada.expect_text("#news", "Player two took column 4. Your turn.");
    ada.press("3");
    for page in [&mut ada, &mut bob] {
        page.expect(&discs(3));
        assert_eq!(text(page, "#hint"), "", "no move was refused");
    }
    assert_eq!(told(&demos, "session started"), 2);
}

#[test]
fn a_cable_pulled_from_a_terminal_loses_and_doubles_no_key() {
    let (command, shell) = (r#"["./examples/adventure.py"]"#, r#"["env", "PS1=> ", "sh"]"#);
    let Some((mut ada, _, _demos, network)) = start_with(&settings().replace(command, shell)) else { return };
    let screen = "document.querySelector('.xterm-rows').innerText.replaceAll('\\u00a0', ' ')";
    network.open(&mut ada, "terminal.html");
    ada.expect(&format!("{screen}.trimEnd().endsWith('>')"));

    network.pull();
    ada.write("echo one");
    Network::notice(&mut ada);
    ada.write(" two");
    ada.press("Enter");
    Network::plug(&mut ada);

    ada.expect(&format!("{screen}.includes('\\none two')"));
    assert_eq!(ada.evaluate(&format!("{screen}.match(/echo one two/g).length")), 1);
}

#[test]
fn a_count_goes_on_after_a_lost_connection_and_has_each_number_once() {
    let Some((mut ada, _, demos, network)) = start() else { return };
    network.open(&mut ada, "counter.html");
    ada.expect_text("#log", "2");

    network.pull();
    Network::notice(&mut ada);
    demos.server.expect_log("session ended");
    ada.set_offline(false);

    ada.expect_text("#state", "Closed 1000");
    ada.expect("document.querySelectorAll('#log .text').length === 10");
    assert_eq!(texts(&mut ada, "#log .text"), json!(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]));
}

#[test]
fn a_stroke_drawn_without_a_network_is_on_the_sheet_afterwards() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    network.open(&mut ada, "draw.html");
    demos.open(&mut bob, "draw.html");
    let is_empty = |canvas: &str| {
        format!(
            "!new Uint32Array(document.querySelector('#{canvas}').getContext('2d').getImageData(0, 0, 1200, 1200)\
             .data.buffer).some((pixel) => pixel !== 0)"
        )
    };

    network.pull();
    ada.drag("#paper", &[(0.1, 0.2), (0.4, 0.3)]);
    Network::notice(&mut ada);
    ada.drag("#paper", &[(0.5, 0.2), (0.8, 0.3)]);
    assert_eq!(ada.evaluate(&is_empty("drawn")), true);
    Network::plug(&mut ada);

    bob.expect(&format!("!({})", is_empty("drawn")));
    // What the page has drawn ahead goes once all of it has come back.
    ada.expect(&format!("{} && !({})", is_empty("mine"), is_empty("drawn")));
}

#[test]
fn every_demo_that_stays_open_says_that_it_is_away_and_that_it_is_back() {
    let Some((mut ada, _, demos, _)) = start() else { return };
    for page in ["calculator", "cat-chat", "chat", "connect4", "draw", "log", "news", "terminal"] {
        if page == "calculator" && !has("bc") {
            continue;
        }
        // The browser would use a connection again that has fallen silent.
        let network = Network::to(demos.server.address);
        network.open(&mut ada, &format!("{page}.html"));
        let sessions = told(&demos, "session started");

        network.pull();
        Network::notice(&mut ada);
        assert!(text(&mut ada, "#state").starts_with("Offline"), "{page}");
        assert_eq!(ada.evaluate("document.querySelector('#state').role"), "status", "{page}");
        Network::plug(&mut ada);

        assert_eq!(told(&demos, "session started"), sessions, "{page}");
    }
}

#[test]
fn a_page_tells_when_its_session_is_gone() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    network.open(&mut ada, "chat.html");
    demos.open(&mut bob, "chat.html");
    ada.enter("#text", "before");
    bob.expect_text("#talk", "before");

    // As the clock of the page tells it.
    network.pull();
    Network::notice(&mut ada);
    ada.evaluate("Date.now = ((now) => () => now() + 601_000)(Date.now.bind(Date))");
    ada.expect("document.querySelector('#state').innerText.includes('this device has no network')");
    bob.enter("#text", "while away");
    bob.expect_text("#talk", "while away");
    ada.evaluate("Date.now = () => performance.timeOrigin + performance.now()");
    ada.set_offline(false);

    // wsd has kept it, as it has another clock.
    ada.expect_text("#talk", "while away");
    ada.expect_text("#state", BACK);
}

#[test]
fn a_hidden_page_that_loses_its_connection_is_back_before_anybody_looks() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    network.open(&mut ada, "chat.html");
    demos.open(&mut bob, "chat.html");
    ada.hide_behind(&mut bob);

    network.proxy.cut();
    demos.server.expect_log("session resumed");
    bob.enter("#text", "are you there?");

    ada.bring_to_front();
    ada.expect_text("#talk .message", "are you there?");
    assert_eq!(texts(&mut ada, "#talk .message .what"), json!(["are you there?"]));
    assert_eq!(texts(&mut bob, "#talk .leave"), json!([]));
}

#[test]
fn a_member_of_the_chat_who_closes_the_tab_or_goes_elsewhere_leaves_at_once() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    demos.open(&mut bob, "chat.html");

    network.open(&mut ada, "chat.html");
    bob.expect_text("#here-title", "Here now: 2");
    ada.open("about:blank");
    bob.expect_text("#here-title", "Here now: 1");
    let mut cy = bob.another();
    network.open(&mut cy, "chat.html");
    bob.expect_text("#here-title", "Here now: 2");
    cy.close();
    bob.expect_text("#here-title", "Here now: 1");

    assert_eq!(told(&demos, "session ended"), 2);
    assert_eq!(told(&demos, "session detached"), 0);
}

#[test]
fn a_page_of_the_chat_that_comes_back_by_the_way_back_joins_again_and_shows_each_message_once() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    demos.open(&mut bob, "chat.html");
    network.open(&mut ada, "chat.html");
    ada.enter("#text", "one");
    bob.expect_text("#talk", "one");

    ada.evaluate("location.href = '/favicon.svg'");
    bob.expect_text("#here-title", "Here now: 1");
    bob.enter("#text", "two");
    bob.expect_text("#talk", "two");
    ada.expect("!document.querySelector('#talk')");
    ada.evaluate("history.back()");

    bob.expect_text("#here-title", "Here now: 2");
    ada.expect_text("#talk", "two");
    assert_eq!(texts(&mut ada, "#talk .message .what"), json!(["one", "two"]));
}

#[test]
fn a_page_of_the_chat_that_is_loaded_again_leaves_and_joins() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    demos.open(&mut bob, "chat.html");
    network.open(&mut ada, "chat.html");
    ada.enter("#text", "before");
    bob.expect_text("#talk", "before");

    network.open(&mut ada, "chat.html");

    bob.expect("document.querySelectorAll('#talk .join').length === 2");
    bob.expect("document.querySelectorAll('#talk .leave').length === 1");
    bob.expect_text("#here-title", "Here now: 2");
    ada.expect_text("#talk .message", "before");
    assert_eq!(texts(&mut ada, "#talk .message .what"), json!(["before"]));
}

#[test]
fn two_tabs_are_two_members() {
    let Some((mut ada, mut bob, demos, network)) = start() else { return };
    network.open(&mut ada, "chat.html");
    network.open(&mut bob, "chat.html");
    ada.expect_text("#here-title", "Here now: 2");

    network.pull();
    for page in [&mut ada, &mut bob] {
        Network::notice(page);
    }
    ada.enter("#text", "of the first");
    bob.enter("#text", "of the second");
    for page in [&mut ada, &mut bob] {
        Network::plug(page);
    }

    for page in [&mut ada, &mut bob] {
        page.expect("document.querySelectorAll('#talk .message').length === 2");
        page.expect_text("#here-title", "Here now: 2");
    }
    assert_eq!(texts(&mut ada, "#talk .message .what"), texts(&mut bob, "#talk .message .what"));
    assert_eq!(told(&demos, "session started"), 2);
}

#[test]
fn the_variables_of_the_calculator_outlive_a_reload_and_go_to_the_newest_tab() {
    if !has("bc") {
        return;
    }
    let Some((mut ada, mut bob, demos, _)) = start() else { return };
    demos.open(&mut ada, "calculator.html");
    ada.enter("#line", "x = 6");
    ada.enter("#line", "x * 7");
    ada.expect_text("#log .answer", "42");

    demos.open(&mut ada, "calculator.html");
    ada.expect_text("#log .begin", "the same bc, with its variables");
    ada.enter("#line", "x * 8");
    ada.expect_text("#log .answer", "48");

    // A copy of a tab begins with a copy of its storage. The page stores what it acknowledges.
    ada.expect("Object.values(sessionStorage).some((kept) => kept.includes('\"got\":2'))");
    let kept = ada.evaluate("JSON.stringify(sessionStorage)");
    bob.open(&demos.url("favicon.svg"));
    bob.evaluate(&format!(
        "Object.entries(JSON.parse({kept})).forEach(([key, value]) => sessionStorage.setItem(key, value))"
    ));
    demos.open(&mut bob, "calculator.html");
    bob.enter("#line", "x * 9");
    bob.expect_text("#log", "54");
    ada.expect_text("#state", "Closed 4409");
    ada.expect_text("#over", "The session goes on in another tab.");
    assert_eq!(texts(&mut ada, "#log .answer"), json!(["48"]));
    assert_eq!(told(&demos, "session started"), 1);
}

/// With `WSD_PICTURES=1` it writes each look to `target/pictures`, for people.
#[test]
fn a_page_that_is_away_and_back_fits_its_window_in_every_look() {
    let Some((mut ada, mut bob, demos, _)) = start() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    let is_for_people = std::env::var_os("WSD_PICTURES").is_some();
    fs::create_dir_all(&folder).unwrap();
    for name in ["chat", "connect4"] {
        let network = Network::to(demos.server.address);
        ada.prefer("light");
        network.open(&mut ada, &format!("{name}.html"));
        demos.open(&mut bob, &format!("{name}.html"));
        if name == "chat" {
            ada.enter("#text", "Is the train in the tunnel yet?");
            bob.expect_text("#talk", "Is the train");
        } else {
            ada.expect_text("#news", "Your turn");
        }
        for state in ["offline", "away", "back"] {
            match state {
                "offline" => {
                    network.pull();
                    Network::notice(&mut ada);
                    if name == "chat" {
                        ada.enter("#text", "Yes, but nothing gets lost.");
                    }
                }
                "away" => {
                    network.proxy.refuse(true);
                    ada.set_offline(false);
                    ada.expect("document.querySelector('#state').dataset.state === 'away'");
                }
                _ => {
                    network.proxy.refuse(false);
                    ada.expect_text("#state", BACK);
                }
            }
            for width in [390, 1280] {
                ada.resize(width, 844);
                for look in ["light", "dark", "forced"] {
                    if look == "forced" {
                        ada.force_colours("dark");
                    } else {
                        ada.prefer(look);
                    }
                    let overflow = ada.evaluate("document.documentElement.scrollWidth - innerWidth").as_i64().unwrap();
                    assert!(overflow <= 0, "{name}, {state}, {width} pixels, {look}: {overflow} pixels too wide");
                    let height = ada.evaluate("document.querySelector('.bar').offsetHeight").as_i64().unwrap();
                    assert!(width > 390 || height <= 52, "{name}, {state}: the header has {height} pixels");
                    if is_for_people {
                        let picture = data_encoding::BASE64.decode(ada.picture_of("body").as_bytes()).unwrap();
                        fs::write(folder.join(format!("{name}-{state}-{width}-{look}.png")), picture).unwrap();
                    }
                }
            }
        }
    }
}
