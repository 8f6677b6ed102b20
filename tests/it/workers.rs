//! The programs of the demos alone, as a terminal would run them: what they are told, line by line, and what they say.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::lines::Lines;
use crate::harness::skip::has;
use crate::harness::tree::Tree;

/// A program of `examples/`. Dropping it stops it.
struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    said: Arc<Lines>,
    complained: Arc<Lines>,
    /// How many lines of `said` the test has heard.
    heard: usize,
}

impl Worker {
    /// Starts one; where there is no Python, skips the test and returns `None`.
    fn start(name: &str, arguments: &[&str]) -> Option<Self> {
        Self::start_with(name, arguments, "")
    }

    /// Starts one that finds other programs in the folder `programs` first.
    fn start_with(name: &str, arguments: &[&str], programs: &str) -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        if !has("python3") {
            return None;
        }
        let mut command = Command::new(path);
        command.args(arguments).env("REDIS_URL", "redis://127.0.0.1:1");
        command.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, complained) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        Some(Self { input: child.stdin.take(), child, said, complained, heard: 0 })
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input.as_ref().unwrap(), "{line}").unwrap();
    }

    /// The next line that it says.
    fn line(&mut self) -> String {
        self.heard += 1;
        let line = self.said.wait_for("", self.heard);
        line.unwrap_or_else(|| panic!("it is silent after {:#?}\n{}", self.said.so_far(), self.complained.text())).text
    }

    fn hear(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Its end, after the end of its input: what it said that was not heard yet, and of what it complained.
    fn finish(mut self) -> (Vec<String>, String) {
        self.input = None;
        let said = self.said.wait_for_end();
        let complaints = self.complained.wait_for_end();
        let status = eventually("the worker ends", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}\n{complaints}");
        (said.lines().skip(self.heard).map(str::to_owned).collect(), complaints)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It fails only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program in JSON framing that talks in JSON itself.
impl Worker {
    fn open(&mut self, client: &str, query: &str) {
        self.tell(&json!({ "event": "open", "client": client, "env": { "QUERY_STRING": query } }).to_string());
    }

    fn message(&mut self, client: &str, text: &str) {
        self.tell(&json!({ "event": "message", "client": client, "text": text }).to_string());
    }

    fn close(&mut self, client: &str) {
        self.tell(&json!({ "event": "close", "client": client, "code": 1001, "reason": "" }).to_string());
    }

    /// The next message: for whom, `null` for all, and what.
    fn send(&mut self) -> (Value, Value) {
        let mut command = self.hear();
        let text = serde_json::from_str(command["text"].as_str().unwrap()).unwrap();
        (command["to"].take(), text)
    }

    /// The next message, which must be an error for this client.
    fn expect_refusal(&mut self, client: &str, why: &str) {
        let (to, message) = self.send();
        assert_eq!((to, &message["type"]), (json!(client), &json!("error")));
        assert!(message["text"].as_str().unwrap().contains(why), "{message}");
    }

    /// The next message, without its time and the ID of what was said, which must be for all.
    fn expect_for_all(&mut self, want: &Value) {
        let (to, mut message) = self.send();
        assert!(message.as_object_mut().unwrap().remove("time").is_some_and(|time| time.is_u64()));
        let was_said = message["type"] == "message" || message["type"] == "action";
        assert_eq!(message.as_object_mut().unwrap().remove("id").is_some_and(|id| id.is_string()), was_said);
        assert_eq!((to, &message), (Value::Null, want));
    }
}

#[test]
fn the_chat_gives_each_name_once() {
    let Some(mut chat) = Worker::start("chat.py", &[]) else { return };
    // What is asked for, and what is given: names that look alike are the same, and what is no name is a guest.
    let table = [
        ("nick=Ada", "Ada"),
        ("nick=ada", "ada-2"),
        ("nick=%EF%BC%A1da", "\u{ff21}da-3"),
        ("", "guest"),
        ("nick=a%20b", "guest-2"),
        ("nick=%00", "guest-3"),
        ("nick=abcdefghijklmnopqrstu", "guest-4"),
        ("nick=abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("nick=abcdefghijklmnopqrst", "abcdefghijklmno-2"),
    ];
    let mut here = Vec::new();
    for (client, (query, name)) in table.iter().enumerate() {
        chat.open(&client.to_string(), query);
        chat.expect_for_all(&json!({ "type": "join", "who": name }));
        here.push(*name);
        here.sort_unstable();
        let welcome = json!({ "type": "welcome", "you": name, "here": here, "history": [] });
        assert_eq!(chat.send(), (json!(client.to_string()), welcome));
    }

    chat.message("3", "/nick ADA");
    chat.expect_refusal("3", "is taken");
    chat.message("3", "/nick a b");
    chat.expect_refusal("3", "no spaces");
    chat.message("3", "/nick Bob");
    chat.expect_for_all(&json!({ "type": "nick", "who": "guest", "now": "Bob" }));
    chat.close("0");
    chat.expect_for_all(&json!({ "type": "leave", "who": "Ada" }));
    chat.message("3", "/nick ADA");
    chat.expect_for_all(&json!({ "type": "nick", "who": "Bob", "now": "ADA" }));
    // To write one's own name in another way is no theft.
    chat.message("3", "/nick Ada");
    chat.expect_for_all(&json!({ "type": "nick", "who": "ADA", "now": "Ada" }));
    assert_eq!(chat.finish(), (Vec::new(), String::new()));
}

#[test]
fn the_chat_tells_newcomers_what_was_said_and_no_more_than_that() {
    let Some(mut chat) = Worker::start("chat.py", &[]) else { return };
    chat.open("a", "nick=Ada");
    let _ = (chat.send(), chat.send());

    chat.message("a", " Hello <b>you</b> ");
    chat.expect_for_all(&json!({ "type": "message", "who": "Ada", "text": "Hello <b>you</b>" }));
    chat.message("a", "/me waves");
    chat.expect_for_all(&json!({ "type": "action", "who": "Ada", "text": "waves" }));
    chat.message("a", "/dance");
    chat.expect_refusal("a", "two commands");
    chat.message("a", &"x".repeat(1001));
    chat.expect_refusal("a", "at most 1000");
    chat.message("a", "  ");
    chat.message("a", &"é".repeat(1000));
    chat.expect_for_all(&json!({ "type": "message", "who": "Ada", "text": "é".repeat(1000) }));

    chat.open("b", "");
    chat.send();
    let history = chat.send().1["history"].take();
    let texts: Vec<&Value> = history.as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, [&json!("Hello <b>you</b>"), &json!("waves"), &json!("é".repeat(1000))]);

    for number in 0..60 {
        chat.message("b", &number.to_string());
        chat.send();
    }
    chat.open("c", "");
    chat.send();
    let history = chat.send().1["history"].take();
    assert_eq!(history.as_array().unwrap().len(), 50);
    assert_eq!(history[0]["text"], "10");
    assert_eq!(chat.finish(), (Vec::new(), String::new()));
}

#[test]
fn one_bad_line_ends_neither_the_chat_nor_the_games() {
    for name in ["chat.py", "connect4.py"] {
        let Some(mut worker) = Worker::start(name, &[]) else { return };
        worker.tell("rubbish");
        worker.tell("[]");
        worker.message("nobody", "1");
        worker.close("nobody");
        worker.open("a", "");
        let (said, complaints) = worker.finish();
        assert!(said.iter().any(|line| line.contains("welcome") || line.contains("waiting")), "{name}: {said:?}");
        assert!(complaints.starts_with("skipped a line:"), "{name}: {complaints}");
    }
}

/// Starts a game of clients `a`, who is player one, and `b`; gives its ID.
fn begin(games: &mut Worker) -> String {
    games.open("a", "");
    assert_eq!(games.send(), (json!("a"), json!({ "type": "waiting" })));
    games.open("b", "");
    let (to, seat) = games.send();
    assert_eq!((to, &seat["player"]), (json!("a"), &json!(1)));
    let (to, other) = games.send();
    assert_eq!((to, &other["player"], &other["game"]), (json!("b"), &json!(2), &seat["game"]));
    let (to, board) = games.send();
    let empty = json!({ "type": "board", "phase": "playing", "player": 1, "columns": ["", "", "", "", "", "", ""],
        "last": null, "line": [], "again": [], "away": [] });
    assert_eq!((to, board), (json!(["a", "b"]), empty));
    seat["game"].as_str().unwrap().to_owned()
}

/// Drops discs into these columns in turn; gives the last board.
fn play(games: &mut Worker, columns: &str) -> Value {
    let mut board = Value::Null;
    for (turn, column) in columns.chars().enumerate() {
        games.message(["a", "b"][turn % 2], &column.to_string());
        board = games.send().1;
        assert_eq!(board["type"], "board", "after {} of {columns}: {board}", turn + 1);
    }
    board
}

#[test]
fn four_in_a_row_win_in_every_direction() {
    // The columns in turn, and the cells that won, as column and row from below.
    let table = [
        ("1212121", vec![[0, 0], [0, 1], [0, 2], [0, 3]]),
        ("1122334", vec![[0, 0], [1, 0], [2, 0], [3, 0]]),
        ("7766445", vec![[3, 0], [4, 0], [5, 0], [6, 0]]),
        ("12233434474", vec![[0, 0], [1, 1], [2, 2], [3, 3]]),
        ("76655454414", vec![[3, 3], [4, 2], [5, 1], [6, 0]]),
        // Five in a row, by a disc in their middle.
        ("112244553", vec![[0, 0], [1, 0], [2, 0], [3, 0], [4, 0]]),
    ];
    for (columns, want) in table {
        let Some(mut games) = Worker::start("connect4.py", &[]) else { return };
        begin(&mut games);
        let board = play(&mut games, columns);
        assert_eq!((&board["phase"], &board["player"]), (&json!("won"), &json!(1)), "{columns}: {board}");
        let mut line: Vec<[u64; 2]> = serde_json::from_value(board["line"].clone()).unwrap();
        line.sort_unstable();
        assert_eq!(line, want, "{columns}");
        games.message("b", "4");
        games.expect_refusal("b", "The game is over.");
        assert_eq!(games.finish(), (Vec::new(), String::new()));
    }
}

#[test]
fn a_full_board_without_four_in_a_row_is_a_draw() {
    let Some(mut games) = Worker::start("connect4.py", &[]) else { return };
    begin(&mut games);

    let columns = "656173566152215676422337377473141445425321";
    let board = play(&mut games, &columns[..41]);
    assert_eq!(board["phase"], "playing");
    games.message("b", &columns[41..]);
    assert_eq!(games.send().1["phase"], "draw");
    assert_eq!(games.finish(), (Vec::new(), String::new()));
}

#[test]
fn the_rules_hold() {
    let Some(mut games) = Worker::start("connect4.py", &[]) else { return };
    games.open("w", "watch=unknown");
    games.expect_refusal("w", "This game is over");
    games.message("w", "1");
    games.expect_refusal("w", "You are not playing.");
    let game = begin(&mut games);

    games.message("b", "1");
    games.expect_refusal("b", "It is not your turn.");
    for nonsense in ["0", "8", "", "12", "x", "٣", "{}"] {
        games.message("a", nonsense);
        games.expect_refusal("a", "Send the number of a column");
    }
    games.message("a", "again");
    games.expect_refusal("a", "The game is not over.");
    play(&mut games, "111111");
    games.message("a", "1");
    games.expect_refusal("a", "This column is full.");

    games.open("w", &format!("watch={game}"));
    assert_eq!(games.send(), (json!("w"), json!({ "type": "seat", "player": 0, "game": game })));
    let (to, board) = games.send();
    assert_eq!((to, &board["columns"][0]), (json!("w"), &json!("121212")));
    games.message("w", "2");
    games.expect_refusal("w", "You are not playing.");
    games.message("a", "2");
    assert_eq!(games.send().0, json!(["a", "b", "w"]));
    assert_eq!(games.finish(), (Vec::new(), String::new()));
}

#[test]
fn players_play_again_with_turns_changed_and_one_who_is_left_finds_another() {
    let Some(mut games) = Worker::start("connect4.py", &[]) else { return };
    begin(&mut games);
    play(&mut games, "1212121");

    games.message("a", "again");
    assert_eq!(games.send().1["again"], json!([1]));
    games.message("b", "again");
    let seats = [games.send(), games.send()].map(|(to, seat)| (to, seat["player"].clone()));
    assert_eq!(seats, [(json!("b"), json!(1)), (json!("a"), json!(2))]);
    games.send();

    games.close("a");
    let (to, board) = games.send();
    assert_eq!((to, &board["phase"], &board["player"]), (json!(["b"]), &json!("left"), &json!(2)));
    games.message("b", "again");
    assert_eq!(games.send(), (json!("b"), json!({ "type": "waiting" })));
    games.open("c", "");
    let seats = [games.send(), games.send()].map(|(to, seat)| (to, seat["player"].clone()));
    assert_eq!(seats, [(json!("b"), json!(1)), (json!("c"), json!(2))]);
    games.send();
    assert_eq!(games.finish(), (Vec::new(), String::new()));
}

#[test]
fn a_log_that_is_not_there_yet_is_told_of_and_followed_once_it_is() {
    let tree = Tree::new();
    let Some(mut log) = Worker::start("log.py", &[&tree.path("log")]) else { return };
    let told = format!("There is no {} yet. It is followed as soon as there is.", tree.path("log"));
    assert_eq!(log.hear(), json!({ "line": told }));

    tree.file("log", "INFO a\n");

    assert_eq!(log.hear(), json!({ "line": "INFO a" }));
    assert_eq!(log.finish(), (Vec::new(), String::new()));
}

#[test]
fn the_log_comes_through_the_filter_of_the_day() {
    let tree = Tree::new();
    tree.file("log", "INFO a\nWARN page slow\nERROR page lost\n");
    let Some(mut log) = Worker::start("log.py", &[&tree.path("log")]) else { return };
    let line = |text: &str| json!({ "line": text });
    for text in ["INFO a", "WARN page slow", "ERROR page lost"] {
        assert_eq!(log.hear(), line(text));
    }

    log.tell(" Page  SLOW ");
    assert_eq!(log.hear(), json!({ "filter": "Page  SLOW" }));
    assert_eq!(log.hear(), line("WARN page slow"));
    let mut end = fs::OpenOptions::new().append(true).open(tree.path("log")).unwrap();
    writeln!(end, "INFO slow\nINFO a \"slow\" page\r").unwrap();
    assert_eq!(log.hear(), line("INFO a \"slow\" page"));

    // A new file under the same name is followed, too.
    fs::rename(tree.path("log"), tree.path("log.1")).unwrap();
    tree.file("log", "slow page of the new file\n");
    assert_eq!(log.hear(), line("slow page of the new file"));
    log.tell("");
    assert_eq!(log.hear(), json!({ "filter": "" }));
    assert_eq!(log.hear(), line("slow page of the new file"));
    assert_eq!(log.finish(), (Vec::new(), String::new()));
}

#[test]
fn news_are_told_back_and_what_is_no_event_is_an_error() {
    let Some(mut news) = Worker::start("news.py", &[]) else { return };
    assert_eq!(news.hear(), json!({ "event": "news", "data": { "hello": "world" } }));

    news.tell(r#"{"event":"my other event","data":{"my":"data"}}"#);
    let received = json!({ "event": "my other event", "data": { "my": "data" } });
    assert_eq!(news.hear(), json!({ "event": "received", "data": received }));
    for line in ["", "x", "1", "[]", "{}", r#"{"event":"x"}"#, &"[".repeat(100_000)] {
        news.tell(line);
        assert_eq!(news.hear()["event"], "error", "{line:.20}");
    }
    assert_eq!(news.finish(), (Vec::new(), String::new()));
}

#[test]
fn the_log_that_is_written_for_the_demo_can_be_followed() {
    let tree = Tree::new();
    let path = tree.path("logs/shop.log");
    let Some(_worker) = Worker::start("write-log.py", &[&path]) else { return };
    let line = eventually("a line of the log", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.split_once('\n').map(|(line, _)| line.to_owned())
    });
    assert!(["INFO ", "WARN ", "ERROR "].iter().any(|level| line[21..].starts_with(level)), "{line}");
}

#[test]
fn the_key_value_store_refuses_what_is_no_key_and_no_command() {
    let tree = Tree::new();
    // A Redis that answers once, and then goes away.
    let client = "#!/bin/sh\n[ -e \"$0.asked\" ] && { echo 'Could not connect'; exit; }\n: >\"$0.asked\"\necho PONG\n";
    tree.program("redis-cli", client);
    let Some(mut store) = Worker::start_with("keyvalue.py", &[], &tree.path("")) else { return };
    assert_eq!(store.line(), "ready");

    for key in ["", "a*b", "a:b", "é", "a\tb", "../x", &"x".repeat(65)] {
        for command in ["get", "subscribe", "set"] {
            store.tell(&format!("{command} {key} value"));
            assert_eq!(store.line(), "error a key is one word of up to 64 letters, digits and _ . -", "{key}");
        }
    }
    for command in ["FLUSHALL", "GET", "eval", "--help", "get\0"] {
        store.tell(&format!("{command} key"));
        assert_eq!(store.line(), "error there are: set KEY VALUE, get KEY, subscribe KEY", "{command}");
    }
    store.tell(&format!("set key {}", "x".repeat(1001)));
    assert_eq!(store.line(), "error a value has at most 1000 characters");

    // Without a Redis there are errors, and no end.
    for line in ["get key", "set key value", "subscribe key"] {
        store.tell(line);
        assert!(store.line().starts_with("error "), "{line}");
    }
    assert_eq!(store.finish(), (Vec::new(), String::new()));
}
