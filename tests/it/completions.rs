//! `--generate`: the manual page, and what completes the flags in a shell.

use std::process::Command;

use crate::harness::server::run;
use crate::harness::skip::has;
use crate::harness::tree::Tree;

/// The texts that `--generate` prints.
fn generated(what: &str) -> String {
    let outcome = run(&[&*format!("--generate={what}")]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{what}: {outcome:?}");
    outcome.stdout
}

/// The flags of `--help` of the server, of the client and of replays, without their dashes.
fn flags() -> Vec<String> {
    let help = [&["--help"][..], &["connect", "--help"], &["replay", "--help"]].map(|words| run(words).stdout).concat();
    let flags = help.lines().filter_map(|line| line.strip_prefix("      --"));
    flags.map(|flag| flag.split([' ', '[']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_flag_is_told_of_and_the_hidden_one_is_not() {
    let flags = flags();
    assert!(flags.len() > 30, "{flags:?}");
    for what in ["man", "bash", "zsh", "fish"] {
        let text = generated(what).replace("\\-", "-");

        for flag in &flags {
            let is_told = text.contains(&format!("--{flag}")) || text.contains(&format!("-l {flag} "));
            assert!(is_told, "{what}: no {flag}");
        }
        assert!(!text.contains("generate"), "{what}");
    }
}

#[test]
fn folders_and_files_are_completed_as_such() {
    let table = [
        ("bash", &["compopt -o plusdirs", "compgen -f"][..]),
        ("zsh", &["]:DIR:_files -/'", "]:FILE:_files'", "'*::COMMAND:_cmdambivalent'"]),
        ("fish", &["(__fish_complete_directories)", "on SIGHUP' -r -F"]),
    ];
    for (shell, words) in table {
        let text = generated(shell);
        let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
        assert!(missing.is_empty(), "{shell}: {missing:?}");
    }
}

#[test]
fn an_unknown_thing_to_print_is_exit_2() {
    let outcome = run(&["--generate=csh"]);

    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    assert!(outcome.stderr.contains("csh") && outcome.stderr.contains("fish"), "{outcome:?}");
}

#[test]
fn shells_can_read_what_is_for_them() {
    for shell in ["bash", "zsh", "fish"] {
        let tree = Tree::new();
        tree.file("completions", generated(shell));
        if has(shell) {
            let status = Command::new(shell).arg("-n").arg(tree.path("completions")).status().unwrap();
            assert!(status.success(), "{shell}");
        }
    }
}

#[test]
fn bash_completes_flags_and_their_words() {
    if !has("bash") {
        return;
    }
    let tree = Tree::new();
    tree.file("completions", generated("bash")).file("some-file", "");
    let complete = |words: &[&str]| {
        let script = "source completions; COMP_WORDS=(wsd \"$@\"); COMP_CWORD=$#; shift $(($# - 2)); \
            _wsd wsd \"$2\" \"$1\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.current_dir(tree.path("")).args(["-c", script, "bash"]).args(words);
        let output = bash.output().unwrap();
        let mut lines: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let table: [(&[&str], &[&str]); 8] = [
        (&["--check", "--port", "1", "--unix"], &["--unixsocket"]),
        (&["--check", "--loglevel", "a"], &["access"]),
        (&["--check", "--framing", ""], &["chunks", "json", "jsonrpc", "length", "lines", "lsp", "nul"]),
        (&["--check", "--slow", "d"], &["drop"]),
        (&["--check", "--config", "some-fi"], &["some-file"]),
        (&["connect", "--w"], &["--wait"]),
        (&["connect", "--sslca", "some-fi"], &["some-file"]),
        (&["replay", "--speed", ""], &["full", "recorded"]),
    ];
    for (words, want) in table {
        assert_eq!(complete(words), want, "{words:?}");
    }
}
