//! Every program in `examples/`, behind `wsd`, where its interpreter is installed.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::eventually;
use crate::harness::pages::root;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::has;
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Client, Close, Frame};

/// The examples and what runs them.
const EXAMPLES: [(&str, &str); 21] = [
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
    ("filter.sh", "grep"),
    ("follow.sh", "tail"),
    ("greeter.sh", "sh"),
    ("guest.sh", "sh"),
    ("lengths.py", "python3"),
    ("mcp.py", "python3"),
    ("names.sh", "jq"),
    ("private.sh", "sh"),
    ("rooms.py", "python3"),
    ("source.sh", "sh"),
    ("words.sh", "sort"),
];

/// The programs of the demos and an agent, which may be longer; `tests/browser`, `workers.rs` and `peers.rs` run them.
const DEMOS: [&str; 9] =
    ["acp.py", "adventure.py", "chat.py", "connect4.py", "keyvalue.py", "log.py", "lsp.py", "news.py", "write-log.py"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// Starts an example behind `wsd`; where its interpreter is not installed, skips the test and returns `None`.
fn start(name: &str, arguments: &[&str]) -> Option<Server> {
    start_with(&[], name, arguments)
}

fn start_with(flags: &[&str], name: &str, arguments: &[&str]) -> Option<Server> {
    let (_, interpreter) = EXAMPLES.iter().find(|(example, _)| *example == name).unwrap();
    has(interpreter).then(|| {
        let path = path(name);
        Server::command(flags, &[&[path.to_str().unwrap()], arguments].concat())
    })
}

#[test]
fn every_example_is_short_and_says_how_to_run_it() {
    for name in EXAMPLES.iter().map(|(name, _)| *name).chain(DEMOS) {
        let text = fs::read_to_string(path(name)).unwrap();
        let mut head = text.lines().skip_while(|line| line.starts_with("#!"));

        let count = text.lines().count();
        assert!(count <= 20 || DEMOS.contains(&name), "{name} has {count} lines");
        assert!(head.next().is_some_and(|line| line.len() > 20), "{name} does not say what it shows");
        let how = if name == "write-log.py" { "./examples/write-log.py " } else { "wsd " };
        assert!(head.next().is_some_and(|line| line.contains(how)), "{name} does not say how to run it");
    }
}

#[test]
fn every_example_is_known_here_and_every_script_can_be_executed() {
    let known: Vec<&str> = EXAMPLES
        .iter()
        .map(|(name, _)| *name)
        .chain(DEMOS)
        .chain([
            "bounded.toml",
            "demos.toml",
            "demo.htpasswd",
            "proxied.toml",
            "servers.json",
            "watched.toml",
            "README.md",
        ])
        .collect();
    for entry in fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let metadata = entry.metadata().unwrap();
        if !metadata.is_file() {
            continue;
        }
        assert!(known.contains(&&*name), "{name} is run by no test");
        let is_script = fs::read(entry.path()).unwrap().starts_with(b"#!");
        assert_eq!(metadata.permissions().mode() & 0o111 != 0, is_script, "the mode of {name}");
    }
}

#[test]
fn the_example_of_a_site_behind_a_proxy_runs() {
    let mut command = wsd(&["--port=0", "--config=examples/proxied.toml"]);
    command.current_dir(root());
    let server = Server::spawn(command);

    let mut client = server.connect_with("/live/count", "X-Forwarded-For: 203.0.113.9\r\n");

    assert_eq!(client.line(), "1");
    server.expect_log("peer=203.0.113.9 ");
}

#[test]
fn a_bounded_program_has_its_folder_its_variables_and_its_end() {
    let server = Server::serve(&["--config", path("bounded.toml").to_str().unwrap()]);
    let (mut shell, mut greedy) = (server.connect("/shell"), server.connect("/greedy"));

    shell.text("echo $PWD $GREETING; nice; ulimit -n");

    assert_eq!([shell.line(), shell.line(), shell.line()], ["/tmp hello", "5", "64"]);
    let close = greedy.close_at_last();
    assert_eq!((close.code, close.reason.as_str()), (Some(4152), "cpu limit"));
}

#[test]
fn the_example_behind_a_password_greets_its_user() {
    let users = format!("--auth=basic:{}", path("demo.htpasswd").display());
    let Some(server) = start_with(&[&users], "private.sh", &[]) else { return };
    // `demo:demo`.
    let mut client = server.connect_with("/", "Authorization: Basic ZGVtbzpkZW1v\r\n");

    assert_eq!(client.line(), "Hello, demo. You are known by Basic.");
    client.text("hi");
    assert_eq!(client.line(), "demo: hi");
    assert_eq!(server.refusal("/", "").status, 401);
}

