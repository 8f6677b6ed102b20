//! The demos without a browser; `tests/browser/demos.rs` opens their pages.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::server::{Server, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;
use crate::harness::websocket::{CLOSE, Client, Close};

#[test]
fn all_demos_end_with_their_server() {
    if !["python3", "bc"].into_iter().all(has) {
        return;
    }
    // The log of the log demo is written to where the server is started.
    let tree = Tree::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    tree.link("static", checkout.join("static")).link("examples", checkout.join("examples"));
    let mut command = wsd(&["--port=0", "--config=examples/demos.toml"]);
    command.current_dir(tree.path(""));
    let mut server = Server::spawn(command);
    let mut clients =
        ["/counter", "/chat", "/cat-chat", "/connect4", "/draw", "/news", "/log", "/calculator", "/terminal"]
            .map(|path| server.connect(path));

    server.signal(Signal::TERM);

    for client in &mut clients {
        assert_eq!(client.close_at_last().code, Some(1001));
    }
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_room_of_the_demos_lives_longer_than_the_seats_in_it() {
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let settings: toml::Table = read("examples/demos.toml").parse().unwrap();
    let program = read("examples/connect4.py");
    let seat = program.lines().find(|line| line.starts_with("SEAT_SECONDS = ")).unwrap();
    let seconds: i64 = seat.rsplit(' ').next().unwrap().parse().unwrap();

    assert!(settings["linger"].as_integer().unwrap() > seconds);
    for text in ["examples/connect4.py", "static/connect4.js"] {
        assert!(read(text).contains(&format!("{seconds} seconds")), "{text}");
    }
}

/// A program of `examples/` as a room, where Python is installed.
fn room(name: &str, arguments: &[&str]) -> Option<Server> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let command = [&[path.to_str().unwrap()], arguments].concat();
    has("python3").then(|| Server::command(&["--shared", "--framing=json"], &command))
}

/// The next message of this type.
fn next(client: &mut Client, kind: &str) -> Value {
    loop {
        let message: Value = serde_json::from_str(&client.line()).unwrap();
        if message["type"] == kind {
            return message;
        }
    }
}

#[test]
fn a_seat_is_kept_for_its_token_and_for_nobody_else() {
    let Some(server) = room("connect4.py", &[]) else { return };
    let mut ada = server.connect("/?token=a");
    next(&mut ada, "waiting");
    let mut bob = server.connect("/?token=b");
    assert_eq!(next(&mut bob, "seat")["player"], 2);
    ada.text("4");
    assert_eq!(next(&mut bob, "board")["away"], Value::Array(Vec::new()));

    drop(ada);
    while next(&mut bob, "board")["away"] != serde_json::json!([1]) {}
    for path in ["/?token=c", "/?token=", "/"] {
        let mut other = server.connect(path);
        let message: Value = serde_json::from_str(&other.line()).unwrap();
        assert!(message["type"] == "waiting", "{path}: {message}");
        other.close(1000);
    }

    let mut ada = server.connect("/?token=a");
    assert_eq!(next(&mut ada, "seat")["player"], 1);
    let board = next(&mut ada, "board");
    assert_eq!((&board["columns"][3], &board["player"]), (&"1".into(), &2.into()));
    assert_eq!(next(&mut bob, "board")["away"], Value::Array(Vec::new()));
}

#[test]
fn the_newest_client_with_a_token_has_the_seat() {
    let Some(server) = room("connect4.py", &[]) else { return };
    let mut first = server.connect("/?token=a");
    next(&mut first, "waiting");
    let mut bob = server.connect("/?token=b");
    next(&mut bob, "seat");

    let mut second = server.connect("/?token=a");

    assert_eq!(next(&mut second, "seat")["player"], 1);
    assert_eq!(first.close_at_last(), Close::new(4000, "another page has your seat"));
    second.text("4");
    while next(&mut bob, "board")["columns"][3] != "1" {}
}

