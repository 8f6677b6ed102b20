//! `--unbuffer`: standard output is a raw terminal. Programs send each line at once, and every byte as it is.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::process::gone_within;
use crate::harness::server::{Server, field, program, wsd};
use crate::harness::skip::has;
use crate::harness::time::scaled;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Client, Close};
use crate::harness::{DEADLINE, eventually};

/// The time within which half of the lines come back.
const AT_ONCE: Duration = Duration::from_millis(50);

/// Programs that print what they read and flush nothing. Each holds its output back while that goes to a pipe.
const ECHOES: [&[&str]; 10] = [
    // It reads its input in blocks otherwise.
    &["mawk", "-W", "interactive", "{ print }"],
    &["gawk", "{ print }"],
    &["grep", "l"],
    &["sed", "s/x/y/"],
    &["tr", "x", "y"],
    &["cut", "-c1-9"],
    &["python3", "-c", "import sys\nfor line in sys.stdin: print(line, end='')"],
    &["perl", "-e", "print while <STDIN>"],
    &["ruby", "-e", "while line = gets do puts line end"],
    // Only of 1.7.1 and later it knows NO_COLOR.
    &["jq", "-MRr", "."],
];

const ECHO_IN_C: &str =
    "#include <stdio.h>\nint main(void) { char l[99]; while (fgets(l, 99, stdin)) printf(\"%s\", l); }";

/// Sends lines one after the other, and returns the median of the times that they took to come back.
fn round_trip(client: &mut Client) -> Duration {
    let mut round = |line: &str| {
        let began = Instant::now();
        client.text(line);
        assert_eq!(client.line(), line);
        began.elapsed()
    };
    // The first one waits for the start of the program.
    round("line");
    let mut times: Vec<_> = (0..9).map(|number| round(&format!("line {number}"))).collect();
    times.sort();
    times[4]
}

fn assert_echoes_at_once(command: &[&str]) {
    let server = Server::command(&["--unbuffer"], command);

    let time = round_trip(&mut server.connect("/"));

    assert!(time <= scaled(AT_ONCE), "{command:?} took {time:?}");
}

/// A server whose route `/` has these settings.
fn route(tree: &Tree, settings: &str) -> Server {
    tree.file("wsd.toml", format!("[[route]]\npath = \"/\"\n{settings}\n"));
    Server::serve(&["--config", &tree.path("wsd.toml")])
}

#[test]
fn programs_that_flush_nothing_send_each_line_at_once() {
    for command in ECHOES {
        if has(command[0]) {
            assert_echoes_at_once(command);
        }
    }
}

#[test]
fn a_program_in_c_sends_each_line_at_once() {
    if !has("gcc") {
        return;
    }
    let tree = Tree::new();
    tree.file("echo.c", ECHO_IN_C);
    let (source, compiled) = (tree.path("echo.c"), tree.path("echo"));
    assert!(Command::new("gcc").args(["-o", &compiled, &source]).status().unwrap().success());

    assert_echoes_at_once(&[&compiled]);
}

#[test]
fn only_standard_output_is_a_terminal_and_it_controls_nobody() {
    let script = "for fd in 0 1 2; do test -t $fd && echo $fd; done; stty size <&1; echo $TERM $NO_COLOR; exec cat";
    let server = Server::shell(&["--unbuffer"], script, &[]);
    let mut client = server.connect("/");

    let lines = [client.line(), client.line(), client.line()];

    assert_eq!(lines, ["1", "0 0", "dumb 1"]);
    #[cfg(target_os = "linux")]
    {
        use crate::harness::process::linux::{controlling_terminal, terminals};
        let worker = server.expect_worker(1);
        assert_eq!(controlling_terminal(worker), controlling_terminal(server.pid()), "as without the flag");
        assert_eq!(terminals(server.pid()), ["/dev/ptmx"], "wsd keeps its own end only");
        assert_eq!(terminals(worker).len(), 1, "the program has standard output only");
    }
}

#[test]
fn a_term_that_the_administrator_passes_stays() {
    let mut command = wsd(&["--port=0", "--unbuffer", "--passenv=PATH,TERM", "sh", "-c", "echo $TERM"]);
    command.env("TERM", "vt100");
    let server = Server::spawn(command);

    assert_eq!(server.connect("/").line(), "vt100");
}

