//! The Debian package: what its build says when something is missing, what it holds, and the manual page; and the container.
//! `.ci/run` builds the package.

use std::fs;
use std::process::Command;

use rustix::process::{Signal, kill_process};

use crate::harness::pages::{root, table, text};
use crate::harness::process::linux;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::tree::Tree;

#[test]
fn the_build_of_the_package_names_what_it_lacks_before_it_builds() {
    let tools = ["cargo", "cargo-deb", "cc", "dpkg-shlibdeps"];
    for missing in tools {
        let tree = Tree::new();
        for tool in tools.into_iter().filter(|tool| *tool != missing) {
            tree.program(&format!("bin/{tool}"), "#!/bin/sh\necho built >&2\n");
        }
        tree.link("bin/dirname", "/usr/bin/dirname");
        let mut build = Command::new(root().join("packaging/deb"));

        let output = build.env("PATH", tree.path("bin")).output().unwrap();

        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let want = format!("packaging/deb: cannot build the package: {missing} is not installed\nhint: ");
        assert!(told.starts_with(&want) && !told.contains("built"), "{told}");
    }
}

/// The files that the manifest puts into the package.
fn assets() -> Vec<String> {
    let manifest = text("Cargo.toml");
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let assets = assets.split("\n]").next().unwrap();
    assets.lines().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn the_package_holds_every_page_every_example_and_every_page_of_a_demo() {
    let assets = assets();
    let holds = |name: &str| {
        assets.iter().any(|asset| match asset.split_once('*') {
            None => asset == name,
            Some((start, end)) => name.len() > start.len() && name.starts_with(start) && name.ends_with(end),
        })
    };
    for folder in ["docs", "examples", "examples/systemd", "static", "static/xterm"] {
        for entry in fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap()) {
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            assert!(entry.path().is_dir() || name == "docs/book.toml" || holds(&name), "{name}");
        }
    }
}

#[test]
fn every_file_of_another_project_is_listed_with_its_version_and_its_licence() {
    let list = text("static/xterm/README.md");
    let rows = table(&list, "| files | package | version | licence |");
    for entry in fs::read_dir(root().join("static/xterm")).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let is_listed =
            rows.iter().any(|row| row[0].contains(&format!("`{name}`")) || row[3].ends_with(&format!("({name})")));
        assert!(is_listed || name == "README.md", "{name}");
    }
    for row in rows {
        let licence = row[3].split(['(', ')']).nth(1).unwrap();
        assert!(
            text(&format!("static/xterm/{licence}")).contains("Permission is hereby granted, free of charge"),
            "{row:?}"
        );
        assert!(row[2].split('.').count() == 3, "{row:?}");
    }
}

#[test]
fn an_override_of_lintian_has_a_reason_above_it() {
    let overrides = text("packaging/lintian-overrides");

    assert!(
        overrides.starts_with("# ")
            && overrides.lines().all(|line| line.starts_with("# ") || line.starts_with("wsd: "))
    );
}

#[test]
fn the_files_of_the_package_are_there() {
    for asset in assets().iter().filter(|asset| !asset.contains('*') && !asset.starts_with("target/")) {
        assert!(root().join(asset).exists(), "{asset}");
    }
}

/// The manual page.
fn manual() -> String {
    let output = Command::new(root().join("packaging/man")).arg(wsd(&[]).get_program()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Markdown as the manual page has it, without its fonts.
fn plain(text: &str) -> String {
    text.replace('`', "").replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace("\\e", "\\")
}

#[test]
fn the_manual_page_has_the_tables_of_the_documentation() {
    let manual = plain(&manual());
    let tables = [
        ("ENVIRONMENT", "docs/programs.md", "| variable | value |"),
        ("SIGNALS", "docs/operations.md", "| signal to wsd | effect |"),
        ("\"CLOSE CODES\"", "docs/codes.md", "| code | reason | when |"),
        ("\"EXIT STATUS\"", "docs/codes.md", "| exit status | when |"),
    ];
    for (section, page, heading) in tables {
        let (_, rest) = manual.split_once(&format!(".SH {section}\n")).unwrap_or_else(|| panic!("no {section}"));
        let section = rest.split("\n.SH ").next().unwrap();
        for row in table(&text(page), heading) {
            assert!(section.contains(&format!(".TP\n{}", plain(&row[0]))), "{page}: {row:?}\n{section}");
            let last = plain(row.last().unwrap());
            let last = last.split('[').next().unwrap();
            assert!(section.contains(last), "{page}: {row:?}\n{section}");
        }
    }
}

#[test]
fn the_manual_page_has_the_configuration_and_the_examples() {
    let manual = plain(&manual());
    for text in [
        ".SH CONFIGURATION\n",
        "\n[[route]]\n",
        ".SH EXAMPLES\n",
        "\nwsd --port 8080 --devconsole cat\n",
        ".SH COMMAND\n",
    ] {
        assert!(manual.contains(text), "{text}\n{manual}");
    }
    assert!(!manual.contains("](") && !manual.contains("```"), "Markdown is left:\n{manual}");
}

#[test]
fn the_manual_page_is_rendered_without_warnings() {
    if !has("groff") {
        return;
    }
    let tree = Tree::new();
    tree.file("wsd.1", manual());
    let mut groff = Command::new("groff");

    let output = groff.args(["-man", "-Tutf8", "-ww", "-K", "utf8", &tree.path("wsd.1")]).output().unwrap();

    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The words of an instruction in the Containerfile.
fn instruction(name: &str) -> Vec<String> {
    let file = text("Containerfile");
    let words = file.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}"));
    serde_json::from_str(words).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_entry_point_of_the_container_serves_as_process_1_and_ends_on_its_stop_signal() {
    let mut probe = Command::new("unshare");
    if !probe.args(["--pid", "--fork", "true"]).output().is_ok_and(|output| output.status.success()) {
        return skip("the right to make a namespace of processes");
    }
    let tree = Tree::new();
    tree.file("wsd.toml", "[[route]]\npath = \"/\"\ncommand = [\"sh\", \"-c\", \"echo $PPID\"]\n");
    let words = [instruction("ENTRYPOINT "), instruction("CMD ")].concat();
    assert_eq!(words[0], "/usr/bin/wsd");
    let arguments = words.iter().skip(1).map(|word| {
        let word = word.replace("/etc/wsd.toml", &tree.path("wsd.toml"));
        if word.starts_with("--port=") { "--port=0".to_owned() } else { word }
    });
    let mut unshare = Command::new("unshare");
    // unshare passes no signal on, and so does not stand for the engine: the test signals its child.
    unshare.args(["--pid", "--fork", "--kill-child"]).arg(wsd(&[]).get_program()).args(arguments);
    let mut server = Server::spawn(unshare);
    server.address.set_ip([127, 0, 0, 1].into());

    let (lines, close) = server.connect_with("/", "").rest();

    assert_eq!((lines, close.code), (vec!["1".to_owned()], Some(1000)));
    assert!(text("Containerfile").contains("\nSTOPSIGNAL SIGTERM\n"));
    kill_process(linux::children(server.pid())[0], Signal::TERM).unwrap();
    assert_eq!(server.wait().code(), Some(0));
}
