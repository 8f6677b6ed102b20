//! `--framing=json`: a program is told who speaks, and says who is to hear it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::process::gone_within;
use crate::harness::server::{Server, field, program};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, Client, Close, Frame, TEXT};

/// A server whose program says what the test makes it say, and keeps what it hears.
struct Puppet {
    tree: Tree,
    server: Server,
}

impl Puppet {
    /// One program for all.
    fn shared() -> Self {
        Self::new(&["--shared"])
    }

    fn new(flags: &[&str]) -> Self {
        let tree = Tree::new();
        tree.pipe("mouth").file("ears", "");
        let command = [program("puppet.sh"), tree.path("mouth"), tree.path("ears")];
        let flags = [&["--framing=json"], flags].concat();
        let server = Server::command(&flags, &command.each_ref().map(String::as_str));
        Self { tree, server }
    }

    /// Makes the program say something.
    fn say(&self, output: impl AsRef<[u8]>) {
        fs::write(self.tree.path("mouth"), output).unwrap();
    }

    /// Makes the program say a line of JSON.
    fn say_line(&self, line: &Value) {
        self.say(format!("{line}\n"));
    }

    /// The first lines that the program has heard, as they are.
    fn lines(&self, count: usize) -> Vec<String> {
        eventually("the program hears more", || {
            let heard = self.tree.read("ears");
            let mut lines: Vec<_> = heard.split(|byte| *byte == b'\n').collect();
            // What has no newline yet is no line.
            lines.pop();
            let line = |line: &&[u8]| String::from_utf8(line.to_vec()).unwrap();
            (lines.len() >= count).then(|| lines[..count].iter().map(line).collect())
        })
    }

    /// The `count`th event that the program has heard.
    fn event(&self, count: usize) -> Value {
        serde_json::from_str(self.lines(count).last().unwrap()).unwrap()
    }

    /// Opens sessions one after the other; gives each with its ID.
    fn connect(&self, count: usize) -> Vec<(Client, String)> {
        let join = |count| {
            let client = self.server.connect("/");
            (client, self.event(count)["client"].as_str().unwrap().to_owned())
        };
        (1..=count).map(join).collect()
    }
}

