//! SIGHUP loads the file of `--config` again: new sessions follow it, those that are there go on.

use rustix::process::Signal;

use crate::harness::process::{gone_within, is_gone, pid};
use crate::harness::server::{Server, field, wsd};
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;
use crate::harness::{DEADLINE, eventually};

/// A server whose file can be changed.
struct Configured {
    tree: Tree,
    server: Server,
    loads: usize,
}

impl Configured {
    fn new(settings: &str) -> Self {
        Self::with_flags(settings, &[])
    }

    fn with_flags(settings: &str, flags: &[&str]) -> Self {
        let tree = Tree::new();
        tree.file("wsd.toml", settings);
        let server = Server::serve(&[&["--config", &tree.path("wsd.toml")], flags].concat());
        Self { tree, server, loads: 0 }
    }

    /// Changes the file and has it loaded.
    fn load(&mut self, settings: &str) {
        self.tree.file("wsd.toml", settings);
        self.loads += 1;
        self.server.signal(Signal::HUP);
        self.server.expect_nth_log("settings loaded", self.loads);
    }

    /// Changes the file, which must be found bad, and gives the log line that says so.
    fn load_bad(&self, settings: &str, count: usize) -> String {
        self.tree.file("wsd.toml", settings);
        self.server.signal(Signal::HUP);
        self.server.expect_nth_log("settings not loaded", count).text
    }
}

fn route(path: &str, command: &str, more: &str) -> String {
    format!("[[route]]\npath = \"{path}\"\ncommand = [\"sh\", \"-c\", '{command}']\n{more}\n")
}

#[test]
fn new_sessions_follow_the_new_file_and_running_ones_go_on() {
    let mut configured = Configured::new(&route("/a", "echo old; cat", ""));
    let mut old = configured.server.connect("/a");
    assert_eq!(old.line(), "old");
    assert_eq!(configured.server.refusal("/b", "").status, 404);

    configured.load(&[route("/a", "echo new; cat", ""), route("/b", "echo added; cat", "")].concat());

    let mut new = configured.server.connect("/a");
    assert_eq!(new.line(), "new");
    assert_eq!(configured.server.connect("/b").line(), "added");
    old.text("still here");
    assert_eq!(old.line(), "still here");

    configured.load(&route("/b", "echo added; cat", ""));

    assert_eq!(configured.server.refusal("/a", "").status, 404);
    for client in [&mut old, &mut new] {
        client.text("still here");
        assert_eq!(client.line(), "still here");
    }
}

#[test]
fn a_connection_that_was_there_before_follows_the_new_file() {
    let mut configured = Configured::new(&route("/a", "echo old", ""));
    let mut connection = configured.server.http();
    let request = format!("GET /a HTTP/1.1\r\nHost: {}\r\n\r\n", configured.server.host());
    connection.send(&request);
    assert_eq!(connection.response("GET").header("x-new"), None);

    configured.load(&format!("header = \"X-New: 1\"\n{}", route("/a", "echo old", "")));

    connection.send(&request);
    assert_eq!(connection.response("GET").header("x-new"), Some("1"));
}

#[test]
fn a_bad_file_is_reported_and_changes_nothing() {
    let good = route("/a", "echo good; cat", "");
    let mut configured = Configured::new(&good);
    let mut client = configured.server.connect("/a");
    client.line();
    let place = configured.tree.path("wsd.toml");
    let table = [
        ("no toml at all\n".to_owned(), 1, "TOML"),
        (format!("{}closms = 5\n", route("/a", "echo bad", "")), 5, "`closms`"),
        (
            format!("{}{}", route("/a", "echo bad", ""), "[[route]]\npath = \"/b\"\ncommand = [\"no-such-program\"]\n"),
            6,
            "no-such-program",
        ),
        (format!("loglevel = \"loud\"\n{}", route("/a", "echo bad", "")), 1, "loud"),
        (format!("ssl = true\n{}", route("/a", "echo bad", "")), 1, "sslcert"),
    ];

    for (count, (settings, _, word)) in (1..).zip(&table) {
        let reported = configured.load_bad(settings, count);

        assert!(reported.contains(" ERROR ") && reported.contains(word), "{reported}");
        client.text("still here");
        assert_eq!(client.line(), "still here");
        assert_eq!(configured.server.connect("/a").line(), "good", "{settings}");
        assert_eq!(configured.server.refusal("/b", "").status, 404);
    }
    let log = configured.server.log();
    let reports: Vec<_> = log.iter().filter(|line| line.contains("settings not loaded")).collect();
    for (report, (_, line, _)) in reports.iter().zip(&table).take(2) {
        assert!(report.contains(&format!("{place}:{line}: ")), "{report}");
    }

    configured.load(&route("/a", "echo better; cat", ""));
    assert_eq!(configured.server.connect("/a").line(), "better");
}

