//! From flags to settings: everything checked, opened where it can be, and handed to the rooms that need it.

mod banner;
mod places;
mod site;

use std::fmt;

use tracing_subscriber::filter::LevelFilter;

use crate::{
    cli::Flags,
    http::Site,
    log,
    server::{listen, tls},
};

/// What wsd is to do: the settings, each for the room that needs it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: listen::Options,
    /// The certificates, if TLS is to be spoken.
    pub(crate) tls: Option<tls::Options>,
    /// What to serve.
    pub(crate) site: Site,
    /// What is logged, and where.
    pub(crate) log: log::Options,
    /// What is served, and to whom: for the reader at the terminal.
    pub(crate) banner: String,
    /// Whether standard output gets the ready URLs: not where it has the log.
    pub(crate) announces: bool,
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

/// Checks `flags` and makes settings of them.
pub(crate) fn settings(flags: &Flags) -> Result<Settings, Error> {
    let level = log_level(&flags.loglevel)?;
    let stream = if flags.is_websocketd { log::Stream::Output } else { log::Stream::Error };
    let tls = places::tls(flags)?;
    let listen = places::listen(flags)?;
    let site = site::site(flags)?;
    let banner = banner::banner(flags, &listen, &site.origin);
    Ok(Settings { listen, tls, site, log: log::Options { level, stream }, banner, announces: !flags.is_websocketd })
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
