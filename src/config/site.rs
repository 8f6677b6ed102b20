//! Builds one site: its programs and folders, the clients that may use them, and the options.

use std::{
    env,
    ffi::OsString,
    path::Path,
    sync::{Arc, Once},
    time::Duration,
};

use super::{
    auth::auth,
    command::{check_first_line, command},
    confine::{check_rights, confining, has_folder, variables},
    error::Error,
    framing::{check_subprotocols, framings, takes_framings},
    headers::headers,
    limits::{self, Scopes},
    mcp::mcp,
    names::{pages, software},
    needs,
    origins::origin,
    record::record,
    rooms::rooms,
    terminal::stdio,
};
use crate::{
    admission::Admission,
    answer::{cgi::folder::Cgi, launch::Launcher, lookup::Lookup, scripts::Scripts, site::Site},
    budget::Budget,
    bus::handle::Bus,
    cli::site::SiteFlags,
    cli::{types::CommandWords, types::CompressWord, types::Items, value::Flag, value::is_on},
    deflate::{options::CompressOptions, pool::Pool},
    http::{
        access::AddressRules,
        auth::{open::OpenAccess, state::AuthState},
        gate::Gate,
        handshake::is_token,
        path::Root,
    },
    limits::{
        ACP_PATIENCE, CGI_TIMEOUT, COMPRESS_BYTES_MIN, CONTROL_BYTES_MIN, MESSAGE_BYTES_MAX, PING_INTERVAL,
        REPLAY_BYTES_MAX, STREAM_KEEP_MIN,
    },
    metrics::route::RouteName,
    resume::{ResumeOptions, door::Doors},
    room::registry::Sharing,
    socket::SocketOptions,
    sources::SourceTable,
    worker::{advice, environ::EnvironOptions, process::ProcessOptions, variable::Variable},
};

/// The settings of a site. Equal recipes make equal sites.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    /// The program to start and its arguments.
    pub(super) command: Option<Flag<CommandWords>>,
    /// The flags, with inherited ones.
    pub(super) flags: SiteFlags,
    /// Whether wsd runs under the name `websocketd`, with its defaults.
    pub(super) is_websocketd: bool,
    /// The numbers of the counters for its limits of sources.
    pub(super) scopes: Scopes,
}

/// Whether a site serves anything.
pub(super) fn serves(Recipe { command, flags, .. }: &Recipe) -> bool {
    let folders = [&flags.served.dir, &flags.served.staticdir, &flags.served.cgidir];
    command.is_some() || folders.into_iter().flatten().any(|folder| !folder.is_empty())
}

/// Whether a site has a program to connect to.
pub(super) fn has_program(Recipe { command, flags, .. }: &Recipe) -> bool {
    command.is_some() || flags.served.dir.as_ref().is_some_and(|folder| !folder.is_empty())
}

