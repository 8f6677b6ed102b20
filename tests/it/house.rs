//! The figures of the house: the size of files and functions, the share of documented items, and unique names.
//!
//! rustfmt lays out every source, so each law reads lines: an item ends at the first `}` with the indentation of its start.

use std::collections::BTreeMap;

use crate::layers::source::texts;

/// Lines of a file of `src/`, and of a function.
const FILE_LINES_MAX: usize = 300;
const FUNCTION_LINES_MAX: usize = 70;

/// The least share of documented items, in percent.
const DOCUMENTED_MIN: usize = 95;

/// Words that begin a noun clause in place of a noun, or refer to the text above.
const OPENERS: [&str; 5] = ["What", "Who", "Those", "Whatever", "The same"];

#[test]
fn no_file_is_longer_than_300_lines() {
    let lines = texts("src").into_iter().map(|(file, text)| (text.lines().count(), file));
    let long: Vec<_> = lines.filter(|(lines, _)| *lines > FILE_LINES_MAX).collect();

    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn no_function_is_longer_than_70_lines() {
    let mut long = Vec::new();
    for (file, text) in texts("src") {
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let end = lines[at..].iter().position(|end| indent(end) == indent(line) && ends_item(end));
            let length = end.unwrap_or(0) + 1;
            if length > FUNCTION_LINES_MAX {
                long.push(format!("{file}:{}: {length} lines", at + 1));
            }
        }
    }

    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn crate_visible_items_are_documented() {
    let (mut count, mut bare) = (0, Vec::new());
    for (file, text) in texts("src") {
        let lines: Vec<_> = text.lines().collect();
        for at in visible_items(&lines) {
            count += 1;
            if !is_documented(&lines[..at]) {
                bare.push(format!("{file}:{}: {}", at + 1, lines[at].trim()));
            }
        }
    }

    assert!(count > 500, "the items are found: {count}");
    assert!(bare.len() * 100 <= count * (100 - DOCUMENTED_MIN), "{} of {count}: {bare:#?}", bare.len());
}

#[test]
fn doc_comments_open_with_a_noun_or_a_verb() {
    for folder in ["src", "tests", "benches"] {
        let mut wrong = Vec::new();
        for (file, text) in texts(folder) {
            let mut before = "";
            for (at, line) in text.lines().map(str::trim_start).enumerate() {
                let doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
                if doc(line) && !doc(before) {
                    let words = line[3..].trim_start();
                    if OPENERS.iter().any(|opener| words.strip_prefix(opener).is_some_and(|rest| !in_word(rest))) {
                        wrong.push(format!("{file}:{}: {words}", at + 1));
                    }
                }
                before = line;
            }
        }

        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn tests_sleep_in_one_place() {
    let sleeps = |(file, text): (String, String)| (file, text.matches("thread::sleep(").count());
    let own = "it/house.rs";
    let places: Vec<_> =
        texts("tests").into_iter().map(sleeps).filter(|(file, count)| *count > 0 && file != own).collect();

    assert_eq!(places, [("harness/time.rs".to_owned(), 1)]);
}

#[test]
fn the_name_of_a_type_is_unique() {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in texts("src") {
        for name in text.lines().filter_map(declared_type) {
            types.entry(name.to_owned()).or_default().push(file.clone());
        }
    }
    assert!(types.len() > 100, "the types are found: {types:?}");
    types.retain(|_, files| files.len() > 1);

    assert!(types.is_empty(), "{types:#?}");
}

/// Returns the name of the type or trait that a line declares. An associated type, which is indented, is none.
fn declared_type(line: &str) -> Option<&str> {
    let (keyword, rest) = without_visibility(line.trim_start()).split_once(' ')?;
    let is_type = ["struct", "enum", "union", "trait"].contains(&keyword) || keyword == "type" && indent(line) == 0;
    is_type.then(|| &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())])
}

/// Returns the lines that declare an item, a field, a variant or a method which other files of the crate can name.
fn visible_items(lines: &[&str]) -> Vec<usize> {
    let mut found = Vec::new();
    // The indentation and the keyword of the visible enum or trait around the line.
    let mut around = None;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let item = without_visibility(line.trim_start());
        around = around.filter(|(start, _)| indent(line) > *start);
        let is_inner = around.is_some_and(|(start, keyword)| {
            let is_variant = keyword == "enum" && item.starts_with(char::is_uppercase);
            indent(line) == start + 4 && (is_variant || keyword == "trait" && is_function(line))
        });
        let keyword = item.split(' ').next().unwrap();
        let is_visible = item.len() < line.trim_start().len();
        if is_visible && ["enum", "trait"].contains(&keyword) && line.ends_with('{') {
            around = Some((indent(line), keyword));
        }
        if is_inner || is_visible && !["use", "mod"].contains(&keyword) {
            found.push(at);
        }
    }
    found
}

/// Whether a doc comment stands at the end of these lines, or before the attributes there.
fn is_documented(lines: &[&str]) -> bool {
    let mut lines = lines.iter().rev().map(|line| line.trim_start());
    let mut is_within_attribute = false;
    let above = lines.find(|line| {
        // The last line of an attribute that has several is `)]`.
        is_within_attribute |= *line == ")]";
        let is_attribute = line.starts_with("#[");
        let skips = is_within_attribute || is_attribute;
        is_within_attribute &= !is_attribute;
        !skips
    });
    above.is_some_and(|line| line.starts_with("///") || line.starts_with("$(#[$doc])*"))
}

fn is_function(line: &str) -> bool {
    let words = without_visibility(line.trim_start()).split(' ');
    words.take_while(|word| ["fn", "async", "const", "unsafe", "extern"].contains(word)).any(|word| word == "fn")
}

fn ends_item(line: &str) -> bool {
    line.ends_with([';', '}'])
}

/// Returns the line without `pub` or `pub(…)`.
fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else { return line };
    let rest = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest);
    rest.strip_prefix(' ').unwrap_or(line)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a word goes on in `rest`.
fn in_word(rest: &str) -> bool {
    rest.starts_with(char::is_alphanumeric)
}
