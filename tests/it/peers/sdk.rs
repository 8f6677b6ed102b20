//! Clients of MCP, each version of the SDKs for TypeScript and Python, and the Inspector, with real servers behind `wsd --mcp`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{modern_node, packages};
use crate::harness::eventually;
use crate::harness::pages::{root, text};
use crate::harness::server::{Server, run_to_end};
use crate::harness::skip::skip;
use crate::harness::tree::Tree;

/// A client, made with an SDK.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sdk {
    TypeScript1,
    TypeScript2,
    Python1,
    Python2,
}

use Sdk::{Python1, Python2, TypeScript1, TypeScript2};

impl Sdk {
    /// Whether it knows the form without sessions.
    fn is_modern(self) -> bool {
        matches!(self, TypeScript2 | Python2)
    }

    /// Takes the steps of a plan at a URL. Returns what it tells at the end.
    fn take(self, peers: &Peers, url: &str, plan: &Value) -> Value {
        let (program, name) = match self {
            TypeScript1 => (&peers.node, "sdk1.mjs"),
            TypeScript2 => (&peers.node, "sdk2.mjs"),
            Python1 => (&peers.python1, "sdk1.py"),
            Python2 => (&peers.python2, "sdk2.py"),
        };
        let script = root().join("tests/peers").join(name);
        let mut command = Command::new(program);
        // The imports of a text begin at the current folder, those of a file at its own.
        match self {
            TypeScript1 | TypeScript2 => {
                command.args(["--input-type=module", "--eval", &text(&format!("tests/peers/{name}")), "--"])
            }
            // Without -B Python keeps its imports compiled, beside the script.
            Python1 | Python2 => command.arg("-B").arg(script),
        };
        command.args([url, &plan.to_string()]).arg(root().join("tests/peers/sdk_steps.mjs")).current_dir(&peers.folder);
        let outcome = run_to_end(command);
        assert_eq!(outcome.status, Some(0), "{name}: {outcome:?}");
        serde_json::from_str(outcome.stdout.trim()).unwrap_or_else(|_| panic!("{name}: {outcome:?}"))
    }
}

/// The packages of `.ci/peers`.
struct Peers {
    folder: PathBuf,
    node: PathBuf,
    python1: PathBuf,
    python2: PathBuf,
}

impl Peers {
    /// Finds them; without one of them, skips the test.
    fn find() -> Option<Self> {
        let folder = packages()?;
        let node = modern_node(&folder)?;
        let [python1, python2] = ["mcp1", "mcp2"].map(|venv| folder.join(venv).join("bin/python"));
        if !(python1.exists() && python2.exists()) {
            skip("the Python packages of .ci/peers");
            return None;
        }
        Some(Self { folder, node, python1, python2 })
    }

    /// Starts a server from npm behind wsd.
    fn packaged(&self, name: &str, arguments: &[&str]) -> Server {
        let script = self.folder.join("node_modules/@modelcontextprotocol").join(name).join("dist/index.js");
        let command = [&[self.node.to_str().unwrap(), script.to_str().unwrap()], arguments].concat();
        Server::command(&["--mcp"], &command)
    }

    /// Starts the server of `FastMCP` behind wsd.
    fn fast(&self) -> Server {
        let script = root().join("tests/peers/fast.py");
        Server::command(&["--mcp"], &[self.python2.to_str().unwrap(), "-Wignore", script.to_str().unwrap()])
    }
}

/// Waits until a server has answered a request of the new form. One that starts for more than 5 s is of the old form only until then.
fn wait_until_modern(server: &Server) {
    eventually("it speaks the new form", || (server.post("/", DISCOVER_HEAD, DISCOVER).status == 200).then_some(()));
}

const DISCOVER_HEAD: &str =
    "Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n";
const DISCOVER: &str = r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

fn step(label: &str, tool: &str, arguments: &Value) -> Value {
    json!({ "label": label, "tool": tool, "arguments": arguments })
}

/// A step that the client cancels at the first progress.
fn cancelled(label: &str, tool: &str, arguments: &Value) -> Value {
    json!({ "label": label, "tool": tool, "arguments": arguments, "cancels": true })
}

/// A step that brings a message of the log with these words.
fn logged(label: &str, tool: &str, arguments: &Value, words: &str) -> Value {
    json!({ "label": label, "tool": tool, "arguments": arguments, "logs": words })
}

