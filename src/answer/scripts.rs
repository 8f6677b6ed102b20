//! Finds the program for a URL.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::beneath::{self, FileUse};
use crate::{
    http::path::{Root, is_clean},
    worker::{program::Program, stdio::Stdio},
};

/// The programs of a site.
#[derive(Clone, Debug)]
pub(crate) enum Scripts {
    /// COMMAND: one program for every path.
    Command(Program),
    /// `--dir`: the path picks a file, whose standard streams are connected so.
    Dir(Root, Stdio),
}

/// A program, and how it splits the path of the URL (RFC 3875, sections 4.1.5 and 4.1.13).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// The program to run.
    pub(crate) program: Program,
    /// `SCRIPT_NAME`.
    pub(crate) name: Vec<u8>,
    /// `PATH_INFO`.
    pub(crate) path_info: Vec<u8>,
}

impl Scripts {
    /// Whether each program has a terminal, for which a client needs a page with one.
    pub(super) fn have_terminals(&self) -> bool {
        match self {
            Self::Command(Program { stdio, .. }) | Self::Dir(_, stdio) => stdio.is_controlling(),
        }
    }

    /// Finds the program for `path` (decoded), whose first `base` bytes matched the site.
    pub(crate) fn find(&self, path: &[u8], base: usize) -> Option<Script> {
        if !is_clean(path) {
            return None;
        }
        match self {
            Self::Command(program) => {
                let (name, path_info) = path.split_at_checked(base)?;
                let name = if name.is_empty() { b"/" } else { name };
                Some(Script { program: program.clone(), name: name.into(), path_info: path_info.into() })
            }
            &Self::Dir(ref root, stdio) => {
                let FoundFile { file, named, taken } = find_file(root, path.get(base..)?)?;
                let (name, path_info) = path.split_at(base + taken);
                let mut program = Program::linkless(file, named.into(), None);
                program.stdio = stdio;
                Some(Script { program, name: name.into(), path_info: path_info.into() })
            }
        }
    }
}

/// A file in a folder of programs.
#[derive(Debug)]
pub(super) struct FoundFile {
    /// Its path, absolute and without links.
    pub(super) file: PathBuf,
    /// Its path as requested, with links.
    pub(super) named: PathBuf,
    /// The number of bytes of the URL's path that name it.
    pub(super) taken: usize,
}

/// Finds the first file along `path` (decoded, and canonical: [`is_clean`]), unless it is hidden or lies outside of `root`.
pub(super) fn find_file(root: &Root, path: &[u8]) -> Option<FoundFile> {
    let path = path.strip_prefix(b"/")?;
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let inner = Path::new(OsStr::from_bytes(&path[..end]));
        let opened = beneath::open(root, inner, FileUse::Run).ok()?;
        let metadata = opened.file.metadata().ok()?;
        if metadata.is_file() {
            return Some(FoundFile { file: opened.path, named: root.path().join(inner), taken: 1 + end });
        }
        if !metadata.is_dir() {
            return None;
        }
    }
    None
}
