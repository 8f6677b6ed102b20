//! A folder of CGI scripts: finds the script for a path.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::super::scripts::find_file;
use crate::http::path::Root;

/// A folder of CGI scripts.
#[derive(Clone, Debug)]
pub(crate) struct Cgi {
    root: Root,
    /// The path of the folder below that of `--staticdir`, if it lies in there.
    prefix: Option<Vec<u8>>,
    /// How long a script may be silent (`--cgi-timeout`).
    pub(super) time_max: Duration,
}

/// A script, and how it splits the path of the URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CgiScript<'a> {
    /// The file, absolute and without links.
    pub(crate) file: PathBuf,
    /// The file name in the request; the file itself may have another if this is a link.
    pub(crate) file_name: OsString,
    /// `SCRIPT_NAME`.
    pub(crate) name: &'a [u8],
    /// `PATH_INFO`.
    pub(crate) info: &'a [u8],
}

impl Cgi {
    /// Serves the scripts in `root`; each may be silent for `time_max`. If `root` lies within `site`, its scripts are served
    /// at their place there, too.
    pub(crate) fn new(root: Root, site: Option<&Root>, time_max: Duration) -> Self {
        let prefix = site.and_then(|site| site.path_of(&root));
        Self { root, prefix, time_max }
    }

    /// Returns the folder.
    pub(in crate::answer) fn root(&self) -> &Root {
        &self.root
    }

    /// Finds the script for `path` (decoded), whose first `base` bytes matched the site.
    pub(in crate::answer) fn find<'a>(&self, path: &'a [u8], base: usize) -> Option<CgiScript<'a>> {
        let find_after = |start: usize| {
            let script = find_file(&self.root, path.get(start..)?)?;
            let (name, info) = path.split_at(start + script.taken);
            Some(CgiScript { file: script.file, file_name: script.named.file_name()?.to_owned(), name, info })
        };
        let within_site = || {
            let prefix =
                self.prefix.as_ref().filter(|prefix| path.get(base..).is_some_and(|rest| rest.starts_with(prefix)))?;
            find_after(base + prefix.len())
        };
        find_after(base).or_else(within_site)
    }
}
