//! The routes: those of the file, those of `--route`, and the site that answers everywhere else.

use std::{fs, path::Path, sync::Arc};

use super::{
    error::Error,
    file::{File, Route},
    secrets,
    site::{Recipe, serves, site},
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
    cli::{
        CommandLine,
        server::Flags,
        site::{RoomFlags, ServedFlags, SharingWord, SiteFlags},
        value::Flag,
    },
    limits::{BUFFER_BYTES_MAX, FORKS_MAX},
};

/// The sites that are built, to be built again from other settings.
#[derive(Debug)]
pub(crate) struct Plan {
    admission: Admission,
    budget: Budget,
    sites: Vec<Built>,
    /// The files that are never served.
    guards: Vec<Arc<Guard>>,
    /// The fork slots of routes that are gone, as long as workers hold some: a route at the same path has them again.
    gone: Vec<(Pattern, Admission)>,
}

/// A site, and what it was made of.
#[derive(Clone, Debug)]
struct Built {
    pattern: Option<Pattern>,
    recipe: Recipe,
    site: Arc<Site>,
}

impl Default for Plan {
    fn default() -> Self {
        let admission = Admission::new(None);
        Self { admission, budget: Budget::new(None), sites: Vec::new(), guards: Vec::new(), gone: Vec::new() }
    }
}

impl Plan {
    /// Makes routes of the command line and the file. A site whose recipe has not changed stays, and so do its rooms.
    pub(super) fn build(&mut self, line: &CommandLine, file: &File) -> Result<Routes, Error> {
        let mut next = Self { admission: self.admission.clone(), budget: self.budget.clone(), ..Self::default() };
        for route in routes(line, file) {
            next.add_route(self, line, &route).map_err(|error| match route.start {
                None if error.about.is_empty() => Error { message: format!("--route: {}", error.message), ..error },
                start => file.locate(error, start.unwrap_or_default()),
            })?;
        }
        let limit = next.add_otherwise(self, line, file).map_err(|error| file.locate(error, 0))?;
        let Flags { tls, resources, .. } = line.over(file.flags.clone());
        let config = line.run.config.as_deref();
        let key = tls.sslkey.as_deref().filter(|key| !key.is_empty()).map(Path::new);
        next.guards = secrets::guards(&self.guards, config, key, next.sites.iter().map(|built| &*built.site));
        let sources = next.sources()?;
        // From here on nothing can go wrong.
        next.admission.resize(limit);
        let bytes_max = resources.maxbuffer.map_or(BUFFER_BYTES_MAX, |bytes| bytes.value);
        next.budget.resize(Some(bytes_max).filter(|bytes| *bytes > 0));
        for built in next.sites.iter().filter(|built| built.pattern.is_some()) {
            let limit = built.recipe.flags.served.maxforks.as_deref();
            built.site.launcher.admission.resize(limit.and_then(|limit| limit.0));
        }
        let of_old = self.admissions().filter(|(pattern, _)| next.admission_of(pattern).is_none());
        next.gone = of_old.filter(|(_, admission)| !admission.is_idle()).collect();
        for gone in self.sites.iter().filter(|old| !next.sites.iter().any(|new| Arc::ptr_eq(&new.site, &old.site))) {
            if let Some(rooms) = &gone.site.rooms {
                rooms.retire();
            }
        }
        *self = next;
        let table = self.sites.iter().filter_map(|built| Some((built.pattern.clone()?, Arc::clone(&built.site))));
        let otherwise = self.sites.last().map(|built| Arc::clone(&built.site)).expect("there is always one");
        Ok(Routes { table: table.collect(), otherwise, sources: Arc::new(sources) })
    }

    fn add_route(&mut self, old: &Self, line: &CommandLine, route: &Route) -> Result<(), Error> {
        let path = &*route.path;
        let pattern = Pattern::parse(path).map_err(|why| {
            let hint = "write a path as in /chat, or /tools/* for all that is below it";
            Error::new(format!("invalid path `{path}`: {why}"), hint).about(&route.path)
        })?;
        if self.sites.iter().any(|built| built.pattern.as_ref() == Some(&pattern)) {
            let message = format!("path `{path}` comes twice");
            return Err(Error::new(message, "give each route a path of its own").about(&route.path));
        }
        // The command line overrides the file, but for what the route serves.
        let mut flags = SiteFlags { served: route.flags.served.clone(), ..line.over(route.flags.clone()) };
        drop_inherited(&mut flags.rooms, |at| route.start.is_some_and(|start| at >= Some(start)));
        let recipe = Recipe { command: route.command.clone(), flags, is_websocketd: line.is_websocketd };
        if !serves(&recipe) {
            let message = "nothing to serve: the route has no `command`, `dir`, `staticdir` or `cgidir`";
            let hint = "add a line such as command = [\"./counter\", \"10\"]";
            return Err(Error::new(message, hint).about(&route.path));
        }
        let admission = old.admission_of(&pattern).unwrap_or_else(|| self.admission.within(None));
        self.add(old, Some(pattern), recipe, admission)
    }

