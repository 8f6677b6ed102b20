//! A folder of CGI scripts, and which of them a path means.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::super::scripts::find_file;
use crate::http::path::Root;

/// A folder of CGI scripts.
#[derive(Clone, Debug)]
pub(crate) struct Cgi {
    root: Root,
    /// The path of the folder's URL below that of `--staticdir`, if it lies in there.
    prefix: Option<Vec<u8>>,
    /// How long a script may be silent (`--cgi-timeout`).
    pub(super) time_max: Duration,
}

/// A script, and how the path of the URL is shared out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    /// The file, absolute and free of links.
    pub(crate) file: PathBuf,
    /// The name that it was asked for by, in its folder.
    pub(crate) file_name: OsString,
    /// `SCRIPT_NAME`.
    pub(crate) name: &'a [u8],
    /// `PATH_INFO`.
    pub(crate) info: &'a [u8],
}

impl Cgi {
    /// The scripts in `root`, each with `time_max` to answer. If `root` lies within `site`, its scripts are found at
    /// their place there, too.
    pub(crate) fn new(root: Root, site: Option<&Root>, time_max: Duration) -> Self {
        let prefix = site.and_then(|site| site.path_of(&root));
        Self { root, prefix, time_max }
    }

    /// The folder.
    pub(in crate::answer) fn root(&self) -> &Root {
        &self.root
    }

    /// The script for `path` (decoded), of which `base` bytes have led to these scripts.
    pub(in crate::answer) fn find<'a>(&self, path: &'a [u8], base: usize) -> Option<Found<'a>> {
        let find_after = |start: usize| {
            let script = find_file(&self.root, path.get(start..)?)?;
            let (name, info) = path.split_at(start + script.taken);
            Some(Found { file: script.file, file_name: script.named.file_name()?.to_owned(), name, info })
        };
        let within_site = || {
            let prefix =
                self.prefix.as_ref().filter(|prefix| path.get(base..).is_some_and(|rest| rest.starts_with(prefix)))?;
            find_after(base + prefix.len())
        };
        find_after(base).or_else(within_site)
    }
}
