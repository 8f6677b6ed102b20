//! A folder of CGI scripts: finds the script for a path.

use std::{path::Path, time::Duration};

use super::super::scripts::{Script, find_file};
use crate::{http::path::Root, worker::program::Program};

/// A folder of CGI scripts.
#[derive(Clone, Debug)]
pub(crate) struct Cgi {
    /// The path of the folder.
    pub(in crate::answer) root: Root,
    /// The part of that path below `--staticdir`, if the folder lies in there.
    prefix: Option<Vec<u8>>,
    /// How long a script may be silent (`--cgi-timeout`).
    pub(super) time_max: Duration,
}

impl Cgi {
    /// Serves the scripts in `root`; each may be silent for `time_max`. If `root` lies within `site`, its scripts are served
    /// at their place there, too.
    pub(crate) fn new(root: Root, site: Option<&Root>, time_max: Duration) -> Self {
        let prefix = site.and_then(|site| site.path_of(&root));
        Self { root, prefix, time_max }
    }

    /// Finds the script for `path` (decoded), whose first `base` bytes matched the site.
    pub(in crate::answer) fn find(&self, path: &[u8], base: usize) -> Option<Script> {
        let find_after = |start: usize| {
            let found = find_file(&self.root, path.get(start..)?)?;
            let (name, path_info) = path.split_at(start + found.taken);
            // A script starts in its own folder (RFC 3875, section 7.2).
            let folder = found.file.parent().map(Path::to_owned);
            // The file itself may have another name than in the request, if that is a link.
            let file_name = found.named.file_name()?.to_owned();
            let program = Program::linkless(found.file, file_name, folder);
            Some(Script { program, name: name.into(), path_info: path_info.into() })
        };
        let within_site = || {
            let prefix =
                self.prefix.as_ref().filter(|prefix| path.get(base..).is_some_and(|rest| rest.starts_with(prefix)))?;
            find_after(base + prefix.len())
        };
        find_after(base).or_else(within_site)
    }
}
