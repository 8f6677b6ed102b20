//! The routes: those of the file, those of `--route`, and what is served everywhere else.

use std::{ffi::OsString, fs, sync::Arc};

use super::{
    Error,
    file::{self, File},
    secrets, site,
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
    cli::{self, Flags},
};

/// What has been built, to be built again from other settings.
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

/// A site, and what made it.
#[derive(Clone, Debug)]
struct Built {
    pattern: Option<Pattern>,
    flags: Flags,
    site: Arc<Site>,
}

impl Default for Plan {
    fn default() -> Self {
        let admission = Admission::new(None);
        Self { admission, budget: Budget::new(None), sites: Vec::new(), guards: Vec::new(), gone: Vec::new() }
    }
}

impl Plan {
    /// Makes routes of the flags and the file. A site that nothing has changed for stays what it is: its rooms go on.
    pub(super) fn build(&mut self, flags: &Flags, file: &File) -> Result<Routes, Error> {
        let mut next = Self { admission: self.admission.clone(), budget: self.budget.clone(), ..Self::default() };
        for table in tables(flags, file)? {
            let pattern = Pattern::parse(&table.path).map_err(|why| {
                let hint = "write a path as in /chat, or /tools/* for all that is below it";
                Error::new(format!("{}path `{}`: {why}", table.place, table.path), hint)
            })?;
            if next.sites.iter().any(|built| built.pattern.as_ref() == Some(&pattern)) {
                let message = format!("{}path `{}` comes twice", table.place, table.path);
                return Err(Error::new(message, "give each route a path of its own"));
            }
            let own = of_route(flags, file, &table)?;
            let admission = self.admission_of(&pattern).unwrap_or_else(|| self.admission.within(None));
            next.add(self, Some(pattern), own, admission).map_err(|error| error.at(table.place_of(file, &error)))?;
        }
        let has_routes = !next.sites.is_empty();
        let own_of_rooms = of_rooms(|name| {
            let is_on_command_line = flags.words.iter().any(|word| cli::name_of(word) == Some(name));
            // With routes the top of the file is for them, and what has no program has no rooms.
            if has_routes { is_on_command_line && (!flags.command.is_empty() || flags.dir.is_some()) } else { true }
        });
        let otherwise = Flags { words: Vec::new(), has_routes, own_of_rooms, maxforks: 0, ..flags.clone() };
        next.add(self, None, otherwise, next.admission.clone())?;
        next.guards = secrets::guards(&self.guards, next.sites.iter().map(|built| (&built.flags, &*built.site)));
        let sources = next.sources()?;
        // From here on nothing can go wrong.
        next.admission.resize(site::limit(flags.maxforks));
        next.budget.resize(site::buffer_limit(flags));
        for built in next.sites.iter().filter(|built| built.pattern.is_some()) {
            built.site.launcher.admission.resize(built.flags.maxforks_of_route);
        }
        let of_old = self.admissions().filter(|(pattern, _)| next.admission_of(pattern).is_none());
        next.gone = of_old.filter(|(_, admission)| !admission.is_idle()).collect();
        for gone in self.sites.iter().filter(|old| !next.sites.iter().any(|new| Arc::ptr_eq(&new.site, &old.site))) {
            if let Some(rooms) = &gone.site.rooms {
                rooms.retire();
            }
        }
        *self = next;
        Ok(self.routes(sources))
    }

    fn add(
        &mut self,
        before: &Self,
        pattern: Option<Pattern>,
        flags: Flags,
        admission: Admission,
    ) -> Result<(), Error> {
        let same = before.sites.iter().find(|built| built.pattern == pattern && built.flags == flags);
        let site = match same {
            Some(built) => Arc::clone(&built.site),
            None => Arc::new(site::site(&flags, admission, &self.budget)?),
        };
        self.sites.push(Built { pattern, flags, site });
        Ok(())
    }

    /// The fork slots of routes, by their paths.
    fn admissions(&self) -> impl Iterator<Item = (Pattern, Admission)> {
        let of_sites =
            self.sites.iter().filter_map(|built| Some((built.pattern.clone()?, built.site.launcher.admission.clone())));
        of_sites.chain(self.gone.iter().cloned())
    }

