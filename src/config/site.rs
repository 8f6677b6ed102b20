//! Builds one site: what is served, to whom, and how.

use std::{env, ffi::OsString, path::Path, sync::Arc, time::Duration};

use super::error::Error;
use crate::{
    admission::Admission,
    answer::{cgi::folder::Cgi, launch::Launcher, lookup::Lookup, scripts::Scripts, site::Site},
    budget::Budget,
    cli::site::{AnswerFlags, FramingWord, PageFlags, ProgramFlags, RoomFlags, SharingWord, SiteFlags, SlowWord},
    cli::{types::CommandWords, types::Items, value::Flag, value::is_on},
    framing::Framing,
    http::{
        gate::Gate,
        handshake::is_token,
        headers::{self, Headers},
        origin::{Entry, Policy},
        path::Root,
    },
    limits::{CGI_TIMEOUT, MESSAGE_BYTES_MAX, OWN_HEADERS_MAX, PING_INTERVAL, SLOW_WAIT},
    room::{
        options::{RoomOptions, Slow},
        registry::{Rooms, Sharing},
    },
    socket::SocketOptions,
    worker::{
        environ::{self, EnvironOptions},
        process::ProcessOptions,
        program::{Program, locate},
        variable::Variable,
    },
};

/// All that makes a site. Two sites of the same recipe are the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    pub(super) command: Option<Flag<CommandWords>>,
    pub(super) flags: SiteFlags,
    pub(super) is_websocketd: bool,
}

/// Whether a site serves anything.
pub(super) fn serves(Recipe { command, flags, .. }: &Recipe) -> bool {
    let folders = [&flags.served.dir, &flags.served.staticdir, &flags.served.cgidir];
    command.is_some() || folders.into_iter().flatten().any(|folder| !folder.is_empty())
}

/// Checks a recipe, and opens what it serves; `admission` limits the workers of the site, and `budget` the bytes that wait
/// for them and their clients.
pub(super) fn site(recipe: &Recipe, admission: Admission, budget: &Budget) -> Result<Site, Error> {
    let flags = &recipe.flags;
    let (scripts, cgi, files) = served(recipe)?;
    let patience = flags.programs.closems.as_deref().map_or(Duration::ZERO, |millis| millis.0);
    let process = ProcessOptions { framing: framing(flags)?, patience, budget: budget.clone() };
    let rooms = rooms(flags, scripts.as_ref(), &process)?;
    let name = if recipe.is_websocketd { "websocketd" } else { "wsd" };
    Ok(Site {
        is_eager: is_on(&flags.rooms.eager) && rooms.as_ref().is_some_and(|rooms| rooms.sharing == Sharing::All),
        rooms,
        scripts,
        cgi,
        files,
        has_console: is_on(&flags.served.devconsole),
        gate: Gate { origin: origin(recipe)? },
        subprotocols: subprotocols(flags.clients.subprotocol.as_ref())?,
        headers: own_headers(&flags.answers)?,
        socket: socket_options(flags),
        launcher: Launcher {
            admission,
            process,
            environ: EnvironOptions {
                software: format!("{name}/{}", environ::VERSION),
                inherited: inherited(flags.programs.passenv.as_deref()),
            },
            lookup: is_on(&flags.programs.reverselookup).then(Lookup::new),
        },
    })
}

/// Programs, CGI scripts and files.
type Served = (Option<Scripts>, Option<Cgi>, Option<Root>);

fn served(recipe: &Recipe) -> Result<Served, Error> {
    let flags = &recipe.flags.served;
    let dir = root("--dir", flags.dir.as_ref())?;
    let cgidir = root("--cgidir", flags.cgidir.as_ref())?;
    let staticdir = root("--staticdir", flags.staticdir.as_ref())?;
    let scripts = match (&recipe.command, dir) {
        (None, None) => None,
        (None, Some(dir)) => Some(Scripts::Dir(dir)),
        (Some(words), None) => Some(Scripts::Command(command(words, recipe.flags.rooms.sharing())?)),
        (Some(words), Some(_)) => {
            let message = format!("--dir and COMMAND (`{}`) contradict each other", words.0[0].display());
            let hint = "give one of them; flags must stand before COMMAND";
            return Err(Error::new(message, hint).about(&flags.dir).about(words));
        }
    };
    let timeout = recipe.flags.programs.cgi_timeout.as_deref().map_or(CGI_TIMEOUT, |secs| secs.0);
    let cgi = cgidir.map(|cgidir| Cgi::new(cgidir, staticdir.as_ref(), timeout));
    Ok((scripts, cgi, staticdir))
}

