//! The pages of `docs/` are right: flags are those of `--help`, commands serve, files are valid, codes are those that come.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::pages::{blocks, book, commands, prose, root, table, text};
use crate::harness::server::{Server, run, wsd};
use crate::harness::skip::has;
use crate::harness::websocket::{Client, Frame, TEXT};

/// The flags as `--help` of the server, of the client and of replays has them: rows of a table.
fn flags() -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let help = [&["--help"][..], &["connect", "--help"], &["replay", "--help"]].map(|words| run(words).stdout).concat();
    for line in help.lines() {
        if let Some(flag) = line.strip_prefix("      --") {
            let (flag, text) = flag.split_once("  ").unwrap_or((flag, ""));
            rows.push(format!("| `--{flag}` | {}", text.trim()));
        } else if line.starts_with("        ") {
            let row = rows.last_mut().expect("the text of a flag");
            *row = format!("{} {}", row.trim_end(), line.trim());
        }
    }
    rows.into_iter().map(|row| row + " |").collect()
}

#[test]
fn the_pages_flags_are_those_of_help() {
    let page = text("docs/flags.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `--")).collect();

    let flags = flags();
    let missing: Vec<_> = flags.iter().filter(|row| !rows.contains(&row.as_str())).collect();
    assert!(missing.is_empty(), "docs/flags.md has not: {missing:#?}");
    assert_eq!(rows, flags, "the order");
}

#[test]
fn the_page_of_flags_is_generated() {
    let page = run(&["--generate=flags"]).stdout;
    if env::var_os("WSD_BLESS").is_some() {
        fs::write(root().join("docs/flags.md"), &page).unwrap();
    }

    assert!(
        text("docs/flags.md") == page,
        "docs/flags.md is old; to write it anew:\nWSD_BLESS=1 cargo test --test it the_page_of_flags_is_generated"
    );
}

#[test]
fn every_page_is_in_the_summary_once_and_the_first_page_lists_it() {
    let (summary, index) = (text("docs/SUMMARY.md"), text("docs/README.md"));
    for page in book() {
        let link = format!("({})", page.strip_prefix("docs/").unwrap());
        assert_eq!(summary.matches(&link).count(), 1, "{page} in docs/SUMMARY.md");
        assert!(page == "docs/README.md" || index.contains(&link), "{page} in docs/README.md");
    }
}

#[test]
fn a_page_begins_with_its_title_and_has_no_other_of_that_rank() {
    for page in book() {
        let prose = prose(&text(&page));
        let titles: Vec<_> = prose.lines().filter(|line| line.starts_with("# ")).collect();
        assert_eq!(titles.len(), 1, "{page}: {titles:?}");
        assert_eq!(prose.lines().next(), Some(titles[0]), "{page}");
    }
}

#[test]
fn the_pages_say_what_becomes_of_a_message_with_line_ends() {
    for page in ["docs/guide.md", "docs/rooms.md"] {
        assert!(text(page).contains("line ends in it"), "{page}");
    }
}

/// Runs a command of a page, on a free port, and connects to it. Whether it is one of wsd.
pub(crate) fn served(command: &str) -> bool {
    let Some(arguments) = command.strip_prefix("wsd ") else { return false };
    assert!(arguments.contains("--port 8080 "), "each says its port: {command}");
    // The shell splits the words as the reader's does.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$0\" {}", arguments.replacen("--port 8080 ", "--port=0 ", 1))]);
    let server = Server::spawn({
        shell.arg(wsd(&[]).get_program()).current_dir(root());
        shell
    });
    let places =
        [("--dir=", "/greeter.sh"), ("--config=", "/counter"), ("--route=", "/count"), ("--mcp-config=", "/words/mcp")];
    let path = places.iter().find(|(flag, _)| command.contains(flag)).map_or("/", |(_, path)| path);
    let origin = arguments.split_whitespace().find_map(|word| word.strip_prefix("--origin=")?.split(',').next());
    drop(server.connect_with(path, &origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default()));
    true
}

#[test]
fn the_pages_wsd_commands_serve() {
    for (page, least) in [
        ("docs/guide.md", 8),
        ("docs/rooms.md", 2),
        ("docs/programs.md", 3),
        ("docs/framings.md", 5),
        ("docs/proxies.md", 1),
        ("docs/http.md", 2),
        ("docs/mcp.md", 1),
    ] {
        let count = commands(&text(page)).iter().filter(|command| served(command)).count();
        assert!(count >= least, "{page} shows {count} commands");
    }
}

