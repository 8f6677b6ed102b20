//! The flags of recordings: per route, and refused where they make no sense.

use std::fs;

use super::kit::{flag, names, recording};
use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// Serves three routes of a file with more keys at its top.
fn routes(tree: &Tree, flags: &[&str], top: &str) -> Server {
    let dir = tree.path("rec");
    let file = format!(
        "{top}\n[[route]]\npath = \"/default\"\ncommand = [\"true\"]\n\
         [[route]]\npath = \"/never\"\ncommand = [\"true\"]\nrecord = false\n\
         [[route]]\npath = \"/own\"\ncommand = [\"true\"]\nrecord = {dir:?}\nrecord-bytes = \"1M\"\n"
    );
    tree.file("wsd.toml", file);
    Server::serve(&[&["--config", &*tree.path("wsd.toml")], flags].concat())
}

#[test]
fn each_route_says_whether_it_is_recorded() {
    // The command line overrides the file, except a route that is not to be recorded.
    let table: [(&str, &str, &[&str]); 4] = [
        ("", "", &["own"]),
        ("", "record = 'DIR'", &["default", "own"]),
        ("--record=DIR", "", &["default", "own"]),
        ("--record=false", "record = 'DIR'", &[]),
    ];
    for (flag, top, want) in table {
        let tree = Tree::new();
        let [flag, top] = [flag, top].map(|text| text.replace("DIR", &tree.path("rec")));
        let flags: &[&str] = if flag.is_empty() { &[] } else { &[&flag] };
        let mut server = routes(&tree, flags, &top);

        for path in ["/default", "/never", "/own"] {
            server.connect(path).rest();
        }
        server.stop();

        let names = names(&tree);
        let recorded: Vec<_> = ["default", "never", "own"]
            .into_iter()
            .filter(|route| names.iter().any(|name| name.ends_with(&format!("-{route}.jsonl"))))
            .collect();
        assert_eq!((recorded, names.len()), (want.to_vec(), want.len()), "{flag} {top}: {names:?}");
    }
}

#[test]
fn a_check_makes_no_folder() {
    let tree = Tree::new();

    let outcome = run(&["--check", &flag(&tree), "cat"]);

    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(!fs::exists(tree.path("rec")).unwrap());
}

#[test]
fn settings_that_record_nothing_or_what_they_should_not_are_refused() {
    let tree = Tree::new();
    tree.file("file", "").directory("site");
    let record = |name: &str| format!("--record={}", tree.path(name));
    let (rec, missing, file, inside) = (record("rec"), record("no/rec"), record("file"), record("site/rec"));
    let site = format!("--staticdir={}", tree.path("site"));
    let table: [(&[&str], &str); 7] = [
        (&[&rec, &site], "cannot use --record without a program"),
        (&["--record-bytes=1M", "cat"], "cannot use --record-bytes without --record"),
        (&[&rec, "--record-bytes=1k", "cat"], "at least 4k"),
        (&[&rec, "--pty", "sh"], "cannot combine --record and --pty"),
        (&[&missing, "cat"], "cannot record to the folder"),
        (&[&file, "cat"], "cannot record to the folder"),
        (&[&inside, &site, "cat"], "it is inside"),
    ];
    for (words, told) in table {
        let outcome = run(&[&["--port=0"], words].concat());
        assert_eq!(outcome.status, Some(1), "{words:?}: {outcome:?}");
        assert!(outcome.stderr.contains(told) && outcome.stderr.contains("\nhint: "), "{words:?}: {outcome:?}");
    }
}

#[test]
fn a_reload_starts_and_stops_recording_for_new_sessions() {
    let tree = Tree::new();
    let with = |keys: &str| format!("[[route]]\npath = \"/\"\ncommand = [\"true\"]\n{keys}\n");
    tree.file("wsd.toml", with(""));
    let server = Server::serve(&["--config", &tree.path("wsd.toml")]);
    server.connect("/").rest();

    tree.file("wsd.toml", with(&format!("record = {:?}", tree.path("rec"))));
    server.signal(rustix::process::Signal::HUP);
    server.expect_log("settings loaded");
    server.connect("/").rest();

    recording(&server, 1);
    assert_eq!(names(&tree).len(), 1);
}
