//! The documentation: its pages, the blocks of code in them, and their tables.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The text of a file of the repository.
pub fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of all pages of the book, such as `docs/guide.md`.
pub fn book() -> Vec<String> {
    let mut pages = markdown("docs");
    pages.retain(|page| page != "docs/SUMMARY.md");
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// The names of all documents: the book, and those beside it.
pub fn documents() -> Vec<String> {
    [".", "docs", "examples", "fuzz", ".github", ".github/ISSUE_TEMPLATE"].into_iter().flat_map(markdown).collect()
}

fn markdown(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut names: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).map(name).collect();
    names.sort();
    names
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over paths")]
fn name(path: PathBuf) -> String {
    let name = path.strip_prefix(root()).unwrap();
    name.strip_prefix(".").unwrap_or(name).to_str().unwrap().to_owned()
}

/// The blocks of code in this language, without the indentation that a list gives them.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, String)> = None;
    let mut is_foreign = false;
    for line in page.lines() {
        let indent = line.len() - line.trim_start().len();
        match (&mut block, line.trim().strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(block.take().map(|(_, text)| text)),
            (Some((indent, text)), _) => {
                text.push_str(line.get(*indent..).unwrap_or_default());
                text.push('\n');
            }
            (None, Some("")) => is_foreign = false,
            (None, Some(found)) if found == language && !is_foreign => block = Some((indent, String::new())),
            (None, Some(_)) => is_foreign = true,
            (None, None) => {}
        }
    }
    blocks
}

/// The page without its blocks of code.
pub fn prose(page: &str) -> String {
    let mut is_code = false;
    let lines = page.lines().filter(|line| {
        let is_border = line.trim_start().starts_with("```");
        is_code ^= is_border;
        !is_code && !is_border
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The commands in the blocks of shell, without their comments.
pub fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(page, "sh").concat();
    let lines = blocks.lines().map(|line| line.split("  #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The rows below this heading of a table, cell by cell.
pub fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let rows = page.lines().skip_while(|line| *line != heading).skip(2).take_while(|row| row.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table {heading}");
    rows
}
