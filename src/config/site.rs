//! The flags that say what is served, to whom, and how.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    sync::Arc,
    time::Duration,
};

use super::Error;
use crate::{
    admission::Admission,
    answer::{cgi::folder::Cgi, launch::Launcher, lookup::Lookup, scripts::Scripts, site::Site},
    budget::Budget,
    cli::Flags,
    framing::Framing,
    http::{
        gate::Gate,
        handshake::is_token,
        headers::{self, Headers},
        origin::{Entry, Policy},
        path::Root,
    },
    limits::OWN_HEADERS_MAX,
    room::{
        RoomOptions, Slow,
        registry::{Rooms, Sharing},
    },
    socket::SocketOptions,
    worker::{
        environ,
        process::ProcessOptions,
        program::{Program, locate},
        variable::Variable,
    },
};

/// Checks what is to be served and opens it; `admission` limits its workers, `budget` what waits for them and their clients.
pub(super) fn site(flags: &Flags, admission: Admission, budget: &Budget) -> Result<Site, Error> {
    let (scripts, cgi, files) = served(flags)?;
    let process = ProcessOptions {
        framing: framing(flags)?,
        patience: Duration::from_millis(flags.closems),
        budget: budget.clone(),
    };
    let rooms = rooms(flags, scripts.as_ref(), &process)?;
    Ok(Site {
        is_eager: flags.eager && rooms.as_ref().is_some_and(|rooms| rooms.sharing == Sharing::All),
        rooms,
        scripts,
        cgi,
        files,
        has_console: flags.devconsole,
        gate: Gate { origin: origin(flags)? },
        subprotocols: subprotocols(flags)?,
        headers: own_headers(flags)?,
        socket: socket_options(flags)?,
        launcher: Launcher {
            admission,
            process,
            environ: environ::EnvironOptions {
                software: format!("{}/{}", if flags.is_websocketd { "websocketd" } else { "wsd" }, environ::VERSION),
                inherited: inherited(flags.passenv.as_deref()),
            },
            lookup: flags.reverselookup.then(Lookup::new),
        },
    })
}

/// Programs, scripts, files.
type Served = (Option<Scripts>, Option<Cgi>, Option<Root>);

/// What is served; one of them at least.
fn served(flags: &Flags) -> Result<Served, Error> {
    let root = |flag: &str, path: &Option<OsString>, hint: &str| {
        // Scripts pass what may be empty: that is none, as for websocketd.
        path.as_deref().filter(|path| !path.is_empty()).map(|path| root(flag, path, hint)).transpose()
    };
    let dir = root("--dir", &flags.dir, "name the folder of the programs; did you mean COMMAND? Leave out --dir=")?;
    let cgidir = root("--cgidir", &flags.cgidir, "name the folder of the CGI scripts")?;
    let staticdir = root("--staticdir", &flags.staticdir, "name the folder of the files")?;
    let scripts = match (flags.command.split_first(), dir) {
        (None, None) if staticdir.is_none() && cgidir.is_none() && !flags.has_routes => {
            return Err(Error::new(
                "nothing to serve: no COMMAND, no --dir, no --staticdir, no --cgidir",
                "try `wsd --port=8080 cat`, and `wsd --help` for more",
            ));
        }
        (None, None) => None,
        (None, Some(dir)) => Some(Scripts::Dir(dir)),
        (Some((name, args)), None) => Some(Scripts::Command(command(name, args, flags.shared.as_deref())?)),
        (Some((name, _)), Some(_)) => {
            return Err(Error::new(
                format!("--dir and COMMAND (`{}`) contradict each other", name.display()),
                "give one of them; flags must stand before COMMAND",
            ));
        }
    };
    let cgi = cgidir.map(|cgidir| Cgi::new(cgidir, staticdir.as_ref(), flags.cgi_timeout));
    Ok((scripts, cgi, staticdir))
}