fn command(words: &Flag<CommandWords>, sharing: SharingWord) -> Result<Program, Error> {
    let (name, args) = words.0.split_first().expect("never empty");
    let path = locate(name).ok_or_else(|| {
        let hint = if name.as_encoded_bytes().starts_with(b"-") {
            "flags must stand before COMMAND"
        } else if name == "path" && sharing == SharingWord::All {
            "did you mean --shared=path?"
        } else if Path::new(name).is_dir() {
            "that is a folder: --dir= serves the programs in one, --staticdir= the files"
        } else if Path::new(name).is_file() {
            "name a file in this folder with its path, as in ./counter, and make it executable: chmod +x"
        } else if Path::new(name).is_relative() && name.as_encoded_bytes().contains(&b'/') {
            "a relative path begins at the folder in which wsd was started"
        } else {
            "give the path of an executable file, or a name that `command -v` finds"
        };
        Error::new(format!("cannot find COMMAND `{}`", name.display()), hint).about(words)
    })?;
    Ok(Program::new(path, args.to_vec()))
}

/// Opens a folder. Scripts pass on variables that may be empty: those name no folder, as for websocketd.
fn root(name: &str, flag: Option<&Flag<OsString>>) -> Result<Option<Root>, Error> {
    let Some(folder) = flag.filter(|folder| !folder.is_empty()) else { return Ok(None) };
    Root::open(Path::new(&folder.value)).map(Some).map_err(|cause| {
        let hint = format!("name a folder; a program, COMMAND, stands without {name}=");
        Error::new(format!("{name}: cannot open the folder `{}`: {cause}", folder.display()), hint).about(folder)
    })
}

fn origin(recipe: &Recipe) -> Result<Policy, Error> {
    let PageFlags { origin, sameorigin, anyorigin } = &recipe.flags.pages;
    let list = origin.as_ref().filter(|list| !list.0.is_empty() && list.0 != [""]);
    match (list, is_on(sameorigin), is_on(anyorigin)) {
        (Some(_), _, true) => Err(Error::contradiction("--anyorigin", "--origin").about(anyorigin).about(origin)),
        (None, true, true) => {
            Err(Error::contradiction("--anyorigin", "--sameorigin").about(anyorigin).about(sameorigin))
        }
        (None, false, true) => Ok(Policy::Any),
        (None, false, false) => Ok(if recipe.is_websocketd { Policy::Any } else { Policy::Same }),
        (None, true, false) => Ok(Policy::Sameorigin),
        (Some(list), sameorigin, false) => {
            let parse = |text: &String| {
                Entry::parse(text).map_err(|why| {
                    let hint = "an entry is [scheme://]host[:port], as in --origin=https://example.com,localhost:8080";
                    Error::new(format!("--origin: `{text}` can never match: {why}"), hint).about(list)
                })
            };
            let entries = list.0.iter().map(parse).collect::<Result<_, _>>()?;
            Ok(Policy::Listed { entries, sameorigin })
        }
    }
}

fn subprotocols(flag: Option<&Flag<Items>>) -> Result<Vec<String>, Error> {
    let names = flag.into_iter().flat_map(|names| &names.0).map(|name| name.trim());
    let check = |name: &str| {
        let hint = "separate names by commas, as in --subprotocol=mqtt,chat";
        let error = || Error::new(format!("invalid subprotocol name `{name}` in --subprotocol"), hint).about(flag);
        is_token(name).then(|| name.to_owned()).ok_or_else(error)
    };
    names.map(check).collect()
}

fn own_headers(flags: &AnswerFlags) -> Result<Headers, Error> {
    let read = |mut headers: Vec<_>, name, texts: Option<&Vec<Flag<String>>>| {
        for text in texts.into_iter().flatten() {
            let invalid =
                |why| Error::new(format!("{name}: `{}`: {why}", text.escape_debug()), "a header is `Name: value`");
            headers.push(headers::parse(text).map_err(|why| invalid(why).about(text))?);
            if headers.len() > OWN_HEADERS_MAX {
                let message = format!("{name}: there are more than {OWN_HEADERS_MAX} headers for an answer");
                return Err(Error::new(message, "name those that somebody reads").about(text));
            }
        }
        Ok(headers)
    };
    let both = read(Vec::new(), "--header", flags.header.as_ref())?;
    let websocket = read(both.clone(), "--header-ws", flags.header_ws.as_ref())?;
    let http = read(both, "--header-http", flags.header_http.as_ref())?;
    Ok(Headers { websocket: websocket.into_iter().collect(), http: http.into_iter().collect() })
}