/// The URL of a server, of HTTP or a WebSocket.
fn url(scheme: &str, server: &Server) -> String {
    format!("{scheme}://{}/mcp", server.address)
}

/// The result of a step without progress.
fn said(text: &str) -> Value {
    json!({ "text": text, "progress": [] })
}

/// Checks the progress of a step in three parts. The SDKs drop the last one if the result comes in the same moment.
fn expect_progress(result: &Value) {
    let progress = &result["progress"];
    assert!([json!([1, 2, 3]), json!([1, 2])].contains(progress), "{result}");
}

/// The requests of a server that have reached the client, sorted.
fn asked(told: &Value) -> Vec<&str> {
    let mut asked: Vec<_> = told["asked"].as_array().unwrap().iter().map(|method| method.as_str().unwrap()).collect();
    asked.sort_unstable();
    asked.dedup();
    asked
}

const ASKED: [&str; 3] = ["elicitation/create", "roots/list", "sampling/createMessage"];

/// Goes through `server-everything`, which knows sessions only.
fn use_everything(sdk: Sdk, peers: &Peers, scheme: &str) {
    let server = peers.packaged("server-everything", &[]);
    let none = json!({});
    let long = "trigger-long-running-operation";
    let steps = [
        step("echo", "echo", &json!({ "message": "hello" })),
        step("large", "echo", &json!({ "message": "LARGE" })),
        step("progress", long, &json!({ "duration": 0.3, "steps": 3 })),
        step("sampling", "trigger-sampling-request", &json!({ "prompt": "Sample." })),
        step("elicitation", "trigger-elicitation-request", &none),
        step("roots", "get-roots-list", &none),
        logged("log", "toggle-simulated-logging", &none, "-level message"),
        cancelled("cancel", long, &json!({ "duration": 600, "steps": 6000 })),
        step("after", "echo", &json!({ "message": "after" })),
    ];

    let told = sdk.take(peers, &url(scheme, &server), &json!({ "root": "/", "level": "debug", "steps": steps }));

    assert_eq!(told["server"], "mcp-servers/everything");
    let results = &told["results"];
    assert_eq!(results["echo"], said("Echo: hello"));
    assert_eq!(results["large"], said("Echo: LARGE"));
    assert_eq!(results["progress"]["text"], "Long running operation completed. Duration: 0.3 seconds, Steps: 3.");
    expect_progress(&results["progress"]);
    for (step, words) in [("sampling", "a sample"), ("elicitation", "Name: Ada"), ("roots", "file:///")] {
        assert!(results[step]["text"].as_str().is_some_and(|text| text.contains(words)), "{step}: {told:#}");
    }
    assert_eq!(results["cancel"]["cancelled"], true, "{told:#}");
    assert_eq!(results["after"], said("Echo: after"));
    assert_eq!(asked(&told), ASKED);
    leave(&server, scheme);
}

/// Goes through `server-filesystem`, which knows sessions only, and gets its folders from the client.
fn use_filesystem(sdk: Sdk, peers: &Peers, scheme: &str) {
    let tree = Tree::new();
    let server = peers.packaged("server-filesystem", &["/"]);
    let path = tree.path("large");
    let mut steps = vec![
        step("write", "write_file", &json!({ "path": path, "content": "LARGE" })),
        step("read", "read_text_file", &json!({ "path": path })),
        step("folders", "list_allowed_directories", &json!({})),
    ];
    if (sdk, scheme) == (Python1, "ws") {
        // The result has the text twice, and this client takes no message of more than 1 MiB.
        steps.remove(1);
    }

    let told = sdk.take(peers, &url(scheme, &server), &json!({ "root": tree.path(""), "steps": steps }));

    assert_eq!(told["server"], "secure-filesystem-server");
    assert_eq!(told["results"]["write"], said(&format!("Successfully wrote to {path}")));
    if (sdk, scheme) != (Python1, "ws") {
        assert_eq!(told["results"]["read"], said("LARGE"));
    }
    assert_eq!(
        told["results"]["folders"],
        said(&format!("Allowed directories:\n{}", tree.path("").trim_end_matches('/')))
    );
    assert_eq!(asked(&told), ["roots/list"]);
    leave(&server, scheme);
}