#[test]
fn a_file_that_is_gone_is_reported_and_changes_nothing() {
    let configured = Configured::new(&route("/a", "echo good", ""));
    configured.tree.remove("wsd.toml");

    configured.server.signal(Signal::HUP);

    let reported = configured.server.expect_log("settings not loaded").text;
    assert!(reported.contains(&configured.tree.path("wsd.toml")), "{reported}");
    assert_eq!(configured.server.connect("/a").line(), "good");
}

#[test]
fn a_room_that_has_not_changed_goes_on_with_its_clients() {
    let room = route("/room", "while read -r line; do echo \"$$ $line\"; done", "shared = true\nhistory = 5");
    let mut configured = Configured::new(&room);
    let mut before = configured.server.connect("/room");
    before.text("before");
    let said = before.line();
    let worker = said.split(' ').next().unwrap().to_owned();

    configured.load(&format!("{}{room}", route("/other", "cat", "")));

    let mut after = configured.server.connect("/room");
    assert_eq!(after.line(), said, "the history");
    after.text("after");
    for client in [&mut before, &mut after] {
        assert_eq!(client.line(), format!("{worker} after"));
    }
    assert_eq!(configured.server.log().iter().filter(|line| line.contains("room started")).count(), 1);
}

#[test]
fn a_room_whose_route_has_not_changed_goes_on_when_the_limit_of_programs_has() {
    let room = route("/room", "echo $$; exec cat", "shared = true");
    let mut configured = Configured::new(&format!("maxforks = 10\n{room}"));
    let mut before = configured.server.connect("/room");
    before.line();

    configured.load(&format!("maxforks = 20\n{room}"));

    let mut after = configured.server.connect("/room");
    after.text("one room");
    assert_eq!(before.line(), "one room");
    assert_eq!(after.line(), "one room");
}

#[test]
fn the_limit_of_programs_counts_those_that_were_there_before() {
    let settings = |limit| format!("maxforks = {limit}\n{}", route("/a", "cat", ""));
    let mut configured = Configured::new(&settings(2));
    let _before = [configured.server.connect("/a"), configured.server.connect("/a")];
    assert_eq!(configured.server.refusal("/a", "").status, 429);

    configured.load(&settings(3));

    let _after = configured.server.connect("/a");
    assert_eq!(configured.server.refusal("/a", "").status, 429);
}

#[test]
fn the_limit_of_a_route_counts_those_that_were_there_before() {
    let settings = |number: usize, limit: usize| {
        route("/a", "cat", &format!("maxforks = {limit}\nheader = [\"X-Number: {number}\"]"))
    };
    let mut configured = Configured::new(&settings(0, 2));
    let mut before = vec![configured.server.connect("/a"), configured.server.connect("/a")];

    configured.load(&settings(1, 2));
    let refusal = configured.server.refusal("/a", "");
    assert_eq!((refusal.status, refusal.header("x-number")), (429, Some("1")));

    configured.load(&settings(2, 3));
    before.push(configured.server.connect("/a"));
    assert_eq!(configured.server.refusal("/a", "").status, 429);

    configured.load(&settings(3, 1));
    for _ in 0..3 {
        assert_eq!(configured.server.refusal("/a", "").status, 429);
        configured.server.expect_end_of(&mut leave(before.pop().unwrap()));
    }
    eventually("a slot is free", || configured.server.try_connect("/a", "").ok());
}