fn framing(flags: &SiteFlags) -> Result<Framing, Error> {
    let ProgramFlags { framing, binary, passstderr, .. } = &flags.programs;
    match (framing.as_deref(), is_on(binary), is_on(passstderr)) {
        (None | Some(FramingWord::Lines), false, false) => Ok(Framing::Lines),
        (None | Some(FramingWord::Lines), false, true) => Ok(Framing::Streams),
        (None, true, false) | (Some(FramingWord::Chunks), _, false) => Ok(Framing::Chunks),
        (Some(FramingWord::Json), false, false) => Ok(Framing::Json),
        (None, true, true) => Err(Error::contradiction("--binary", "--passstderr").about(binary).about(passstderr)),
        (Some(FramingWord::Lines | FramingWord::Json), true, _) => {
            Err(Error::contradiction("--binary", "--framing").about(binary).about(framing))
        }
        (Some(_), _, true) => Err(Error::contradiction("--passstderr", "--framing").about(passstderr).about(framing)),
    }
}

fn socket_options(flags: &SiteFlags) -> SocketOptions {
    let bytes_max = flags.clients.maxframesize.as_deref().map_or(MESSAGE_BYTES_MAX, |bytes| *bytes);
    let ping_interval = flags.clients.pingms.as_deref().map_or(PING_INTERVAL, |millis| millis.0);
    SocketOptions {
        message_bytes_max: if bytes_max == 0 { usize::MAX } else { bytes_max },
        ping_interval: (!ping_interval.is_zero()).then_some(ping_interval),
    }
}

/// Makes the rooms, where clients share a program or it wants to know who speaks.
fn rooms(flags: &SiteFlags, scripts: Option<&Scripts>, process: &ProcessOptions) -> Result<Option<Arc<Rooms>>, Error> {
    let RoomFlags { shared, eager, history, slow, slow_wait } = &flags.rooms;
    let sharing = match flags.rooms.sharing() {
        SharingWord::Off => Sharing::Alone,
        SharingWord::All => Sharing::All,
        SharingWord::Path => Sharing::Path,
    };
    let is_shared = sharing != Sharing::Alone;
    if is_on(eager) && sharing != Sharing::All {
        let message = "--eager needs --shared: one program for all clients";
        return Err(Error::new(message, "add --shared, without =path").about(eager));
    }
    if matches!(scripts, Some(Scripts::Dir(_))) && sharing == Sharing::All {
        let error = Error::new("--shared and --dir contradict each other", "--shared=path has a room for each path");
        return Err(error.about(shared).about(&flags.served.dir));
    }
    if history.as_deref().is_some_and(|count| *count > 0) && !is_shared {
        return Err(Error::new("--history needs --shared", "only a room has new clients").about(history));
    }
    if scripts.is_none() || !is_shared && !process.framing.names_clients() {
        return Ok(None);
    }
    let slow = match slow.as_deref() {
        None | Some(SlowWord::Close) => Slow::Close,
        Some(SlowWord::Drop) => Slow::Drop,
        Some(SlowWord::Wait) => Slow::Wait,
    };
    let options = RoomOptions {
        framing: process.framing,
        slow,
        history: history.as_deref().map_or(0, |count| *count),
        stays: is_on(eager),
        is_for_one: !is_shared,
        patience: process.patience,
        slow_wait: slow_wait.as_deref().map_or(SLOW_WAIT, |secs| secs.0),
        budget: process.budget.clone(),
    };
    Ok(Some(Rooms::new(sharing, options)))
}

/// Returns the variables that workers inherit, with their present values. `HTTPS` is never one: wsd sets it if it is so.
fn inherited(names: Option<&Items>) -> Vec<Variable> {
    let default = ["PATH", if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }];
    let names = names.map_or_else(|| default.to_vec(), |names| names.0.iter().map(|name| name.trim()).collect());
    let value = |name: &&str| env::var_os(name).filter(|value| !value.is_empty());
    let names = names.into_iter().filter(|name| !name.is_empty() && *name != "HTTPS");
    names.filter_map(|name| Some(Variable::new(name, value(&name)?.as_encoded_bytes()))).collect()
}
