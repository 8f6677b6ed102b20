//! Turns flags into settings: layers command line, file and defaults, checks them, and builds the options of each module.

mod auth;
pub(crate) mod banner;
mod bus;
mod command;
mod confine;
mod empty;
mod error;
mod exposure;
mod file;
mod framing;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod headers;
mod keys;
mod limits;
mod logging;
mod mcp;
mod metrics;
mod names;
mod needs;
mod origins;
mod peers;
mod places;
mod proxies;
mod quota;
mod record;
mod rooms;
mod routes;
mod secrets;
mod site;
mod terminal;
mod who;

use std::{collections::BTreeSet, num::NonZero};

use toml::Table;

use crate::{
    answer::routes::Routes,
    bus::handle::Bus,
    cli::{
        self, CommandLine,
        server::Flags,
        site::{PageFlags, SiteFlags},
        value::is_on,
    },
    http::proxies::Proxies,
    log::LogOptions,
    server::{listen::ListenOptions, tls::TlsOptions, watch::WatchPlace},
};
use banner::Banner;
use error::Error;
use exposure::Exposure;
use file::ConfigFile;
use metrics::MetricsPlace;
use routes::Plan;

/// The settings, one for each module that needs some.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The addresses and sockets to listen on.
    pub(crate) listen: ListenOptions,
    /// The place of its own for metrics and health (`--metrics`).
    pub(crate) watch: Option<WatchPlace>,
    /// The certificates; `None` without TLS.
    pub(crate) tls: Option<TlsOptions>,
    /// The proxies that wsd trusts.
    pub(crate) proxies: Proxies,
    /// The routes to serve.
    pub(crate) routes: Routes,
    /// The bus to the rooms of other nodes (`--bus`).
    pub(crate) bus: Option<Bus>,
    /// Builds new routes when the file has changed.
    pub(crate) loader: Loader,
    /// The number of threads that serve (`--threads`); `None` is one for every two cores.
    pub(crate) threads: Option<NonZero<usize>>,
    /// The level, the format and the place of the log.
    pub(crate) log: LogOptions,
    /// Lines for the terminal: the served programs and folders, and the clients that may connect.
    pub(crate) banner: Banner,
    /// Whether wsd prints the ready URLs on standard output; then the log is on standard error.
    pub(crate) announces: bool,
    /// Whether wsd only checks the settings, then exits.
    pub(crate) is_check: bool,
}

/// Builds routes from the command line and the file; builds them again when the file changes.
#[derive(Debug)]
pub(crate) struct Loader {
    command_line: CommandLine,
    plan: Plan,
    /// The top of the file when wsd started.
    top: Table,
    /// The path of the metrics (`--metrics=/path`), which changes only at a restart.
    metrics: Option<String>,
}

impl Loader {
    /// Reads the file again and builds its routes. After an error, the old routes stay.
    ///
    /// Returns the routes, and the changed keys that need a restart.
    pub(crate) fn load(&mut self) -> Result<(Routes, Vec<String>), Error> {
        let file = file::read(&self.command_line)?;
        let flags = self.command_line.over(file.flags.clone());
        server(&self.command_line, &file, &flags)?;
        let routes = Routes { metrics: self.metrics.clone(), ..self.plan.build(&self.command_line, &file, &flags)? };
        logging::check_place(&flags.log, &routes).map_err(|error| file.locate(error, 0))?;
        // Changes to `maxbuffer`, `compress-memory` and `base`, and to the keys that a route may have, take effect at once.
        let at_once =
            [cli::names::<SiteFlags>(), ["route", "maxbuffer", "compress-memory", "base"].map(str::to_owned).to_vec()]
                .concat();
        let differs = |key: &&String| file.top.get(*key) != self.top.get(*key) && !self.command_line.has(key);
        let keys: BTreeSet<_> = file.top.keys().chain(self.top.keys()).filter(|key| !at_once.contains(key)).collect();
        Ok((routes, keys.into_iter().filter(differs).cloned().collect()))
    }

    /// Whether there is a file: that of `--config`, or one of `--allow` or `--deny`.
    pub(crate) fn has_file(&self) -> bool {
        let PageFlags { allow, deny, .. } = self.command_line.over(PageFlags::default());
        self.command_line.run.config.is_some() || [allow, deny].iter().any(|list| peers::has_file(list.as_ref()))
    }
}

/// Checks the command line and its file, and builds the settings.
pub(crate) fn settings(line: CommandLine) -> Result<Settings, Error> {
    empty::check_line(&line)?;
    let file = file::read(&line)?;
    let flags = line.over(file.flags.clone());
    let ServerSettings { log, tls, listen, proxies, metrics, bus } = server(&line, &file, &flags)?;
    let (metrics, watch) = match metrics {
        Some(MetricsPlace::Path(path)) => (Some(path), None),
        Some(MetricsPlace::Own(place)) => (None, Some(place)),
        None => (None, None),
    };
    let mut plan = Plan::new(bus.clone());
    let routes = Routes { metrics: metrics.clone(), ..plan.build(&line, &file, &flags)? };
    logging::check_place(&flags.log, &routes).map_err(|error| file.locate(error, 0))?;
    let mut exposure = Exposure::of(&routes, tls.is_some(), &listen);
    if is_on(&line.run.check) && !exposure.errors.is_empty() {
        return Err(exposure.errors.remove(0));
    }
    let banner = banner::banner(&line, (&file, &flags), (&listen, &proxies), &routes, exposure.warnings());
    Ok(Settings {
        banner,
        listen,
        watch,
        tls,
        proxies,
        routes,
        log,
        bus,
        threads: flags.resources.threads.as_deref().copied(),
        announces: !line.is_websocketd,
        is_check: is_on(&line.run.check),
        loader: Loader { command_line: line, plan, top: file.top, metrics },
    })
}

/// The settings of the server itself. They change only at a restart.
struct ServerSettings {
    log: LogOptions,
    tls: Option<TlsOptions>,
    listen: ListenOptions,
    proxies: Proxies,
    metrics: Option<MetricsPlace>,
    bus: Option<Bus>,
}

/// Builds the settings of the server. `flags` are those of the command line over those of the file.
fn server(line: &CommandLine, file: &ConfigFile, flags: &Flags) -> Result<ServerSettings, Error> {
    let Flags { listen, tls, proxies, log, metrics, bus, .. } = flags;
    let build = || {
        let (proxies, listen) = (proxies::proxies(proxies)?, places::listen(listen, tls, line)?);
        let log = logging::options(log, line.is_websocketd);
        let metrics = metrics::place(metrics.metrics.as_ref())?;
        let bus = bus::bus(bus)?;
        Ok(ServerSettings { log, tls: places::tls(tls, line)?, listen, proxies, metrics, bus })
    };
    build().map_err(|error| file.locate(error, 0))
}
