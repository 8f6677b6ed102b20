//! Files that no site serves: the source of programs, settings and secrets.

use std::{fs, path::Path, sync::Arc};

use super::{guard::Guard, scripts::Scripts, site::Site};
use crate::http::path::Root;

/// The folders and files that no client may read.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The folders of `--dir` and `--cgidir`.
    folders: Vec<Root>,
    /// Single files.
    pub(super) guards: Vec<Arc<Guard>>,
}

impl Sources {
    /// Collects the program folders of `sites`, and single files.
    pub(crate) fn of<'a>(sites: impl IntoIterator<Item = &'a Site>, guards: Vec<Arc<Guard>>) -> Self {
        let mut folders = Vec::new();
        for site in sites {
            if let Some(Scripts::Dir(root, _)) = &site.scripts {
                folders.push(root.clone());
            }
            folders.extend(site.cgi.as_ref().map(|cgi| cgi.root.clone()));
        }
        Self { folders, guards }
    }

    /// Whether there is no folder of programs.
    pub(super) fn has_no_folder(&self) -> bool {
        self.folders.is_empty()
    }

    /// Returns the program folder that contains `file` or is it; `file` is absolute and without links.
    pub(crate) fn folder_of(&self, file: &Path) -> Option<&Path> {
        let holds = |folder: &&Root| fs::canonicalize(folder.path()).is_ok_and(|folder| file.starts_with(folder));
        self.folders.iter().find(holds).map(Root::path)
    }

    /// Whether wsd must not serve `file`, under any name, or because it is at `path`.
    pub(super) fn is_guarded(&self, file: &fs::Metadata, path: &Path) -> bool {
        self.guards.iter().any(|guard| guard.matches(file) || file.is_file() && guard.has_copy(path))
    }
}
