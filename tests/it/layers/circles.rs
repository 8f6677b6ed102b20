//! Circles: files that need each other, straight or by way of others.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, sources};

/// The files that each file names, by their paths.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Returns the circles between the files of a folder, each as the names of its files with spaces between them, and the arrows
/// within them. Unit tests do not count.
pub(super) fn circles(folder: &str) -> (BTreeSet<String>, Vec<String>) {
    let sources: Vec<_> = sources(folder).iter().map(Source::without_tests).collect();
    let is_test = |source: &Source| source.file.contains("/tests/") || source.file.ends_with("/tests.rs");
    let sources: Vec<_> = sources.into_iter().filter(|source| !is_test(source)).collect();
    let arrows = arrows(&sources);
    let reached: Arrows = arrows.keys().map(|file| (file.clone(), reached(&arrows, file))).collect();
    let (mut circles, mut within) = (BTreeSet::new(), Vec::new());
    for (file, far) in &reached {
        let circle: Vec<_> = far.iter().filter(|other| reached[*other].contains(file)).map(String::as_str).collect();
        let straight = circle.iter().filter(|other| arrows[file].contains(**other));
        within.extend(straight.map(|other| format!("{file} → {other}")));
        if !circle.is_empty() {
            circles.insert(circle.join(" "));
        }
    }
    (circles, within)
}

fn arrows(sources: &[Source]) -> Arrows {
    let files: BTreeMap<_, _> = sources.iter().map(|source| (&*source.module, &*source.file)).collect();
    let arrows = sources.iter().map(|source| {
        let children = source.children();
        let paths = source.paths(&[&["crate", "super", "self"], &*children].concat());
        let named = paths.iter().filter_map(|path| {
            let module = absolute(&source.module, path);
            // A path leads through modules to an item of the last one.
            (0..=module.len()).rev().find_map(|length| files.get(&module[..length]))
        });
        (source.file.clone(), named.filter(|file| **file != source.file).map(|file| (*file).to_owned()).collect())
    });
    arrows.collect()
}

/// Returns a path that a file of this module names as one from the root.
fn absolute(module: &[String], path: &str) -> Vec<String> {
    let mut absolute = module.to_vec();
    for word in path.split("::") {
        match word {
            "crate" => absolute.clear(),
            "super" => drop(absolute.pop()),
            "self" => {}
            word => absolute.push(word.to_owned()),
        }
    }
    absolute
}

/// Returns the files that lie behind the arrows from `file`: itself among them only if there is a way back.
fn reached(arrows: &Arrows, file: &str) -> BTreeSet<String> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![file]);
    while let Some(next) = open.pop() {
        open.extend(arrows[next].iter().filter(|other| reached.insert((*other).clone())).map(String::as_str));
    }
    reached
}
