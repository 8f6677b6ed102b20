//! The wall clock of processes, which a test sets with libfaketime. Their monotonic clock stays that of the machine.

use std::fs;
use std::process::Command;

use crate::tree::Tree;

/// A wall clock. It stands in the environment of the processes that go by it.
pub struct Clock {
    tree: Tree,
    variables: [(&'static str, String); 4],
}

impl Clock {
    /// Returns one that goes as the machine's. `None` if `faketime` is not installed.
    pub fn new() -> Option<Self> {
        // The command knows where the library is.
        let output =
            Command::new("faketime").args(["-m", "-f", "+0", "sh", "-c", "echo \"$LD_PRELOAD\""]).output().ok()?;
        let library = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(!library.is_empty(), "faketime names no library");
        let tree = Tree::new();
        let variables = [
            ("LD_PRELOAD", library),
            ("FAKETIME_TIMESTAMP_FILE", tree.path("offset")),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let clock = Self { tree, variables };
        clock.set(0);
        Some(clock)
    }

    /// Sets it so many seconds before the machine's clock, or behind it.
    pub fn set(&self, seconds: i64) {
        // Nobody may read half a number.
        self.tree.file("next", format!("{seconds:+}\n"));
        fs::rename(self.tree.path("next"), self.tree.path("offset")).unwrap();
    }

    /// The variables of a process that goes by this clock.
    pub fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, &**value)).collect()
    }
}
