//! Builds the routes of the file and of `--route`, and the site that answers every other path.

use std::{fs, path::Path, sync::Arc};

use super::{
    error::Error,
    file::{ConfigFile, Route, routes},
    framing::drop_inherited_framing,
    limits::Scopes,
    names::route_facts,
    needs::drop_inherited,
    peers::access_lists,
    proxies, record, secrets,
    site::{Recipe, has_program, serves, site},
};
use crate::{
    admission::Admission,
    answer::{
        guard::Guard,
        routes::{Pattern, Routes},
        site::Site,
        sources::Sources,
    },
    budget::Budget,
    bus::handle::Bus,
    cli::{
        CommandLine, RunFlags,
        auth::AuthFlags,
        server::{Flags, TlsFlags},
        site::{ServedFlags, SiteFlags},
        types::Limit,
    },
    deflate::pool::Pool,
    http::{
        access::AccessLists,
        auth::{Auth, state::AuthState},
    },
    limits::{BUFFER_BYTES_MAX, COMPRESS_MEMORY, FORKS_MAX},
    metrics::{labels::OTHER_PATHS, present::PRESENT},
    resume::door::Doors,
    sources::SourceTable,
};

/// The current sites. Builds the next ones from new settings.
#[derive(Debug)]
pub(crate) struct Plan {
    admission: Admission,
    budget: Budget,
    /// The compressors of all sessions.
    compressors: Pool,
    /// The doors of sessions, which stay when settings change.
    doors: Doors,
    /// The state of authentication, which stays, too.
    auth: AuthState,
    /// The table of sources, which stays, too, and the routes that may have counters of their own in it.
    sources: SourceTable,
    numbered: Vec<Pattern>,
    /// The bus, which stays, too.
    bus: Option<Bus>,
    sites: Vec<Built>,
    /// The files that wsd never serves.
    guards: Vec<Arc<Guard>>,
    /// The fork slots of removed routes while workers hold some: a new route at the same path takes them over.
    gone: Vec<(Pattern, Admission)>,
}

/// A site, its path, and its recipe.
#[derive(Clone, Debug)]
struct Built {
    pattern: Option<Pattern>,
    recipe: Recipe,
    site: Arc<Site>,
    /// The addresses that may send requests, which change without a new site.
    access: AccessLists,
}

