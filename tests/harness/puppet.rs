//! Nodes whose program is a puppet: it says what the test makes it say, and keeps what it hears.

use std::fs;

use serde_json::Value;

use crate::nodes::Nodes;
use crate::server::program;
use crate::time::eventually;
use crate::tree::Tree;

/// Nodes with one program, which talks in JSON (`--framing=json`).
pub struct Puppet {
    /// The nodes and their Redis. They stop before the files go.
    pub cluster: Nodes,
    tree: Tree,
}

impl Puppet {
    /// Starts so many nodes. `None` if there is no Redis: the test is skipped.
    pub fn start(nodes: usize) -> Option<Self> {
        let tree = Tree::new();
        tree.pipe("mouth").file("ears", "");
        let command = [program("puppet.sh"), tree.path("mouth"), tree.path("ears")];
        let command = command.each_ref().map(String::as_str);
        let cluster = Nodes::start(nodes, &["--shared", "--framing=json"], &command)?;
        Some(Self { cluster, tree })
    }

    /// Makes the program say a line.
    pub fn say(&self, line: &Value) {
        fs::write(self.tree.path("mouth"), format!("{line}\n")).unwrap();
    }

    /// The events that the program, or each one after the other, has heard so far.
    pub fn heard(&self) -> Vec<Value> {
        let ears = String::from_utf8(self.tree.read("ears")).unwrap();
        let whole = ears.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for so many events, and returns the first of them.
    pub fn events(&self, count: usize) -> Vec<Value> {
        eventually("the program hears more", || {
            let mut heard = self.heard();
            heard.truncate(count);
            (heard.len() == count).then_some(heard)
        })
    }
}
