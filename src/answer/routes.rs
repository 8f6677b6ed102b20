//! Routes: the site for each path.

use std::{fmt, io, sync::Arc};

use super::{launch::Launcher, scripts::Scripts, site::Site, sources::Sources};
use crate::{
    room::{kept::Kept, registry::Sharing, remote::Starting},
    shutdown::Shutdown,
    worker::{cgroup::base::open, environ::room_variables},
};

/// The sites, by path.
#[derive(Debug)]
pub(crate) struct Routes {
    /// The routes of the settings; no pattern occurs twice.
    pub(crate) table: Vec<(Pattern, Arc<Site>)>,
    /// The site for every other path.
    pub(crate) otherwise: Arc<Site>,
    /// The files that no site serves.
    pub(crate) sources: Arc<Sources>,
    /// The path below which everything is (`--base`), such as `/live`; empty without one. The patterns begin with it.
    pub(crate) base: String,
    /// The path of the metrics, below the base (`--metrics=/path`).
    pub(crate) metrics: Option<String>,
}

/// The part of a path that matched the pattern of a site.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Base {
    /// Its length in bytes, decoded.
    pub(crate) bytes: usize,
    /// Whether the pattern matches paths below it, too.
    pub(crate) has_more: bool,
    /// Whether the path is outside of `--base`: then wsd serves nothing there.
    pub(crate) is_outside: bool,
}

/// The paths of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This path only.
    Exact(String),
    /// This path, and all below it.
    Below(String),
}

impl Pattern {
    /// Parses `/path` or `/path/*`; an error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with('/') {
            return Err("a path begins with `/`");
        }
        let (path, is_prefix) = match text.strip_suffix("/*") {
            Some(path) => (path, true),
            None => (text, false),
        };
        if path.contains(['*', '%', '?', '#']) || path.chars().any(char::is_control) {
            return Err("a path is `/path` or `/path/*`, without `%`, `?` and `#`");
        }
        if path.split('/').skip(1).any(|segment| matches!(segment, "." | "..")) || path.contains("//") {
            return Err("a path has no `.`, `..` or empty part");
        }
        Ok(if is_prefix { Self::Below(path.to_owned()) } else { Self::Exact(path.to_owned()) })
    }

    /// Returns the pattern of this path and all below it.
    pub(crate) fn below(self) -> Self {
        match self {
            Self::Exact(path) => Self::Below(path.strip_suffix('/').unwrap_or(&path).to_owned()),
            below @ Self::Below(_) => below,
        }
    }

    /// Returns the pattern below `base`, which is empty or a path without a slash at its end.
    pub(crate) fn within(&self, base: &str) -> Self {
        match self {
            Self::Exact(path) => Self::Exact(format!("{base}{path}")),
            Self::Below(path) => Self::Below(format!("{base}{path}")),
        }
    }

    /// Returns the path, without the `/*`.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Below(path) => path,
        }
    }

    /// Returns the number of bytes of `path` that the pattern matches.
    fn matches(&self, path: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(own) => (path == own.as_bytes()).then_some(own.len()),
            Self::Below(own) => {
                let rest = path.strip_prefix(own.as_bytes())?;
                (rest.is_empty() || rest.starts_with(b"/")).then_some(own.len())
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Below(path) => write!(f, "{path}/*"),
        }
    }
}

impl Routes {
    /// Starts the workers of eager sites, before any client; leaves running ones alone.
    pub(crate) fn start_eager(&self, shutdown: &Shutdown) {
        let all =
            self.table.iter().map(|(pattern, site)| (pattern.path(), site)).chain([(&*self.base, &self.otherwise)]);
        for (path, site) in all {
            if let (true, Some(rooms), Some(Scripts::Command(program))) = (site.is_eager, &site.rooms, &site.scripts) {
                let name = if path.is_empty() { "/" } else { path };
                let environment = room_variables(&site.launcher.environ, name.as_bytes(), b"");
                let Launcher { admission, confining, .. } = &site.launcher;
                let recorded = site.launcher.recorded(program, name.as_bytes(), site.framings.default());
                let kept = Kept { program: program.clone(), confining: confining.clone(), environment, recorded };
                let admission = admission.clone();
                if rooms.bus().is_some() {
                    let starting = Starting { kept, admission, route: name.as_bytes().to_vec(), slot: None };
                    rooms.keep_far(starting, name, shutdown);
                } else {
                    rooms.keep(kept, name, admission, shutdown);
                }
            }
        }
    }

