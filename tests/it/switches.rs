//! Flags one by one: what is no value of theirs, what they cannot be put together with, and that a test names each.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::server::{Outcome, Server, run};
use crate::harness::tree::Tree;

/// A run that must end with this status, say nothing on standard output, and name each of `words` on standard error.
fn assert_refused(arguments: &[&str], status: i32, words: &[&str]) {
    let outcome = run(arguments);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{arguments:?}: {outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "{arguments:?} does not name {word}: {outcome:?}");
    }
}

/// The flags of `--help`, each with what it says of the value.
fn flags() -> Vec<(String, String)> {
    let help = run(&["--help"]).stdout;
    // A line of text may begin with the name of another flag, but further to the right.
    let lines = help.lines().filter_map(|line| line.strip_prefix("      --"));
    let flags = lines.map(|line| {
        let (name, value) = line.split_at(line.find(['=', ' ', '[']).unwrap_or(line.len()));
        (format!("--{name}"), value.trim().split("  ").next().unwrap().to_owned())
    });
    flags.collect()
}

#[test]
fn every_flag_is_named_in_a_test() {
    let entries = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")).partition(|path| path.is_dir());
    let files = folders.into_iter().flat_map(entries).filter(|path| path.is_file()).chain(files);
    let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let flags = flags();
    assert!(flags.len() > 30, "{flags:?}");

    for (flag, _) in flags {
        let is_named = ["=", "\"", " "].iter().any(|end| text.contains(&format!("\"{flag}{end}")));
        assert!(is_named, "no test names {flag}");
    }
}

#[test]
fn a_switch_is_true_or_false_and_nothing_else() {
    let switches: Vec<_> = flags().into_iter().filter(|(_, value)| value.starts_with("[=<BOOL>]")).collect();
    assert!(switches.len() >= 7, "{switches:?}");

    for (flag, _) in switches {
        for value in ["maybe", "", "2", "yes", "tRUE", "-1"] {
            assert_refused(&[&format!("{flag}={value}"), "cat"], 2, &[&flag]);
        }
    }
}

#[test]
fn a_number_is_one_of_its_range() {
    let table: [(&str, &[&str]); 10] = [
        ("--port", &["", "x", "-1", "65536", "1e3", "0x", "80 ", "8080.0", "99999999999999999999"]),
        ("--redirport", &["", "x", "-1", "65536"]),
        ("--maxforks", &["", "x", "1.5", "0x", "_", "99999999999999999999"]),
        ("--maxframesize", &["", "x", "1km", "1.5", "99999999999999999999"]),
        ("--closems", &["", "x", "-1", "1.5", "1s"]),
        ("--pingms", &["", "x", "-1", "1.5", "1s"]),
        ("--threads", &["", "x", "0", "-1", "513", "1.5"]),
        ("--maxbuffer", &["", "x", "-1", "1.5", "1MB"]),
        ("--slow-wait", &["", "x", "0", "-1", "0m", "1d"]),
        ("--cgi-timeout", &["", "x", "0", "-1", "-1m", "1d"]),
    ];
    for (flag, values) in table {
        for value in values {
            assert_refused(&[&format!("{flag}={value}"), "cat"], 2, &[flag]);
            assert_refused(&[flag, value, "cat"], 2, &[flag]);
        }
    }
}

#[test]
fn a_flag_without_its_value_is_exit_2() {
    let flags: Vec<_> = flags().into_iter().filter(|(_, value)| value.starts_with('<')).collect();
    assert!(flags.len() >= 20, "{flags:?}");

    for (flag, _) in flags {
        assert_refused(&[&flag], 2, &[&flag]);
    }
}

#[test]
fn a_limit_below_0_is_exit_2() {
    assert_refused(&["--port=0", "--maxframesize=-1", "cat"], 2, &["--maxframesize"]);
}

#[test]
fn a_number_of_forks_below_0_is_no_limit() {
    let server = Server::command(&["--maxforks=-1"], &["cat"]);
    let mut clients: Vec<_> = (0..20).map(|_| server.connect("/")).collect();

    clients[19].text("served");

    assert_eq!(clients[19].line(), "served");
}

#[test]
fn levels_of_the_log_are_known_by_websocketds_names() {
    let table: [(&[&str], [bool; 4]); 5] = [
        // Sessions, refusals, programs that cannot be started, the banner.
        (&["debug", "trace", "access", "info"], [true, true, true, true]),
        (&["warn"], [false, true, true, false]),
        (&["error"], [false, false, true, false]),
        (&["fatal"], [false, false, false, false]),
        (&["none"], [false, false, false, false]),
    ];
    let tree = Tree::new();
    tree.program("ok", "#!/bin/sh\necho hello\n").file("bad", "");
    for (levels, want) in table {
        for level in levels {
            let mut server = Server::serve(&["--loglevel", level, "--dir", &tree.path("")]);
            server.connect("/ok").rest();
            assert_eq!(server.refusal("/ok", "Origin: http://evil.example\r\n").status, 403);
            assert_eq!(server.refusal("/bad", "").status, 500);

            let log = server.stop();

            let words = ["session started", "session refused", "worker not started", "  listens  "];
            assert_eq!(words.map(|word| log.contains(word)), want, "{level}:\n{log}");
            if matches!(*level, "fatal" | "none") {
                assert_eq!(log, "", "{level}");
            }
        }
    }
}

#[test]
fn an_unknown_level_is_exit_2() {
    for level in ["loud", "", "INFO", "Error", "info ", "0"] {
        assert_refused(&["--port=0", "--loglevel", level, "cat"], 2, &["--loglevel"]);
    }
}

#[test]
fn the_licence_is_printed() {
    let licence = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("LICENSE")).unwrap();
    for flags in [&["--license"][..], &["-license"], &["--port=0", "--license", "cat"]] {
        let Outcome { status, stdout, stderr } = run(flags);

        assert_eq!((status, stdout.as_str(), stderr.as_str()), (Some(0), &*licence, ""), "{flags:?}");
    }
}

#[test]
fn a_flag_that_prints_serves_nothing() {
    // No place is taken and no folder looked at: whatever else is on the line.
    for flag in ["--help", "--version", "--license"] {
        let Outcome { status, stdout, stderr } = run(&["--dir=/no/such/folder", "--port=1", flag]);

        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{flag}");
        assert!(!stdout.is_empty(), "{flag}");
    }
}

#[test]
fn flags_that_contradict_each_other_are_exit_1() {
    let tree = Tree::new();
    tree.directory("a").directory("b");
    let (a, b) = (tree.path("a"), tree.path("b"));
    assert_refused(&["--port=0", "--dir", &a, "cat"], 1, &["COMMAND", "--dir"]);
    assert_refused(&["--port=0", "--dir", &a, "--staticdir", &b, "--cgidir", &b], 1, &["--staticdir", "--cgidir"]);
    assert_refused(&["--port=0", "--devconsole"], 1, &["COMMAND"]);
    assert_refused(&["--port=0", "--binary", "--passstderr", "cat"], 1, &["--binary", "--passstderr"]);
    assert_refused(&["--port=1", "--redirport=1", "cat"], 1, &["--port", "--redirport"]);
}

#[test]
fn the_last_of_a_flag_counts() {
    let server = Server::command(&["--maxframesize=5", "--maxframesize=10", "--binary", "--binary=0"], &["cat"]);
    let mut client = server.connect("/");

    client.text("ten bytes!");

    assert_eq!(client.line(), "ten bytes!");
}
