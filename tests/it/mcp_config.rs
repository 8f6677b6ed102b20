//! `--mcp-config`: the `mcpServers` of desktop clients as routes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// A server of MCP that tells its arguments and a variable.
const SCRIPT: &str = r#"import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message and message["method"] == "initialize":
        told = {"name": os.environ.get("TOLD", "") + " " + " ".join(sys.argv[1:]) + " " + os.getcwd(), "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": told}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

/// Asks the server at a path for its name.
fn name_at(server: &Server, path: &str) -> String {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let url = format!("http://{}{path}", server.address);
    let outcome = Caller::start(&["--mcp", &url]).finish(format!("{request}\n").as_bytes());
    let answer: Value = serde_json::from_str(outcome.stdout.trim()).unwrap_or_default();
    answer["result"]["serverInfo"]["name"].as_str().unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
}

#[test]
fn each_entry_is_served_at_its_name_with_its_arguments_variables_and_folder() {
    let tree = Tree::new();
    tree.file("server.py", SCRIPT);
    let script = tree.path("server.py");
    let servers = json!({ "mcpServers": {
        "words": { "command": "python3", "args": [script, "a b", "\"c\""], "env": { "TOLD": "x=y" }, "cwd": "/", "alwaysAllow": [] },
        "off": { "command": "no-such-program", "disabled": true },
    } });
    tree.file("servers.json", servers.to_string());
    let path = tree.path("servers.json");

    let server = Server::serve(&["--mcp-config", &path]);

    assert_eq!(name_at(&server, "/words/mcp"), "x=y a b \"c\" /");

    let servers = servers.to_string().replace("words", "other");
    tree.file("servers.json", servers);
    server.signal(Signal::HUP);
    server.expect_log("settings loaded");
    assert_eq!(name_at(&server, "/other/mcp"), "x=y a b \"c\" /");
}

#[test]
fn an_error_of_an_entry_names_file_and_entry() {
    let tree = Tree::new();
    let path = tree.path("servers.json");
    for (entry, words) in [
        (json!({ "url": "http://h/mcp" }), "cannot serve a server that is elsewhere"),
        (json!({ "serverUrl": "http://h/mcp" }), "cannot serve a server that is elsewhere"),
        (json!({ "command": "cat", "args": "x" }), "invalid value for `args`"),
        (
            json!({ "command": "cat -n" }),
            "hint: write the program alone as `command`, and each of its arguments in `args`",
        ),
        (json!({ "command": "no-such-program-here" }), "no-such-program-here"),
        (json!({ "command": "cat", "cwd": "/no/such/folder" }), "/no/such/folder"),
    ] {
        tree.file(
            "servers.json",
            json!({ "mcpServers": { "good": { "command": "cat" }, "wrong": entry } }).to_string(),
        );

        let outcome = run(&["--port=0", "--mcp-config", &path]);

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        let place = format!("wsd: {path}: `mcpServers.wrong`: ");
        assert!(outcome.stderr.starts_with(&place) && outcome.stderr.contains(words), "{outcome:?}");
        assert!(outcome.stderr.contains("\nhint: "), "{outcome:?}");
    }
}

#[test]
fn a_file_without_servers_is_refused() {
    let tree = Tree::new();
    let path = tree.path("servers.json");
    for (text, words) in [("{\n,}", ":2: invalid JSON"), ("{\"servers\":{}}", ": it has no object `mcpServers`")] {
        tree.file("servers.json", text);

        let outcome = run(&["--port=0", "--mcp-config", &path]);

        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("wsd: {path}{words}")), "{outcome:?}");
    }
}

#[test]
fn a_file_whose_servers_are_all_off_is_named() {
    let tree = Tree::new();
    let path = tree.path("servers.json");
    tree.file("servers.json", r#"{"mcpServers":{"words":{"command":"cat","disabled":true}}}"#);

    let outcome = run(&["--port=0", "--mcp-config", &path]);

    let error =
        format!("wsd: cannot serve anything: the file `{path}` of --mcp-config has no server that is on\nhint: ");
    assert!(outcome.stderr.starts_with(&error), "{outcome:?}");
}

#[test]
fn a_file_may_begin_with_a_byte_order_mark() {
    let tree = Tree::new();
    tree.file("servers.json", "\u{feff}{\"mcpServers\":{\"words\":{\"command\":\"cat\"}}}");

    assert_eq!(run(&["--check", "--mcp-config", &tree.path("servers.json")]).status, Some(0));
}

#[test]
fn a_file_of_servers_that_is_given_to_config_is_told_its_flag() {
    let tree = Tree::new();
    tree.file("servers.json", "{\"mcpServers\":{}}");

    let outcome = run(&["--port=0", "--config", &tree.path("servers.json")]);

    assert!(outcome.stderr.contains("a JSON file with `mcpServers` is for --mcp-config"), "{outcome:?}");
}

#[test]
fn the_page_with_the_lines_to_paste_lists_the_servers_that_its_reader_may_know() {
    let tree = Tree::new();
    let entry = json!({ "command": "cat" });
    tree.file("servers.json", json!({ "mcpServers": { "words": entry, "b/c": entry } }).to_string());
    tree.file("tokens", format!("somebody:sha256:{}\n", "0".repeat(64)));
    tree.file(
        "wsd.toml",
        format!(
            "devconsole = true\n[[route]]\npath = '/hidden'\ncommand = ['cat']\nmcp = true\nauth = ['bearer:{}']\n\
             [[route]]\npath = '/plain'\ncommand = ['cat']\n",
            tree.path("tokens")
        ),
    );
    let server = Server::serve(&["--config", &tree.path("wsd.toml"), "--mcp-config", &tree.path("servers.json")]);

    let list: Value = serde_json::from_slice(&server.get("/.wsd/mcp.json", "").body).unwrap();

    let open = |path: &str| json!({ "path": path, "has_auth": false });
    assert_eq!(list, json!([open("/b/c/mcp"), open("/words/mcp")]));
    let page = server.get("/.wsd/mcp", "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for part in ["mcp.js", "mcp.css", "mcp-lines.js"] {
        assert_eq!(server.get(&format!("/.wsd/{part}"), "").status, 200, "{part}");
    }
}

#[test]
fn a_server_at_all_paths_is_listed_at_the_usual_one_and_nowhere_without_the_console() {
    let server = Server::command(&["--mcp", "--devconsole"], &["cat"]);
    let list: Value = serde_json::from_slice(&server.get("/.wsd/mcp.json", "").body).unwrap();
    assert_eq!(list, json!([{ "path": "/mcp", "has_auth": false }]));

    let without = Server::command(&["--mcp"], &["cat"]);
    assert!(!without.get("/.wsd/mcp.json", "").text().contains("has_auth"));
}
