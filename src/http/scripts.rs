//! Which program a URL means.

use super::path::{Root, is_clean};
use crate::worker::program::Program;

/// The programs that are served.
#[derive(Clone, Debug)]
pub(crate) enum Scripts {
    /// COMMAND: one program, whatever the path.
    Command(Program),
    /// `--dir`: the path picks a file.
    Dir(Root),
}

/// A program, and how the path of the URL is shared out (RFC 3875, sections 4.1.5 and 4.1.13).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Script<'a> {
    /// What to run.
    pub(crate) program: Program,
    /// `SCRIPT_NAME`.
    pub(crate) name: &'a [u8],
    /// `PATH_INFO`.
    pub(crate) path_info: &'a [u8],
}

impl Scripts {
    /// The program for `path` (decoded), of which `base` bytes have led to these programs.
    pub(crate) fn find<'a>(&self, path: &'a [u8], base: usize) -> Option<Script<'a>> {
        if !is_clean(path) {
            return None;
        }
        match self {
            Self::Command(program) => {
                let (name, path_info) = path.split_at_checked(base)?;
                let name = if name.is_empty() { b"/" } else { name };
                Some(Script { program: program.clone(), name, path_info })
            }
            Self::Dir(root) => {
                let (path_of_file, taken) = root.find_file(path.get(base..)?)?;
                let (name, path_info) = path.split_at(base + taken);
                let program = Program::new(path_of_file, Vec::new());
                Some(Script { program, name, path_info })
            }
        }
    }
}
