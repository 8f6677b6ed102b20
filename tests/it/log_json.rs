//! `--logformat=json`: an object for each line, whatever programs and clients say; and the priorities of the journal.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::harness::eventually;
use crate::harness::http::Connection;
use crate::harness::lines::Lines;
use crate::harness::pages::{blocks, text};
use crate::harness::places::free_port;
use crate::harness::server::{Server, run, wsd};
use crate::harness::skip::has;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, Close, Frame, TEXT, upgrade_request};

const JSON: &str = "--logformat=json";

/// Reads each line of the log, and checks what all of them have.
fn parsed(log: &str) -> Vec<Value> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line.starts_with(r#"{"ts":"20"#), "{line}");
        let (ts, level) = (value["ts"].as_str().unwrap(), value["level"].as_str().unwrap());
        assert!(ts.len() == "2026-11-21T08:00:00.123Z".len() && ts.ends_with('Z'), "{line}");
        assert!(["error", "warn", "info", "debug", "trace"].contains(&level), "{line}");
        assert!(value["event"].is_string(), "{line}");
        value
    };
    log.lines().map(read).collect()
}

/// The lines of an event.
fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn standard_error_has_one_object_a_line_and_nothing_else() {
    let mut server = Server::command(&[JSON], &["cat"]);
    let mut client = server.connect("/a/b");
    client.text("one");
    assert_eq!(client.line(), "one");
    client.close(1000);
    client.drain();
    server.get("/none", "");

    let lines = parsed(&server.stop());

    let (started, ended) = (of(&lines, "session started")[0], of(&lines, "session ended")[0]);
    assert!(started["conn"].is_u64() && started["pid"].is_u64() && started["level"] == "info", "{started}");
    assert_eq!((&started["path"], started["peer"].is_string()), (&"/a/b".into(), true), "{started}");
    assert_eq!(
        (&ended["conn"], &ended["code"], &ended["in"], &ended["out"]),
        (&started["conn"], &1000.into(), &1.into(), &1.into()),
        "{ended}"
    );
    assert!(ended["secs"].is_f64() && ended["end"] == "closed" && ended["status"].is_u64(), "{ended}");
    let request = of(&lines, "http request")[0];
    assert!(["status", "bytes", "ms"].iter().all(|key| request[*key].is_u64()), "{request}");
    assert!(!of(&lines, "server ready").is_empty() && !of(&lines, "server stopping").is_empty());
}

#[test]
fn the_keys_are_those_of_the_text_in_their_order() {
    let run = |flags: &[&str]| {
        let mut server = Server::command(flags, &["true"]);
        let mut client = server.connect("/");
        client.rest();
        client.close(1000);
        client.drain();
        server.refusal("/", "Origin: http://evil.example\r\n");
        server.stop()
    };
    let (text, json) = (run(&[]), run(&[JSON]));
    for event in
        ["session started", "session ended", "session refused", "server ready", "server stopping", "http request"]
    {
        let text = text.lines().find(|line| line.contains(&format!(" {event}"))).unwrap();
        let json = json.lines().find(|line| line.contains(&format!("\"{event}\""))).unwrap();
        let rest = text.split_once(event).unwrap().1;
        let mut keys: Vec<_> = vec!["ts", "level", "event"];
        // No value of these lines has both a blank and a `=`.
        keys.extend(rest.split(' ').filter_map(|word| word.split_once('=')).map(|(key, _)| key));
        let places: Vec<_> = keys.iter().map(|key| json.find(&format!("\"{key}\":"))).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{keys:?} {json}");
        assert_eq!(serde_json::from_str::<serde_json::Map<_, _>>(json).unwrap().len(), keys.len(), "{text}\n{json}");
    }
}