#[test]
fn every_counter_counts_to_ten_and_holds_nothing_back() {
    let tree = Tree::new();
    let mut servers: Vec<_> = ["counter.awk", "counter.js", "counter.pl", "counter.py", "counter.rb", "counter.sh"]
        .into_iter()
        .filter_map(|name| start(name, &[]))
        .collect();
    if has("cc") {
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
    let first = |server: &Server| {
        let mut client = server.connect("/");
        assert_eq!(client.line(), "1");
        assert!(!server.log().iter().any(|line| line.contains("session ended")), "the first number came with the last");
        client
    };
    let mut clients: Vec<Client> = servers.iter().map(first).collect();

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

#[test]
fn the_filter_shows_lines_with_the_word_of_the_client_as_they_come() {
    let tree = Tree::new();
    tree.file("log", "an old error\n");
    let Some(server) = start_with(&["--unbuffer"], "filter.sh", &[&tree.path("log")]) else { return };
    let mut client = server.connect("/?error");
    assert_eq!(client.line(), "an old error");

    let mut log = OpenOptions::new().append(true).open(tree.path("log")).unwrap();
    log.write_all(b"all is well\na new error\n").unwrap();

    assert_eq!(client.line(), "a new error");
}

#[test]
fn the_mcp_server_counts_words_and_knows_no_other_method() {
    let Some(server) = start_with(&["--framing=jsonrpc", "--subprotocol=mcp"], "mcp.py", &[]) else { return };
    let mut client = server.connect_with("/", "Sec-WebSocket-Protocol: mcp\r\n");
    let mut ask = |request: &str| -> Value {
        client.text(request);
        serde_json::from_str(&client.line()).unwrap()
    };

    let counted =
        ask("{\n\t\"id\": 7, \"method\": \"tools/call\", \"params\": {\"arguments\": {\"text\": \"a b\"}}\n}");
    assert_eq!((&counted["id"], &counted["result"]["content"][0]["text"]), (&7.into(), &"2".into()));
    let unknown = ask(r#"{"id":"x","method":"prompts/list"}"#);
    assert_eq!((&unknown["id"], &unknown["error"]["code"]), (&"x".into(), &(-32601).into()));
}

/// Runs an example of Python, sends it half of a value, and returns its answer after the interrupt that follows.
fn after_half_a_value(name: &str) -> (String, String) {
    let mut child =
        Command::new(path(name)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"id\":1,\n").unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut answer = String::new();
    output.read_line(&mut answer).unwrap();

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());

    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    (answer, said)
}

#[test]
fn the_examples_of_jsonrpc_answer_half_a_value_and_leave_quietly_on_an_interrupt() {
    if !has("python3") {
        return;
    }
    for name in ["mcp.py", "acp.py"] {
        let (answer, said) = after_half_a_value(name);

        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &(-32700).into()), "{name}");
        assert_eq!(said, "", "{name}");
    }
}

#[test]
fn the_example_of_a_language_server_answers_half_a_value() {
    if !["python3", "pylsp"].into_iter().all(has) {
        return;
    }
    let server = Server::command(&["--framing=lsp"], &[path("lsp.py").to_str().unwrap()]);
    let mut client = server.connect("/");

    client.text("{");

    let answer: Value = serde_json::from_str(&client.line()).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &(-32700).into()));
}

#[test]
fn the_source_is_listed_and_shown_and_nothing_else() {
    // The files are those of the folder in which the tests run: the checkout.
    let Some(server) = start("source.sh", &[]) else { return };

    let (names, close) = server.connect("/").rest();
    assert!(names.contains(&"examples/source.sh".to_owned()) && names.contains(&"README.md".to_owned()), "{names:?}");
    for name in ["SECURITY.md", "docs/guide.md", "fuzz/README.md"] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    assert_eq!(close.code, Some(1000));
    let (text, _) = server.connect("/?examples/source.sh").rest();
    assert_eq!(text.join("\n") + "\n", fs::read_to_string(path("source.sh")).unwrap());
    for name in ["Cargo.toml", "examples/*", "examples/../Cargo.toml", "/etc/passwd", "examples"] {
        let (text, close) = server.connect(&format!("/?{name}")).rest();
        assert_eq!((text.len(), close.code), (0, Some(4001)), "{name}");
    }
}

#[test]
fn a_member_hears_and_is_heard_by_its_room_only() {
    let Some(server) = start_with(&["--shared", "--framing=json"], "rooms.py", &[]) else { return };
    let mut tea = [server.connect("/?tea"), server.connect("/?tea")];
    let mut coffee = server.connect("/?coffee");

    coffee.text("black");
    assert_eq!(coffee.line(), "black");
    tea[0].text("two\nlines");
    for client in &mut tea {
        assert_eq!(client.line(), "two\nlines");
    }
    coffee.text("with milk");
    assert_eq!(coffee.line(), "with milk");
}

