//! `--cgidir`: scripts that answer HTTP requests (CGI/1.1, RFC 3875).

pub(super) mod answer;
mod run;
mod talk;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use hyper::{Method, Uri, body::Incoming, http::request::Parts};

use super::{Context, path::Root, scripts::find_file};
pub(super) use answer::Answer;

/// A folder of CGI scripts.
#[derive(Clone, Debug)]
pub(crate) struct Cgi {
    root: Root,
    /// The path of the folder's URL below that of `--staticdir`, if it lies in there.
    prefix: Option<Vec<u8>>,
    time_max: Duration,
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
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The script for `path` (decoded), of which `base` bytes have led to these scripts.
    pub(super) fn find<'a>(&self, path: &'a [u8], base: usize) -> Option<Found<'a>> {
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

    /// Runs the script that was found for `path`.
    pub(super) async fn run(
        &self,
        context: &Context,
        request: &Parts,
        body: Option<Incoming>,
        found: &Found<'_>,
        path: &[u8],
    ) -> Answer {
        run::run(context, request, body, found, path, self.time_max).await
    }
}

/// The request that a local redirect means (RFC 3875, section 6.2.2): the same client, GET, no body.
pub(super) fn get(mut request: Parts, target: Uri) -> Parts {
    request.uri = target;
    if request.method != Method::HEAD {
        request.method = Method::GET;
    }
    for name in [hyper::header::CONTENT_LENGTH, hyper::header::CONTENT_TYPE, hyper::header::TRANSFER_ENCODING] {
        request.headers.remove(name);
    }
    request
}
