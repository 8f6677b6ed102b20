//! The links of all documents: each leads to a file and a heading that are there. No network.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::harness::pages::{documents, prose, root, text};

/// The links in Markdown, without those in code.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let mut links = Vec::new();
    // Every second part is code.
    let parts: String =
        prose.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "code" }).collect();
    let mut rest = parts.as_str();
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        let end = rest.find(')').expect("the end of a link");
        links.push(rest[..end].to_owned());
    }
    links
}

/// The anchors of a page's headings, as mdBook and code hosts make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |heading: &str| {
        let kept = heading
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(slug).collect()
}

/// The path without `..` and `.`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leads out of the repository", path.display()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut count = 0;
    for document in documents() {
        for link in links(&text(&document)) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = Path::new(&document).parent().unwrap();
            let target = if file.is_empty() { PathBuf::from(&document) } else { plain(&folder.join(file)) };
            assert!(root().join(&target).exists(), "{document}: {link}");
            if !anchor.is_empty() {
                let anchors = anchors(&text(target.to_str().unwrap()));
                assert!(anchors.contains(anchor), "{document}: {link}: the headings are {anchors:?}");
            }
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}

#[test]
fn no_page_of_the_book_links_to_a_file_outside_of_it() {
    for document in documents().iter().filter(|document| document.starts_with("docs/")) {
        let outside: Vec<_> = links(&text(document)).into_iter().filter(|link| link.starts_with("..")).collect();
        assert!(outside.is_empty(), "{document}: {outside:?}: a book that is read elsewhere has no such file");
    }
}
