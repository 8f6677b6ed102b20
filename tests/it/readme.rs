//! The README: short, and its commands run.

use crate::book::served;
use crate::harness::pages::{blocks, commands, root, table, text};
use crate::harness::server::Server;

fn readme() -> String {
    text("README.md")
}

#[test]
fn the_readme_has_at_most_150_lines() {
    let count = readme().lines().count();

    assert!(count <= 150, "{count} lines: move the rest to docs/");
}

#[test]
fn the_readmes_wsd_commands_serve() {
    let count = commands(&readme()).iter().filter(|command| served(command)).count();

    assert!(count >= 5, "the README shows how wsd is used");
}

#[test]
fn the_readmes_other_commands_are_run_by_ci() {
    let ci = text(".ci/run");
    for command in commands(&readme()).iter().filter(|command| !command.starts_with("wsd ")) {
        assert!(ci.contains(command.as_str()), "neither the tests nor .ci/run run `{command}`");
    }
}

#[test]
fn the_readmes_page_is_the_body_of_one_that_connects() {
    // `tests/browser/page.rs` opens it.
    let pages = blocks(&readme(), "html");

    assert_eq!(pages.len(), 1);
    assert!(pages[0].lines().count() <= 5, "{}", pages[0]);
    assert!(pages[0].contains("new WebSocket(location.origin.replace('http', 'ws'))"), "{}", pages[0]);
}

#[test]
fn the_readme_compares_wsd_with_four_others_in_six_rows() {
    let rows = table(&readme(), "| | wsd | websocketd 0.4.1 | websocat 1.14 | ttyd 1.7 | supergateway 3.4 |");

    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows.iter().all(|row| row.len() == 6), "{rows:?}");
}

#[test]
fn the_readmes_pictures_are_there_and_no_larger_than_a_page() {
    for picture in ["docs/demo.svg", "docs/speed.svg"] {
        assert!(readme().contains(&format!("({picture})")), "{picture}");
        let bytes = root().join(picture).metadata().unwrap_or_else(|error| panic!("{picture}: {error}")).len();
        assert!(bytes < 400_000, "{picture} has {bytes} bytes");
    }
}

#[test]
fn the_readmes_speed_is_that_of_the_table() {
    let readme = readme();
    let words: Vec<_> = readme.split_whitespace().collect();
    let times = words.windows(2).find(|pair| pair[1] == "times").expect("so many times as fast")[0];

    let speed = text("docs/speed.md");
    let row = speed.lines().find(|line| line.starts_with("| lines out, 64 bytes")).expect("the row");
    assert!(row.contains(&format!(" {times} × ")), "README says {times}: {row}");
}

#[test]
fn the_readme_names_the_rust_that_the_build_needs() {
    let manifest = text("Cargo.toml");
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');

    for page in ["README.md", "CONTRIBUTING.md"] {
        assert!(text(page).contains(&format!("Rust {version} or later and a C compiler")), "{page}");
    }
}

#[test]
fn a_quick_look_at_the_readme_finds_every_page_of_the_book() {
    let readme = readme();
    let missing: Vec<_> = crate::harness::pages::book()
        .into_iter()
        .filter(|page| page != "docs/README.md" && !readme.contains(&format!("({page}")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_readmes_program_counts_to_ten_and_ends_with_1000() {
    let counter = root().join("examples/counter.sh");
    let server = Server::command(&[], &[counter.to_str().unwrap()]);

    let (lines, close) = server.connect("/").rest();

    assert_eq!((lines.len(), close.code), (10, Some(1000)));
}
