//! The conformance suite of MCP against `wsd --mcp`, in front of a server with all that its scenarios ask for.

use std::process::Command;

use crate::harness::pages::text;
use crate::harness::server::{Server, run_to_end};

/// Runs a suite, of which all that a server of MCP must have passes. Returns these scenarios.
fn scenarios(package: &str, arguments: &[&str]) -> Option<Vec<String>> {
    let folder = super::packages()?;
    let node = super::modern_node(&folder)?;
    let program = text("tests/peers/conformance.mjs");
    let modules = folder.to_str().unwrap();
    // The imports of the program begin at the folder that it is started in.
    let server = Server::command(
        &["--mcp", "--chdir", modules],
        &[node.to_str().unwrap(), "--input-type=module", "--eval", &program],
    );
    let mut command = Command::new(&node);
    command.arg(folder.join("node_modules").join(package).join("dist/index.js"));
    command.args(["server", "--url", &format!("http://{}/", server.address)]).args(arguments).current_dir(&folder);
    let outcome = run_to_end(command);
    let found = |mark: &str| {
        let lines = outcome.stdout.lines().filter_map(|line| line.strip_prefix(mark)?.split_once(':'));
        // The extension for tasks is the server's own.
        let names = lines.map(|(name, _)| name.to_owned()).filter(|name| !name.starts_with("tasks-"));
        names.collect::<Vec<_>>()
    };
    let (passed, failed) = (found("✓ "), found("✗ "));
    assert!(failed.is_empty(), "{failed:?}\n{}\n{}", outcome.stdout, outcome.stderr);
    Some(passed)
}

#[test]
fn the_suite_of_the_form_with_sessions_passes() {
    let Some(passed) = scenarios("conformance-2025", &["--suite", "all"]) else { return };

    assert_eq!(passed.len(), 32, "{passed:?}");
}

#[test]
fn the_suite_of_the_form_without_sessions_passes() {
    let suite = "@modelcontextprotocol/conformance";
    let Some(passed) = scenarios(suite, &["--requirements", "2026-07-28"]) else { return };

    assert!(passed.len() >= 40, "{passed:?}");
}