#[test]
fn a_route_that_was_gone_has_its_old_programs_counted() {
    let limited = route("/a", "cat", "maxforks = 1");
    let mut configured = Configured::new(&limited);
    let before = configured.server.connect("/a");

    for _ in 0..2 {
        configured.load(&route("/b", "cat", ""));
        assert_eq!(configured.server.refusal("/a", "").status, 404);
    }
    configured.load(&limited);

    assert_eq!(configured.server.refusal("/a", "").status, 429);
    configured.server.expect_end_of(&mut leave(before));
    eventually("the slot is free", || configured.server.try_connect("/a", "").ok());
}

/// Says good-bye.
fn leave(mut client: Client) -> Client {
    client.close(1000);
    client.expect_close();
    client
}

#[test]
fn a_room_that_has_changed_keeps_its_clients_and_newcomers_get_a_new_one() {
    let room = |word| route("/room", &format!("echo {word}; exec cat"), "shared = true");
    let mut configured = Configured::new(&room("old"));
    let mut before = configured.server.connect("/room");
    assert_eq!(before.line(), "old");
    let old = configured.server.expect_room(1);

    configured.load(&room("new"));

    let mut after = configured.server.connect("/room");
    assert_eq!(after.line(), "new");
    after.text("for the new room");
    before.text("for the old room");
    assert_eq!((before.line(), after.line()), ("for the old room".to_owned(), "for the new room".to_owned()));
    assert!(!is_gone(old));
    before.close(1000);
    before.expect_close();
    assert!(gone_within(old, DEADLINE));
}

#[test]
fn an_eager_program_is_kept_replaced_and_stopped_as_the_file_says() {
    let room = |word| route("/room", &format!("echo {word} $$ >&2; exec cat"), "shared = true\neager = true");
    let mut configured = Configured::new(&room("one"));
    let first = configured.server.expect_room(1);

    configured.load(&format!("{}{}", room("one"), route("/other", "cat", "")));
    let mut client = configured.server.connect("/room");
    client.text("the same");
    assert_eq!(client.line(), "the same");
    assert!(!is_gone(first));
    drop(client);
    configured.server.expect_log("session ended");

    configured.load(&room("two"));
    let second = configured.server.expect_room(2);
    configured.server.expect_log("two ");
    assert!(gone_within(first, DEADLINE));
    // At once, as at the start.
    let mut client = configured.server.connect("/room");
    client.text("another");
    assert_eq!(client.line(), "another");
    drop(client);

    configured.load(&route("/other", "cat", ""));
    assert!(gone_within(second, DEADLINE));
    assert_eq!(configured.server.log().iter().filter(|line| line.contains("room started")).count(), 2);
    assert!(!configured.server.log().iter().any(|line| line.contains("starts again")));
}

#[test]
fn an_eager_program_added_by_the_file_starts_at_once() {
    let mut configured = Configured::new(&route("/other", "cat", ""));

    configured.load(&route("/room", "echo here >&2; exec cat", "shared = true\neager = true"));

    configured.server.expect_log("line=here");
    let mut client = configured.server.connect("/room");
    client.text("hello");
    assert_eq!(client.line(), "hello");
}

#[test]
fn flags_of_the_command_line_hold_after_loading_too() {
    let mut configured =
        Configured::with_flags(&route("/a", "cat", ""), &["--header=X-Line: 1", "--route=/b=echo line"]);

    configured.load(&format!("header = \"X-File: 1\"\n{}", route("/b", "echo file", "")));

    let response = configured.server.get("/b", "");
    assert_eq!((response.header("x-line"), response.header("x-file")), (Some("1"), None));
    assert_eq!(configured.server.connect("/b").line(), "line");
}

#[test]
fn without_a_file_the_signal_changes_nothing() {
    let server = Server::shell(&[], "echo $$; exec cat", &[]);
    let mut client = server.connect("/");
    let worker = pid(&client.line());

    server.signal(Signal::HUP);

    client.text("still here");
    assert_eq!(client.line(), "still here");
    assert!(!is_gone(worker));
    let mut other = server.connect("/");
    other.line();
    assert!(!server.log().iter().any(|line| line.contains("settings")));
}