#[test]
fn every_line_parses_whatever_programs_and_clients_say() {
    let tree = Tree::new();
    let nasty: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
    let lines = ["\u{2028}\u{2029}\u{202e}\u{feff}\u{85}", "\"},{\"event\":\"forged\"}", "\\", "\\u0000\\", "{}", ""];
    let content = [&nasty[..], b"\n", lines.join("\n").as_bytes(), b"\r\n", &nasty.repeat(2000), b"\xf0\x9f"].concat();
    tree.file("nasty", &content);
    let script = "cat \"$1\" >&2; cat \"$1\"; cat";
    let mut server = Server::shell(&[JSON, "--loglevel=trace", "--framing=jsonrpc"], script, &[&tree.path("nasty")]);
    let mut client = server.connect("/%1b%5b2J%0aFORGED%22%0d%c2%9b%7f%e2%80%a8%ff");
    server.expect_log("(103363 bytes)");
    client.close(1000);
    client.drain();
    for origin in [&b"\xff\xfe\"},{"[..], b"http://\xe2\x80\xa8.example", b"\\\\\\", &vec![b'"'; 20_000]] {
        let request = upgrade_request(&server.host(), "/", "Origin: \r\n");
        let (front, back) = request.split_once("Origin: ").unwrap();
        let mut connection = server.http();
        connection.send([front.as_bytes(), b"Origin: ", origin, back.as_bytes()].concat());
        connection.try_response("GET");
    }
    let mut connection = Connection::open(server.address);
    connection.send("GET /\x1b[2J HTTP/1.1\r\nHost: x\r\n\r\n");
    connection.try_response("GET");
    let mut other = server.connect("/");
    other.send(&Frame::new(TEXT, "{\"a\":\"\\u2028\u{2028}\u{0}\"}"));
    other.binary(&nasty);
    other.close(1000);
    other.drain();

    let log = server.stop();

    let lines = parsed(&log);
    let said: Vec<_> = of(&lines, "worker stderr").iter().map(|line| line["line"].as_str().unwrap()).collect();
    assert!(said.contains(&"\"},{\"event\":\"forged\"}") && said.contains(&"\u{2028}\u{2029}\u{202e}\u{feff}\u{85}"));
    assert_eq!(of(&lines, "forged").len(), 0);
    assert!(!of(&lines, "worker junk").is_empty() && !of(&lines, "message").is_empty());
    for line in log.lines() {
        let hidden = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{feff}');
        assert!(!line.contains(hidden), "{line:?}");
        assert!(line.len() < 9000, "{} bytes", line.len());
    }
}

#[test]
fn a_line_of_standard_error_has_8_kib_at_most_as_it_stands_there() {
    let tree = Tree::new();
    tree.file("zeros", [0; 4096]);
    let mut server = Server::shell(&[JSON], "cat \"$1\" >&2", &[&tree.path("zeros")]);
    server.connect("/").rest();

    let log = server.stop();

    let line = log.lines().find(|line| line.contains("worker stderr")).unwrap();
    let text = line.split_once("\"line\":\"").unwrap().1.strip_suffix("\"}").unwrap();
    assert!(text.len() <= 8 << 10 && text.len() > 8000, "{} bytes", text.len());
    assert!(text.ends_with("\\u0000… (4096 bytes)"), "{text}");
}

#[test]
fn the_lines_about_the_log_itself_are_objects_too() {
    let mut server = Server::command(&[JSON], &["cat"]);
    for _ in 0..12 {
        server.refusal("/", "Origin: http://evil.example\r\n");
    }

    let lines = parsed(&server.stop());

    let left_out = of(&lines, "lines left out");
    let of_refusals = left_out.iter().find(|line| line["of"] == "session refused").unwrap();
    assert_eq!((&of_refusals["origin"], &of_refusals["lines"]), (&"http://evil.example".into(), &9.into()));
    assert_eq!((&of_refusals["why"], &of_refusals["level"]), (&"origin".into(), &"warn".into()));
}

