//! `--framing=jsonrpc` and `--acp`: a value of JSON a line on the program's side, a text message on the client's.

use crate::harness::server::{Server, field, run};
use crate::harness::tree::Tree;
use crate::harness::websocket::{BINARY, CONTINUATION, Client, Close, Frame, TEXT};

const FLAG: &str = "--framing=jsonrpc";

/// Takes the next message, which must be JSON.
fn value(client: &mut Client) -> serde_json::Value {
    let text = client.line();
    assert!(!text.contains(['\r', '\n']), "{text:?}");
    serde_json::from_str(&text).unwrap()
}

/// Waits for the end of this client's session. Returns its word in the log.
fn end(server: &Server, client: &mut Client) -> String {
    field(&server.expect_end_of(client), "end").unwrap()
}

#[test]
fn pretty_printed_json_becomes_one_line() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");

    client.text("{\r\n\t\"id\": 1,\r\n\t\"params\": [\r\n\t\t\"a\\nb\",\n\t\t\"\\\"\\\\\"\r\n\t]\r\n}\r\n");

    let answer = value(&mut client);
    assert_eq!(answer["result"], serde_json::json!(["a\nb", "\"\\"]));
    assert_eq!(answer["line"], "{\"id\": 1,\"params\": [\"a\\nb\",\"\\\"\\\\\"]}\n");
}

#[test]
fn characters_that_some_take_for_line_ends_pass_both_ways() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");
    let text = "\u{2028}\u{2029}\u{85}\u{7f}é€😀";

    client.text(&format!("{{\"id\":1,\"params\":\"{text}\"}}"));

    assert_eq!(value(&mut client)["result"], text);
}

#[test]
fn a_character_that_frames_split_stays_whole() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");
    let message = "{\"id\":1,\"params\":\"😀\"}".as_bytes();

    for cut in 0..=message.len() {
        client.send(&Frame::new(TEXT, &message[..cut]).unfinished());
        client.send(&Frame::new(CONTINUATION, &message[cut..]));
        assert_eq!(value(&mut client)["result"], "😀", "cut at {cut}");
    }
}

#[test]
fn a_binary_message_that_is_utf_8_is_a_value() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");

    client.binary("{\"id\":1,\"params\":\"é\"}".as_bytes());
    assert_eq!(value(&mut client)["result"], "é");

    client.binary(b"{\"id\":1,\"params\":\"\xFF\"}");
    assert_eq!(client.expect_close(), Close::new(1007, "not UTF-8"));
    assert_eq!(end(&server, &mut client), "invalid");
}

#[test]
fn lines_that_are_no_json_are_logged_and_not_sent() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");

    client.text("{\"id\":1,\"params\":7}");

    assert_eq!(value(&mut client)["result"], 7);
    assert_eq!(field(&server.expect_nth_log("worker junk", 1).text, "line").unwrap(), "Agent 1.0");
    assert_eq!(field(&server.expect_nth_log("worker junk", 2).text, "line").unwrap(), "ready");
    client.close(1000);
    server.expect_log("session ended");
    assert_eq!(server.log().iter().filter(|line| line.contains("worker junk")).count(), 2, "blank lines are nothing");
}

#[test]
fn a_client_cannot_fill_the_log_with_lines_that_the_program_repeats() {
    let server = Server::command(&[FLAG], &["cat"]);
    let mut client = server.connect("/");
    let text = "x".repeat(5000);

    for _ in 0..300 {
        client.text(&text);
    }
    client.text("{}");

    assert_eq!(client.line(), "{}");
    server.expect_log("lines left out event=\"worker junk\"");
    let log = server.log();
    let junk: Vec<_> = log.iter().filter(|line| line.contains(" worker junk ")).collect();
    assert!(junk.len() <= 80, "{} lines in some seconds", junk.len());
    assert!(junk.iter().all(|line| line.len() < 400 && line.contains("(5000 bytes)")), "{}", junk[0]);
}

#[test]
fn a_line_of_any_length_is_one_message() {
    let server =
        Server::shell(&[FLAG], "printf ' [\"'; head -c 300000 /dev/zero | tr '\\0' x; echo '\"]'; echo {}", &[]);
    let mut client = server.connect("/");

    assert_eq!(client.line(), format!("[\"{}\"]", "x".repeat(300_000)));
    assert_eq!(client.line(), "{}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_line_streams_through_in_flat_memory_whether_it_is_json_or_not() {
    use crate::harness::process::linux::peak_memory;
    for start in ["{", "junk", " "] {
        let script = "printf %s \"$1\"; head -c 33554432 /dev/zero | tr '\\0' ' '; echo; echo '[]'";
        let server = Server::shell(&[FLAG, "--loglevel=error"], script, &[start]);
        let mut client = server.connect("/");
        let before = peak_memory(server.pid());

        let mut bytes = 0;
        loop {
            let frame = client.frame();
            bytes += frame.payload.len();
            if frame.payload.ends_with(b"[]") {
                break;
            }
        }

        assert_eq!(bytes, if start == "{" { (32 << 20) + 3 } else { 2 });
        let growth_kib = peak_memory(server.pid()) - before;
        assert!(growth_kib < 8 << 10, "{start}: memory grew by {growth_kib} KiB");
    }
}

#[test]
fn json_that_is_cut_in_half_is_answered_by_the_program_or_ends_its_session_only() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let (mut other, mut client) = (server.connect("/"), server.connect("/"));

    client.text("{\"id\":1,\"params\":\"in ha");
    assert_eq!(value(&mut client)["error"]["code"], -32700);
    client.text("{\n\"id\":1,\n\"params\":");
    assert_eq!(value(&mut client)["error"]["code"], -32700);

    client.text("{\n\"id\":1,\n\"params\":\"in ha");
    assert_eq!(client.expect_close(), Close::new(1007, "not JSON"));
    assert_eq!(end(&server, &mut client), "invalid");

    other.text("{\"id\":2,\"params\":0}");
    assert_eq!(value(&mut other)["id"], 2);
}

