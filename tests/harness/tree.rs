//! A directory of a test's own, gone with the test.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A directory with what a test puts into it.
pub struct Tree {
    root: TempDir,
}

impl Tree {
    /// An empty one.
    pub fn new() -> Self {
        Self { root: TempDir::new().unwrap() }
    }

    /// The path of `name` in it, as text for a command line.
    pub fn path(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, and the directories above it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes an executable file.
    ///
    /// Another process writes it: a descriptor open for writing in this one could be inherited by a child that another
    /// test is starting at the very moment, and a file open for writing cannot be executed (`ETXTBSY`).
    pub fn program(&self, name: &str, content: &str) -> &Self {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
        self
    }

    /// Makes an empty directory.
    pub fn directory(&self, name: &str) -> &Self {
        fs::create_dir_all(self.at(name)).unwrap();
        self
    }

    /// Makes a symbolic link with this text to it, followed or not.
    pub fn link(&self, name: &str, target: impl AsRef<std::path::Path>) -> &Self {
        symlink(target, self.at(name)).unwrap();
        self
    }

    /// Makes a named pipe. A program that opens it to read waits there until [`Tree::release`].
    pub fn pipe(&self, name: &str) -> &Self {
        assert!(Command::new("mkfifo").arg(self.at(name)).status().unwrap().success());
        self
    }

    /// Lets the program go on that waits for a line of the named pipe.
    pub fn release(&self, pipe: &str) {
        fs::write(self.at(pipe), "go\n").unwrap();
    }

    /// Returns the text of the file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap()
    }

    /// Whether there is such a file.
    pub fn holds(&self, name: &str) -> bool {
        self.at(name).exists()
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}