fn command(name: &OsStr, args: &[OsString], shared: Option<&str>) -> Result<Program, Error> {
    let path = locate(name).ok_or_else(|| {
        let hint = if name.as_encoded_bytes().starts_with(b"-") {
            "flags must stand before COMMAND"
        } else if name == "path" && shared == Some("all") {
            "did you mean --shared=path?"
        } else if Path::new(name).is_dir() {
            "that is a folder: --dir= serves the programs in one, --staticdir= the files"
        } else if Path::new(name).is_file() {
            "a file in this folder is named with its path, as in ./counter, and must be executable: chmod +x"
        } else if Path::new(name).is_relative() && name.as_encoded_bytes().contains(&b'/') {
            "a relative path begins at the folder in which wsd was started"
        } else {
            "give the path of an executable file, or a name that `command -v` finds"
        };
        Error::new(format!("cannot find COMMAND `{}`", name.display()), hint)
    })?;
    Ok(Program::new(path, args.to_vec()))
}

fn root(flag: &str, path: &OsStr, hint: &str) -> Result<Root, Error> {
    Root::open(Path::new(path))
        .map_err(|cause| Error::new(format!("{flag}: cannot open the folder `{}`: {cause}", path.display()), hint))
}

fn origin(flags: &Flags) -> Result<Policy, Error> {
    let list = flags.origin.as_ref().filter(|list| !list.is_empty());
    match (list, flags.sameorigin, flags.anyorigin) {
        (Some(_), _, true) => Err(Error::new("--anyorigin and --origin contradict each other", "give one of them")),
        (None, true, true) => Err(Error::new("--anyorigin and --sameorigin contradict each other", "give one of them")),
        (None, false, true) => Ok(Policy::Any),
        (None, false, false) if flags.is_websocketd => Ok(Policy::Any),
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

fn subprotocols(flags: &Flags) -> Result<Vec<String>, Error> {
    let Some(list) = &flags.subprotocol else { return Ok(Vec::new()) };
    let check = |name: &str| {
        let name = name.trim();
        is_token(name).then(|| name.to_owned()).ok_or_else(|| {
            Error::new(format!("--subprotocol: `{name}` is no name of one"), "name them as in --subprotocol=mqtt,chat")
        })
    };
    list.split(',').map(check).collect()
}

fn own_headers(flags: &Flags) -> Result<Headers, Error> {
    let mut own = Headers::default();
    let kinds = [
        ("--header", &flags.header, true, true),
        ("--header-ws", &flags.header_ws, true, false),
        ("--header-http", &flags.header_http, false, true),
    ];
    for (flag, texts, on_websocket, on_http) in kinds {
        for text in texts {
            let (name, value) = headers::parse(text).map_err(|why| {
                Error::new(format!("{flag}: `{}`: {why}", text.escape_debug()), "a header is `Name: value`")
            })?;
            if own.websocket.len().max(own.http.len()) >= OWN_HEADERS_MAX {
                let message = format!("{flag}: there are more than {OWN_HEADERS_MAX} headers for an answer");
                return Err(Error::new(message, "name those that somebody reads"));
            }
            if on_websocket {
                own.websocket.append(name.clone(), value.clone());
            }
            if on_http {
                own.http.append(name, value);
            }
        }
    }
    Ok(own)
}

fn framing(flags: &Flags) -> Result<Framing, Error> {
    Ok(match (flags.framing.as_deref(), flags.binary, flags.passstderr) {
        (None | Some("lines"), false, false) => Framing::Lines,
        (None | Some("lines"), false, true) => Framing::Streams,
        (None, true, false) | (Some("chunks"), _, false) => Framing::Chunks,
        (Some("json"), false, false) => Framing::Json,
        (None, true, true) => {
            return Err(Error::new("--binary and --passstderr contradict each other", "give one of them"));
        }
        (Some("lines" | "json"), true, _) => {
            return Err(Error::new("--binary and --framing contradict each other", "give one of them"));
        }
        (Some("chunks" | "json"), _, true) => {
            return Err(Error::new("--passstderr and --framing contradict each other", "give one of them"));
        }
        (Some(other), ..) => {
            return Err(Error::new(format!("--framing: there is no `{other}`"), "it is lines, chunks or json"));
        }
    })
}

fn socket_options(flags: &Flags) -> Result<SocketOptions, Error> {
    let message_bytes_max = match usize::try_from(flags.maxframesize) {
        Ok(0) => usize::MAX,
        Ok(limit) => limit,
        Err(_) => return Err(Error::new("--maxframesize is below 0", "0 is no limit")),
    };
    Ok(SocketOptions {
        message_bytes_max,
        ping_interval: (flags.pingms > 0).then(|| Duration::from_millis(flags.pingms)),
    })
}

/// `--maxforks`: 0 and below is no limit.
pub(super) fn limit(maxforks: i64) -> Option<usize> {
    usize::try_from(maxforks).ok().filter(|&limit| limit > 0)
}

/// `--maxbuffer`: 0 is no limit.
pub(super) fn buffer_limit(flags: &Flags) -> Option<usize> {
    usize::try_from(flags.maxbuffer).ok().filter(|&limit| limit > 0)
}

/// The rooms, where clients share a program or it wants to know who speaks.
fn rooms(flags: &Flags, scripts: Option<&Scripts>, process: &ProcessOptions) -> Result<Option<Arc<Rooms>>, Error> {
    let sharing = match flags.shared.as_deref() {
        None | Some("false") => None,
        Some("all" | "true") => Some(Sharing::All),
        Some("path") => Some(Sharing::Path),
        Some(other) => {
            return Err(Error::new(format!("--shared: there is no way `{other}`"), "it is --shared, or --shared=path"));
        }
    };
    let slow = match flags.slow.as_str() {
        "close" => Slow::Close,
        "drop" => Slow::Drop,
        "wait" => Slow::Wait,
        other => {
            return Err(Error::new(format!("--slow: there is no way `{other}`"), "it is close, drop or wait"));
        }
    };
    let is_own = |name: &str| flags.own_of_rooms.contains(&name);
    let is_eager = flags.eager && sharing == Some(Sharing::All);
    if flags.eager && !is_eager && is_own("eager") {
        return Err(Error::new("--eager needs --shared: one program for all clients", "add --shared, without =path"));
    }
    if matches!(scripts, Some(Scripts::Dir(_))) && sharing == Some(Sharing::All) {
        return Err(Error::new("--shared and --dir contradict each other", "--shared=path has a room for each path"));
    }
    if flags.history > 0 && sharing.is_none() && is_own("history") {
        return Err(Error::new("--history needs --shared", "only a room has newcomers"));
    }
    if scripts.is_none() || sharing.is_none() && !process.framing.names_clients() {
        return Ok(None);
    }
    let history = if sharing.is_some() { usize::try_from(flags.history).unwrap_or(usize::MAX) } else { 0 };
    let options = RoomOptions {
        framing: process.framing,
        slow,
        history,
        stays: is_eager,
        is_for_one: sharing.is_none(),
        patience: process.patience,
        slow_wait: flags.slow_wait,
        budget: process.budget.clone(),
    };
    Ok(Some(Rooms::new(sharing.unwrap_or(Sharing::Alone), options)))
}

/// The variables that workers inherit, with the values of now. `HTTPS` never: it would say what is not so.
fn inherited(names: Option<&str>) -> Vec<Variable> {
    const DEFAULT: &str = if cfg!(target_os = "macos") { "PATH,DYLD_LIBRARY_PATH" } else { "PATH,LD_LIBRARY_PATH" };
    names
        .unwrap_or(DEFAULT)
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "HTTPS")
        .filter_map(|name| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(|value| Variable::new(name, value.as_encoded_bytes()))
        })
        .collect()
}
