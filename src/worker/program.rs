//! What to run: a program's file and its arguments.

use std::{
    env,
    ffi::{OsStr, OsString},
    iter::once,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// A program, found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The file to execute.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// What it is told to be called (`argv[0]`); `None` is its path.
    pub(crate) name: Option<OsString>,
    /// The folder that it is started in; `None` is wsd's own.
    pub(crate) folder: Option<PathBuf>,
}

impl Program {
    /// The program at `path`, started as a shell would start it.
    pub(crate) fn new(path: PathBuf, args: Vec<OsString>) -> Self {
        Self { path, args, name: None, folder: None }
    }

    /// What it is told to be called, and its arguments.
    pub(super) fn argv(&self) -> impl Iterator<Item = &OsStr> {
        let name = self.name.as_deref().unwrap_or(self.path.as_os_str());
        once(name).chain(self.args.iter().map(OsString::as_os_str))
    }
}

/// The executable file that `name` means: `name` itself if it contains a `/`, else the first in `PATH`.
pub(crate) fn locate(name: &OsStr) -> Option<PathBuf> {
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}
