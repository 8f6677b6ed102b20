//! Lists the paths that have a program or the console.

use std::{
    fs, iter,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::task::spawn_blocking;

use super::{
    ask::Ask,
    beneath::{self, FileUse},
    routes::{Pattern, Routes},
    scripts::Scripts,
    site::Site,
};
use crate::{
    http::{
        gate::Visitor,
        path::{Root, decode},
    },
    limits::CONSOLE_NAMES_MAX,
};

/// The bytes that a path of the list has escaped: all but the unreserved ones (RFC 3986, section 2.3) and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Returns the paths that the client may know as a JSON array of patterns: `/chat`, or `/tools/*` with all paths below it. May wait
/// for a disk.
///
/// A console of the main site offers all programs; one that only routes have, the programs of these routes.
pub(super) async fn json(ask: &Ask, visitor: &Visitor) -> String {
    let has_console = ask.routes.otherwise.pages.has_console;
    let mut sites = known_sites(ask, visitor);
    sites.retain(|(_, site)| has_console || site.pages.has_console);
    let list = move || sites.iter().flat_map(|(pattern, site)| paths_of(pattern, site)).collect::<Vec<_>>();
    let paths = spawn_blocking(list).await.unwrap_or_default();
    serde_json::to_string(&paths).expect("strings become JSON")
}

/// Returns the sites that a page may name to the client, with their paths; the site for every other path is the last.
///
/// A site with credentials is named only to a client that has shown them.
pub(super) fn known_sites(ask: &Ask, visitor: &Visitor) -> Vec<(Pattern, Arc<Site>)> {
    let mut sites: Vec<_> = sites(&ask.routes)
        .filter(|(_, site)| site.gate.is_known_to(visitor, Arc::ptr_eq(site, &ask.site)))
        .map(|(pattern, site)| (pattern, Arc::clone(site)))
        .collect();
    if sites.first().is_some_and(|(_, site)| Arc::ptr_eq(site, &ask.routes.otherwise)) {
        sites.rotate_left(1);
    }
    sites
}

/// A path of a program.
#[derive(Debug)]
pub(crate) struct Example {
    /// The path, percent-encoded; `/NAME` stands for the programs of a folder.
    pub(crate) path: String,
    /// Whether the program has a terminal.
    pub(crate) is_terminal: bool,
    /// Whether it answers a POST.
    pub(crate) takes_posts: bool,
    /// Whether it is a server of MCP.
    pub(crate) is_mcp: bool,
}

/// Returns a path of each program.
pub(crate) fn examples(routes: &Routes) -> Vec<Example> {
    sites(routes).filter_map(|(pattern, site)| example(routes, &pattern, site)).collect()
}

/// Returns a path of the programs of a site; `None` if it has none.
pub(super) fn example(routes: &Routes, pattern: &Pattern, site: &Arc<Site>) -> Option<Example> {
    let scripts = site.scripts.as_ref()?;
    let is_mcp = site.mcp.is_some();
    let path = match (scripts, pattern) {
        (Scripts::Command(_), pattern) if is_mcp => mcp_path(routes, pattern, site),
        (Scripts::Command(_), pattern) => shown(pattern.path()),
        (Scripts::Dir(..), Pattern::Below(path)) => shown(&format!("{path}/NAME")),
        // No path of an exact route leads into its folder.
        (Scripts::Dir(..), Pattern::Exact(_)) => return None,
    };
    let is_terminal = scripts.have_terminals();
    Some(Example { path, is_terminal, takes_posts: site.http.is_some() && !is_terminal, is_mcp })
}

/// Returns a path of a server of MCP, percent-encoded: the usual `/mcp` if it has all paths without a route.
pub(super) fn mcp_path(routes: &Routes, pattern: &Pattern, site: &Arc<Site>) -> String {
    let usual = (*pattern == routes.everything()).then(|| shown(&format!("{}/mcp", pattern.path())));
    let found = usual.filter(|path| Arc::ptr_eq(routes.find(&decode(path)).0, site));
    found.unwrap_or_else(|| shown(pattern.path()))
}

/// Returns a path at which a browser gets the console, percent-encoded, if any site has one. May wait for a disk.
pub(crate) fn console(routes: &Routes) -> Option<String> {
    console_of(routes, sites(routes))
}

/// Returns a path at which a browser gets the console of one of these sites. May wait for a disk.
pub(super) fn console_of<'a>(
    routes: &Routes,
    mut sites: impl Iterator<Item = (Pattern, &'a Arc<Site>)>,
) -> Option<String> {
    let path_of = |pattern: &Pattern, site: &Arc<Site>| {
        // With a page of its own the folder has the console only where it has no file.
        let has_page = site.files.as_ref().is_some_and(|files| files.path().join("index.html").is_file());
        let below = format!("{}/console", pattern.path());
        let paths = [pattern.path(), &below].map(shown).into_iter().skip(usize::from(has_page));
        paths.into_iter().find(|path| Arc::ptr_eq(routes.find(&decode(path)).0, site))
    };
    sites.find_map(|(pattern, site)| path_of(&pattern, site).filter(|_| site.pages.has_console))
}

/// Returns the sites with their paths; the site for every other path is the first.
fn sites(routes: &Routes) -> impl Iterator<Item = (Pattern, &Arc<Site>)> {
    let table = routes.table.iter().map(|(pattern, site)| (pattern.clone(), site));
    iter::once((routes.everything(), &routes.otherwise)).chain(table)
}

/// Returns the path of a pattern as a part of a URL.
pub(super) fn shown(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { percent_encode(path.as_bytes(), ESCAPED).to_string() }
}

fn paths_of(pattern: &Pattern, site: &Site) -> Vec<String> {
    let escaped = |path: &[u8]| percent_encode(path, ESCAPED).to_string();
    match (&site.scripts, pattern) {
        (Some(Scripts::Command(_)), Pattern::Exact(path)) => vec![escaped(path.as_bytes())],
        (Some(Scripts::Command(_)), Pattern::Below(path)) => vec![escaped(path.as_bytes()) + "/*"],
        (Some(Scripts::Dir(root, _)), Pattern::Below(path)) => {
            let programs = programs(root).into_iter();
            programs.map(|name| escaped(format_path(path, &name).as_slice()) + "/*").collect()
        }
        // No path of an exact route leads into its folder.
        (Some(Scripts::Dir(..)), Pattern::Exact(_)) | (None, _) => Vec::new(),
    }
}

fn format_path(base: &str, name: &Path) -> Vec<u8> {
    [base.as_bytes(), b"/", name.as_os_str().as_bytes()].concat()
}

/// Returns the paths of the programs in `root` that a request can start, in the order of their names. Looks at no more than
/// [`CONSOLE_NAMES_MAX`] names.
fn programs(root: &Root) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    let mut names_left = CONSOLE_NAMES_MAX;
    while let Some(folder) = folders.pop() {
        let Ok(opened) = beneath::open(root, &folder, FileUse::Read) else { continue };
        let Ok(entries) = fs::read_dir(opened.path) else { continue };
        for entry in entries.flatten().take(names_left) {
            names_left -= 1;
            let path = folder.join(entry.file_name());
            // A folder behind a link is not searched: links may lead in circles.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if is_program(root, &path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Whether a request for `path` starts a program: the file is not hidden, lies within `root`, and is executable.
fn is_program(root: &Root, path: &Path) -> bool {
    let metadata = beneath::open(root, path, FileUse::Run).and_then(|opened| opened.file.metadata());
    metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
