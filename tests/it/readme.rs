//! What the README says is so: its flags are those of `--help`, its commands run.

use std::{collections::BTreeSet, fs, path::Path};

use crate::harness::server::{Server, run, wsd};

/// The table of flags as `--help` has them.
fn flags_table() -> String {
    let mut rows: Vec<String> = Vec::new();
    for line in run(&["--help"]).stdout.lines() {
        if let Some(flag) = line.strip_prefix("      --") {
            let (flag, text) = flag.split_once("  ").unwrap_or((flag, ""));
            rows.push(format!("| `--{flag}` | {}", text.trim()));
        } else if line.starts_with("        ") {
            let row = rows.last_mut().expect("the text of a flag");
            *row = format!("{row} {}", line.trim());
        }
    }
    format!("| flag | meaning |\n|---|---|\n{} |\n", rows.join(" |\n"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("there is a README.md")
}

#[test]
fn the_readmes_flags_are_those_of_help() {
    let table = flags_table();
    assert!(readme().contains(&table), "README.md should say:\n\n{table}\n");
}

#[test]
fn the_readme_says_what_becomes_of_a_message_with_line_ends() {
    let readme = readme();
    let section = |title: &str| readme.split("\n## ").find(|section| section.starts_with(title)).expect("the section");
    for title in ["Use\n", "Rooms\n"] {
        assert!(section(title).contains("line ends in it"), "{title}");
    }
}

/// The commands in the README's blocks of shell, comments apart.
fn commands() -> BTreeSet<String> {
    let readme = readme();
    let blocks = readme.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn the_readmes_wsd_commands_serve() {
    let mut count = 0;
    for command in commands().iter().filter(|command| command.starts_with("wsd ")) {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        let at = words.windows(2).position(|pair| pair == ["--port", "8080"]).expect("each says its port");
        let mut started = wsd(&[&["--port=0"], &words[..at], &words[at + 2..]].concat());
        started.current_dir(root());
        let server = Server::spawn(started);
        let places = [("--dir=", "/greeter.sh"), ("--config=", "/counter"), ("--route=", "/count")];
        let path = places.iter().find(|(flag, _)| command.contains(flag)).map_or("/", |(_, path)| path);
        let origin = words.iter().find_map(|word| word.strip_prefix("--origin="));
        drop(server.connect_with(path, &origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default()));
        count += 1;
    }
    assert!(count >= 5, "the README shows how wsd is used");
}

#[test]
fn the_readmes_settings_are_good() {
    let readme = readme();
    let settings = readme.split("```toml\n").nth(1).and_then(|block| block.split("```").next()).expect("a TOML block");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), settings).expect("it is written");
    let mut check = wsd(&[&format!("--config={}", file.path().display()), "--check"]);
    let outcome = check.current_dir(root()).output().expect("wsd runs");
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
}

#[test]
fn the_readmes_other_commands_are_run_by_ci() {
    let ci = fs::read_to_string(root().join(".ci/run")).expect("there is a .ci/run");
    for command in commands().iter().filter(|command| !command.starts_with("wsd ")) {
        assert!(ci.contains(command.as_str()), "neither the tests nor .ci/run run `{command}`");
    }
}