#[test]
fn a_raw_line_end_within_a_string_is_not_json() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    for text in ["{\"id\":1,\"params\":\"a\nb\"}", "{\"id\":1,\"params\":\"a\tb\"}", "{\"id\":1,\"params\":\0}"] {
        let mut client = server.connect("/");

        client.text(text);

        assert_eq!(client.expect_close(), Close::new(1007, "not JSON"), "{text:?}");
    }
}

#[test]
fn a_blank_message_is_dropped_and_logged_once() {
    let server = Server::start(&[FLAG], "jsonrpc.py");
    let mut client = server.connect("/");

    for text in ["", " ", "\n", "{\"id\":1,\"params\":0}"] {
        client.text(text);
    }

    assert_eq!(value(&mut client)["id"], 1);
    assert_eq!(field(&server.expect_log("message ignored").text, "why").unwrap(), "it is blank");
    server.expect_events("message ignored", 1);
}

#[test]
fn output_that_is_not_utf_8_is_mended_and_told() {
    let server = Server::shell(&[FLAG], "printf '[\"\\377\"]\\n'; read -r _", &[]);

    assert_eq!(server.connect("/").line(), "[\"\u{fffd}\"]");
    server.expect_log("worker output not UTF-8");
}

#[test]
fn answers_of_one_client_never_go_to_all() {
    for (flags, named) in [([FLAG, "--shared"], "--framing=jsonrpc"), (["--acp", "--shared=path"], "--acp")] {
        let outcome = run(&[&["--port=0"][..], &flags, &["cat"]].concat());

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("cannot combine {named} and --shared: ")), "{outcome:?}");
        assert!(outcome.stderr.contains("answers to one client would go to all"), "{outcome:?}");
    }
}

#[test]
fn an_acp_client_learns_the_id_of_its_connection() {
    let server = Server::shell(&["--acp"], "echo \"[\\\"$UNIQUE_ID\\\"]\"; read -r _", &[]);
    let mut ids = Vec::new();

    for _ in 0..2 {
        let mut connection = server.http();
        connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/acp", ""));
        let response = connection.response("GET");
        let id = response.header("acp-connection-id").expect("the header").to_owned();
        let mut client = Client::upgraded(connection);

        assert_eq!(client.line(), format!("[\"{id}\"]"));
        ids.push(id);
    }

    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_own_header_takes_the_place_of_that_of_acp() {
    let server = Server::command(&["--acp", "--header-ws=acp-connection-id: mine"], &["cat"]);
    let mut connection = server.http();

    connection.send(crate::harness::websocket::upgrade_request(&server.host(), "/", ""));

    let response = connection.response("GET");
    let ids = response.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("acp-connection-id"));
    assert_eq!(ids.collect::<Vec<_>>(), ["Acp-Connection-Id: mine"]);
}

#[test]
fn an_acp_session_ignores_binary_messages_and_tells_it_once() {
    let server = Server::start(&["--acp"], "jsonrpc.py");
    let mut client = server.connect("/");

    for _ in 0..3 {
        client.send(&Frame::new(BINARY, "{\"id\":1,\"params\":0}"));
    }
    client.binary(b"\xFF");
    client.text("{\"id\":2,\"params\":0}");

    assert_eq!(value(&mut client)["id"], 2);
    assert_eq!(field(&server.expect_log("message ignored").text, "why").unwrap(), "it is binary");
    server.expect_events("message ignored", 1);
}

#[test]
fn an_agent_has_two_seconds_to_end_after_its_input() {
    // In the middle between the SIGINT of other programs and that of agents.
    let script = "cat; sleep 1; exit 7";
    for (flags, status) in [(&["--acp"][..], "7"), (&["--acp", "--closems=0"], "130")] {
        let server = Server::shell(flags, script, &[]);
        let mut client = server.connect("/");

        client.close(1000);

        assert_eq!(field(&server.expect_end_of(&mut client), "status").unwrap(), status, "{flags:?}");
    }
}

#[test]
fn acp_may_be_the_key_of_a_route() {
    let tree = Tree::new();
    tree.file(
        "wsd.toml",
        "[[route]]\npath = \"/acp\"\ncommand = [\"cat\"]\nacp = true\n\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n",
    );
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    for (path, is_acp) in [("/acp", true), ("/", false)] {
        let mut connection = server.http();
        connection.send(crate::harness::websocket::upgrade_request(&server.host(), path, ""));
        let response = connection.response("GET");
        assert_eq!(response.header("acp-connection-id").is_some(), is_acp, "{response}");

        let mut client = Client::upgraded(connection);
        client.text("[\n]");
        assert_eq!(client.line(), if is_acp { "[]" } else { "[" }, "{path}");
    }
}

#[test]
fn acp_is_a_framing_of_its_own() {
    assert_eq!(run(&["--check", "--acp", FLAG, "cat"]).status, Some(0));
    assert_eq!(run(&["--check", "--acp=false", "--framing=lines", "cat"]).status, Some(0));
    for other in ["--framing=lines", "--framing=jsonrpc,lines", "--framing=json", "--binary", "--passstderr"] {
        let outcome = run(&["--port=0", "--acp", other, "cat"]);

        assert_eq!(outcome.status, Some(1), "{other}: {outcome:?}");
        let name = other.split('=').next().unwrap();
        assert!(outcome.stderr.contains(&format!("cannot combine --acp and {name}")), "{other}: {outcome:?}");
    }
}