#[test]
fn the_program_is_told_of_an_opening_with_the_variables_of_the_client() {
    let puppet = Puppet::shared();
    let mut client = puppet.server.connect_with("/room?x=1", "Cookie: a=\"1\"\r\n");
    let peer = client.connection().local_address();

    let line = &puppet.lines(1)[0];

    let id = puppet.event(1)["client"].as_str().unwrap().to_owned();
    assert!(line.starts_with(&format!(r#"{{"event":"open","client":"{id}","env":{{"#)), "{line}");
    let env = &puppet.event(1)["env"];
    let port = peer.port().to_string();
    let want = [
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", &port),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/room?x=1"),
        ("QUERY_STRING", "x=1"),
        ("SCRIPT_NAME", "/"),
        ("PATH_INFO", "/room"),
        ("HTTP_COOKIE", "a=\"1\""),
        ("UNIQUE_ID", &id),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
    ];
    for (name, value) in want {
        assert_eq!(env[name], value, "{name} in {line}");
    }
    // That is wsd's own, not the client's.
    assert_eq!(env.get("PATH"), None);
}

#[test]
fn the_program_is_told_of_each_message_and_who_said_it() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(2);
    let ids: Vec<_> = clients.iter().map(|(_, id)| id.clone()).collect();

    clients[1].0.text("two \"words\",\na second line \\ and é\u{1F600}\u{2028}");
    puppet.lines(3);
    clients[0].0.binary(&[0, 255, 10]);
    puppet.lines(4);
    clients[0].0.text("");
    puppet.lines(5);
    clients[0].0.binary(b"");

    let lines = puppet.lines(6);
    let (first, second) = (&ids[0], &ids[1]);
    let text = "two \\\"words\\\",\\na second line \\\\ and é\u{1F600}\u{2028}";
    assert_eq!(lines[2], format!(r#"{{"event":"message","client":"{second}","text":"{text}"}}"#));
    assert_eq!(lines[3], format!(r#"{{"event":"message","client":"{first}","binary":"AP8K"}}"#));
    assert_eq!(lines[4], format!(r#"{{"event":"message","client":"{first}","text":""}}"#));
    assert_eq!(lines[5], format!(r#"{{"event":"message","client":"{first}","binary":""}}"#));
}

#[test]
fn the_program_is_told_how_each_client_left() {
    let puppet = Puppet::shared();
    // This one stays.
    let mut clients = puppet.connect(7);
    let (mut told, mut want) = (7, Vec::new());
    while clients.len() > 1 {
        let (mut client, id) = clients.pop().unwrap();
        let (code, reason) = match clients.len() {
            6 => {
                client.send(&Frame::close(4001, "see \"you\""));
                (4001, "see \\\"you\\\"")
            }
            5 => {
                client.send(&Frame::new(crate::harness::websocket::CLOSE, ""));
                (1005, "")
            }
            4 => {
                client.reset();
                (1006, "")
            }
            3 => {
                drop(client);
                (1006, "")
            }
            2 => {
                client.raw(Frame::new(TEXT, "x").unmasked());
                (1002, "")
            }
            _ => {
                client.send(&Frame::new(TEXT, b"\xFF"));
                (1007, "")
            }
        };
        told += 1;
        want.push(format!(r#"{{"event":"close","client":"{id}","code":{code},"reason":"{reason}"}}"#));
        assert_eq!(puppet.lines(told).last(), want.last());
    }
}

#[test]
fn a_clients_messages_stand_between_its_opening_and_its_close() {
    let puppet = Puppet::shared();
    let _stays = puppet.connect(1);
    let mut client = puppet.server.connect("/");

    client.raw(
        [Frame::new(TEXT, "one").masked(), Frame::new(TEXT, "two").masked(), Frame::close(1000, "").masked()].concat(),
    );

    let events: Vec<Value> = puppet.lines(5)[1..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(told, ["open", "message", "message", "close"]);
    assert_eq!((&events[1]["text"], &events[2]["text"]), (&json!("one"), &json!("two")));
    assert!(events.iter().all(|event| event["client"] == events[0]["client"]));
}

#[test]
fn ids_are_random_and_never_reused() {
    let puppet = Puppet::new(&["--shared", "--eager"]);
    puppet.server.expect_room(1);
    let mut ids = BTreeSet::new();
    for visit in 0..20 {
        let mut client = puppet.server.connect("/");
        let open = puppet.event(2 * visit + 1);
        client.close(1000);
        client.expect_close();
        assert_eq!(puppet.event(2 * visit + 2)["client"], open["client"]);
        ids.insert(open["client"].as_str().unwrap().to_owned());
    }

    assert_eq!(ids.len(), 20, "{ids:?}");
    // 128 bits, of which no two of twenty have the first 16 in common by more than chance.
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())), "{ids:?}");
    assert!(ids.iter().map(|id| &id[..8]).collect::<BTreeSet<_>>().len() > 15, "{ids:?}");
    assert!(ids.iter().map(|id| &id[24..]).collect::<BTreeSet<_>>().len() > 15, "{ids:?}");
}

#[test]
fn a_message_goes_to_those_it_is_for() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(4);
    let ids: Vec<_> = clients.iter().map(|(_, id)| id.clone()).collect();
    let table: [(Value, &[usize]); 7] = [
        (json!({}), &[0, 1, 2, 3]),
        (json!({ "to": ids[2] }), &[2]),
        (json!({ "to": [ids[3], ids[1]] }), &[1, 3]),
        (json!({ "to": [] }), &[]),
        (json!({ "except": ids[0] }), &[1, 2, 3]),
        (json!({ "to": [ids[0], "nobody"] }), &[0]),
        (json!({ "except": "nobody" }), &[0, 1, 2, 3]),
    ];

    let mut want = vec![Vec::new(); 4];
    for (number, (line, receivers)) in table.into_iter().enumerate() {
        let mut line = line;
        let text = format!("message {number}");
        line["text"] = text.clone().into();
        puppet.say_line(&line);
        for receiver in receivers {
            want[*receiver].push(text.clone());
        }
    }
    puppet.say_line(&json!({ "text": "over" }));

    for ((client, _), want) in clients.iter_mut().zip(want) {
        let mut got = vec![client.line()];
        while got.last().unwrap() != "over" {
            got.push(client.line());
        }
        got.pop();
        assert_eq!(got, want);
    }
}

#[test]
fn text_and_bytes_arrive_as_they_are() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(2);
    let text = "two \"words\",\na second line \\ \t\u{0}\u{7f} é\u{1F600}\u{2028}\r\n";
    let bytes: Vec<u8> = (0..=255).collect();

    puppet.say_line(&json!({ "text": text }));
    puppet.say_line(&json!({ "binary": data_encoding::BASE64.encode(&bytes) }));
    puppet.say("{\"binary\":\"\"}\n{\"text\":\"\"}\r\n  {\"text\" : \"\\u00e9\\ud83d\\ude00\"}  \n");

    for (client, _) in &mut clients {
        assert_eq!(client.line(), text);
        for want in [&bytes[..], b""] {
            assert_eq!(client.message(), Frame::new(BINARY, want));
        }
        assert_eq!((client.line(), client.line()), (String::new(), "é😀".to_owned()));
    }
}

#[test]
fn long_messages_pass_both_ways_whole() {
    let puppet = Puppet::new(&["--shared", "--maxframesize=3000000", "--pingms=0"]);
    let mut clients = puppet.connect(1);
    let (client, _) = &mut clients[0];
    let (text, bytes) = ("é\n".repeat(900_000), vec![0xE9; 2_700_000]);

    client.text(&text);
    assert!(puppet.event(2)["text"] == text.as_str());
    client.binary(&bytes);
    assert!(puppet.event(3)["binary"] == data_encoding::BASE64.encode(&bytes).as_str());

    puppet.say_line(&json!({ "text": text }));
    assert!(client.line() == text);
    puppet.say_line(&json!({ "binary": data_encoding::BASE64.encode(&bytes) }));
    assert!(client.bytes(bytes.len()) == bytes);
}

#[test]
fn the_program_ends_one_client_and_the_others_stay() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(4);
    let closes = [
        (json!({}), Close::new(1000, "")),
        (json!({ "code": 4001, "reason": "no \"spitting\"" }), Close::new(4001, "no \"spitting\"")),
        (json!({ "code": 4999, "reason": "x".repeat(123) }), Close::new(4999, &"x".repeat(123))),
    ];
    for (told, (line, want)) in (5..).zip(closes) {
        let (mut client, id) = clients.pop().unwrap();
        let mut line = line;
        line["close"] = id.clone().into();
        puppet.say_line(&json!({ "text": "last words", "to": id }));
        puppet.say_line(&line);
        puppet.say_line(&json!({ "text": "too late", "to": id }));

        assert_eq!(client.line(), "last words");
        assert_eq!(client.expect_close(), want);
        client.close(want.code.unwrap());
        client.expect_end();
        let close = puppet.event(told);
        assert_eq!((&close["event"], &close["client"]), (&json!("close"), &json!(id)));
        assert_eq!(close["code"], want.code.unwrap());
    }
    puppet.say_line(&json!({ "text": "still here" }));
    assert_eq!(clients[0].0.line(), "still here");
}

#[test]
fn a_message_for_an_absent_client_reaches_nobody() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(2);
    let (mut gone, id) = clients.pop().unwrap();
    gone.close(1000);
    puppet.lines(3);

    for to in [id.as_str(), "nobody", ""] {
        puppet.say_line(&json!({ "text": "hello?", "to": to }));
        puppet.say_line(&json!({ "close": to, "code": 4000 }));
    }
    puppet.say_line(&json!({ "text": "here" }));

    assert_eq!(clients[0].0.line(), "here");
    assert!(!puppet.server.log().iter().any(|line| line.contains("WARN")), "it is no mistake");
}

#[test]
fn a_line_that_is_no_command_is_logged_with_its_beginning_and_skipped() {
    let id = "someone";
    let long = format!("rubbish {}", "x".repeat(5_000_000));
    let rubbish = [
        "hello".to_owned(),
        "{\"text\":\"unfinished".to_owned(),
        "[1]".to_owned(),
        "[\"x\"]".to_owned(),
        "{}".to_owned(),
        json!({ "text": 1 }).to_string(),
        json!({ "text": "x", "binary": "AA==" }).to_string(),
        json!({ "binary": "no base64" }).to_string(),
        json!({ "text": "x", "to": 7 }).to_string(),
        json!({ "text": "for nobody", "to": null }).to_string(),
        json!({ "text": "for nobody", "except": null }).to_string(),
        json!({ "text": "x", "to": id, "except": id }).to_string(),
        json!({ "text": "x", "unknown": 1 }).to_string(),
        json!({ "close": id, "code": 1001 }).to_string(),
        json!({ "close": id, "code": 3999 }).to_string(),
        json!({ "close": id, "code": 5000 }).to_string(),
        json!({ "close": id, "code": -1 }).to_string(),
        json!({ "close": id, "reason": "x".repeat(124) }).to_string(),
        "\u{1b}[31mforged\" conn=7".to_owned(),
        long,
    ];

    // Ten at a time: of more in a second only the number is logged.
    for rubbish in rubbish.chunks(10) {
        let puppet = Puppet::shared();
        let mut clients = puppet.connect(1);
        for (count, line) in (1..).zip(rubbish) {
            puppet.say(format!("{line}\n"));
            puppet.say_line(&json!({ "text": "next" }));

            assert_eq!(clients[0].0.line(), "next", "after {}", &line[..line.len().min(100)]);
            let logged = puppet.server.expect_nth_log("worker line skipped", count).text;
            let beginning: String = line.chars().take_while(char::is_ascii_alphanumeric).take(40).collect();
            assert!(field(&logged, "line").unwrap().contains(&beginning), "{logged}");
            assert!(field(&logged, "why").is_some_and(|why| !why.is_empty()), "{logged}");
            assert!(logged.len() < 500, "{logged}");
            assert!(logged.contains(" WARN ") && !logged.contains(char::is_control), "{logged}");
        }
    }
    let mut puppet = Puppet::shared();
    let mut clients = puppet.connect(1);
    puppet.say(b"\n  \n");
    puppet.say_line(&json!({ "text": "next" }));
    assert_eq!(clients[0].0.line(), "next");
    // An empty line is not worth one in the log.
    assert_eq!(puppet.server.stop().matches("worker line skipped").count(), 0);
}

#[test]
fn a_bad_character_costs_itself_only() {
    let mut puppet = Puppet::shared();
    let mut clients = puppet.connect(1);

    puppet
        .say(b"\xEF\xBB\xBF{\"text\":\"a mark\"}\n{\"text\":\"no UTF-8 \xFF\"}\n{\"text\":\"half a pair \\ud800\"}\n");

    for want in ["a mark", "no UTF-8 \u{fffd}", "half a pair \u{fffd}"] {
        assert_eq!(clients[0].0.line(), want);
    }
    assert_eq!(puppet.server.stop().matches("worker line skipped").count(), 0);
}

#[test]
fn the_log_has_the_first_invalid_lines_of_a_flood_and_their_number() {
    const LINES: usize = 100_000;
    let mut server = Server::shell(&["--framing=json", "--shared"], &format!("yes rubbish | head -n {LINES}"), &[]);

    server.connect("/").rest();

    let log = server.stop();
    let logged = log.matches("worker line skipped").count();
    let counted = log.lines().filter(|line| line.contains("worker lines skipped"));
    let counted: usize = counted.map(|line| field(line, "lines").unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(logged + counted, LINES, "{log}");
    assert!(logged < LINES / 100, "{logged} lines");
}

#[test]
fn a_program_of_ones_own_is_told_the_same() {
    let puppet = Puppet::new(&[]);
    let mut client = puppet.server.connect("/");
    let id = puppet.event(1)["client"].as_str().unwrap().to_owned();
    let worker = puppet.server.expect_room(1);

    client.text("a\nb");
    assert_eq!(puppet.lines(2)[1], format!(r#"{{"event":"message","client":"{id}","text":"a\nb"}}"#));
    puppet.say_line(&json!({ "text": "c\nd", "to": id }));
    assert_eq!(client.line(), "c\nd");
    puppet.say_line(&json!({ "text": "to all, which is one" }));
    assert_eq!(client.line(), "to all, which is one");
    client.close(4005);

    assert_eq!(client.expect_close().code, Some(4005));
    assert_eq!(puppet.lines(3)[2], format!(r#"{{"event":"close","client":"{id}","code":4005,"reason":""}}"#));
    assert!(gone_within(worker, crate::harness::DEADLINE));
}

#[test]
fn a_client_of_an_ordinary_program_may_come_again_once_it_is_told_of_the_end() {
    // Its program has ended by then, and its slot is free.
    let server = Server::shell(&["--framing=json", "--maxforks=1"], "cat > /dev/null", &[]);
    for _ in 0..5 {
        let mut client = server.connect("/");
        client.close(1000);
        assert_eq!(client.expect_close().code, Some(1000));
    }
}

#[test]
fn each_client_of_an_ordinary_server_has_a_program_of_its_own() {
    let script = "read -r _; echo \"{\\\"text\\\":\\\"$$\\\"}\"; exec cat > /dev/null";
    let server = Server::shell(&["--framing=json"], script, &[]);
    let mut clients = [server.connect("/"), server.connect("/")];

    let workers = clients.each_mut().map(Client::line);

    assert_ne!(workers[0], workers[1]);
}

#[test]
fn an_ordinary_program_has_the_variables_of_its_client() {
    let script = "echo \"{\\\"text\\\":\\\"$REMOTE_PORT $QUERY_STRING\\\"}\"; exec cat > /dev/null";
    let server = Server::shell(&["--framing=json"], script, &[]);
    let mut client = server.connect("/?x=1");

    assert_eq!(client.line(), format!("{} x=1", client.connection().local_address().port()));
}

#[test]
fn a_program_that_dies_in_the_middle_closes_everyone() {
    let script = "read -r _; read -r _; read -r _
        for n in 1 2 3; do echo \"{\\\"text\\\":\\\"$n\\\"}\"; done; printf '{\"text\":\"no newline\"}'; kill -9 $$";
    for (flags, count) in [(&["--framing=json", "--shared"][..], 3), (&["--framing=json"], 1)] {
        let server = Server::shell(flags, script, &[]);
        let mut clients: Vec<_> = (0..count).map(|_| server.connect("/")).collect();

        clients[0].text("one");
        clients[0].text("two");

        for client in &mut clients {
            let (lines, close) = client.rest();
            assert_eq!(lines, ["1", "2", "3", "no newline"]);
            assert_eq!(close.code, Some(4137));
        }
    }
}

#[test]
fn half_a_command_at_the_end_of_the_program_is_rubbish() {
    let script = "echo '{\"text\":\"whole\"}'; printf '{\"text\":\"ha'";
    let server = Server::shell(&["--framing=json"], script, &[]);

    assert_eq!(server.connect("/").rest(), (vec!["whole".to_owned()], Close::new(1000, "")));
    assert!(server.expect_log("worker line skipped").text.contains("ha"));
}

#[test]
fn the_history_holds_what_was_for_all_and_nothing_private() {
    let puppet = Puppet::new(&["--shared", "--history=10"]);
    let mut clients = puppet.connect(2);
    let id = clients[1].1.clone();
    for (line, is_for_first) in [
        (json!({ "text": "for all" }), true),
        (json!({ "text": "private", "to": id }), false),
        (json!({ "text": "for all others", "except": id }), true),
        (json!({ "text": "for two", "to": [id, clients[0].1] }), true),
        (json!({ "binary": "AP8=" }), true),
    ] {
        puppet.say_line(&line);
        if is_for_first {
            clients[0].0.message();
        }
    }

    let mut newcomer = puppet.server.connect("/");

    assert_eq!((newcomer.line(), newcomer.line()), ("for all".to_owned(), "for all others".to_owned()));
    assert_eq!(newcomer.message(), Frame::new(BINARY, [0, 255]));
}

#[test]
fn a_message_for_one_that_did_not_read_its_goodbye_is_not_sent() {
    let puppet = Puppet::shared();
    let mut clients = puppet.connect(2);
    let id = clients[1].1.clone();

    // All in one write: the order of lines is the order of what happens.
    let lines = [
        json!({ "text": "1" }),
        json!({ "close": id, "code": 4000 }),
        json!({ "text": "2" }),
        json!({ "close": id, "code": 4001 }),
    ];
    puppet.say(lines.map(|line| format!("{line}\n")).concat());

    assert_eq!((clients[0].0.line(), clients[0].0.line()), ("1".to_owned(), "2".to_owned()));
    assert_eq!(clients[1].0.rest(), (vec!["1".to_owned()], Close::new(4000, "")));
}

#[test]
fn the_end_of_the_server_closes_clients_of_json_programs_with_1001() {
    for flags in [&["--shared"][..], &[]] {
        let puppet = Puppet::new(flags);
        let mut client = puppet.server.connect("/");
        puppet.lines(1);
        let Puppet { mut server, .. } = puppet;

        server.signal(rustix::process::Signal::TERM);

        assert_eq!(client.expect_close().code, Some(1001));
        assert_eq!(server.wait().code(), Some(0));
    }
}