/// Checks a recipe and opens its folders. `admission` limits the workers of the site; `budget` limits the bytes that wait for
/// the workers and their clients, and sessions compress with `compressors`. Clients return to their sessions through `doors`;
/// `state` is that of authentication, and `table` counts what each source uses. The metrics name the site `route`.
pub(super) fn site(
    recipe: &Recipe,
    admission: Admission,
    (budget, compressors, bus): (&Budget, &Pool, Option<&Bus>),
    doors: &Doors,
    state: &AuthState,
    table: &SourceTable,
    route: RouteName,
) -> Result<Site, Error> {
    let flags = &recipe.flags;
    needs::check(flags, has_program(recipe))?;
    let dir = root("--dir", flags.served.dir.as_ref())?;
    let cgidir = root("--cgidir", flags.served.cgidir.as_ref())?;
    let files = root("--staticdir", flags.served.staticdir.as_ref())?;
    let scripts = scripts(recipe, dir)?;
    let confining = confining(&flags.confine)?;
    if let Some(confinement) = &confining {
        check_rights(confinement, flags.confine.user.as_ref(), scripts.as_ref(), cgidir.as_ref())?;
    }
    let account = confining.as_ref().and_then(|confinement| confinement.account.as_ref());
    let inherited = variables(&flags.confine, account, inherited(flags.programs.passenv.as_deref()))?;
    let cgi_timeout = flags.programs.cgi_timeout.as_deref().map_or(CGI_TIMEOUT, |secs| secs.0);
    let socket @ SocketOptions { message_bytes_max, .. } = socket_options(flags);
    let process = process_options(flags, message_bytes_max, budget, route);
    let framings = framings(flags)?;
    let subprotocols = subprotocols(flags)?;
    if has_program(recipe) {
        check_subprotocols(flags, &subprotocols, &framings)?;
    }
    let rooms = rooms(flags, scripts.as_ref(), framings.default(), &process, bus)?;
    let sources = limits::sources(&flags.limits, recipe.scopes, table);
    let environ = EnvironOptions { software: software(recipe.is_websocketd), inherited };
    let (auth, list) = auth(&flags.auth, &environ, state)?.unzip();
    Ok(Site {
        is_eager: is_on(&flags.rooms.eager) && rooms.as_ref().is_some_and(|rooms| rooms.sharing == Sharing::All),
        rooms,
        scripts,
        cgi: cgidir.map(|cgidir| Cgi::new(cgidir, files.as_ref(), cgi_timeout)),
        files,
        pages: pages(&flags.served, recipe.is_websocketd),
        gate: Gate {
            origin: origin(&flags.pages, recipe.is_websocketd)?,
            access: AddressRules::default(),
            sources: sources.clone(),
            auth,
            list,
            open: OpenAccess { passes: is_on(&flags.auth.passauth), state: state.clone() },
        },
        framings,
        takes_framings: takes_framings(flags),
        subprotocols,
        subprotocol_warning: Once::new(),
        headers: headers(flags)?,
        compress: compress(flags, compressors),
        session: limits::session(&flags.limits),
        resume: resume(flags, &socket, doors),
        http: http(flags, &socket, doors),
        socket,
        mcp: mcp(flags, &process)?,
        launcher: Launcher {
            admission,
            sources,
            process,
            environ,
            confining,
            lookup: is_on(&flags.programs.reverselookup).then(Lookup::new),
            record: record(flags, message_bytes_max)?,
        },
    })
}

/// Returns the settings of a process; `closems` is the time added to each wait before a signal.
fn process_options(flags: &SiteFlags, message_bytes_max: usize, budget: &Budget, route: RouteName) -> ProcessOptions {
    let default = if is_on(&flags.programs.acp) { ACP_PATIENCE } else { Duration::ZERO };
    let patience = flags.programs.closems.as_deref().map_or(default, |millis| millis.0);
    let is_readonly = is_on(&flags.programs.readonly);
    ProcessOptions { message_bytes_max, patience, is_readonly, budget: budget.clone(), route }
}

fn scripts(recipe: &Recipe, dir: Option<Root>) -> Result<Option<Scripts>, Error> {
    let stdio = stdio(&recipe.flags)?;
    match (&recipe.command, dir) {
        (None, dir) => Ok(dir.map(|dir| Scripts::Dir(dir, stdio))),
        (Some(words), None) => {
            let mut program = command(words, &recipe.flags)?;
            if !recipe.is_websocketd {
                check_first_line(words, &program)?;
            }
            program.stdio = stdio;
            if has_folder(&recipe.flags.confine) {
                program.make_absolute();
            }
            Ok(Some(Scripts::Command(program)))
        }
        (Some(words), Some(_)) => {
            let message = format!("cannot combine --dir and COMMAND (`{}`)", words.0[0].display());
            let error = Error::new(message, "remove one of them; write flags before COMMAND");
            Err(error.about(&recipe.flags.served.dir).about(words))
        }
    }
}

/// Opens a folder. Scripts pass variables that may be empty: wsd ignores an empty folder name, as websocketd does.
fn root(name: &str, flag: Option<&Flag<OsString>>) -> Result<Option<Root>, Error> {
    let Some(folder) = flag.filter(|folder| !folder.is_empty()) else { return Ok(None) };
    Root::open(Path::new(&folder.value)).map(Some).map_err(|cause| {
        let hint = advice::for_error(&cause).unwrap_or_else(|| match name {
            "--dir" => "name an existing folder; to serve one program, write it as COMMAND, without --dir=".into(),
            _ => "name an existing folder".into(),
        });
        Error::new(format!("cannot open the folder `{}` of {name}: {cause}", folder.display()), hint).about(folder)
    })
}