#[test]
fn the_commands_with_terminals_serve_where_their_programs_are_installed() {
    for (page, least) in [("docs/terminals.md", 4), ("examples/README.md", 2)] {
        // tmux would outlive the test.
        let commands: Vec<_> = commands(&text(page)).into_iter().filter(|command| !command.contains("tmux")).collect();
        assert!(commands.len() >= least, "{page}: {commands:?}");
        for command in commands {
            let programs =
                ["bash", "top", "vim"].into_iter().filter(|program| command.contains(&format!(" {program}")));
            assert!(!programs.clone().all(has) || served(&command), "{page}: {command}");
        }
    }
}

#[test]
fn the_files_of_the_page_with_a_terminal_are_named() {
    let page = text("docs/terminals.md");
    let mut files = vec!["terminal.html".to_owned()];
    let mut next = 0;
    while let Some(file) = files.get(next).cloned() {
        next += 1;
        assert!(file.starts_with("xterm/") || page.contains(&format!("`{file}`")), "docs/terminals.md: {file}");
        if file.starts_with("xterm/") {
            continue;
        }
        let text = text(&format!("static/{file}"));
        let quoted = ["href=\"", "src=\"", "from './"].into_iter().flat_map(|before| text.split(before).skip(1));
        let names = quoted.map(|rest| rest.split(['"', '\'']).next().unwrap().to_owned());
        let own: Vec<_> =
            names.filter(|name| root().join("static").join(name).is_file() && !files.contains(name)).collect();
        files.extend(own);
    }
    assert!(files.len() > 9, "{files:?}");
}

#[test]
fn no_page_shows_a_command_that_no_test_runs() {
    let ci = text(".ci/run") + &text("tests/it/descendants.rs");
    for page in book() {
        for command in commands(&text(&page)) {
            // The commands of wsd are run by the test above; those of docs/json.md are programs, which `examples.rs` runs.
            let is_run = command.starts_with("wsd ") || ci.contains(&command) || page == "docs/json.md";
            assert!(is_run, "{page}: neither the tests nor .ci/run run `{command}`");
        }
    }
}

#[test]
fn the_pages_programs_are_those_of_the_examples() {
    let page = text("docs/json.md");
    for (language, example) in [("python", "rooms.py"), ("sh", "names.sh")] {
        assert_eq!(blocks(&page, language), [text(&format!("examples/{example}"))], "{example}");
    }
}

#[test]
fn the_pages_settings_are_good() {
    let blocks: Vec<_> = book().iter().flat_map(|page| blocks(&text(page), "toml")).collect();
    assert!(!blocks.is_empty());
    let examples = format!("{}/", root().join("examples").display());
    for settings in blocks {
        // Where a recipe copies the examples.
        let settings = settings.replace("/srv/wsd/", &examples);
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &settings).expect("it is written");
        let mut check = wsd(&[&format!("--config={}", file.path().display()), "--check"]);
        let outcome = check.current_dir(root()).output().expect("wsd runs");
        assert!(outcome.status.success(), "{settings}{}", String::from_utf8_lossy(&outcome.stderr));
    }
}

