//! The settings of the log.

use std::{fs, path::Path};

use tracing_subscriber::filter::LevelFilter;

use super::error::Error;
use crate::{
    answer::routes::Routes,
    cli::server::{LevelWord, LogFlags, LogFormatWord},
    http::path::Root,
    log::{LogFormat, LogOptions, LogTarget},
};

/// Returns the options of the log.
pub(super) fn options(flags: &LogFlags, is_websocketd: bool) -> LogOptions {
    let level = match flags.loglevel.as_deref() {
        Some(LevelWord::Trace) => LevelFilter::TRACE,
        Some(LevelWord::Debug) => LevelFilter::DEBUG,
        Some(LevelWord::Info) | None => LevelFilter::INFO,
        Some(LevelWord::Warn) => LevelFilter::WARN,
        Some(LevelWord::Error) => LevelFilter::ERROR,
        Some(LevelWord::Off) => LevelFilter::OFF,
    };
    let format = match flags.logformat.as_deref() {
        Some(LogFormatWord::Json) => LogFormat::Json,
        Some(LogFormatWord::Text) | None => LogFormat::Text,
    };
    let target = match file(flags) {
        Some(path) => LogTarget::File(path.to_owned()),
        None if is_websocketd => LogTarget::Output,
        None => LogTarget::Error,
    };
    LogOptions { level, format, target }
}

/// Refuses a file of the log in a folder of `--staticdir`: whoever may read the files there could read the log.
pub(super) fn check_place(flags: &LogFlags, routes: &Routes) -> Result<(), Error> {
    let Some(path) = file(flags) else { return Ok(()) };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(place) = fs::canonicalize(path).or_else(|_| fs::canonicalize(parent)) else { return Ok(()) };
    let folders = routes.sites().filter_map(|site| site.files.as_ref());
    let served =
        folders.map(Root::path).find(|folder| fs::canonicalize(folder).is_ok_and(|folder| place.starts_with(folder)));
    served.map_or(Ok(()), |folder| {
        let (path, folder) = (path.display(), folder.display());
        let message = format!("cannot write the log to `{path}`: clients can read the files of --staticdir `{folder}`");
        Err(Error::new(message, "name a file elsewhere with --logfile").about(&flags.logfile))
    })
}

/// Returns the file of the log.
fn file(flags: &LogFlags) -> Option<&Path> {
    flags.logfile.as_deref().map(Path::new)
}