impl Plan {
    /// Returns a plan without sites, whose rooms will use this bus.
    pub(super) fn new(bus: Option<Bus>) -> Self {
        let (admission, compressors) = (Admission::new(None), Pool::new(COMPRESS_MEMORY));
        let (budget, doors, auth, sources) =
            (Budget::new(None), Doors::default(), AuthState::default(), SourceTable::default());
        let (numbered, sites, guards, gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { admission, budget, compressors, doors, auth, sources, numbered, bus, sites, guards, gone }
    }

    /// Builds the routes of the command line and the file. Keeps each site whose recipe has not changed, with its rooms. `flags`
    /// are those of the command line over those of the file.
    pub(super) fn build(&mut self, line: &CommandLine, file: &ConfigFile, flags: &Flags) -> Result<Routes, Error> {
        let (admission, budget, doors) = (self.admission.clone(), self.budget.clone(), self.doors.clone());
        let (auth, sources, numbered) = (self.auth.clone(), self.sources.clone(), self.numbered.clone());
        let (compressors, empty) = (self.compressors.clone(), Self::new(self.bus.clone()));
        let mut next = Self { admission, budget, compressors, doors, auth, sources, numbered, ..empty };
        let routes = routes(line, file);
        for route in &routes {
            next.add_route(self, line, &routes, route).map_err(|error| match route.start {
                None if error.about.is_empty() => Error { message: format!("--route: {}", error.message), ..error },
                start => file.locate(error, start.unwrap_or_default()),
            })?;
        }
        let limit = next.add_otherwise(self, line, file, flags).map_err(|error| file.locate(error, 0))?;
        let Flags { tls, resources, proxies, .. } = flags;
        next.check_certificates(tls).map_err(|error| file.locate(error, 0))?;
        let base = proxies::base(proxies.base.as_ref()).map_err(|error| file.locate(error, 0))?;
        let key = tls.sslkey.as_deref().filter(|key| !key.is_empty()).map(Path::new);
        let RunFlags { config, mcp_config, .. } = &line.run;
        let bus_key = flags.bus.bus_key.as_deref().map(Path::new);
        let (config, mcp_config) = (config.as_deref(), mcp_config.as_deref());
        let files = [("--config", config), ("--mcp-config", mcp_config), ("--sslkey", key), ("--bus-key", bus_key)];
        next.guards = secrets::guards(&self.guards, files, next.sites.iter().map(|built| &*built.site));
        next.check_claims(file).map_err(|error| file.locate(error, 0))?;
        let files = next.sources()?;
        record::check_secrecy(next.sites.iter().map(|built| &*built.site))?;
        // Nothing below can fail.
        next.admission.resize(limit);
        let bytes_max = resources.maxbuffer.as_deref().map_or(BUFFER_BYTES_MAX, |bytes| bytes.0);
        next.budget.resize(Some(bytes_max).filter(|bytes| *bytes > 0));
        next.compressors.resize(resources.compress_memory.as_deref().map_or(COMPRESS_MEMORY, |bytes| bytes.0));
        for built in next.sites.iter().filter(|built| built.pattern.is_some()) {
            let limit = built.recipe.flags.served.maxforks.as_deref();
            built.site.launcher.admission.resize(limit.and_then(Limit::count));
        }
        let mut auths = next.sites.iter().filter_map(|built| built.site.gate.auth.as_ref()).peekable();
        next.auth.set_use(auths.peek().is_some(), auths.any(Auth::takes_query));
        next.sites.iter().for_each(|built| built.site.gate.access.set(built.access.clone()));
        let of_old = self.admissions().filter(|(pattern, _)| next.admission_of(pattern).is_none());
        next.gone = of_old.filter(|(_, admission)| !admission.is_idle()).collect();
        let is_gone = |old: &&Built| !next.sites.iter().any(|new| Arc::ptr_eq(&new.site, &old.site));
        self.sites.iter().filter(is_gone).filter_map(|gone| gone.site.rooms.as_ref()).for_each(|rooms| rooms.retire());
        *self = next;
        let table = self.sites.iter().filter_map(|built| {
            let pattern = built.pattern.as_ref()?.within(&base);
            Some((pattern, Arc::clone(&built.site)))
        });
        PRESENT.set_routes(self.sites.iter().filter_map(|built| route_facts(&built.site)).collect());
        let otherwise = self.sites.last().map(|built| Arc::clone(&built.site)).expect("there is always one");
        Ok(Routes { table: table.collect(), otherwise, sources: Arc::new(files), base, metrics: None })
    }

    fn add_route(&mut self, old: &Self, line: &CommandLine, all: &[Route], route: &Route) -> Result<(), Error> {
        let path = &*route.path;
        let pattern = Pattern::parse(path).map_err(|why| {
            let hint = "write a path such as /chat, or /tools/* for every path below /tools";
            Error::new(format!("invalid path `{path}`: {why}"), hint).about(&route.path)
        })?;
        if path == "/.wsd" || path.starts_with("/.wsd/") {
            let message = format!("invalid path `{path}`: `/.wsd/` is wsd's own folder");
            return Err(Error::new(message, "write another path").about(&route.path));
        }
        let ServedFlags { dir, staticdir, cgidir, .. } = &route.flags.served;
        let has_folder = [dir, staticdir, cgidir].into_iter().flatten().any(|folder| !folder.is_empty());
        let below = format!("{}/*", path.trim_end_matches('/'));
        if has_folder && all.iter().any(|other| *other.path == below) {
            let message =
                format!("cannot serve the path `{path}` twice: its folder and the route `{below}` have the same paths");
            return Err(Error::new(message, "give each route its own path").about(&route.path));
        }
        let pattern = if has_folder { pattern.below() } else { pattern };
        if self.sites.iter().any(|built| built.pattern.as_ref() == Some(&pattern)) {
            let message = format!("cannot serve the path `{path}` twice");
            return Err(Error::new(message, "give each route its own path").about(&route.path));
        }
        // The command line overrides the file, except what the route serves.
        let mut flags = SiteFlags { served: route.flags.served.clone(), ..line.over(route.flags.clone()) };
        let is_own = |at| route.start.is_some_and(|start| at >= Some(start));
        // Except also a route that is not to be recorded: it may be secret.
        if let Some(place) = route.flags.record.record.as_ref().filter(|place| place.0.is_none() && is_own(place.at)) {
            flags.record.record = Some(place.clone());
        }
        let scopes = Scopes::of_route(&flags.limits, self.number(&pattern), is_own);
        let mut recipe = Recipe { command: route.command.clone(), flags, is_websocketd: line.is_websocketd, scopes };
        let has_program = has_program(&recipe);
        if let Some(start) = route.start {
            drop_inherited_framing(&mut recipe.flags, start);
        }
        drop_inherited(&mut recipe.flags, has_program, is_own);
        if !serves(&recipe) {
            let message = "cannot serve the route: it has no `command`, `dir`, `staticdir` or `cgidir`";
            let hint = "add a line such as command = [\"./counter\", \"10\"]";
            return Err(Error::new(message, hint).about(&route.path));
        }
        let admission = old.admission_of(&pattern).unwrap_or_else(|| self.admission.within(None));
        self.add(old, Some(pattern), recipe, admission)
    }

    /// Adds the site for paths without a route, and returns the limit of all programs.
    fn add_otherwise(
        &mut self,
        old: &Self,
        line: &CommandLine,
        file: &ConfigFile,
        flags: &Flags,
    ) -> Result<Option<usize>, Error> {
        let (command, flags) = (line.command.clone(), flags.site.clone());
        let scopes = Scopes::default();
        let mut recipe = Recipe { command, flags, is_websocketd: line.is_websocketd, scopes };
        if !self.sites.is_empty() {
            // The top of the file is for the routes. So is the command line, unless it names a program.
            let has_program = has_program(&recipe);
            drop_inherited(&mut recipe.flags, has_program, |at| at.is_none() && has_program);
        } else if !serves(&recipe) {
            return Err(file.nothing_to_serve());
        }
        // A new limit does not need a new site.
        let maxforks = recipe.flags.served.maxforks.take();
        self.add(old, None, recipe, self.admission.clone())?;
        Ok(maxforks.map_or(Some(FORKS_MAX), |limit| limit.count()))
    }

    fn add(
        &mut self,
        old: &Self,
        pattern: Option<Pattern>,
        mut recipe: Recipe,
        admission: Admission,
    ) -> Result<(), Error> {
        let access = access_lists(&mut recipe.flags.pages)?;
        let known = old.sites.iter().find(|built| built.pattern == pattern && built.recipe == recipe);
        let site = if let Some(built) = known {
            Arc::clone(&built.site)
        } else {
            let route = PRESENT.route(&pattern.as_ref().map_or_else(|| OTHER_PATHS.to_owned(), Pattern::to_string));
            let stores = (&self.budget, &self.compressors, self.bus.as_ref());
            let mut site = site(&recipe, admission, stores, &self.doors, &self.auth, &self.sources, route)?;
            let before = old.sites.iter().find(|built| built.pattern == pattern);
            if let (Some(new), Some(old)) = (&mut site.mcp, before.and_then(|built| built.site.mcp.as_ref())) {
                new.gateway.take_over(&old.gateway);
            }
            Arc::new(site)
        };
        self.sites.push(Built { pattern, recipe, site, access });
        Ok(())
    }

    /// Refuses `--auth=cert` if no client shows a certificate.
    fn check_certificates(&self, tls: &TlsFlags) -> Result<(), Error> {
        let kinds = || self.sites.iter().flat_map(|built| built.recipe.flags.auth.kinds());
        match kinds().find(|kind| kind.value == "cert") {
            Some(kind) if tls.sslca.as_ref().is_none_or(|file| file.is_empty()) => {
                let message = "cannot use --auth=cert without --sslca: no client shows a certificate";
                Err(Error::new(message, "add --sslca=FILE").about(kind))
            }
            _ => Ok(()),
        }
    }

    /// Refuses claims at the top of the file if no site has tokens with claims. The sites refuse those of their own.
    fn check_claims(&self, file: &ConfigFile) -> Result<(), Error> {
        let AuthFlags { jwt_aud, jwt_iss, .. } = &file.flags.site.auth;
        let mut kinds = self.sites.iter().flat_map(|built| built.recipe.flags.auth.kinds());
        let set = [("--jwt-aud", jwt_aud), ("--jwt-iss", jwt_iss)].into_iter().find(|(_, names)| names.is_some());
        match set.filter(|_| !kinds.any(|kind| kind.starts_with("jwt:"))) {
            Some((flag, names)) => {
                let message = format!("cannot use {flag} without --auth=jwt:FILE: no route has such tokens");
                Err(Error::new(message, "add --auth=jwt:FILE, or remove it").about(names))
            }
            None => Ok(()),
        }
    }

    /// Returns the number of a route: one at the same path keeps it.
    fn number(&mut self, pattern: &Pattern) -> u32 {
        let known = self.numbered.iter().position(|numbered| numbered == pattern);
        let index = known.unwrap_or_else(|| {
            self.numbered.push(pattern.clone());
            self.numbered.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }

    /// Lists the fork slots of routes and their paths.
    fn admissions(&self) -> impl Iterator<Item = (Pattern, Admission)> {
        let of_sites =
            self.sites.iter().filter_map(|built| Some((built.pattern.clone()?, built.site.launcher.admission.clone())));
        of_sites.chain(self.gone.iter().cloned())
    }

    /// Returns the fork slots of the route at this path. A route keeps them when its settings change.
    fn admission_of(&self, path: &Pattern) -> Option<Admission> {
        self.admissions().find_map(|(pattern, admission)| (pattern == *path).then_some(admission))
    }

    /// Returns the files that wsd never serves; an error if a site would serve programs as files.
    fn sources(&self) -> Result<Sources, Error> {
        let sources = Sources::of(self.sites.iter().map(|built| &*built.site), self.guards.clone());
        for files in self.sites.iter().filter_map(|built| built.site.files.as_ref()) {
            let real = fs::canonicalize(files.path());
            if let Some(programs) = real.ok().and_then(|real| sources.folder_of(&real)) {
                let (files, programs) = (files.path().display(), programs.display());
                let why = format!("it is inside `{programs}` of --dir or --cgidir, whose programs stay secret");
                let hint = "move the files to a folder without programs";
                return Err(Error::new(format!("cannot serve `{files}` of --staticdir: {why}"), hint));
            }
        }
        Ok(sources)
    }
}
