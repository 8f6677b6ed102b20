//! Recordings of sessions, and replays of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::server::{Outcome, Server, field, run};
use crate::harness::time::eventually;
use crate::harness::tree::Tree;

/// The names of the files in the folder `rec` of a tree, in the order of their names.
pub(super) fn names(tree: &Tree) -> Vec<String> {
    let entries = fs::read_dir(tree.path("rec")).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The flag that leaves a program time after the end of its input: it may have hardly begun when its client leaves.
pub(super) const PATIENT: &str = "--closems=10000";

/// The flag that records to the folder `rec` of a tree.
pub(super) fn flag(tree: &Tree) -> String {
    format!("--record={}", tree.path("rec"))
}

/// Waits for the `count`th recording that is complete, and gives its file.
pub(super) fn recording(server: &Server, count: usize) -> String {
    field(&server.expect_nth_log("recording ended", count).text, "file").expect("a field file")
}

/// The lines of a recording: the head first.
pub(super) fn lines(file: impl AsRef<Path>) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The steps of a recording in short: `in text a`, `out binary YQ==`, `err a`, `end program 0`, `cut why`.
pub(super) fn steps(file: impl AsRef<Path>) -> Vec<String> {
    let word = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let mut last = 0;
    let short = |step: Value| {
        let us = step["us"].as_u64().expect("a time");
        assert!(us >= last, "time goes on: {step}");
        last = us;
        let content = ["text", "base64", "why", "by"].map(|key| word(&step, key)).concat();
        let status = step["status"].as_u64().map(|status| status.to_string()).unwrap_or_default();
        let words = [word(&step, "dir"), word(&step, "type"), content, status];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    lines(file).into_iter().skip(1).map(short).collect()
}

/// Replays a recording to a command.
pub(super) fn replay(flags: &[&str], file: &str, command: &[&str]) -> Outcome {
    run(&[&["replay"], flags, &[file, "--"], command].concat())
}

/// Checks that a replay found no difference.
pub(super) fn assert_identical(flags: &[&str], file: &str, command: &[&str]) {
    let outcome = replay(flags, file, command);
    assert!(outcome.status == Some(0) && outcome.stdout.starts_with("identical: "), "{file}: {outcome:?}");
}

/// Checks that a replay found a difference, and told these words of it.
pub(super) fn assert_different(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for word in words {
        assert!(outcome.stdout.contains(word), "no `{word}`: {outcome:#?}");
    }
}

/// Waits until a file has some content, and gives it.
pub(super) fn content(path: &str) -> String {
    eventually(path, || fs::read_to_string(path).ok().filter(|text| !text.is_empty()))
}