    /// Whether a program that wsd keeps running does not run now.
    pub(super) fn have_program_down(&self) -> bool {
        self.sites().any(|site| site.is_eager && site.rooms.as_ref().is_some_and(|rooms| rooms.is_down()))
    }

    /// Prepares the control group of wsd for those of programs, if a site has them.
    pub(crate) fn prepare_cgroups(&self) -> io::Result<()> {
        open(self.sites().filter_map(|site| site.launcher.confining.as_ref()?.cgroup.as_ref()))
    }

    /// Returns the number of programs that can run at a time if `--maxforks` allows `forks_max`; `None` is no limit.
    pub(crate) fn programs_max(&self, forks_max: Option<usize>) -> Option<usize> {
        let sites = || self.sites();
        let is_one = |site: &Site| site.rooms.as_ref().is_some_and(|rooms| rooms.sharing == Sharing::All);
        let has_many = |site: &Arc<Site>| site.cgi.is_some() || site.scripts.is_some() && !is_one(site);
        if sites().any(has_many) { forks_max } else { Some(sites().filter(|site| is_one(site)).count()) }
    }

    /// Lists the sites of all routes, and the one for all other paths.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.table.iter().map(|(_, site)| site).chain([&self.otherwise])
    }

    /// Returns the number of descriptors that a connection may take: its own, and that of a file that it reads.
    pub(crate) fn descriptors_of_connection(&self) -> usize {
        1 + usize::from(self.sites().any(|site| site.files.is_some()))
    }

    /// Logs which files that wsd never serves lie in a folder of `--staticdir`, each file once.
    pub(crate) fn warn_of_secrets(&self) {
        let sites = self.sites();
        let folders: Vec<_> = sites.filter_map(|site| site.files.as_ref()).collect();
        self.sources.guards.iter().for_each(|guard| guard.warn_of_place(&folders));
    }

    /// Reads the files of `--auth` again. Blocks.
    pub(crate) fn reload_auth(&self) {
        self.otherwise.gate.open.state.reload();
    }

    /// Ends the programs that wait for a session of MCP: there may be newer ones.
    pub(crate) fn end_spares(&self) {
        self.sites().filter_map(|site| site.mcp.as_ref()).for_each(|mcp| mcp.gateway.spare.clear());
    }

    /// Whether any site has a console.
    pub(super) fn have_console(&self) -> bool {
        self.sites().any(|site| site.pages.has_console)
    }

    /// Returns the site with the longest match for `path` (decoded), and the part that matched.
    pub(super) fn find(&self, path: &[u8]) -> (&Arc<Site>, Base) {
        let matches = self.table.iter().filter_map(|(pattern, site)| Some((site, pattern.matches(path)?, pattern)));
        // At the path `/a`, `/a` has precedence over `/a/*`.
        let best = matches.max_by_key(|(_, taken, pattern)| (*taken, matches!(pattern, Pattern::Exact(_))));
        best.map_or_else(
            || (&self.otherwise, self.base_of(path)),
            |(site, bytes, pattern)| {
                (site, Base { bytes, has_more: matches!(pattern, Pattern::Below(_)), is_outside: false })
            },
        )
    }

    /// Returns the part of a path without a route that matches `--base`.
    fn base_of(&self, path: &[u8]) -> Base {
        if self.base.is_empty() {
            return Base::default();
        }
        let rest = path.strip_prefix(self.base.as_bytes());
        match rest.filter(|rest| rest.is_empty() || rest.starts_with(b"/")) {
            Some(_) => Base { bytes: self.base.len(), has_more: true, is_outside: false },
            None => Base { is_outside: true, ..Base::default() },
        }
    }

    /// Returns the pattern of all paths that have no route.
    pub(super) fn everything(&self) -> Pattern {
        Pattern::Below(self.base.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_segments() {
        let table = [
            ("/a", "/a", Some(2)),
            ("/a", "/a/", None),
            ("/a", "/ab", None),
            ("/a/*", "/a", Some(2)),
            ("/a/*", "/a/b/c", Some(2)),
            ("/a/*", "/ab", None),
            ("/*", "/anything", Some(0)),
            ("/", "/", Some(1)),
            ("/", "/a", None),
        ];
        for (pattern, path, want) in table {
            let pattern = Pattern::parse(pattern).expect("a good pattern");
            assert_eq!(pattern.matches(path.as_bytes()), want, "{pattern:?} {path}");
        }
        for bad in ["", "a", "/a*", "/*/a", "/a?b", "/a/../b", "/a//b", "/%41"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
