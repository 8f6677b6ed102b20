//! The papers of the project: each is there, complete, and says what the code says.

use std::fs;

use crate::harness::pages::{blocks, root, table, text};

#[test]
fn the_papers_are_there() {
    let papers = [
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "examples/README.md",
        ".github/PULL_REQUEST_TEMPLATE.md",
        ".github/ISSUE_TEMPLATE/fault.md",
        ".github/ISSUE_TEMPLATE/wish.md",
    ];
    for paper in papers {
        assert!(text(paper).len() > 200, "{paper}");
    }
}

#[test]
fn every_example_is_listed_by_idea_or_by_language() {
    let list = text("examples/README.md");
    for heading in ["| idea | program | flags |", "| language | programs | how a line is flushed |"] {
        assert!(table(&list, heading).len() > 5, "{heading}");
    }
    for folder in ["examples", "examples/systemd"] {
        for entry in fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.path().strip_prefix(root().join("examples")).unwrap().to_str().unwrap().to_owned();
            let is_listed = list.contains(&format!("]({name})"));
            assert!(name == "README.md" || entry.path().is_dir() || is_listed, "{name}");
        }
    }
}

#[test]
fn the_changelog_has_the_form_of_keep_a_changelog() {
    const KINDS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let log = text("CHANGELOG.md");
    assert!(log.starts_with("# Changelog\n"));
    let versions: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let own = format!("[{}] - ", env!("CARGO_PKG_VERSION"));
    assert!(versions.iter().any(|version| version.starts_with(&own)), "{versions:?}");
    for version in versions {
        let (name, date) = version.split_once(" - ").unwrap_or((version, "unreleased"));
        assert!(name.starts_with('[') && name.ends_with(']'), "{version}");
        let is_date = date.len() == 10 && date.split('-').all(|part| part.parse::<u16>().is_ok());
        assert!(date == "unreleased" || is_date, "{version}");
    }
    let mut kinds = log.lines().filter_map(|line| line.strip_prefix("### "));
    assert!(kinds.all(|kind| KINDS.contains(&kind)), "a kind of change is one of {KINDS:?}");
    let loose = log.lines().skip_while(|line| !line.starts_with("## ")).skip_while(|line| !line.starts_with("### "));
    let is_known =
        |line: &str| ["## ", "### ", "- ", "  "].iter().any(|start| line.starts_with(start)) || line.is_empty();
    assert!(loose.clone().all(is_known), "every change is an item of a list");
}

#[test]
fn the_manifest_is_complete_but_for_addresses() {
    let manifest = text("Cargo.toml");
    let package = manifest.split("\n[").next().unwrap();
    let keys = [
        "name",
        "version",
        "edition",
        "rust-version",
        "authors",
        "description",
        "license",
        "readme",
        "keywords",
        "categories",
    ];
    for key in keys {
        assert!(package.contains(&format!("\n{key} = ")), "{key}");
    }
    for key in ["repository", "homepage", "documentation"] {
        assert!(!package.contains(&format!("\n{key} = ")), "there is no address for {key}");
    }
}

#[test]
fn the_hosted_workflow_runs_what_every_machine_runs() {
    let workflow = text(".github/workflows/ci.yml");

    assert!(workflow.contains("run: .ci/run\n"), "{workflow}");
    assert!(workflow.contains("permissions:\n  contents: read\n"), "{workflow}");
}

#[test]
fn the_worked_example_of_contributing_is_the_code() {
    let flag = blocks(&text("CONTRIBUTING.md"), "rust").concat();
    let source: String = text("src/cli/site.rs").lines().flat_map(|line| [line.trim_start(), "\n"]).collect();

    assert!(!flag.is_empty() && source.contains(&flag), "src/cli/site.rs has not:\n{flag}");
}
