//! The banner: the served programs and folders, and the clients and pages that may connect.

use std::{collections::BTreeSet, env, ffi::OsString, fmt::Write};

use super::{
    bus::unused_warning,
    file::{ConfigFile, routes},
    who::{add_who, addresses_warning, own_rules},
};
use crate::{
    answer::{
        paths::{Example, console, examples},
        routes::Routes,
    },
    cli::{
        self, CommandLine,
        server::Flags,
        site::{SharingWord, SiteFlags},
        types::{CommandWords, Items},
        value::{FlagValue, is_on},
    },
    http::{
        listed::ListedOrigin,
        origin::{Aim, Policy},
        proxies::Proxies,
    },
    server::listen::ListenOptions,
    worker::environ::VERSION,
};

/// The front of a warning.
const WARNING: &str = "wsd: warning: ";

/// Lines for the terminal.
#[derive(Debug)]
pub(crate) struct Banner {
    /// The served programs and folders, and the clients that may connect.
    about: String,
    /// The warnings that wsd prints where it prints no banner; may be empty.
    pub(crate) warning: String,
    /// The warnings that `--check` prints, too; may be empty.
    pub(crate) of_check: String,
    /// The path of a program that is no server of MCP, if there is any.
    example: Option<Example>,
    /// The paths of the servers of MCP.
    servers: Vec<String>,
    /// The path of the console, if there is one.
    console: Option<String>,
    /// The pages that may connect.
    origin: Policy,
    /// The path of `--base`; empty without one.
    base: String,
}

impl Banner {
    /// Returns the banner of a server with these URLs, and these for other machines of its network.
    pub(crate) fn text(&self, urls: &[String], network: &[String]) -> String {
        let mut text = format!("{}  listens  {}\n", self.about, urls.join(" "));
        if !network.is_empty() {
            let _ = writeln!(text, "  network  {}", network.join(" "));
        }
        let front = format!("{}/", self.base);
        let origins: Vec<_> = urls.iter().chain(network).filter_map(|url| url.strip_suffix(&*front)).collect();
        let Some(first) = origins.first() else { return text };
        if !self.servers.is_empty() {
            let servers: Vec<_> = self.servers.iter().map(|path| format!("{first}{path}")).collect();
            let _ = writeln!(text, "  mcp      {}", servers.join(" "));
            let page = match self.console {
                Some(_) => format!("open {first}{}/.wsd/mcp: it has the lines for clients of MCP", self.base),
                None => "add --devconsole for a page with the lines for clients of MCP".to_owned(),
            };
            let _ = writeln!(text, "  next     {page}");
        }
        if let Some(Example { path, is_terminal, takes_posts, .. }) = &self.example {
            let sockets: Vec<_> = origins.iter().map(|origin| origin.replacen("http", "ws", 1) + path).collect();
            let _ = writeln!(text, "  connect  {}", sockets.join(" "));
            let _ = writeln!(text, "  next     {}", self.next(first, *is_terminal));
            if *takes_posts {
                let _ = writeln!(text, "  post     curl --data-binary @FILE {first}{path}");
            }
        }
        if self.console.is_some() && !origins.iter().any(|origin| self.admits(origin)) {
            let _ = writeln!(text, "  hint     --origin keeps the console at these URLs out; add {first} to it");
        }
        text
    }

    /// Tells where a person talks to the programs, on a server at `first`.
    fn next(&self, first: &str, is_terminal: bool) -> String {
        match self.console.as_deref() {
            _ if is_terminal => {
                "this is a terminal: it needs a page with xterm.js, such as static/terminal.html".to_owned()
            }
            Some(path) if path.trim_end_matches('/') == self.base => {
                "open a URL: the console talks to the programs".to_owned()
            }
            Some(path) => format!("open {first}{path}: the console talks to the programs"),
            None => "add --devconsole for a page that talks to the programs".to_owned(),
        }
    }

    /// Lists the warnings.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warning.lines().filter_map(|line| line.strip_prefix(WARNING))
    }

    /// Whether a page that wsd serves at `origin` may connect.
    fn admits(&self, origin: &str) -> bool {
        let host = origin.split_once("://").map(|(_, host)| host);
        self.origin.check(Aim::Session, Some(origin), host, false).is_ok()
    }
}

