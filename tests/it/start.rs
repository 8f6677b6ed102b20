//! `start.sh`: what it says when the build lacks something, and how it takes its arguments. `.ci/run` starts it for real.

use std::process::{Command, Output};

use crate::harness::pages::{root, text};
use crate::harness::tree::Tree;

/// A `wsd` that prints its arguments instead of serving.
const WSD: &str = "#!/bin/sh\necho \"wsd $*\"\n";

/// A checkout with `start.sh`, and a folder of programs that is the whole of its `PATH`.
struct Checkout(Tree);

impl Checkout {
    /// Has all that the build needs: a Rust of this version, and a C compiler. `cargo` builds [`WSD`].
    fn new(version: &str) -> Self {
        let tree = Tree::new();
        for file in ["start.sh", "Cargo.toml"] {
            std::fs::copy(root().join(file), tree.path(file)).unwrap();
        }
        tree.directory("bin").directory("target/release").file("wsd", WSD);
        for tool in ["sh", "dirname", "sed", "cat", "cp", "chmod"] {
            let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", tool]).output().unwrap();
            tree.link(&format!("bin/{tool}"), String::from_utf8(found.stdout).unwrap().trim());
        }
        let cargo = format!(
            "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'cargo {version} (abc 2026-01-01)'; exit; fi\n\
             echo \"progress of: cargo $*\" >&2\ncp wsd target/release/wsd && chmod 755 target/release/wsd\n"
        );
        tree.program("bin/cargo", &cargo);
        tree.program("bin/rustc", &format!("#!/bin/sh\necho 'rustc {version} (abc 2026-01-01)'\n"));
        tree.program("bin/cc", "#!/bin/sh\n");
        Self(tree)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut script = Command::new(self.0.path("start.sh"));
        script.args(arguments).env("PATH", self.0.path("bin")).output().unwrap()
    }

    /// Runs it, and gives the status and standard error.
    fn failure(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

fn needed() -> String {
    let manifest = text("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap();
    version.trim_end_matches('"').to_owned()
}

#[test]
fn a_missing_tool_is_named_with_how_to_get_it() {
    for (tool, hint) in [("cargo", "rustup"), ("rustc", "rustup"), ("cc", "gcc")] {
        let checkout = Checkout::new(&format!("{}.0", needed()));
        checkout.0.remove(&format!("bin/{tool}"));

        let (status, told) = checkout.failure(&[]);

        assert_eq!(status, Some(1), "{tool}: {told}");
        assert!(told.starts_with(&format!("start.sh: cannot build wsd: {tool}")), "{tool}: {told}");
        assert!(told.contains("is not installed\nhint: ") && told.contains(hint), "{tool}: {told}");
    }
}

#[test]
fn a_rust_that_is_too_old_is_told_with_both_versions() {
    for (version, found) in [("1.63.0", "1.63.0"), ("1.94.1-nightly", "1.94.1"), ("0.99.0", "0.99.0")] {
        let (status, told) = Checkout::new(version).failure(&[]);

        assert_eq!(status, Some(1), "{told}");
        let want = format!(
            "start.sh: cannot build wsd: it needs Rust {} or later, and this cargo is {found}\nhint: ",
            needed()
        );
        assert!(told.starts_with(&want), "{told}");
    }
}

#[test]
fn a_newer_rust_will_do_and_the_progress_of_cargo_is_shown() {
    for version in [format!("{}.0", needed()), "1.100.2".to_owned(), "2.0.0-beta.1".to_owned()] {
        let output = Checkout::new(&version).run(&[]);

        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{version}: {told}");
        assert!(told.contains("progress of: cargo build --release"), "{told}");
        assert!(!told.contains("--quiet"), "{told}");
    }
}

#[test]
fn a_port_is_written_as_for_wsd() {
    let table: [(&[&str], &str); 5] = [
        (&[], "8080"),
        (&["--port", "9000"], "9000"),
        (&["--port=9000"], "9000"),
        (&["-port", "9000"], "9000"),
        (&["-port=0"], "0"),
    ];
    let checkout = Checkout::new("1.99.0");
    for (arguments, port) in table {
        let output = checkout.run(arguments);

        // No more flags: what runs at each path is what demos.toml and the page of the demo say.
        let want = format!("wsd --port={port} --config=examples/demos.toml\n");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), want, "{arguments:?}");
    }
}

#[test]
fn a_wrong_argument_is_exit_2_and_named() {
    let table: [(&[&str], &str); 5] = [
        (&["--port"], "`--port` needs a number"),
        (&["--port", "x"], "`x` is not a port number"),
        (&["--port="], "`` is not a port number"),
        (&["--port=65536"], "`65536` is not a port number"),
        (&["--ports=1"], "unknown argument `--ports=1`"),
    ];
    let checkout = Checkout::new("1.99.0");
    for (arguments, want) in table {
        let (status, told) = checkout.failure(arguments);

        assert_eq!(status, Some(2), "{told}");
        assert!(told.starts_with(&format!("start.sh: {want}\nhint: ")), "{told}");
    }
}