    /// Adds the site that answers where no route does, and returns the limit of all programs.
    fn add_otherwise(&mut self, old: &Self, line: &CommandLine, file: &File) -> Result<Option<usize>, Error> {
        let (command, flags) = (line.command.clone(), line.over(file.flags.site.clone()));
        let mut recipe = Recipe { command, flags, is_websocketd: line.is_websocketd };
        if !self.sites.is_empty() {
            // The top of the file is for the routes, and the command line, too, unless it has a program.
            let has_program = recipe.command.is_some() || recipe.flags.served.dir.is_some();
            drop_inherited(&mut recipe.flags.rooms, |at| at.is_none() && has_program);
        } else if !serves(&recipe) {
            let message = "nothing to serve: no COMMAND, no --dir, no --staticdir, no --cgidir";
            return Err(Error::new(message, "try `wsd --port=8080 cat`, and `wsd --help` for more"));
        }
        // The limit may change without another site.
        let maxforks = recipe.flags.served.maxforks.take();
        self.add(old, None, recipe, self.admission.clone())?;
        Ok(maxforks.map_or(Some(FORKS_MAX), |limit| limit.value.0))
    }

    fn add(&mut self, old: &Self, pattern: Option<Pattern>, recipe: Recipe, admission: Admission) -> Result<(), Error> {
        let site = match old.sites.iter().find(|built| built.pattern == pattern && built.recipe == recipe) {
            Some(built) => Arc::clone(&built.site),
            None => Arc::new(site(&recipe, admission, &self.budget)?),
        };
        self.sites.push(Built { pattern, recipe, site });
        Ok(())
    }

    /// Lists the fork slots of routes, by their paths.
    fn admissions(&self) -> impl Iterator<Item = (Pattern, Admission)> {
        let of_sites =
            self.sites.iter().filter_map(|built| Some((built.pattern.clone()?, built.site.launcher.admission.clone())));
        of_sites.chain(self.gone.iter().cloned())
    }

    /// Returns the fork slots of the route at this path: it keeps them when it changes.
    fn admission_of(&self, path: &Pattern) -> Option<Admission> {
        self.admissions().find_map(|(pattern, admission)| (pattern == *path).then_some(admission))
    }

    /// Returns the files that are never served; an error if a site serves programs as files.
    fn sources(&self) -> Result<Sources, Error> {
        let sources = Sources::of(self.sites.iter().map(|built| &*built.site), self.guards.clone());
        for files in self.sites.iter().filter_map(|built| built.site.files.as_ref()) {
            let real = fs::canonicalize(files.path());
            if let Some(programs) = real.ok().and_then(|real| sources.folder_of(&real)) {
                let (files, programs) = (files.path().display(), programs.display());
                let why = format!("it lies in `{programs}` of --dir or --cgidir, whose text is secret");
                let hint = "keep programs and files in folders of their own";
                return Err(Error::new(format!("cannot serve `{files}` of --staticdir: {why}"), hint));
            }
        }
        Ok(sources)
    }
}

/// Lists the routes of the file, and those of the command line, which replace them.
pub(super) fn routes(line: &CommandLine, file: &File) -> Vec<Route> {
    let is_replaced = |route: &&Route| line.run.route.iter().any(|own| own.0 == *route.path);
    let own = line.run.route.iter().map(|own| Route {
        start: None,
        path: Flag { value: own.0.clone(), at: None },
        command: Some(Flag { value: own.1.clone(), at: None }),
        flags: SiteFlags { served: ServedFlags::default(), ..file.flags.site.clone() },
    });
    file.routes.iter().filter(|route| !is_replaced(route)).cloned().chain(own).collect()
}

/// Drops `--eager` and `--history` where they have no effect, if they were inherited. An own one is an error.
fn drop_inherited(rooms: &mut RoomFlags, is_own: impl Fn(Option<usize>) -> bool) {
    let sharing = rooms.sharing();
    rooms.eager.take_if(|flag| sharing != SharingWord::All && !is_own(flag.at));
    rooms.history.take_if(|flag| sharing == SharingWord::Off && !is_own(flag.at));
}
