//! The layers of the house: every `use crate::` leads down.

use std::{collections::BTreeSet, fs, path::Path};

/// The rooms, from the top; a room may import from those of lower lines only.
const LAYERS: [&[&str]; 9] = [
    &["main", "lib", "fuzzing"],
    &["reload"],
    &["config"],
    &["server"],
    &["http"],
    &["session"],
    &["room"],
    &["worker", "socket"],
    &["framing", "admission", "budget", "cli", "backlog", "buffers", "turn"],
];

/// The bottom: of wsd's own they import nothing but limits, which are numbers.
const BOTTOM: [&str; 6] = ["message", "limits", "peer", "shutdown", "log", "sys"];

/// Beside the rule of the layers: who may not be named where, with the reason.
const APART: [(&str, &str, &str); 3] =
    [("framing", "tokio", "it is pure"), ("cli", "tokio", "it reads text"), ("worker", "hyper", "it knows no HTTP")];

/// Foreign names, and the rooms that alone may use them.
const KEPT: [(&str, &[&str]); 2] = [("tokio_tungstenite", &["socket", "http"]), ("hyper", &["http", "server"])];

#[test]
fn every_import_leads_down() {
    let mut wrong = Vec::new();
    for (file, room, text) in sources() {
        for used in imports(&text) {
            if used != room && used != "limits" && height(&used) >= height(&room) {
                wrong.push(format!("{file}: `{room}` imports from `{used}`, which is not below it"));
            }
        }
        for (apart, name, reason) in APART {
            if room == apart && code(&text).any(|line| line.contains(&format!("{name}::"))) {
                wrong.push(format!("{file}: `{room}` names {name}, but {reason}"));
            }
        }
        for (name, rooms) in KEPT {
            let names = |line: &str| line.contains(&format!("{name}::")) || line.contains(&format!("use {name}"));
            if !rooms.contains(&&*room) && code(&text).any(names) {
                wrong.push(format!("{file}: {name} is for {rooms:?} only"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// 0 is the bottom; an unknown room is nowhere, which fails the test.
fn height(room: &str) -> usize {
    if BOTTOM.contains(&room) {
        return 0;
    }
    let at = LAYERS.iter().position(|rooms| rooms.contains(&room));
    LAYERS.len() - at.unwrap_or_else(|| panic!("`{room}` has no layer in tests/it/layers.rs"))
}

/// Every source file: its path, its room, its text.
fn sources() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a source is text");
                found.push((path.display().to_string(), room_of(&path), text));
            }
        }
    }
    assert!(found.len() > 20, "the sources are where they should be");
    found
}

fn room_of(path: &Path) -> String {
    let inner = path.strip_prefix(root().join("src")).expect("it is in src");
    let first = inner.components().next().expect("it has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Lines that are code: no comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The rooms named after `crate::`, within the braces of `use crate::{…}` too.
fn imports(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let text: String = code(text).collect::<Vec<_>>().join("\n");
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with('$') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => rooms.extend(word(rest)),
            Some(list) => rooms.extend(top_level(list).iter().filter_map(|item| word(item))),
        }
    }
    rooms.retain(|room| room.starts_with(char::is_lowercase));
    rooms
}

fn word(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    Some(text[..end].to_owned()).filter(|word| !word.is_empty())
}

/// The items of a brace's inside, up to its end.
fn top_level(list: &str) -> Vec<String> {
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            c if depth == 0 && !c.is_whitespace() => items.last_mut().expect("never empty").push(c),
            _ => {}
        }
    }
    items
}