/// Goes through a server of `FastMCP`, which knows both forms.
fn use_fast(sdk: Sdk, peers: &Peers, scheme: &str) {
    let server = peers.fast();
    if sdk.is_modern() {
        wait_until_modern(&server);
    }
    let steps = [
        step("echo", "echo", &json!({ "text": "hello" })),
        step("large", "echo", &json!({ "text": "LARGE" })),
        step("progress", "count", &json!({ "steps": 3 })),
        logged("log", "log", &json!({ "text": "a line" }), "a line"),
        step("ask", "ask", &json!({})),
        cancelled("cancel", "count", &json!({ "steps": 6000 })),
        step("after", "echo", &json!({ "text": "after" })),
    ];

    let told = sdk.take(peers, &url(scheme, &server), &json!({ "root": "/", "level": "info", "steps": steps }));

    let version = if sdk.is_modern() { "2026-07-28" } else { "2025-11-25" };
    if scheme == "http" {
        assert_eq!(told["version"], version, "{told:#}");
    }
    let results = &told["results"];
    assert_eq!(results["echo"], said("hello"));
    assert_eq!(results["large"], said("LARGE"));
    assert_eq!(results["progress"]["text"], "counted");
    expect_progress(&results["progress"]);
    assert_eq!(results["log"], said("logged"));
    assert_eq!(results["ask"]["text"], "a sample, Ada, file:///", "{told:#}");
    assert_eq!(results["cancel"]["cancelled"], true, "{told:#}");
    assert_eq!(results["after"], said("after"));
    assert_eq!(asked(&told), ASKED);
    assert_eq!(told["logs"], json!(["a line"]));
    server.expect_log("the count was cancelled");
    if !sdk.is_modern() {
        leave(&server, scheme);
    }
}

/// Waits for the end of the process that the client has had.
fn leave(server: &Server, scheme: &str) {
    server.expect_log(if scheme == "ws" { "session ended" } else { "mcp ended" });
}

fn use_each(sdk: Sdk, scheme: &str) {
    let Some(peers) = Peers::find() else { return };
    use_everything(sdk, &peers, scheme);
    use_filesystem(sdk, &peers, scheme);
    use_fast(sdk, &peers, scheme);
}

#[test]
fn the_first_sdk_for_typescript_does_all_with_each_server() {
    use_each(TypeScript1, "http");
}

#[test]
fn the_second_sdk_for_typescript_does_all_with_each_server() {
    use_each(TypeScript2, "http");
}

#[test]
fn the_first_sdk_for_python_does_all_with_each_server() {
    use_each(Python1, "http");
}

#[test]
fn the_second_sdk_for_python_does_all_with_each_server() {
    use_each(Python2, "http");
}

// The second versions have no WebSockets any more.

#[test]
fn the_first_sdk_for_typescript_does_all_over_a_websocket() {
    use_each(TypeScript1, "ws");
}

#[test]
fn the_first_sdk_for_python_does_all_over_a_websocket() {
    use_each(Python1, "ws");
}

/// Runs the command line of the Inspector to its end. Returns the result that it prints.
fn inspect(peers: &Peers, server: &Server, home: &Path, era: &str, arguments: &[&str]) -> Value {
    let mut command = Command::new(&peers.node);
    command.arg(peers.folder.join("node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"));
    command.args(["--cli", &url("http", server), "--transport", "http", "--protocol-era", era, "--format", "json"]);
    command.args(["--connect-timeout", "0"]);
    command.args(arguments).env("HOME", home);
    let outcome = run_to_end(command);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome:?}"))
}

#[test]
fn the_inspector_lists_and_calls_the_tools_of_each_form() {
    let Some(peers) = Peers::find() else { return };
    let home = Tree::new();
    for era in ["legacy", "modern"] {
        let server = peers.fast();
        if era == "modern" {
            wait_until_modern(&server);
        }
        let inspected = |arguments: &[&str]| inspect(&peers, &server, Path::new(&home.path("")), era, arguments);

        let listed = inspected(&["--method", "tools/list"]);
        let called = inspected(&["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "text=hello"]);

        let tools: Vec<_> =
            listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!(json!(tools), json!(["echo", "count", "log", "ask"]), "{era}: {listed:#}");
        assert_eq!(called["result"]["content"], json!([{ "type": "text", "text": "hello" }]), "{era}: {called:#}");
    }
}
