//! What is never served, of whichever site: the text of programs, settings and secrets.

use std::{fs, path::Path, sync::Arc};

use super::{guard::Guard, scripts::Scripts, site::Site};
use crate::http::path::Root;

/// What nobody is to read.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The folders of `--dir` and `--cgidir`.
    folders: Vec<Root>,
    /// Single files.
    guards: Vec<Arc<Guard>>,
}

impl Sources {
    /// The folders of the programs of `sites`, and single files.
    pub(crate) fn of<'a>(sites: impl IntoIterator<Item = &'a Site>, guards: Vec<Arc<Guard>>) -> Self {
        let mut folders = Vec::new();
        for site in sites {
            if let Some(Scripts::Dir(root)) = &site.scripts {
                folders.push(root.clone());
            }
            folders.extend(site.cgi.as_ref().map(|cgi| cgi.root().clone()));
        }
        Self { folders, guards }
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

    /// Whether a file is not to be served, under whatever name.
    pub(super) fn is_guarded(&self, file: &fs::Metadata) -> bool {
        self.guards.iter().any(|guard| guard.is(file))
    }

    /// Says which of the files lie in a folder that is served, each once.
    pub(super) fn warn_of_places(&self, folders: &[&Root]) {
        for guard in &self.guards {
            guard.warn_of_place(folders);
        }
    }
}