#[test]
fn a_warning_of_the_banner_is_an_event() {
    let flags = [JSON, "--trust-proxy=0.0.0.0/0,::/0"];
    let mut server = Server::command(&flags, &["cat"]);

    let lines = parsed(&server.stop());

    let doubtful = of(&lines, "settings doubtful");
    assert!(doubtful.iter().any(|line| line["why"].as_str().unwrap().contains("--trust-proxy")), "{lines:?}");
    assert!(run(&[JSON, "--port=0", "--logformat=xml", "cat"]).stderr.contains("use text or json"));
}

#[test]
fn the_command_with_jq_of_the_page_shows_the_end_of_each_session() {
    if !has("jq") {
        return;
    }
    let blocks = blocks(&text("docs/log.md"), "sh");
    let [block] = &blocks[..] else { panic!("{blocks:?}") };
    let (tree, port) = (Tree::new(), free_port());
    let line = block.replace("--port 8080", &format!("--port {port}"));
    assert_ne!(&line, block);
    tree.program("program", "#!/bin/sh\necho one; exit 3\n").link("wsd", wsd(&[]).get_program());
    let path = format!("{}:{}", tree.path(""), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(tree.path("")).env("PATH", path).stdin(Stdio::null());
    let mut shell = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let shown = Lines::of(shell.stdout.take().unwrap());
    let address = ([127, 0, 0, 1], port).into();
    eventually("wsd listens", || Stream::tcp(address).ok());

    let request = upgrade_request(&format!("localhost:{port}"), "/", "");
    assert_eq!(Client::open(address, &request).unwrap().rest().1, Close::new(4003, "exit 3"));

    let first = eventually("a line of jq", || shown.so_far().first().cloned());
    kill_process_group(Pid::from_child(&shell), Signal::TERM).unwrap();
    shell.wait().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap_or_else(|error| panic!("{error}: {first}"));
    assert!(first["conn"].is_u64() && first["secs"].is_number() && first["end"] == "exit", "{first}");
    assert_eq!(first.as_object().unwrap().len(), 3, "{first}");
}

/// Starts wsd with `JOURNAL_STREAM` as the journal would be: `$1` is the file that it names.
fn in_journal(file: &str, flags: &[&str]) -> Server {
    let mut command = Command::new("sh");
    let script = "JOURNAL_STREAM=$(stat -L -c %d:%i \"$1\") && export JOURNAL_STREAM && shift && exec \"$@\"";
    command.args(["-c", script, "sh", file]).arg(wsd(&[]).get_program());
    command.args([&["--port=0"], flags, &["cat"]].concat());
    Server::spawn(command)
}

#[test]
fn in_the_journal_a_line_has_a_priority_and_no_time() {
    if !has("stat") {
        return;
    }
    let session = |server: &mut Server| {
        let mut client = server.connect("/");
        client.text("one");
        assert_eq!(client.line(), "one");
        client.close(1000);
        server.refusal("/", "Origin: http://evil.example\r\n");
        server.stop()
    };
    let log = session(&mut in_journal("/dev/stderr", &["--loglevel=trace"]));
    for line in ["\n<6>INFO session started conn=", "\n<4>WARN session refused peer=", "\n<7>TRACE message conn="] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert!(log.lines().all(|line| line.starts_with('<') || !line.contains(" conn=")), "{log}");

    let log = session(&mut in_journal("/dev/stderr", &[JSON]));
    assert!(log.lines().all(|line| line.starts_with("<6>{\"ts\":\"") || line.starts_with("<4>{\"ts\":\"")), "{log}");

    let log = session(&mut in_journal("/dev/null", &[]));
    assert!(log.contains("Z INFO session started conn=") && !log.contains('<'), "{log}");

    let tree = Tree::new();
    let file = tree.path("log");
    session(&mut in_journal("/dev/stderr", &["--logfile", &file]));
    let log = fs::read_to_string(file).unwrap();
    assert!(log.contains("Z INFO session started conn=") && !log.contains('<'), "{log}");
}