#[test]
fn loading_again_and_again_disturbs_nobody() {
    let room = route("/room", "exec cat", "shared = true");
    let mut configured = Configured::new(&room);
    let mut clients = [configured.server.connect("/room"), configured.server.connect("/room")];

    for round in 0..20 {
        configured.load(&format!("{room}{}", route(&format!("/other{round}"), "cat", "")));
        clients[round % 2].text(&format!("round {round}"));
        for client in &mut clients {
            assert_eq!(client.line(), format!("round {round}"));
        }
    }
    eventually("the last route is served", || configured.server.try_connect("/other19", "").ok());
    assert_eq!(configured.server.refusal("/other0", "").status, 404);
}

#[test]
fn a_change_that_needs_a_restart_is_reported_with_its_keys() {
    let route = route("/a", "echo new", "");
    let mut configured = Configured::with_flags(&format!("port = 1\nredirport = 0\n{route}"), &["--port=0"]);

    // The command line has the port, so that of the file has no effect in either case. `maxbuffer` has one at once.
    configured.load(&format!("port = 2\nredirport = 0\nbinary = true\n{route}"));
    configured
        .load(&format!("loglevel = \"info\"\naddress = [\"127.0.0.1\"]\nthreads = 2\nmaxbuffer = 10000000\n{route}"));

    let warned = configured.server.expect_log("settings need a restart").text;
    assert!(warned.contains(" WARN "), "{warned}");
    assert_eq!(field(&warned, "keys").as_deref(), Some("address,loglevel,redirport,threads"), "{warned}");
    let log = configured.server.stop();
    assert_eq!(log.matches("settings need a restart").count(), 1, "{log}");
}

#[test]
fn nobody_waits_for_a_disk_that_the_settings_are_read_from() {
    let settings = route("/", "cat", "");
    let configured = Configured::new(&settings);
    configured.tree.remove("wsd.toml");
    configured.tree.pipe("wsd.toml");
    let mut client = configured.server.connect("/");

    configured.server.signal(Signal::HUP);
    // The reader is there: this waits for it.
    let mut disk = std::fs::OpenOptions::new().write(true).open(configured.tree.path("wsd.toml")).unwrap();

    client.text("served meanwhile");
    assert_eq!(client.line(), "served meanwhile");
    std::io::Write::write_all(&mut disk, settings.as_bytes()).unwrap();
    drop(disk);
    configured.server.expect_log("settings loaded");
}

#[cfg(target_os = "linux")]
#[test]
fn a_storm_of_hangups_is_one_load_more() {
    const HANGUPS: usize = 50;
    let number = |number: usize| route("/", &format!("echo {number}; exec cat"), "");
    let tree = Tree::new();
    tree.file("wsd.toml", number(0));
    let mut server = Server::spawn(wsd(&["--port=0", "--threads=1", "--config", &tree.path("wsd.toml")]));
    let mut client = server.connect("/");
    assert_eq!(client.line(), "0");
    tree.remove("wsd.toml");
    tree.pipe("wsd.toml");

    for count in 0..HANGUPS {
        server.signal(Signal::HUP);
        // One thread does all this: by the second answer at the latest it has seen the signal.
        for word in ["one", "two"] {
            client.text(&format!("{word} {count}"));
            assert_eq!(client.line(), format!("{word} {count}"));
        }
    }

    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_nonzero())).unwrap().count();
    assert!(tasks < 8, "{tasks} threads");
    // The load under way reads the pipe, and the one that waits for it reads the file.
    let mut disk = std::fs::OpenOptions::new().write(true).open(tree.path("wsd.toml")).unwrap();
    tree.remove("wsd.toml");
    tree.file("wsd.toml", number(2));
    std::io::Write::write_all(&mut disk, number(1).as_bytes()).unwrap();
    drop(disk);
    server.expect_nth_log("settings loaded", 2);
    assert_eq!(server.connect("/").line(), "2");
    let log = server.stop();
    assert_eq!(log.matches("settings loaded").count(), 2, "{log}");
}