/// Returns the lines for the terminal. `flags` are those of the command line over those of the file; `exposed` has the warnings
/// about secrets.
pub(super) fn banner<'a>(
    line: &CommandLine,
    (file, flags): (&ConfigFile, &Flags),
    (listen, proxies): (&ListenOptions, &Proxies),
    sites: &Routes,
    exposed: impl Iterator<Item = &'a str>,
) -> Banner {
    let origin = sites.otherwise.gate.origin.clone();
    let (served, command) = (&flags.site.served, line.command.as_deref());
    let (servers, programs): (Vec<_>, Vec<_>) = examples(sites).into_iter().partition(|example| example.is_mcp);
    let (servers, example) = (servers.into_iter().map(|server| server.path).collect(), programs.into_iter().next());
    let mut banner = format!("wsd {VERSION}\n");
    let mut add = |what: &str, is: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(banner, "  {what:<8} {is}");
    };
    if let Some(command) = command {
        let how = how_often(&flags.site, example.as_ref());
        add("program", &format!("{}, {how}", joined(command).escape_debug()));
    }
    let folders = [
        ("programs", &served.dir, ", by the path of the URL"),
        ("scripts", &served.cgidir, ", by CGI"),
        ("files", &served.staticdir, ""),
    ];
    for (what, folder, how) in folders {
        if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_empty()) {
            add(what, &format!("in {}{how}", folder.display()));
        }
    }
    for route in routes(line, file) {
        let served = &route.flags.served;
        let folders = [("cgidir", &served.cgidir), ("dir", &served.dir), ("staticdir", &served.staticdir)];
        let named = |folder: &&OsString| !folder.is_empty();
        let folders = folders
            .iter()
            .filter_map(|(flag, path)| Some(format!("--{flag}={}", path.as_deref().filter(named)?.display())));
        let words: Vec<_> = route.command.as_deref().map(joined).into_iter().chain(folders).collect();
        let rules = own_rules(&line.over(route.flags.clone()), &flags.site);
        add("route", &format!("{}{} {}{rules}", sites.base, route.path.value, words.join(" ").escape_debug()));
    }
    if is_on(&served.devconsole) {
        add("console", "where nothing else answers");
    }
    let (pages, is_unasked) = pages(&origin, is_on(&flags.site.pages.anyorigin));
    add_who(&mut add, flags, listen);
    add_proxies(&mut add, proxies);
    add("pages", pages);
    if let Some(flag) = command.and_then(cli::misplaced) {
        add("hint", &format!("--{flag} after COMMAND goes to COMMAND; write flags of wsd before it"));
    }
    if let (Some(flag), Some(value)) = (&line.last_switch, command.and_then(|command| command.0[0].to_str()))
        && bool::of_word(value.as_ref()).is_some()
    {
        add("hint", &format!("`{value}` is COMMAND here; to set {flag}, write {flag}={value}"));
    }
    add_hints_of_values(&mut add, &flags.site);
    let mut of_check = String::new();
    let warnings = origin_warnings(sites).into_iter().chain(proxies_warning(proxies)).chain(addresses_warning(sites));
    let warnings = warnings.chain(unused_warning(&flags.bus, sites));
    for warning in warnings.chain(exposed.map(str::to_owned)) {
        add("hint", &warning);
        let _ = writeln!(of_check, "{WARNING}{warning}");
    }
    let warning = if is_unasked { format!("{WARNING}pages {pages}\n") } else { String::new() } + &of_check;
    let (console, base) = (console(sites), sites.base.clone());
    Banner { about: banner, warning, of_check, example, servers, console, origin, base }
}

/// Tells how often the program of the main site runs.
fn how_often(flags: &SiteFlags, example: Option<&Example>) -> &'static str {
    match flags.rooms.sharing() {
        _ if flags.mcp.switch().is_some() => "one for each session of MCP, and one for clients without sessions",
        SharingWord::Off if example.is_some_and(|example| example.takes_posts) => {
            "one for each WebSocket, event stream or POST"
        }
        SharingWord::Off => "one for each WebSocket",
        SharingWord::Path => "one for each path",
        SharingWord::All => "one for all",
    }
}

/// Adds hints about values of flags.
fn add_hints_of_values(add: &mut impl FnMut(&str, &str), flags: &SiteFlags) {
    if let Some(limit) = flags.served.maxforks.as_deref().filter(|limit| limit.0 < 0) {
        add("hint", &format!("--maxforks={} is no limit, as in websocketd; write 0", limit.0));
    }
    for name in unset(flags.programs.passenv.as_deref()) {
        add("hint", &format!("--passenv names {name}, which is not set"));
    }
}

/// Adds the trusted proxies, if there are any.
fn add_proxies(add: &mut impl FnMut(&str, &str), proxies: &Proxies) {
    if !proxies.is_empty() {
        let how = if proxies.has_protocol { "; each connection begins with the PROXY protocol" } else { "" };
        add("proxies", &format!("{proxies} may name their clients{how}"));
    }
}

/// Warns of a list of proxies that has everybody.
fn proxies_warning(proxies: &Proxies) -> Option<String> {
    let warning = "--trust-proxy has all addresses: every client can choose its own address";
    proxies.have_everybody().then(|| warning.to_owned())
}

/// Returns which pages may connect, and whether nobody has decided that.
fn pages(origin: &Policy, is_asked: bool) -> (&'static str, bool) {
    match origin {
        Policy::Same | Policy::Sameorigin => ("of the same origin; --origin names others instead", false),
        Policy::Listed { .. } => ("of the origins in --origin", false),
        Policy::Any if is_asked => ("of any origin", false),
        Policy::Any => ("of any website may connect; set --sameorigin, --origin or --anyorigin", true),
    }
}

/// Warns of the schemes in `--origin` that no browser or app is known for, each once. They may be those of the user's own app,
/// so they are no error.
fn origin_warnings(sites: &Routes) -> BTreeSet<String> {
    let policies = sites.sites().map(|site| &site.gate.origin);
    let entries = policies.flat_map(|policy| match policy {
        Policy::Listed { entries, .. } => &entries[..],
        _ => &[],
    });
    let schemes = entries.filter_map(ListedOrigin::unknown_scheme);
    let warn =
        |scheme| format!("the scheme `{scheme}` in --origin is that of no known browser or app; check its spelling");
    schemes.map(warn).collect()
}

/// Returns the variables that `--passenv` names and wsd does not have.
fn unset(names: Option<&Items>) -> Vec<&str> {
    let names = names.iter().flat_map(|names| &names.0).map(|name| name.trim());
    names.filter(|name| !name.is_empty() && env::var_os(name).is_none()).collect()
}

fn joined(command: &CommandWords) -> String {
    let words: Vec<_> = command.0.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
