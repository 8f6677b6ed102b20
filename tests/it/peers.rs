//! Other people's clients and servers of MCP, ACP and LSP, with wsd between them. `.ci/peers` installs them.

mod conformance;
mod editor;
mod npx;
mod sdk;

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::SLACK;
use crate::harness::pages::{root, text};
use crate::harness::process::group_gone_within;
use crate::harness::server::{Server, run_to_end, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;
use editor::{Editor, Mode};

/// The folder with the packages from npm; where they or Node.js are not installed, skips the test and returns `None`.
fn packages() -> Option<PathBuf> {
    let folder = root().join("target/tools/peers");
    if !folder.join("installed-from-npm").exists() {
        skip("the packages of .ci/peers");
        return None;
    }
    has("node").then_some(folder)
}

/// Returns the Node.js that some packages need, newer than those of distributions; without it, skips the test.
fn modern_node(folder: &Path) -> Option<PathBuf> {
    let arch = if ARCH == "aarch64" { "arm64" } else { "x64" };
    let node = folder.join(format!("node_modules/node-linux-{arch}/bin/node"));
    if !node.exists() {
        skip("the Node.js of .ci/peers");
        return None;
    }
    Some(node)
}

/// The command line of a script of `tests/peers`, which takes its imports from the current folder.
fn script(name: &str) -> [String; 4] {
    let text = text(&format!("tests/peers/{name}"));
    ["node".to_owned(), "--input-type=module".to_owned(), "--eval".to_owned(), text]
}

/// Runs a script of `tests/peers` against the server to its end. Returns the lines of JSON that it prints.
fn run_against(server: &Server, name: &str, arguments: &[&str]) -> Option<Vec<Value>> {
    let folder = packages()?;
    let [node, words @ ..] = script(name);
    let mut command = Command::new(node);
    command.args(words).arg("--").arg(format!("ws://{}/", server.address)).args(arguments);
    command.current_dir(folder);
    let outcome = run_to_end(command);
    assert_eq!(outcome.status, Some(0), "{name}: {outcome:?}");
    Some(outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

const MCP: [&str; 2] = ["--framing=jsonrpc", "--subprotocol=mcp"];

#[test]
fn a_client_of_mcp_lists_and_calls_the_tools_of_a_server() {
    if !has("mcp-server-everything") {
        return;
    }
    let server = Server::command(&MCP, &["mcp-server-everything"]);

    let message = json!({ "message": "two\nlines, \u{2028} and 😀" }).to_string();
    let Some(told) = run_against(&server, "mcp.mjs", &["1", "echo", &message]) else { return };

    assert_eq!(told[0]["server"], "mcp-servers/everything");
    assert_eq!(told[0]["text"], "Echo: two\nlines, \u{2028} and 😀");
    assert!(told[0]["tools"].as_array().unwrap().contains(&"echo".into()), "{told:?}");
}

#[test]
fn fifty_clients_of_mcp_leave_no_process() {
    if !has("mcp-server-everything") {
        return;
    }
    let server = Server::command(&MCP, &["mcp-server-everything"]);

    // Ten at a time, for machines that start Node.js slowly.
    for _ in 0..5 {
        let Some(told) = run_against(&server, "mcp.mjs", &["10", "echo", r#"{"message":"hello"}"#]) else { return };
        assert_eq!(told.len(), 10);
        assert!(told.iter().all(|told| told["text"] == "Echo: hello"), "{told:?}");
    }

    server.expect_events("session ended", 50);
    for nth in 1..=50 {
        assert!(group_gone_within(server.expect_worker(nth), SLACK), "the worker of session {nth} is left");
    }
}

#[test]
fn a_client_of_mcp_calls_the_tool_of_the_example() {
    if !has("python3") {
        return;
    }
    let server = Server::command(&MCP, &[root().join("examples/mcp.py").to_str().unwrap()]);

    let Some(told) = run_against(&server, "mcp.mjs", &["2", "count", r#"{"text":"one two\nthree"}"#]) else { return };

    let expected = json!({ "server": "words", "tools": ["count"], "text": "3" });
    assert_eq!(told, [expected.clone(), expected]);
    server.expect_events("session ended", 2);
    assert!(!server.log().iter().any(|line| line.contains("worker stderr")), "{:#?}", server.log());
}

#[test]
fn a_client_of_acp_and_an_agent_ask_each_other() {
    let Some(folder) = packages() else { return };
    let mut command = wsd(&["--port=0", "--acp"]);
    command.args(script("agent.mjs")).current_dir(folder);
    let server = Server::spawn(command);

    let told = run_against(&server, "acp.mjs", &["hello"]).unwrap();

    let permissions = ["May I answer?"];
    let chunks = ["yes", " ", "hello"];
    assert_eq!(
        told,
        [json!({ "protocolVersion": 1, "chunks": chunks, "permissions": permissions, "stopReason": "end_turn" })]
    );
    assert!(server.expect_log("session ended").text.contains("end=closed status=0"));
}

#[test]
fn a_client_of_acp_hears_the_agent_of_the_example() {
    if !has("python3") {
        return;
    }
    let server = Server::command(&["--acp"], &[root().join("examples/acp.py").to_str().unwrap()]);

    let Some(told) = run_against(&server, "acp.mjs", &["one two"]) else { return };

    let chunks = ["one ", "two "];
    assert_eq!(told, [json!({ "protocolVersion": 1, "chunks": chunks, "permissions": [], "stopReason": "end_turn" })]);
    let end = server.expect_log("session ended").text;
    assert!(end.contains("status=0"), "{end}");
    assert!(!server.log().iter().any(|line| line.contains("worker stderr")), "{:#?}", server.log());
}

/// Drives a language server from `initialize` to `exit`; its diagnostic of the text must hold some words at a place.
fn drive(command: &[&str], (uri, language, text): (&str, &str, &str), (words, line, character): (&str, u32, u32)) {
    if !has(command[0]) {
        return;
    }
    let server = Server::command(&["--framing=lsp", "--pingms=0"], command);
    for mode in [Mode::Bodies, Mode::Stream] {
        let mut editor = Editor::start(&server, mode);

        let diagnostic = editor.diagnose(uri, language, text);

        assert!(diagnostic["message"].as_str().unwrap().contains(words), "{mode:?}: {diagnostic}");
        assert_eq!(diagnostic["range"]["start"], json!({ "line": line, "character": character }), "{mode:?}");
        assert_eq!(editor.leave(), Close::new(1000, ""), "{mode:?}");
    }
    for nth in 1..=2 {
        let end = server.expect_nth_log("session ended", nth).text;
        assert!(end.contains("end=exit status=0"), "{end}");
    }
}

#[test]
fn pylsp_diagnoses_a_document_and_exits_cleanly() {
    // The length of a body is in bytes, and the first line has characters of several.
    let text = "# héllo 😀\nx = undefined_name\n";
    drive(&["pylsp"], ("untitled:a.py", "python", text), ("undefined name", 1, 4));
}

#[test]
fn the_language_server_of_typescript_diagnoses_a_document_and_exits_cleanly() {
    let text = "// héllo 😀\nconst x: number = 'a';\n";
    let command = ["typescript-language-server", "--stdio"];
    drive(&command, ("untitled:a.ts", "typescript", text), ("not assignable", 1, 6));
}

#[test]
fn the_example_of_a_language_server_hands_on_documents_but_no_settings() {
    if !["python3", "pylsp"].into_iter().all(has) {
        return;
    }
    let tree = Tree::new();
    tree.program("pylint", &format!("#!/bin/sh\ntouch '{}'\n", tree.path("run")));
    let path = root().join("examples/lsp.py");
    let server = Server::command(&["--framing=lsp"], &[path.to_str().unwrap()]);
    let mut editor = Editor::start(&server, Mode::Bodies);
    // pylsp would run the program for the next document.
    let plugin = json!({ "enabled": true, "executable": tree.path("pylint") });
    let settings = json!({ "pylsp": { "plugins": { "pylint": plugin } } });
    editor.notify("workspace/didChangeConfiguration", &json!({ "settings": settings }));

    let diagnostic = editor.diagnose("untitled:a.py", "python", "x = undefined_name\n");

    assert!(diagnostic["message"].as_str().unwrap().contains("undefined name"), "{diagnostic}");
    assert!(!tree.holds("run"));
    assert_eq!(editor.leave(), Close::new(1000, ""));
    assert!(server.expect_log("session ended").text.contains("end=exit status=0"));
}
