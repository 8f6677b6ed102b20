//! From flags to settings: everything checked, opened where it can be, and handed to the rooms that need it.

mod banner;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod places;
mod routes;
mod secrets;
mod site;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt,
    num::NonZero,
};

use tracing_subscriber::filter::LevelFilter;

use crate::{
    answer::routes::Routes,
    cli::{self, Flags},
    log,
    server::{listen, tls},
};
use file::File;
use routes::Plan;

/// What wsd is to do: the settings, each for the room that needs it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: listen::Options,
    /// The certificates, if TLS is to be spoken.
    pub(crate) tls: Option<tls::Options>,
    /// What to serve.
    pub(crate) routes: Routes,
    /// Makes other routes of the file, when that has changed.
    pub(crate) loader: Loader,
    /// The number of threads that serve; `None` is that of half the cores (`--threads`).
    pub(crate) threads: Option<NonZero<usize>>,
    /// What is logged, and where.
    pub(crate) log: log::Options,
    /// What is served, and to whom: for the reader at the terminal.
    pub(crate) banner: String,
    /// What must be said where there is no banner.
    pub(crate) warning: String,
    /// Whether standard output gets the ready URLs: not where it has the log.
    pub(crate) announces: bool,
    /// Whether that is all that is wanted.
    pub(crate) is_check: bool,
}

/// Settings that make no sense, and the way out.
#[derive(Debug)]
pub(crate) struct Error {
    message: String,
    hint: String,
}

impl Error {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// The same, and where it is so.
    fn at(&self, place: &str) -> Self {
        Self { message: format!("{place}{}", self.message), hint: self.hint.clone() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

/// Makes routes of the command line and the file, as often as that changes.
#[derive(Debug)]
pub(crate) struct Loader {
    command_line: Flags,
    plan: Plan,
    /// What the file said of the server itself when wsd started.
    of_server: BTreeMap<String, Vec<OsString>>,
}

impl Loader {
    /// Reads the file again and makes routes of it. If it is bad, nothing has changed.
    ///
    /// Shape: the routes, and the keys that are not what they were when wsd started and have no effect until it is
    /// started again.
    pub(crate) fn load(&mut self) -> Result<(Routes, Vec<String>), Error> {
        let file = read(&self.command_line)?;
        let flags = merge(&self.command_line, &file)?;
        check_places(&flags).map_err(|error| error.at(file.place_of(&error)))?;
        let routes = self.plan.build(&flags, &file).map_err(|error| error.at(file.place_of(&error)))?;
        let now = of_server(&file);
        let keys: BTreeSet<_> = now.keys().chain(self.of_server.keys()).collect();
        let changed = keys.into_iter().filter(|key| now.get(*key) != self.of_server.get(*key)).cloned();
        Ok((routes, changed.collect()))
    }

    /// Whether there is a file.
    pub(crate) fn has_file(&self) -> bool {
        self.command_line.config.is_some()
    }
}

/// Checks the flags of the command line, and the file that they name, and makes settings of them.
pub(crate) fn settings(command_line: Flags) -> Result<Settings, Error> {
    let file = read(&command_line)?;
    let flags = merge(&command_line, &file)?;
    let (level, tls, listen) = check_places(&flags).map_err(|error| error.at(file.place_of(&error)))?;
    let stream = if flags.is_websocketd { log::Stream::Output } else { log::Stream::Error };
    let mut plan = Plan::default();
    let routes = plan.build(&flags, &file).map_err(|error| error.at(file.place_of(&error)))?;
    let banner = banner::banner(&flags, &routes::tables(&flags, &file)?, &listen, &routes.otherwise.gate.origin);
    let warning = banner::warning(&flags, &routes.otherwise.gate.origin);
    Ok(Settings {
        listen,
        tls,
        routes,
        loader: Loader { command_line, plan, of_server: of_server(&file) },
        threads: flags.threads,
        log: log::Options { level, stream },
        banner,
        warning,
        announces: !flags.is_websocketd,
        is_check: flags.check,
    })
}

/// What does not change while wsd runs, and is checked all the same when the file is read again.
fn check_places(flags: &Flags) -> Result<(LevelFilter, Option<tls::Options>, listen::Options), Error> {
    Ok((log_level(&flags.loglevel)?, places::tls(flags)?, places::listen(flags)?))
}

/// What the file says, as far as the command line leaves it to the file.
fn read(flags: &Flags) -> Result<File, Error> {
    let mut file = flags.config.as_deref().map(file::read).transpose()?.unwrap_or_default();
    let is_on_command_line = |name: &str| flags.words.iter().any(|word| cli::name_of(word) == Some(name));
    file.settings.retain(|setting| !is_on_command_line(&setting.name));
    for route in &mut file.routes {
        route.settings.retain(|setting| !(cli::is_inherited(&setting.name) && is_on_command_line(&setting.name)));
    }
    Ok(file)
}

/// What the file says of the server itself, by key.
fn of_server(file: &File) -> BTreeMap<String, Vec<OsString>> {
    // The limit of what waits is for the whole server, and changes at once.
    let is_of_server = |name: &str| !cli::belongs_to_route(name) && name != "maxbuffer";
    let settings = file.settings.iter().filter(|setting| is_of_server(&setting.name));
    settings.map(|setting| (setting.name.clone(), setting.words.clone())).collect()
}

/// The flags of the file, and then those of the command line.
fn merged_words(flags: &Flags, file: &File) -> Vec<OsString> {
    file.settings.iter().flat_map(|setting| &setting.words).chain(&flags.words).cloned().collect()
}

/// The flags of the command line and the file together.
fn merge(command_line: &Flags, file: &File) -> Result<Flags, Error> {
    if file.settings.is_empty() {
        return Ok(command_line.clone());
    }
    let words = merged_words(command_line, file);
    let merged = cli::parse_words(&words).map_err(|why| Error::new(why, "see `wsd --help`"))?;
    Ok(Flags {
        command: command_line.command.clone(),
        is_websocketd: command_line.is_websocketd,
        words: command_line.words.clone(),
        ..merged
    })
}

/// websocketd's names, and `warn`. Its `info` hides the sessions, which nobody expects; here it shows them.
fn log_level(name: &str) -> Result<LevelFilter, Error> {
    match name {
        "debug" | "trace" => Ok(LevelFilter::DEBUG),
        "access" | "info" => Ok(LevelFilter::INFO),
        "warn" => Ok(LevelFilter::WARN),
        "error" => Ok(LevelFilter::ERROR),
        "fatal" | "none" => Ok(LevelFilter::OFF),
        _ => Err(Error::new(
            format!("--loglevel: there is no level `{name}`"),
            "it is one of debug, trace, access, info, warn, error, fatal, none",
        )),
    }
}
