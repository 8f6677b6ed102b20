//! The text of programs, which nobody is to read: that of one site not among the files of another either.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{Site, path::Root, scripts::Scripts};

/// Where the programs of all sites are.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The folders of `--dir` and `--cgidir`.
    folders: Vec<Root>,
    /// What COMMAND names.
    programs: Vec<PathBuf>,
}

impl Sources {
    /// Those of `sites`.
    pub(crate) fn of<'a>(sites: impl IntoIterator<Item = &'a Site>) -> Self {
        let (mut folders, mut programs) = (Vec::new(), Vec::new());
        for site in sites {
            match &site.scripts {
                Some(Scripts::Command(program)) if !programs.contains(&program.path) => {
                    programs.push(program.path.clone());
                }
                Some(Scripts::Dir(root)) => folders.push(root.clone()),
                _ => {}
            }
            folders.extend(site.cgi.as_ref().map(|cgi| cgi.root().clone()));
        }
        Self { folders, programs }
    }

    /// Whether there is no folder of programs.
    pub(super) fn has_no_folder(&self) -> bool {
        self.folders.is_empty()
    }

    /// The folder of programs that `file` lies in or is; the path of `file` is absolute and free of links.
    pub(crate) fn folder_of(&self, file: &Path) -> Option<&Path> {
        let holds = |folder: &&Root| fs::canonicalize(folder.path()).is_ok_and(|folder| file.starts_with(folder));
        self.folders.iter().find(holds).map(Root::path)
    }

    /// Whether a file is a program, under whatever name; the program may be another file by now.
    pub(super) fn is_program(&self, file: &fs::Metadata) -> bool {
        let is_same = |program: fs::Metadata| (program.dev(), program.ino()) == (file.dev(), file.ino());
        self.programs.iter().any(|program| fs::metadata(program).is_ok_and(is_same))
    }
}