#[test]
fn a_client_that_watches_the_chat_is_not_in_it() {
    let Some(server) = room("chat.py", &[]) else { return };
    let mut watcher = server.connect("/?watch");
    assert_eq!(next(&mut watcher, "welcome")["here"], Value::Array(Vec::new()));
    let mut ada = server.connect("/?nick=Ada");

    assert_eq!(next(&mut ada, "welcome")["here"], serde_json::json!(["Ada"]));
    assert_eq!(next(&mut watcher, "join")["who"], "Ada");
    watcher.text("hello");
    assert_eq!(next(&mut watcher, "error")["text"], "You only watch.");
    watcher.close(1000);
    ada.text("/me waves");
    // Nobody has left.
    let message: Value = serde_json::from_str(&ada.line()).unwrap();
    assert_eq!(message["type"], "action");
}

#[test]
fn the_keyvalue_program_is_ready_only_with_a_redis_server() {
    if !["python3", "redis-cli"].into_iter().all(has) {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/keyvalue.py");
    let mut command = wsd(&["--port=0", "--passenv=PATH,REDIS_URL", path.to_str().unwrap()]);
    // Nobody listens on the port of discard here.
    command.env("REDIS_URL", "redis://127.0.0.1:9");
    let server = Server::spawn(command);

    let mut client = server.connect("/");
    let line = client.line();

    assert!(line.starts_with("missing server Could not connect"), "{line}");
    client.close(1000);
    server.expect_log("session ended");
}

/// The keys that win the adventure: they walk to oil, key, wick, matches, the door and the lamp.
fn winning_keys() -> String {
    let way = "h9 j5 h7 k6 l4 k2 j2 h4 j6 l21 j2 h4 k1 h3 k3 j2 h7 k3 h4 l9 k1 l12 k1 l2 k1 l10 k4";
    way.split(' ').map(|run| run[..1].repeat(run[1..].parse().unwrap())).collect()
}

#[test]
fn the_adventure_is_won_and_ends_with_its_last_word() {
    let Some(server) = terminal("adventure.py") else { return };

    for (keys, last_word) in [(winning_keys(), "The lamp is lit: well done!"), ("hhll".into(), "The lamp stays dark.")]
    {
        let mut client = server.connect("/?cols=70&rows=24");
        client.text(&format!("{keys}q"));

        let (text, close) = screen(&mut client);

        assert!(text.contains(last_word), "{text}");
        assert_eq!(close.code, Some(1000));
    }
}

#[test]
fn the_adventure_plays_in_a_terminal_of_any_size() {
    let Some(server) = terminal("adventure.py") else { return };
    for size in ["cols=1&rows=1", "cols=3&rows=40", "cols=200&rows=2", "cols=300&rows=100"] {
        let mut client = server.connect(&format!("/?{size}"));
        client.text("llllkkkkq");

        let (text, close) = screen(&mut client);

        assert_eq!(close.code, Some(1000), "{size}: {text}");
    }
}

#[test]
fn the_adventure_says_that_it_needs_a_terminal_and_ends_quietly_on_control_c() {
    let Some(server) = terminal("adventure.py") else { return };
    let mut client = server.connect("/");
    // Before it draws, Ctrl-C is a signal.
    let mut drawn = Vec::new();
    while !String::from_utf8_lossy(&drawn).contains("You carry") {
        drawn.extend(client.frame().payload);
    }
    client.text("hhll\x03");
    let (text, close) = screen(&mut client);
    assert!(text.contains("The lamp stays dark.") && !text.contains("Traceback"), "{text}");
    assert_eq!(close.code, Some(1000));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/adventure.py");
    let server = Server::command(&[], &[path.to_str().unwrap()]);
    let (lines, close) = server.connect("/").rest();
    assert_eq!((lines.len(), close.code), (0, Some(4001)));
    let line = server.expect_log("worker stderr").text;
    assert!(line.contains("needs a terminal: wsd --pty"), "{line}");
}

/// A program of `examples/` with a terminal for each client, where Python is installed.
fn terminal(name: &str) -> Option<Server> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    has("python3").then(|| Server::command(&["--pty"], &[path.to_str().unwrap()]))
}

/// All that a program writes to its terminal from now on, and how its session ends.
fn screen(client: &mut Client) -> (String, Close) {
    let mut text = Vec::new();
    loop {
        let frame = client.frame();
        if frame.opcode == CLOSE {
            return (String::from_utf8_lossy(&text).into_owned(), Close::of(&frame.payload));
        }
        text.extend(frame.payload);
    }
}
