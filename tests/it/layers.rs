//! The layers of the house: every `use crate::` leads down, and no file needs one that needs it.

mod circles;
pub(crate) mod source;

use std::collections::BTreeSet;

use circles::circles;
use source::{Source, sources};

/// The rooms, from the top; a room may import from those of lower lines only.
const LAYERS: [&[&str]; 18] = [
    &["main", "lib", "fuzzing"],
    &["daemon"],
    &["connect", "replay"],
    &["reload"],
    &["config"],
    &["server"],
    &["answer"],
    &["http"],
    &["session"],
    &["room", "resume", "mcp"],
    &["worker", "socket", "events"],
    &["partner"],
    &["client", "record", "bus"],
    &["framing", "admission", "cli", "backlog", "stall", "turn"],
    &["message", "buffers"],
    &["budget", "sources", "deflate"],
    &["event", "shutdown"],
    &["metrics"],
];

/// The bottom: of wsd's own they import nothing but limits, which are numbers.
const BOTTOM: [&str; 8] = ["close", "limits", "peer", "rate", "status", "log", "sys", "trace"];

/// Beside the rule of the layers: who may not be named where, with the reason.
const APART: [(&str, &str, &str); 3] =
    [("framing", "tokio", "it is pure"), ("cli", "tokio", "it reads text"), ("worker", "hyper", "it knows no HTTP")];

/// Foreign names, and the rooms that alone may use them.
const KEPT: [(&str, &[&str]); 3] = [
    ("tokio_tungstenite", &["socket", "http", "answer", "connect"]),
    ("hyper", &["answer", "http", "server"]),
    ("prometheus_client", &["metrics"]),
];

#[test]
fn every_import_leads_down() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let (file, room) = (&source.file, source.room());
        for used in imports(&source) {
            if used != room && used != "limits" && height(&used) >= height(room) {
                wrong.push(format!("{file}: `{room}` imports from `{used}`, which is not below it"));
            }
        }
        for (apart, name, reason) in APART {
            if room == apart && source.code.contains(&format!("{name}::")) {
                wrong.push(format!("{file}: `{room}` names {name}, but {reason}"));
            }
        }
        for (name, rooms) in KEPT {
            let is_named = [format!("{name}::"), format!("use {name}")].iter().any(|text| source.code.contains(text));
            if is_named && !rooms.contains(&room) {
                wrong.push(format!("{file}: {name} is for {rooms:?} only"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_place_calls_the_gate() {
    let callers = sources("src").into_iter().filter(|source| source.code.contains("gate.admit("));
    let callers: Vec<_> = callers.map(|source| source.file).collect();

    assert_eq!(callers, ["answer/service.rs"]);
}

#[test]
fn one_place_calls_the_macros_of_the_log() {
    let is_of_name = |character: char| character.is_alphanumeric() || matches!(character, '$' | '_');
    let calls = |source: &Source| {
        source.code.split("tracing::").skip(1).any(|rest| rest.trim_start_matches(is_of_name).starts_with('!'))
    };
    let callers: Vec<_> = sources("src").into_iter().filter(calls).map(|source| source.file).collect();

    assert_eq!(callers, ["event.rs"]);
}

#[test]
fn no_files_need_each_other() {
    for folder in ["src", "benches/bench", "tests/harness"] {
        let (circles, arrows) = circles(folder);

        assert!(circles.is_empty(), "circles in {folder}: {circles:?}, of these arrows:\n{}", arrows.join("\n"));
    }
}

/// 0 is the bottom; an unknown room is nowhere, which fails the test.
fn height(room: &str) -> usize {
    if BOTTOM.contains(&room) {
        return 0;
    }
    let at = LAYERS.iter().position(|rooms| rooms.contains(&room));
    LAYERS.len() - at.unwrap_or_else(|| panic!("`{room}` has no layer in tests/it/layers.rs"))
}

/// The rooms named after `crate::`.
fn imports(source: &Source) -> BTreeSet<String> {
    let paths = source.paths(&["crate"]).into_iter();
    let rooms = paths.filter_map(|path| Some(path.split("::").nth(1)?.to_owned()));
    rooms.filter(|room| room.starts_with(char::is_lowercase)).collect()
}