fn subprotocols(flags: &SiteFlags) -> Result<Vec<String>, Error> {
    let flag = flags.clients.subprotocol.as_ref();
    let own = flags.mcp.switch().map(|_| Ok(super::mcp::SUBPROTOCOL.to_owned()));
    let names = flag.into_iter().flat_map(|names| &names.0).map(|name| name.trim());
    let check = |name: &str| {
        let hint = "separate names by commas, as in --subprotocol=mqtt,chat";
        let error = || Error::new(format!("invalid subprotocol name `{name}` in --subprotocol"), hint).about(flag);
        is_token(name).then(|| name.to_owned()).ok_or_else(error)
    };
    names.map(check).chain(own).collect()
}

fn socket_options(flags: &SiteFlags) -> SocketOptions {
    let bytes_max = flags.clients.maxframesize.as_deref().map_or(MESSAGE_BYTES_MAX, |bytes| bytes.0);
    let ping_interval = flags.clients.pingms.as_deref().map_or(PING_INTERVAL, |millis| millis.0);
    SocketOptions {
        message_bytes_max: if bytes_max == 0 { usize::MAX } else { bytes_max },
        ping_interval: (!ping_interval.is_zero()).then_some(ping_interval),
    }
}

fn compress(flags: &SiteFlags, compressors: &Pool) -> Option<Arc<CompressOptions>> {
    let bytes_min = match flags.clients.compress.as_deref()? {
        CompressWord::Switch(false) => return None,
        CompressWord::Switch(true) => COMPRESS_BYTES_MIN,
        CompressWord::From(bytes) => *bytes,
    };
    Some(Arc::new(CompressOptions { bytes_min, pool: compressors.clone() }))
}

fn resume(flags: &SiteFlags, socket: &SocketOptions, doors: &Doors) -> Option<Arc<ResumeOptions>> {
    let keep = flags.clients.resume.as_deref().map(|secs| secs.0).filter(|keep| !keep.is_zero())?;
    Some(resume_options(keep, flags, socket, doors))
}

/// Returns the settings of sessions over event streams: a stream will be cut, so each session waits for its client.
fn http(flags: &SiteFlags, socket: &SocketOptions, doors: &Doors) -> Option<Arc<ResumeOptions>> {
    let keep = flags.clients.resume.as_deref().map_or(Duration::ZERO, |secs| secs.0).max(STREAM_KEEP_MIN);
    is_on(&flags.clients.http).then(|| resume_options(keep, flags, socket, doors))
}

fn resume_options(keep: Duration, flags: &SiteFlags, socket: &SocketOptions, doors: &Doors) -> Arc<ResumeOptions> {
    let replay_bytes_max = flags.clients.replay.as_deref().map_or(REPLAY_BYTES_MAX, |bytes| bytes.0);
    let message_bytes_max = socket.message_bytes_max;
    // Room for U+0000 in front of a text, and for control messages.
    let bytes_max = message_bytes_max.saturating_add(1).max(CONTROL_BYTES_MIN);
    let socket = SocketOptions { message_bytes_max: bytes_max, ..socket.clone() };
    Arc::new(ResumeOptions { keep, replay_bytes_max, message_bytes_max, socket, doors: doors.clone() })
}

/// Returns the variables that workers inherit, with their current values. Skips `HTTPS`: wsd sets it for TLS.
fn inherited(names: Option<&Items>) -> Vec<Variable> {
    let default = ["PATH", if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" }];
    let names = names.map_or_else(|| default.to_vec(), |names| names.0.iter().map(|name| name.trim()).collect());
    let value = |name: &&str| env::var_os(name).filter(|value| !value.is_empty());
    let names = names.into_iter().filter(|name| !name.is_empty() && *name != "HTTPS");
    names.filter_map(|name| Some(Variable::new(name, value(&name)?.as_encoded_bytes()))).collect()
}
