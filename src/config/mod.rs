//! From flags to settings: everything checked, opened where it can be, and handed to the rooms that need it.

mod banner;

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    net::IpAddr,
    path::Path,
    time::Duration,
};

use tracing_subscriber::filter::LevelFilter;

use crate::{
    admission::Admission,
    cli::Flags,
    framing::Framing,
    http::{
        Files, Site,
        origin::{Entry, Policy},
        path::Root,
        scripts::Scripts,
    },
    limits::PORT,
    server::listen,
    session,
    worker::{
        environ,
        program::{Program, locate},
    },
};

/// What wsd is to do: the settings, each for the room that needs it.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: listen::Options,
    /// What to serve.
    pub(crate) site: Site,
    /// How much to log.
    pub(crate) log_level: LevelFilter,
    /// What is served, and to whom: for the reader at the terminal.
    pub(crate) banner: String,
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
    let log_level = log_level(&flags.loglevel)?;
    let listen = listen::Options { addresses: addresses(&flags.address)?, port: flags.port.unwrap_or(PORT) };
    let (scripts, files) = served(flags)?;
    let site = Site {
        scripts,
        files,
        origin: origin(flags)?,
        admission: Admission::new(usize::try_from(flags.maxforks).ok().filter(|&limit| limit > 0)),
        session: session_options(flags),
        environ: environ::Options {
            software: format!("wsd/{}", environ::VERSION),
            inherited: inherited(flags.passenv.as_deref()),
        },
    };
    let banner = banner::banner(flags, &listen, &site.origin);
    Ok(Settings { listen, site, log_level, banner })
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

fn addresses(texts: &[String]) -> Result<Option<Vec<IpAddr>>, Error> {
    let parse = |text: &String| {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map_err(|_| {
            Error::new(
                format!("--address: `{text}` is no IP address"),
                "name an address of this machine, such as --address=127.0.0.1, or --address=0.0.0.0 for all",
            )
        })
    };
    let addresses = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(addresses).filter(|addresses| !addresses.is_empty()))
}

/// What is served: programs, files, or both.
fn served(flags: &Flags) -> Result<(Option<Scripts>, Option<Files>), Error> {
    let dir =
        flags.dir.as_deref().map(|dir| root("--dir", dir, "did you mean COMMAND? Leave out --dir=")).transpose()?;
    let staticdir =
        flags.staticdir.as_deref().map(|dir| root("--staticdir", dir, "name the folder of the files")).transpose()?;
    if let (Some(dir), Some(staticdir)) = (&dir, &staticdir)
        && dir.contains(staticdir.path())
    {
        return Err(Error::new(
            "--staticdir lies within --dir: the text of the programs would be served",
            "keep programs and files in folders of their own",
        ));
    }
    let scripts = match (flags.command.split_first(), &dir) {
        (None, None) if staticdir.is_none() => {
            return Err(Error::new(
                "nothing to serve: no COMMAND, no --dir, no --staticdir",
                "try `wsd --port=8080 cat`, and `wsd --help` for more",
            ));
        }
        (None, None) => None,
        (None, Some(dir)) => Some(Scripts::Dir(dir.clone())),
        (Some((name, args)), None) => Some(Scripts::Command(command(name, args)?)),
        (Some((name, _)), Some(_)) => {
            return Err(Error::new(
                format!("both COMMAND (`{}`) and --dir are given", name.display()),
                "give one of them; flags must stand before COMMAND",
            ));
        }
    };
    let files = staticdir.map(|staticdir| Files::new(staticdir, dir.into_iter().collect()));
    Ok((scripts, files))
}

fn command(name: &OsStr, args: &[OsString]) -> Result<Program, Error> {
    let path = locate(name).ok_or_else(|| {
        let hint = if name.as_encoded_bytes().starts_with(b"-") {
            "flags must stand before COMMAND"
        } else if Path::new(name).is_file() {
            "a file in this folder is named with its path, as in ./counter, and must be executable: chmod +x"
        } else {
            "give the path of an executable file, or a name that `command -v` finds"
        };
        Error::new(format!("cannot find COMMAND `{}`", name.display()), hint)
    })?;
    Ok(Program { path, args: args.to_vec() })
}

fn root(flag: &str, path: &OsStr, hint: &str) -> Result<Root, Error> {
    Root::open(Path::new(path))
        .map_err(|cause| Error::new(format!("{flag}: cannot open the folder `{}`: {cause}", path.display()), hint))
}

fn origin(flags: &Flags) -> Result<Policy, Error> {
    match (&flags.origin, flags.sameorigin, flags.anyorigin) {
        (Some(_), _, true) => Err(Error::new("--anyorigin and --origin contradict each other", "give one of them")),
        (None, true, true) => Err(Error::new("--anyorigin and --sameorigin contradict each other", "give one of them")),
        (None, false, true) => Ok(Policy::Any),
        (None, true, false) => Ok(Policy::Sameorigin),
        (None, false, false) => Ok(Policy::Same),
        (Some(list), sameorigin, false) => {
            let parse = |text: &str| {
                Entry::parse(text).map_err(|why| {
                    Error::new(
                        format!("--origin: `{text}` can never match: {why}"),
                        "an entry is [scheme://]host[:port], as in --origin=https://example.com,localhost:8080",
                    )
                })
            };
            let entries = list.split(',').map(parse).collect::<Result<_, _>>()?;
            Ok(Policy::Listed { entries, sameorigin })
        }
    }
}

fn session_options(flags: &Flags) -> session::Options {
    session::Options {
        framing: if flags.binary { Framing::Chunks } else { Framing::Lines },
        message_bytes_max: match flags.maxframesize {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        },
        ping_interval: (flags.pingms > 0).then(|| Duration::from_millis(flags.pingms)),
        patience: Duration::from_millis(flags.closems),
    }
}

/// The variables that workers inherit, with the values of now. `HTTPS` never: it would say what is not so.
fn inherited(names: Option<&str>) -> Vec<(OsString, OsString)> {
    const DEFAULT: &str = if cfg!(target_os = "macos") { "PATH,DYLD_LIBRARY_PATH" } else { "PATH,LD_LIBRARY_PATH" };
    names
        .unwrap_or(DEFAULT)
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "HTTPS")
        .filter_map(|name| env::var_os(name).filter(|value| !value.is_empty()).map(|value| (name.into(), value)))
        .collect()
}
