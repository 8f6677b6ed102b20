//! A program: its file and its arguments.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs, io,
    iter::once,
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::stdio::Stdio;

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The file to execute.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// The name that it gets as `argv[0]`; `None` is its path.
    pub(crate) name: Option<OsString>,
    /// The folder that wsd starts it in; `None` is wsd's own.
    pub(crate) folder: Option<PathBuf>,
    /// How its standard streams reach wsd.
    pub(crate) stdio: Stdio,
    /// Whether its path must be free of links when wsd starts it.
    is_linkless: bool,
}

impl Program {
    /// Returns the program at `path`, for a start as in a shell.
    pub(crate) fn new(path: PathBuf, args: Vec<OsString>) -> Self {
        Self { path, args, name: None, folder: None, stdio: Stdio::default(), is_linkless: false }
    }

    /// Returns the program at `path`, which is absolute and free of links. wsd does not start it if that has changed.
    pub(crate) fn linkless(path: PathBuf, name: OsString, folder: Option<PathBuf>) -> Self {
        Self { path, args: Vec::new(), name: Some(name), folder, stdio: Stdio::default(), is_linkless: true }
    }

    /// Makes its path independent of the folder that it starts in; its name stays.
    pub(crate) fn make_absolute(&mut self) {
        if let Ok(path) = path::absolute(&self.path) {
            let named = std::mem::replace(&mut self.path, path);
            self.name.get_or_insert(named.into_os_string());
        }
    }

    /// Fails if its path has a link where none may be.
    pub(super) fn check_links(&self) -> io::Result<()> {
        let is_as_found = !self.is_linkless || fs::canonicalize(&self.path)? == self.path;
        if is_as_found { Ok(()) } else { Err(io::Error::other("a part of its path has become a symbolic link")) }
    }

    /// Returns `argv`: its name and its arguments.
    pub(super) fn argv(&self) -> impl Iterator<Item = &OsStr> {
        let name = self.name.as_deref().unwrap_or(self.path.as_os_str());
        once(name).chain(self.args.iter().map(OsString::as_os_str))
    }
}

/// Finds an executable file: `name` itself if it contains a `/`, else the first of that name in `PATH`.
pub(crate) fn locate(name: &OsStr) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

/// Whether a path is that of a file which wsd may execute.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_program_is_not_started_once_a_link_is_on_the_way_to_it() {
        let tree = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(tree.path()).expect("its path");
        fs::create_dir_all(root.join("sub")).expect("a folder");
        fs::write(root.join("sub/tool"), "").expect("a file");
        let program = Program::linkless(root.join("sub/tool"), "tool".into(), None);
        assert!(program.check_links().is_ok());

        fs::rename(root.join("sub"), root.join("other")).expect("it can be moved");
        symlink("other", root.join("sub")).expect("a link");

        assert!(program.check_links().is_err());
        assert!(Program::new(root.join("sub/tool"), Vec::new()).check_links().is_ok(), "COMMAND may be behind links");
    }
}