    /// The fork slots of the route at this path, which a change of the route leaves to it.
    fn admission_of(&self, path: &Pattern) -> Option<Admission> {
        self.admissions().find_map(|(pattern, admission)| (pattern == *path).then_some(admission))
    }

    /// What is never served; an error if the files of any would be some of them.
    fn sources(&self) -> Result<Sources, Error> {
        let sources = Sources::of(self.sites.iter().map(|built| &*built.site), self.guards.clone());
        for files in self.sites.iter().filter_map(|built| built.site.files.as_ref()) {
            let real = fs::canonicalize(files.path());
            if let Some(programs) = real.ok().and_then(|real| sources.folder_of(&real)) {
                let (files, programs) = (files.path().display(), programs.display());
                return Err(Error::new(
                    format!(
                        "`{files}` of --staticdir lies within `{programs}` of --dir or --cgidir, whose text is secret"
                    ),
                    "keep programs and files in folders of their own",
                ));
            }
        }
        Ok(sources)
    }

    fn routes(&self, sources: Sources) -> Routes {
        let table = self.sites.iter().filter_map(|built| Some((built.pattern.clone()?, Arc::clone(&built.site))));
        let otherwise = self.sites.last().map(|built| Arc::clone(&built.site)).expect("there is always one");
        Routes { table: table.collect(), otherwise, sources: Arc::new(sources) }
    }
}

/// The routes of the file, and those of the command line, which win.
pub(super) fn tables(flags: &Flags, file: &File) -> Result<Vec<file::Route>, Error> {
    let on_command_line = of_flags(flags)?;
    let is_replaced = |table: &&file::Route| on_command_line.iter().any(|own| own.path == table.path);
    let of_file: Vec<_> = file.routes.iter().filter(|table| !is_replaced(table)).cloned().collect();
    Ok([of_file, on_command_line].concat())
}

/// The routes of `--route=/path=COMMAND ARGS`.
fn of_flags(flags: &Flags) -> Result<Vec<file::Route>, Error> {
    let parse = |text: &String| {
        let (path, command) = text.split_once('=').unwrap_or((text, ""));
        let command: Vec<OsString> = command.split_whitespace().map(Into::into).collect();
        if command.is_empty() {
            return Err(Error::new(
                format!("--route: `{text}` has no command"),
                "write a path and a command, as in --route='/count=./counter 10'",
            ));
        }
        if text.contains(['\'', '"']) {
            return Err(Error::new(
                format!("--route: `{text}` has quotes, which mean nothing here: words end at blanks"),
                "a file for --config has lists: command = [\"sh\", \"-c\", \"…\"]",
            ));
        }
        Ok(file::Route {
            place: "--route: ".to_owned(),
            path: path.to_owned(),
            command,
            command_place: String::new(),
            settings: Vec::new(),
        })
    };
    flags.route.iter().map(parse).collect()
}

/// The flags of a route: those that it takes over from the command line and the top of the file, and its own.
fn of_route(flags: &Flags, file: &File, table: &file::Route) -> Result<Flags, Error> {
    let is_own = |name: &str| table.settings.iter().any(|setting| setting.name == name);
    let mut words = Vec::new();
    for word in super::merged_words(flags, file) {
        if cli::name_of(&word).is_some_and(|name| cli::is_inherited(name) && !is_own(name)) {
            words.push(word);
        }
    }
    let own: Vec<_> = table.settings.iter().flat_map(|setting| setting.words.iter().cloned()).collect();
    let parse = |words: &[OsString]| {
        cli::parse_words(words).map_err(|why| Error::new(format!("{}{why}", table.place), "see `wsd --help`"))
    };
    words.extend(own.iter().cloned());
    let mut route = parse(&words)?;
    route.maxforks_of_route = if is_own("maxforks") { site::limit(parse(&own)?.maxforks) } else { None };
    route.own_of_rooms = of_rooms(is_own);
    route.command.clone_from(&table.command);
    route.is_websocketd = flags.is_websocketd;
    Ok(route)
}

/// Those of `eager` and `history` of which this is so.
fn of_rooms(is_so: impl Fn(&str) -> bool) -> Vec<&'static str> {
    ["eager", "history"].into_iter().filter(|name| is_so(name)).collect()
}