#[test]
fn ten_mebibytes_of_all_bytes_arrive_as_they_are() {
    const BYTES: usize = 10 << 20;
    let tree = Tree::new();
    // Each value beside each other one.
    let bytes: Vec<u8> = (0..BYTES).map(|at| (at.wrapping_mul(at >> 8) ^ at).to_le_bytes()[0]).collect();
    tree.file("bytes", &bytes);
    let server = Server::command(&["--unbuffer", "--binary"], &["cat", &tree.path("bytes")]);
    let mut client = server.connect("/");

    assert!(client.bytes(BYTES) == bytes);

    assert_eq!(client.expect_close(), Close::new(1000, ""));
}

#[test]
fn the_last_line_needs_no_newline_and_the_status_is_kept() {
    for flags in [&["--unbuffer"][..], &["--unbuffer", "--shared"]] {
        let server = Server::shell(flags, "read -r _; printf 'first\nlast'; exit 3", &[]);
        let mut client = server.connect("/");
        client.text("go");

        assert_eq!(
            client.rest(),
            (vec!["first".to_owned(), "last".to_owned()], Close::new(4003, "exit 3")),
            "{flags:?}"
        );
    }
}

#[test]
fn a_program_that_is_killed_while_it_writes_has_written_without_a_gap() {
    let server = Server::command(&["--unbuffer"], &["perl", &program("flood.pl"), "10000000", "60"]);
    let mut client = server.connect("/");
    let worker = server.expect_worker(1);
    let mut lines: Vec<_> = (0..1000).map(|_| client.line()).collect();

    rustix::process::kill_process(worker, rustix::process::Signal::KILL).unwrap();

    let (rest, close) = client.rest();
    assert_eq!(close, Close::new(4137, "signal 9"));
    lines.extend(rest);
    // The kernel may have taken a part of the last one.
    let last = lines.pop().unwrap();
    assert!(lines.iter().zip(1..).all(|(line, number)| line.trim_end() == number.to_string()));
    assert!(format!("{:<59}", lines.len() + 1).starts_with(&*last), "{last:?}");
}

#[test]
fn what_a_descendant_prints_comes_before_the_close() {
    let server = Server::shell(&["--unbuffer"], "(sleep 0.5; echo late) & echo early; exit 4", &[]);

    let (lines, close) = server.connect("/").rest();

    assert_eq!((&*lines.join(" "), close.code), ("early late", Some(4004)));
}

#[test]
fn it_works_with_folders_rooms_routes_and_every_framing() {
    let tree = Tree::new();
    let echo = "#!/usr/bin/perl\nprint -t STDOUT ? 'tty' : 'pipe', qq(\\n); print while <STDIN>;\n";
    tree.program("dir/echo", echo);
    let (dir, echo) = (tree.path("dir"), tree.path("dir/echo"));
    let servers = [
        ("--dir", Server::serve(&["--unbuffer", "--dir", &dir])),
        ("--shared", Server::command(&["--unbuffer", "--shared"], &[&echo])),
        ("a route", route(&tree, &format!("command = ['{echo}']\nunbuffer = true"))),
        ("a folder of a route", route(&tree, &format!("dir = '{dir}'\nunbuffer = true"))),
        ("chunks", Server::command(&["--unbuffer", "--framing=chunks"], &[&echo])),
        ("--passstderr", Server::command(&["--unbuffer", "--passstderr"], &[&echo])),
    ];
    for (what, server) in servers {
        let path = if what.contains("dir") || what.contains("folder") { "/echo" } else { "/" };
        let mut client = server.connect(path);
        let mut said = || {
            let message = client.message();
            let text = String::from_utf8(message.payload).unwrap();
            match what {
                "chunks" => assert_eq!(message.opcode, BINARY),
                "--passstderr" => {
                    return serde_json::from_str::<Value>(&text).unwrap()["data"].as_str().unwrap().to_owned();
                }
                _ => {}
            }
            text.trim_end().to_owned()
        };
        assert_eq!(said(), "tty", "{what}");

        client.text(if what == "chunks" { "line\n" } else { "line" });

        let text = String::from_utf8(client.message().payload).unwrap();
        assert!(text.contains("line"), "{what}: {text}");
    }
}

