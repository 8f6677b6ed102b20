//! Every program in `examples/`, behind `wsd`, where its interpreter is installed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::server::Server;
use crate::harness::tree::Tree;
use crate::harness::websocket::Client;

/// The examples and what runs them.
const EXAMPLES: [(&str, &str); 12] = [
    ("calculator.sh", "bc"),
    ("counter.awk", "awk"),
    ("counter.c", "cc"),
    ("counter.js", "node"),
    ("counter.pl", "perl"),
    ("counter.py", "python3"),
    ("counter.rb", "ruby"),
    ("counter.sh", "sh"),
    ("echo.sh", "sh"),
    ("environment.sh", "sh"),
    ("follow.sh", "tail"),
    ("greeter.sh", "sh"),
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// Starts an example behind `wsd`; `None`, and a word about it, where its interpreter is not installed.
fn start(name: &str, arguments: &[&str]) -> Option<Server> {
    let (_, interpreter) = EXAMPLES.iter().find(|(example, _)| *example == name).unwrap();
    is_installed(interpreter).then(|| {
        let path = path(name);
        Server::command(&[], &[&[path.to_str().unwrap()], arguments].concat())
    })
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]).stdout(Stdio::null()).status();
    let is_installed = found.unwrap().success();
    if !is_installed {
        eprintln!("skipped: {program} is not installed");
    }
    is_installed
}

#[test]
fn every_example_is_short_and_says_how_to_run_it() {
    for (name, _) in EXAMPLES {
        let text = fs::read_to_string(path(name)).unwrap();
        let mut head = text.lines().skip_while(|line| line.starts_with("#!"));

        assert!(text.lines().count() <= 20, "{name} has {} lines", text.lines().count());
        assert!(head.next().is_some_and(|line| line.len() > 20), "{name} does not say what it shows");
        assert!(head.next().is_some_and(|line| line.contains("wsd ")), "{name} does not say how to run it");
    }
}

#[test]
fn every_counter_counts_to_ten_and_holds_nothing_back() {
    let tree = Tree::new();
    let mut servers: Vec<_> = ["counter.awk", "counter.js", "counter.pl", "counter.py", "counter.rb", "counter.sh"]
        .into_iter()
        .filter_map(|name| start(name, &[]))
        .collect();
    if is_installed("cc") {
        let compiled = tree.path("counter");
        assert!(
            Command::new("cc")
                .args(["-Wall", "-Wextra", "-Werror", "-O2", "-o", &compiled])
                .arg(path("counter.c"))
                .status()
                .unwrap()
                .success()
        );
        servers.push(Server::command(&[], &[&compiled]));
    }
    // All at once: each of them takes five seconds.
    let mut clients: Vec<Client> = servers.iter().map(|server| server.connect("/")).collect();

    for (server, client) in servers.iter().zip(&mut clients) {
        assert_eq!(client.line(), "1");
        assert!(!server.log().iter().any(|line| line.contains("session ended")), "the first number came with the last");
    }
    for client in &mut clients {
        let (lines, close) = client.rest();
        assert_eq!(lines, ["2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        assert_eq!(close.code, Some(1000));
    }
}

#[test]
fn every_counter_leaves_quietly_with_its_client() {
    for name in ["counter.awk", "counter.js", "counter.pl", "counter.py", "counter.rb", "counter.sh"] {
        let Some(server) = start(name, &[]) else { continue };
        let mut client = server.connect("/");
        client.line();

        client.close(1000);

        server.expect_log("session ended");
        let log = server.log();
        assert!(!log.iter().any(|line| line.contains("worker stderr")), "{name}: {log:#?}");
    }
}

#[test]
fn the_greeter_greets() {
    let Some(server) = start("greeter.sh", &[]) else { return };
    let mut client = server.connect("/");
    client.line();

    client.text("Ada");
    assert_eq!(client.line(), "Hello, Ada!");
    client.text("Grace");
    assert_eq!(client.line(), "Hello, Grace!");
}

#[test]
fn the_echo_echoes() {
    let Some(server) = start("echo.sh", &[]) else { return };
    let mut client = server.connect("/");

    for text in ["hello", "", "-n", "back\\slash"] {
        client.text(text);
        assert_eq!(client.line(), text);
    }
}

#[test]
fn the_calculator_calculates_line_by_line() {
    let Some(server) = start("calculator.sh", &[]) else { return };
    let mut client = server.connect("/");

    client.text("6*7");
    assert_eq!(client.line(), "42");
    client.text("1/0");
    assert!(client.line().to_lowercase().contains("zero"));
    client.text("2^100");
    assert_eq!(client.line(), "1267650600228229401496703205376");
}

#[test]
fn the_environment_is_shown() {
    let Some(server) = start("environment.sh", &[]) else { return };

    let lines = server.connect("/some/path").rest().0;

    assert!(lines.contains(&"PATH_INFO=/some/path".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"REMOTE_ADDR=127.0.0.1".to_owned()), "{lines:#?}");
}

#[test]
fn the_follower_follows() {
    let tree = Tree::new();
    tree.file("log", "old\n");
    let Some(server) = start("follow.sh", &[&tree.path("log")]) else { return };
    let mut client = server.connect("/");
    assert_eq!(client.line(), "old");

    let mut log = OpenOptions::new().append(true).open(tree.path("log")).unwrap();
    log.write_all(b"new\n").unwrap();

    assert_eq!(client.line(), "new");
}