#[test]
fn the_files_that_a_page_names_are_there() {
    const FOLDERS: [&str; 9] =
        ["src/", "tests/", "examples/", "static/", "docs/", "packaging/", "benches/", "fuzz/", ".github/"];
    let mut count = 0;
    for page in crate::harness::pages::documents() {
        // A changelog tells of files that were, and the fuzzer makes folders.
        if ["CHANGELOG.md", "fuzz/README.md"].contains(&&*page) {
            continue;
        }
        let prose = prose(&text(&page));
        for span in prose.split('`').skip(1).step_by(2).filter(|span| !span.contains([' ', '<', '*', '='])) {
            let is_named = FOLDERS.iter().any(|folder| span.starts_with(folder) && span.len() > folder.len());
            let is_source = !span.starts_with('/') && Path::new(span).extension().is_some_and(|end| end == "rs");
            if is_named || is_source {
                let is_there = ["", "src", "tests"].iter().any(|folder| root().join(folder).join(span).exists());
                assert!(is_there, "{page} names `{span}`");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count}");
}

/// The documentation of the crate, which is its map.
fn map() -> String {
    let lines: Vec<_> =
        text("src/lib.rs").lines().map_while(|line| Some(line.strip_prefix("//!")?.trim().to_owned())).collect();
    lines.join("\n")
}

#[test]
fn the_layers_of_the_architecture_are_those_of_the_crate() {
    let map = map();
    let rows = map.lines().skip_while(|line| *line != "| layer | modules |");
    let rows: Vec<_> = rows.take_while(|row| row.starts_with('|')).collect();

    assert!(rows.len() > 10, "{map}");
    assert!(
        text("docs/architecture.md").contains(&rows.join("\n")),
        "docs/architecture.md should say:\n{}",
        rows.join("\n")
    );
}

#[test]
fn the_architecture_says_where_to_start() {
    let rows = table(&text("docs/architecture.md"), "| to change or add | start in | and then |");
    let subjects: BTreeSet<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let wanted = [
        "a flag",
        "a framing",
        "a log event",
        "a kind of answer",
        "a limit",
        "another transport for clients",
        "authentication",
        "metrics",
        "a bus between rooms of several machines",
    ];

    assert!(wanted.iter().all(|subject| subjects.contains(subject)), "{subjects:?}");
    let of_map = table(&map(), "| to add | start in | and then |");
    assert!(of_map.len() > 10, "{of_map:?}");
    let is_known = |row: &Vec<String>| subjects.contains(row[0].as_str());
    assert!(of_map.iter().all(is_known), "{of_map:?} names other subjects than {subjects:?}");
    assert!(rows.iter().all(|row| row.len() == 3 && row[1].contains('`')), "{rows:?}");
}

#[test]
fn the_pages_close_codes_are_those_that_come() {
    const DISMISS: &str = "read -r open; client=${open#*'client\":\"'}; client=${client%%'\"'*}; \
        echo '{\"close\":\"'$client'\",\"code\":4567}'; cat";
    const BREAK: &str = "printf '\\377\\377\\377\\377'; cat";
    // The first cell, a program, what its client does, the code that comes, and the ` n` in the reason. `shutdown.rs`,
    // `status.rs`, `laggards.rs`, `resume.rs`, `auth/jwt.rs` and `idle.rs` bring about the others.
    type Case = (&'static str, &'static str, fn(&mut Client), u16, &'static str);
    let cases: [Case; 9] = [
        ("1000", "exit 0", |_| {}, 1000, ""),
        ("4000 + n", "exit 7", |_| {}, 4007, " 7"),
        ("4128 + n", "kill -9 $$", |_| {}, 4137, " 9"),
        ("1002", "cat", |client| client.send(&Frame::new(TEXT, "").with_reserved_bits(1)), 1002, ""),
        ("1007", "cat", |client| client.send(&Frame::new(TEXT, [0xFF])), 1007, ""),
        ("1009", "cat", |client| client.text(&"x".repeat(1001)), 1009, ""),
        ("1011", BREAK, |_| {}, 1011, ""),
        ("the client's", "cat", |client| client.close(4321), 4321, ""),
        ("the program's", DISMISS, |_| {}, 4567, ""),
    ];
    let rows = table(&text("docs/codes.md"), "| code | reason | when |");
    for (first, program, act, code, n) in cases {
        let framing = match program {
            DISMISS => "--framing=json",
            BREAK => "--framing=length",
            _ => "--framing=lines",
        };
        let server = Server::shell(&["--maxframesize=1000", framing], program, &[]);
        let mut client = server.connect("/");
        act(&mut client);

        let close = client.close_at_last();

        assert_eq!(close.code, Some(code), "{first}");
        let row = rows.iter().find(|row| row[0] == first).unwrap_or_else(|| panic!("no row {first}"));
        // A reason in backticks is what the client gets; another one describes it.
        if let Some(reason) = row[1].strip_prefix('`') {
            let reason = reason.trim_end_matches('`');
            let reason = reason.strip_suffix(" n").map_or(reason.to_owned(), |start| format!("{start}{n}"));
            assert_eq!(close.reason, reason, "{first}");
        }
    }
    let tested: BTreeSet<_> = cases
        .iter()
        .map(|(first, ..)| *first)
        .chain(["1001", "1008", "1013", "3000", "4408", "4409", "4410"])
        .collect();
    assert_eq!(rows.iter().map(|row| &*row[0]).collect::<BTreeSet<_>>(), tested);
}

#[test]
fn the_pages_exit_statuses_are_those_of_wsd() {
    let busy = Server::command(&[], &["cat"]);
    let port = format!("--port={}", busy.address.port());
    let cases: [(&str, &[&str]); 4] =
        [("0", &["--version"]), ("1", &["--port=0"]), ("2", &["--port=x", "cat"]), ("3", &[&port, "cat"])];
    for (status, arguments) in cases {
        let outcome = run(arguments);
        assert_eq!(outcome.status.map(|status| status.to_string()).as_deref(), Some(status), "{arguments:?}");
    }

    // `shutdown.rs` brings 143 about.
    let rows: Vec<_> =
        table(&text("docs/codes.md"), "| exit status | when |").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows, ["0", "1", "2", "3", "130, 131, 143"]);
}

#[test]
fn the_book_builds_without_warnings() {
    if !has("mdbook") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new("mdbook").arg("build").arg(root().join("docs")).arg("-d").arg(folder.path()).output().unwrap();

    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains("WARN") && !told.contains("ERROR"), "{told}");
    for page in book() {
        let page = page.strip_prefix("docs/").unwrap().replace("README.md", "index.md").replace(".md", ".html");
        assert!(folder.path().join(&page).exists(), "{page}");
    }
}