#[test]
fn a_program_of_json_framing_sends_each_line_at_once() {
    if !has("jq") {
        return;
    }
    let filter = "select(.event == \"message\") | {text}";
    let server = Server::command(&["--unbuffer", "--framing=json"], &["jq", "-cM", filter]);

    let time = round_trip(&mut server.connect("/"));

    assert!(time <= scaled(AT_ONCE), "{time:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_session_leaves_a_terminal_open() {
    use crate::harness::process::linux::terminals;
    let server = Server::command(&["--unbuffer"], &["perl", "-e", "$| = 1; print qq(ready\n) while 1"]);
    for number in 0..30 {
        let mut client = server.connect("/");
        assert_eq!(client.line(), "ready");
        let worker = server.expect_worker_of(&mut client);
        match number % 3 {
            0 => client.reset(),
            1 => drop(client),
            _ => {
                client.close(1000);
                client.drain();
            }
        }
        assert!(gone_within(worker, DEADLINE));
    }

    eventually("no terminal is open", || terminals(server.pid()).is_empty().then_some(()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_cannot_be_had_is_a_503_and_costs_nobody_his_session() {
    use crate::harness::skip::skip;
    // A `devpts` of its own, in which there is one terminal.
    let script = "mount -t devpts -o newinstance,ptmxmode=0666,max=1 devpts /dev/pts &&
        mount --bind /dev/pts/ptmx /dev/ptmx && exec \"$@\"";
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).args(arguments);
        command
    };
    if !unshare(&["true"]).output().is_ok_and(|output| output.status.success()) {
        return skip("name spaces for mounts");
    }
    let wsd = wsd(&[]);
    for flag in ["--unbuffer", "--pty"] {
        let server = Server::spawn(unshare(&[wsd.get_program().to_str().unwrap(), "--port=0", flag, "cat"]));
        let mut first = server.connect("/");

        let refusal = server.refusal("/", "");

        assert_eq!((refusal.status, refusal.header("retry-after").is_some()), (503, true), "{refusal}");
        let line = server.expect_log("worker not started").text;
        assert!(line.contains("cause=\"cannot open a pseudo-terminal: "), "{line}");
        assert!(line.contains("kernel.pty.max"), "{line}");
        first.text("still here\r");
        assert!(String::from_utf8(first.message().payload).unwrap().starts_with("still here"));
        first.close(1000);
        first.drain();
        eventually("its terminal is free", || server.try_connect("/", "").ok());
    }
}

#[test]
fn a_program_that_prints_nothing_is_named_once_with_the_flag_that_helps() {
    let tree = Tree::new();
    let route = |path: &str, command: &str, more: &str| {
        let command = command.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        format!("[[route]]\npath = \"/{path}\"\ncommand = [{command}]\n{more}\n")
    };
    let routes = [
        route("prints", "cat", ""),
        route("unbuffered", "grep -e l -e unbuffered", "unbuffer = true"),
        route("no-message", "grep -e l -e no-message", ""),
        route("held", "grep -e l -e held", ""),
        route("room", "grep -e l -e room", "shared = true"),
        route("last", "grep -e l -e last", ""),
    ];
    tree.file("wsd.toml", routes.concat());
    let server = Server::serve(&["--pingms=0", "--config", &tree.path("wsd.toml")]);
    let _no_message = server.connect("/no-message");

    let clients = ["prints", "unbuffered", "held", "held", "room", "last"].map(|path| {
        let mut client = server.connect(&format!("/{path}"));
        client.text("line");
        let peer = client.connection().local_address();
        let start = server.expect_log(&format!(" peer={peer} ")).text;
        (path, field(&start, "conn").unwrap(), client)
    });

    // The time of the last one is up last. Of the two sessions of one program either may be named.
    server.expect_log(&format!("worker silent conn={} ", clients[5].1));
    let log = server.log();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("worker silent")).collect();
    assert!(lines[0].contains("add --unbuffer, or see Nothing arrives in docs/programs.md"), "{lines:?}");
    let mut named: Vec<_> = lines
        .iter()
        .map(|line| {
            assert!(line.contains(" WARN ") && line.contains("/grep ") && line.contains("--unbuffer"), "{line}");
            let conn = field(line, "conn").unwrap();
            clients.iter().find(|(_, of, _)| *of == conn).map_or("another", |(path, _, _)| path)
        })
        .collect();
    named.sort_unstable();
    assert_eq!(named, ["held", "last", "room"]);
}