#[test]
fn messages_of_any_bytes_come_back_in_reverse() {
    let Some(server) = start_with(&["--framing=length"], "lengths.py", &[]) else { return };
    let mut client = server.connect("/");

    for message in [&b"abc"[..], b"", b"\n\0\xFF"] {
        client.binary(message);
        let reverse: Vec<_> = message.iter().rev().copied().collect();
        assert_eq!(client.message(), Frame::new(BINARY, reverse));
    }
}

#[test]
fn jq_tells_who_says_what() {
    let Some(server) = start_with(&["--shared", "--framing=json"], "names.sh", &[]) else { return };
    // A newcomer may hear before its name what was still on its way to all.
    let name_of = |client: &mut Client| {
        let mut lines = std::iter::repeat_with(|| client.line());
        let name =
            lines.find_map(|line| line.strip_prefix("You are ").map(|name| name.trim_end_matches('.').to_owned()));
        name.unwrap()
    };
    let mut first = server.connect("/");
    let one = name_of(&mut first);
    let mut second = server.connect("/");
    let two = name_of(&mut second);
    assert_eq!(first.line(), format!("{two} has come."));

    first.text("Hello \"you\"");
    for client in [&mut first, &mut second] {
        assert_eq!(client.line(), format!("{one}: Hello \"you\""));
    }

    first.binary(b"bytes");
    first.text("bye");
    assert_eq!(first.expect_close(), Close::new(4000, "See you."));
    assert_eq!(second.line(), format!("{one} has left."));
}

/// The blocks of `docs/json.md` in this language.
fn blocks(language: &str) -> Vec<String> {
    let (text, start) = (fs::read_to_string(path("../docs/json.md")).unwrap(), format!("```{language}\n"));
    text.split(&start).skip(1).map(|block| block.split_once("```\n").unwrap().0.to_owned()).collect()
}

#[test]
fn the_programs_in_the_page_on_json_are_the_examples() {
    assert_eq!(blocks("python"), [fs::read_to_string(path("rooms.py")).unwrap()]);
    assert_eq!(blocks("sh"), [fs::read_to_string(path("names.sh")).unwrap()]);
}

#[test]
fn the_examples_on_the_page_of_json_are_true() {
    let [events, commands] = blocks("json").try_into().unwrap();
    let events: Vec<Value> = events.lines().map(|event| serde_json::from_str(event).unwrap()).collect();
    let tree = Tree::new();
    tree.pipe("commands");
    let (told, wanted) = (tree.path("events"), tree.path("commands"));
    let script = "exec 3<&0; cat <&3 >\"$1\" & cat \"$2\"";
    let mut server = Server::shell(&["--shared", "--framing=json"], script, &[&told, &wanted]);
    let told = |count: usize| {
        eventually("the program has been told", || {
            let text = fs::read_to_string(&told).unwrap_or_default();
            let told: Vec<Value> = text.lines().filter_map(|event| serde_json::from_str(event).ok()).collect();
            (told.len() >= count).then_some(told)
        })
    };

    let mut client = server.connect("/?tea");
    client.text("two\nlines");
    client.binary(&[0, 255]);
    let id = told(3)[0]["client"].as_str().unwrap().to_owned();
    let mut pipe = OpenOptions::new().write(true).open(&wanted).unwrap();
    pipe.write_all(commands.replace(events[0]["client"].as_str().unwrap(), &id).as_bytes()).unwrap();

    assert_eq!(client.line(), "for all");
    assert_eq!(client.message(), Frame::new(BINARY, [0, 255]));
    assert_eq!(client.line(), "for one");
    assert_eq!(client.line(), "for some");
    assert_eq!(client.expect_close(), Close::new(4001, "the game is over"));
    for (mut told, mut event) in told(4).into_iter().zip(events) {
        if event["event"] == "open" {
            for variable in event["env"].as_object().unwrap().keys() {
                assert_eq!(told["env"][variable], event["env"][variable]);
            }
            told["env"] = event["env"].clone();
        } else if event["event"] == "close" {
            event["code"] = 4001.into();
        }
        event["client"] = Value::from(&*id);
        assert_eq!(told, event);
    }
    drop(pipe);
    assert!(!server.stop().contains("skipped"));
}

#[test]
fn words_counts_the_words_of_a_post() {
    let Some(server) = start_with(&["--http"], "words.sh", &[]) else { return };

    let answer = server.post("/", "", "To be, or not to be.\n");

    assert_eq!(answer.text(), "      2 be\n      2 to\n      1 not\n      1 or\n");
}
