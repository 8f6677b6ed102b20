//! From flags to settings: layers command line, file and defaults, checks them, and builds what each room needs.

mod banner;
mod error;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod places;
mod routes;
mod secrets;
mod site;

use std::{collections::BTreeSet, num::NonZero};

use toml::Table;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    answer::routes::Routes,
    cli::{self, CommandLine, server::Flags, server::LevelWord, site::SiteFlags, value::is_on},
    log,
    server::{listen, tls},
};
use error::Error;
use file::File;
use routes::Plan;

/// The settings, each for the room that needs it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: listen::Options,
    /// The certificates, if wsd is to speak TLS.
    pub(crate) tls: Option<tls::Options>,
    /// What to serve.
    pub(crate) routes: Routes,
    /// Makes new routes when the file has changed.
    pub(crate) loader: Loader,
    /// The number of threads that serve (`--threads`); `None` is one for every two cores.
    pub(crate) threads: Option<NonZero<usize>>,
    /// What to log, and where.
    pub(crate) log: log::Options,
    /// Tells the reader at the terminal what is served, and to whom.
    pub(crate) banner: String,
    /// Warns where there is no banner; may be empty.
    pub(crate) warning: String,
    /// Whether to print the ready URLs on standard output, which has no log then.
    pub(crate) announces: bool,
    /// Whether to check the settings only.
    pub(crate) is_check: bool,
}

/// Makes routes of the command line and the file, as often as the file changes.
#[derive(Debug)]
pub(crate) struct Loader {
    command_line: CommandLine,
    plan: Plan,
    /// The top of the file when wsd started.
    top: Table,
}

impl Loader {
    /// Reads the file again and makes routes of it. After an error nothing has changed.
    ///
    /// Returns the routes, and the keys that differ from those at the start but need a restart.
    pub(crate) fn load(&mut self) -> Result<(Routes, Vec<String>), Error> {
        let file = file::read(&self.command_line)?;
        server(&self.command_line, &file)?;
        let routes = self.plan.build(&self.command_line, &file)?;
        // The limit of all that waits has changed at once, like what a route may have.
        let at_once = [cli::names::<SiteFlags>(), ["route", "maxbuffer"].map(str::to_owned).to_vec()].concat();
        let differs = |key: &&String| file.top.get(*key) != self.top.get(*key) && !self.command_line.has(key);
        let keys: BTreeSet<_> = file.top.keys().chain(self.top.keys()).filter(|key| !at_once.contains(key)).collect();
        Ok((routes, keys.into_iter().filter(differs).cloned().collect()))
    }

    /// Whether there is a file.
    pub(crate) fn has_file(&self) -> bool {
        self.command_line.run.config.is_some()
    }
}

/// Checks the command line and its file, and makes settings of them.
pub(crate) fn settings(line: CommandLine) -> Result<Settings, Error> {
    let file = file::read(&line)?;
    let (level, tls, listen) = server(&line, &file)?;
    let mut plan = Plan::default();
    let routes = plan.build(&line, &file)?;
    let (banner, warning) = banner::banner(&line, &file, &listen, &routes.otherwise.gate.origin);
    Ok(Settings {
        banner,
        warning,
        listen,
        tls,
        routes,
        log: log::Options { level, stream: if line.is_websocketd { log::Stream::Output } else { log::Stream::Error } },
        threads: line.over(file.flags.resources).threads.map(|threads| threads.value.0),
        announces: !line.is_websocketd,
        is_check: is_on(&line.run.check),
        loader: Loader { command_line: line, plan, top: file.top },
    })
}

/// Makes the settings of the server itself, which need a restart to change.
fn server(line: &CommandLine, file: &File) -> Result<(LevelFilter, Option<tls::Options>, listen::Options), Error> {
    let Flags { listen, tls, log, .. } = line.over(file.flags.clone());
    let level = match log.loglevel.as_deref() {
        Some(LevelWord::Debug) => LevelFilter::DEBUG,
        Some(LevelWord::Info) | None => LevelFilter::INFO,
        Some(LevelWord::Warn) => LevelFilter::WARN,
        Some(LevelWord::Error) => LevelFilter::ERROR,
        Some(LevelWord::Off) => LevelFilter::OFF,
    };
    let places = || Ok((places::tls(&tls)?, places::listen(&listen, &tls, line)?));
    places().map(|(tls, listen)| (level, tls, listen)).map_err(|error| file.locate(error, 0))
}
