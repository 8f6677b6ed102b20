//! The flags that say what is served, to whom, and how.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    time::Duration,
};

use super::Error;
use crate::{
    admission::Admission,
    cli::Flags,
    framing::Framing,
    http::{
        Cgi, Files, Lookup, Site,
        handshake::is_token,
        headers::{self, Headers},
        origin::{Entry, Policy},
        path::Root,
        scripts::Scripts,
    },
    session,
    worker::{
        environ,
        program::{Program, locate},
    },
};

/// Checks what is to be served and opens it.
pub(super) fn site(flags: &Flags) -> Result<Site, Error> {
    let (scripts, cgi, files) = served(flags)?;
    Ok(Site {
        scripts,
        cgi,
        files,
        has_console: flags.devconsole,
        origin: origin(flags)?,
        subprotocols: subprotocols(flags)?,
        headers: own_headers(flags)?,
        admission: Admission::new(usize::try_from(flags.maxforks).ok().filter(|&limit| limit > 0)),
        session: session_options(flags)?,
        environ: environ::Options {
            software: format!("{}/{}", if flags.is_websocketd { "websocketd" } else { "wsd" }, environ::VERSION),
            inherited: inherited(flags.passenv.as_deref()),
        },
        lookup: flags.reverselookup.then(Lookup::new),
    })
}

/// Programs, scripts, files.
type Served = (Option<Scripts>, Option<Cgi>, Option<Files>);

/// What is served; one of them at least.
fn served(flags: &Flags) -> Result<Served, Error> {
    let root = |flag: &str, path: &Option<OsString>, hint: &str| {
        path.as_deref().map(|path| root(flag, path, hint)).transpose()
    };
    let dir = root("--dir", &flags.dir, "name the folder of the programs; did you mean COMMAND? Leave out --dir=")?;
    let cgidir = root("--cgidir", &flags.cgidir, "name the folder of the CGI scripts")?;
    let staticdir = root("--staticdir", &flags.staticdir, "name the folder of the files")?;
    for (flag, programs) in [("--dir", &dir), ("--cgidir", &cgidir)] {
        if let (Some(programs), Some(staticdir)) = (programs, &staticdir)
            && programs.contains(staticdir.path())
        {
            return Err(Error::new(
                format!("--staticdir lies within {flag}: the text of the programs would be served"),
                "keep programs and files in folders of their own",
            ));
        }
    }
    let scripts = match (flags.command.split_first(), &dir) {
        (None, None) if staticdir.is_none() && cgidir.is_none() => {
            return Err(Error::new(
                "nothing to serve: no COMMAND, no --dir, no --staticdir, no --cgidir",
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
    let cgi = cgidir.clone().map(|cgidir| Cgi::new(cgidir, staticdir.as_ref(), flags.cgi_timeout));
    let files = staticdir.map(|staticdir| Files::new(staticdir, dir.into_iter().chain(cgidir).collect()));
    Ok((scripts, cgi, files))
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
    Ok(Program::new(path, args.to_vec()))
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

fn session_options(flags: &Flags) -> Result<session::Options, Error> {
    let framing = match (flags.binary, flags.passstderr) {
        (true, true) => {
            return Err(Error::new("--binary and --passstderr contradict each other", "give one of them"));
        }
        (true, false) => Framing::Chunks,
        (false, true) => Framing::Streams,
        (false, false) => Framing::Lines,
    };
    let message_bytes_max = match usize::try_from(flags.maxframesize) {
        Ok(0) => usize::MAX,
        Ok(limit) => limit,
        Err(_) => return Err(Error::new("--maxframesize is below 0", "0 is no limit")),
    };
    Ok(session::Options {
        framing,
        message_bytes_max,
        ping_interval: (flags.pingms > 0).then(|| Duration::from_millis(flags.pingms)),
        patience: Duration::from_millis(flags.closems),
    })
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
