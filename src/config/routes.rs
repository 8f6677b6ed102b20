//! The routes: those of the file, those of `--route`, and the site that answers everywhere else.

use std::sync::Arc;

use super::{
    Error,
    file::{File, Route},
    site::{Recipe, serves, site},
};
use crate::{
    admission::Admission,
    cli::{CommandLine, site::RoomFlags, site::ServedFlags, site::SharingWord, site::SiteFlags, value::Flag},
    http::{
        Site,
        routes::{Pattern, Routes},
        sources::Sources,
    },
    limits::FORKS_MAX,
};

/// The sites that are built, to be built again from other settings.
#[derive(Debug)]
pub(crate) struct Plan {
    admission: Admission,
    sites: Vec<Built>,
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
        Self { admission: Admission::new(None), sites: Vec::new() }
    }
}

impl Plan {
    /// Makes routes of the command line and the file. A site whose recipe has not changed stays, and so do its rooms.
    pub(super) fn build(&mut self, line: &CommandLine, file: &File) -> Result<Routes, Error> {
        let mut next = Self { admission: self.admission.clone(), sites: Vec::new() };
        for route in routes(line, file) {
            next.add_route(self, line, &route).map_err(|error| match route.start {
                None if error.about.is_empty() => Error { message: format!("--route: {}", error.message), ..error },
                start => file.locate(error, start.unwrap_or_default()),
            })?;
        }
        let limit = next.add_otherwise(self, line, file).map_err(|error| file.locate(error, 0))?;
        let sources = next.sources()?;
        // From here on nothing can go wrong.
        next.admission.resize(limit);
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
        let admission = self.admission.within(recipe.flags.served.maxforks.as_deref().and_then(|limit| limit.0));
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
            None => Arc::new(site(&recipe, admission)?),
        };
        self.sites.push(Built { pattern, recipe, site });
        Ok(())
    }

    /// Returns the programs of all sites; an error if one serves some of them as files.
    fn sources(&self) -> Result<Sources, Error> {
        let sources = Sources::of(self.sites.iter().map(|built| &*built.site));
        for files in self.sites.iter().filter_map(|built| built.site.files.as_ref()) {
            if let Some(programs) = sources.folder_of(files.path()) {
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
