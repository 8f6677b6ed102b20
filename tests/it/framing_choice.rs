//! `--framing=A,B`: a client chooses the framing by a subprotocol, and what the flag cannot go with.

use crate::harness::http::Response;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// Prints the chosen subprotocol and a newline, and then repeats its input.
const TELL: &str = "printf '%s\\n' \"${SEC_WEBSOCKET_PROTOCOL-none}\"; exec cat";

/// Opens a session with these offers. Returns it, and the 101.
fn open(server: &Server, offers: &str) -> (Client, Response) {
    let mut connection = server.http();
    let header = if offers.is_empty() { String::new() } else { format!("Sec-WebSocket-Protocol: {offers}\r\n") };
    connection.send(upgrade_request(&server.host(), "/", &header));
    let response = connection.response("GET");
    assert_eq!(response.status, 101, "{offers}:\n{response}");
    (Client::upgraded(connection), response)
}

/// The words that `--framing` takes, by the help.
fn words() -> Vec<String> {
    let help = run(&["--help"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let framing = help.split(" --framing").nth(1).and_then(|text| text.split("[possible values: ").nth(1)).unwrap();
    framing.split(']').next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn a_client_chooses_the_framing_by_its_subprotocol() {
    let server = Server::shell(&["--framing=nul,lines,chunks", "--subprotocol=chat,wsd.own"], TELL, &[]);
    // The offers, the chosen one, and the framing: with nul, the newline of the program is text.
    let table = [
        ("", None, "nul"),
        ("other", None, "nul"),
        ("wsd.lines", Some("wsd.lines"), "lines"),
        ("wsd.nul", Some("wsd.nul"), "nul"),
        ("wsd.chunks", Some("wsd.chunks"), "chunks"),
        ("wsd.length, wsd.chunks, wsd.lines", Some("wsd.chunks"), "chunks"),
        ("chat, wsd.lines", Some("wsd.lines"), "lines"),
        ("chat", Some("chat"), "nul"),
        ("wsd.own", Some("wsd.own"), "nul"),
        ("wsd.json", None, "nul"),
        ("WSD.LINES, wsd.line, wsd.", None, "nul"),
    ];
    for (offers, chosen, framing) in table {
        let (mut client, response) = open(&server, offers);
        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{offers}");

        let told = chosen.unwrap_or("none");
        match framing {
            "lines" => assert_eq!(client.line(), told, "{offers}"),
            "chunks" => assert_eq!(client.bytes(told.len() + 1), format!("{told}\n").as_bytes(), "{offers}"),
            _ => {
                client.text("a\nb");
                assert_eq!(client.line(), format!("{told}\na\nb"), "{offers}");
            }
        }
    }
}

#[test]
fn every_framing_can_be_chosen_also_if_it_is_the_only_one() {
    for word in words() {
        let server = Server::command(&[&format!("--framing={word}")], &["cat"]);

        let (_, response) = open(&server, &format!("wsd.{word}"));

        assert_eq!(response.header("sec-websocket-protocol"), Some(&*format!("wsd.{word}")));
    }
}

#[test]
fn without_the_flag_no_framing_can_be_chosen() {
    for flags in [&[][..], &["--binary"], &["--passstderr"], &["--passstderr", "--framing=lines"]] {
        let server = Server::command(flags, &["cat"]);

        let (_, response) = open(&server, "wsd.lines, wsd.chunks");

        assert_eq!(response.header("sec-websocket-protocol"), None, "{flags:?}");
    }
}

#[test]
fn a_client_whose_framing_is_not_listed_is_told_of_with_a_flag_that_wsd_takes() {
    let one = "this program has one framing: the client must not offer wsd.*";
    let table: [(&[&str], &str, &str); 13] = [
        (&["--framing=lines,nul"], "wsd.length", "add length to --framing"),
        (&[], "wsd.nul", "add nul to --framing"),
        (&["--framing=lines,nul"], "wsd.json", "at a path of its own, with --framing=json"),
        (&["--pty"], "wsd.nul", one),
        (&["--shared"], "wsd.nul", one),
        (&["--shared=path", "--framing=length"], "wsd.nul", one),
        (&["--acp"], "wsd.jsonrpc", one),
        (&["--binary"], "wsd.nul", one),
        (&["--passstderr"], "wsd.nul", one),
        (&["--framing=json"], "wsd.nul", one),
        (&["--shared"], "wsd.json", one),
        (&[], "tty", "if the page has a terminal: serve the program with --pty"),
        (&["--framing=lines"], "wsd.own", "--subprotocol=wsd.own"),
    ];
    for (flags, offer, want) in table {
        let server = Server::command(flags, &["cat"]);

        open(&server, offer);

        let line = server.expect_log("subprotocol not listed").text;
        assert!(line.contains(&format!("offered={offer} ")) && line.contains(want), "{flags:?} {offer}: {line}");
    }
}

#[test]
fn a_subprotocol_that_promises_another_framing_than_the_program_has_is_exit_1() {
    let table: [(&[&str], &str, &str); 6] = [
        (&["--framing=length", "--subprotocol=chat,wsd.nul"], "it is a name of --framing", "add nul to --framing"),
        (&["--subprotocol=wsd.lines"], "it is a name of --framing", "add lines to --framing"),
        (&["--subprotocol=wsd.json"], "it is a name of --framing", "--framing=json is for"),
        (&["--shared", "--subprotocol=wsd.nul"], "it is a name of --framing", "this program has one framing"),
        (&["--acp", "--subprotocol=wsd.jsonrpc"], "it is a name of --framing", "this program has one framing"),
        (&["--subprotocol=chat, tty"], "the messages of `tty` are those of a terminal", "add --pty"),
    ];
    for (flags, why, hint) in table {
        let outcome = run(&[&["--port=0"], flags, &["cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flags:?}: {outcome:?}");
        let (message, advice) = outcome.stderr.split_once("\nhint: ").unwrap_or_default();
        assert!(message.contains(why) && advice.contains(hint), "{flags:?}: {outcome:?}");
    }
    // What the program has may be named twice.
    Server::command(&["--pty", "--subprotocol=tty"], &["cat"]);
    Server::command(&["--framing=nul", "--subprotocol=wsd.nul"], &["cat"]);
}

#[test]
fn a_file_has_the_framings_of_a_route_as_a_text_or_a_list() {
    for list in ["\"nul,lines\"", "[\"nul\", \"lines\"]", "\"nul, lines\""] {
        let tree = Tree::new();
        let file = format!("framing = \"length\"\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\nframing = {list}\n");
        tree.file("wsd.toml", file);
        let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

        let (mut nul, (mut lines, response)) = (server.connect("/"), open(&server, "wsd.lines"));
        nul.text("a\nb");
        lines.text("a\nb");

        assert_eq!(nul.line(), "a\nb", "{list}");
        assert_eq!([lines.line(), lines.line()], ["a", "b"], "{list}");
        assert_eq!(response.header("sec-websocket-protocol"), Some("wsd.lines"), "{list}");
    }
}

#[test]
fn framings_that_cannot_go_with_other_flags_are_exit_1_with_the_reason() {
    let table: [(&[&str], &str); 9] = [
        (&["--framing=lines,nul", "--shared"], "all clients share one program, which has one framing"),
        (&["--framing=lines,nul", "--shared=path"], "all clients share one program"),
        (&["--framing=lines,lines", "--shared"], "all clients share one program"),
        (&["--framing=lines,json"], "events, not messages"),
        (&["--framing=nul", "--passstderr"], "the lines of both streams"),
        (&["--framing=lines,length", "--passstderr"], "the lines of both streams"),
        (&["--framing=length", "--binary"], "--binary is short for --framing=chunks"),
        (&["--framing=chunks,lines", "--binary"], "--binary is short for --framing=chunks"),
        (&["--framing=json,length", "--shared"], "all clients share one program"),
    ];
    for (flags, why) in table {
        let outcome = run(&[&["--port=0"], flags, &["cat"]].concat());

        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{flags:?}: {outcome:?}");
        let is_clear = outcome.stderr.contains(why) && outcome.stderr.contains("\nhint: ");
        assert!(is_clear, "{flags:?}: {outcome:?}");
    }
}

#[test]
fn a_route_with_a_terminal_or_an_agent_needs_no_framing_of_the_top() {
    let tree = Tree::new();
    let settings = "framing = \"nul\"\n\
        [[route]]\npath = \"/terminal\"\ncommand = [\"stty\", \"size\"]\npty = true\n\
        [[route]]\npath = \"/agent\"\ncommand = [\"echo\", \"{}\"]\nacp = true\n\
        [[route]]\npath = \"/texts\"\ncommand = [\"echo\", \"a\"]\n";
    tree.file("wsd.toml", settings);
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

    assert_eq!(server.connect("/terminal").bytes(7), b"24 80\r\n");
    assert_eq!(server.connect("/agent").line(), "{}");
    assert_eq!(server.connect("/texts").line(), "a\n");
}

#[test]
fn a_route_with_a_framing_needs_no_terminal_or_agent_of_the_top() {
    for top in ["pty = true", "acp = true"] {
        let tree = Tree::new();
        let route = "[[route]]\npath = \"/\"\ncommand = [\"echo\", \"a\"]\nframing = \"nul\"\n";
        tree.file("wsd.toml", format!("{top}\n{route}"));
        let server = Server::serve(&["--config", &tree.path("wsd.toml")]);

        assert_eq!(server.connect("/").line(), "a\n", "{top}");
    }
}

#[test]
fn a_framing_beside_a_terminal_or_an_agent_in_one_table_is_refused_on_its_line() {
    let route = "[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n";
    for switch in ["pty = true", "acp = true"] {
        for (settings, line) in [
            (format!("{route}framing = \"nul\"\n{switch}\n"), "5"),
            (format!("framing = \"nul\"\n{switch}\n{route}"), "2"),
        ] {
            let tree = Tree::new();
            tree.file("wsd.toml", &settings);
            let outcome = run(&["--port=0", "--config", &tree.path("wsd.toml")]);
            let place = format!("wsd.toml:{line}: cannot combine");
            assert!(outcome.status == Some(1) && outcome.stderr.contains(&place), "{settings}{outcome:?}");
        }
    }
}

#[test]
fn a_word_that_is_nearly_a_framing_gets_the_flags_that_are_meant() {
    let table = [
        ("json-rpc", "--framing=jsonrpc"),
        ("JSON", "--framing=json"),
        ("ndjson", "--framing=jsonrpc"),
        ("null", "--framing=nul"),
        ("binary", "--framing=chunks"),
        ("acp", "--acp"),
        ("pty", "--pty"),
        ("mcp", "--mcp"),
        ("Lines", "--framing=lines"),
    ];
    for (word, own) in table {
        let outcome = run(&["--port=0", &format!("--framing={word}"), "cat"]);
        let hint = format!("\nhint: did you mean `{own}`?\n");
        assert!(outcome.status == Some(2) && outcome.stderr.ends_with(&hint), "{word}: {outcome:?}");
    }
    for (word, keys) in [("json-rpc", "add `framing = \"jsonrpc\"` instead"), ("acp", "add `acp = true` instead")] {
        let tree = Tree::new();
        tree.file("wsd.toml", format!("framing = \"{word}\"\n"));
        let outcome = run(&["--port=0", "--config", &tree.path("wsd.toml"), "cat"]);
        assert!(outcome.stderr.ends_with(&format!("\nhint: {keys}\n")), "{word}: {outcome:?}");
    }
}

#[test]
fn blanks_in_a_list_of_framings_do_not_matter_and_an_empty_word_is_named() {
    let server = Server::command(&["--framing=lines, nul "], &["cat"]);
    open(&server, "wsd.nul");

    for list in ["lines,", ",", "lines,,nul"] {
        for arguments in
            [&["--port=0", &format!("--framing={list}"), "cat"][..], &["--port=0", "--framing", list, "cat"]]
        {
            let outcome = run(arguments);
            assert!(
                outcome.stderr.contains("invalid value for --framing: an empty word\nhint: "),
                "{list}: {outcome:?}"
            );
        }
    }
    assert!(run(&["--port=0", "--framing=", "cat"]).stderr.contains("cannot use --framing without a value"));
}

#[test]
fn a_word_that_is_no_framing_is_exit_2_on_the_command_line_and_1_in_a_file() {
    for list in ["", ",", "lines,", "lines,xml", "lines;nul"] {
        let outcome = run(&["--port=0", &format!("--framing={list}"), "cat"]);
        assert!(outcome.status == Some(2) && outcome.stderr.contains("\nhint: "), "{list:?}: {outcome:?}");
    }
    for list in ["[]", "\"\"", "\"lines,\"", "[\"lines\", \"xml\"]", "[1]"] {
        let tree = Tree::new();
        tree.file("wsd.toml", format!("port = 0\nframing = {list}\n"));
        let outcome = run(&["--config", &tree.path("wsd.toml"), "cat"]);
        assert!(outcome.status == Some(1) && outcome.stderr.contains("wsd.toml:2: "), "{list}: {outcome:?}");
    }
}
