//! `--config`: reads flags and routes from a TOML file and finds the line of an error.

use std::{fs, path::Path};

use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer};
use toml::{Spanned, Table};

use super::{empty, error::Error, keys::in_keys, mcp_servers::McpServers};
use crate::cli::{
    self, CommandLine, error::meant_framing, server::Flags, site::ServedFlags, site::SiteFlags, site::read as subject,
    types::CommandWords, value::Flag,
};
use crate::worker::advice;

/// A file of settings.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    name: String,
    text: String,
    /// The entries of `--mcp-config`, whose text follows the file's own, and the length of that.
    servers: Option<(McpServers, usize)>,
    /// The flags of the command line, which are no keys.
    overriding: Vec<String>,
    /// The flags at its top.
    pub(super) flags: Flags,
    /// The keys at its top.
    pub(super) top: Table,
    /// Its routes.
    pub(super) routes: Vec<Route>,
}

/// A `[[route]]` table, or a `--route`.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// The offset in the file at which the table starts; `None` for `--route`.
    pub(super) start: Option<usize>,
    /// The path of its URLs.
    pub(super) path: Flag<String>,
    /// The program to start and its arguments.
    pub(super) command: Option<Flag<CommandWords>>,
    /// The flags in the table, and those that it inherits from the top of the file.
    pub(super) flags: SiteFlags,
}

/// The keys of a route that are not flags.
#[derive(Deserialize)]
struct RouteKeys {
    path: Option<Flag<String>>,
    command: Option<Flag<CommandWords>>,
}

impl ConfigFile {
    /// Adds file and line to an error, if it is about a value in the file, and turns its flags into keys. Prefers a value in
    /// the table that starts at `start` to a value above it.
    pub(super) fn locate(&self, error: Error, start: usize) -> Error {
        let at = error.about.iter().find(|at| **at >= start).or(error.about.first()).copied();
        let place = at.unwrap_or(start);
        if let Some((servers, length)) = self.servers.as_ref().filter(|(_, length)| place > *length) {
            return servers.locate(error, place - length);
        }
        let Some(before) = at.and_then(|at| self.text.get(..at)) else { return error };
        let line = before.matches('\n').count() + 1;
        let keys = cli::names::<Flags>();
        let is_key = |name: &str| keys.iter().any(|key| key == name) && !self.overriding.iter().any(|own| own == name);
        let (message, hint) = (in_keys(&error.message, is_key), in_keys(&error.hint, is_key));
        Error::new(format!("{}:{line}: {message}", self.name), hint)
    }

    /// Returns the error of settings without anything to serve.
    pub(super) fn nothing_to_serve(&self) -> Error {
        if let Some((servers, _)) = &self.servers {
            return servers.nothing_to_serve();
        }
        if self.name.is_empty() {
            let message = "cannot serve anything: there is no COMMAND, --dir, --staticdir, --cgidir or route";
            return Error::new(message, "try `wsd --port=8080 cat`; `wsd --help` lists the flags");
        }
        let what = if self.text.trim().is_empty() { "is empty" } else { "has no route" };
        let message = format!("cannot serve anything: the file `{}` of --config {what}", self.name);
        Error::new(message, "write a route into it: [[route]], path = \"/\", command = [\"cat\"], a line each")
    }

    fn fill(&mut self) -> Result<(), Error> {
        let text = self.text.clone();
        let table = DeTable::parse(&text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            let hint = if text.trim_start().starts_with('{') {
                "write TOML 1.0; a JSON file with `mcpServers` is for --mcp-config"
            } else {
                "correct this line; the file must be TOML 1.0"
            };
            Error::new(format!("invalid TOML: {}", error.message()), hint).at(at)
        })?;
        let top = table.get_ref();
        check(top, &cli::names::<Flags>(), &["route"], |key| {
            let is_of_route = ["path", "command"].contains(&key);
            let message = format!("cannot set `{key}` at the top of the file: it is a key of a route");
            is_of_route.then(|| Error::new(message, "write `[[route]]` above it"))
        })?;
        empty::check_table(top)?;
        let mut read = || {
            self.top = Table::deserialize(Deserializer::from(table.clone()))?;
            let site = SiteFlags::read(top, top)?;
            let (listen, tls, proxies) = (subject(top)?, subject(top)?, subject(top)?);
            let (resources, bus, log, metrics) = (subject(top)?, subject(top)?, subject(top)?, subject(top)?);
            Ok(Flags { listen, tls, proxies, site, resources, bus, log, metrics })
        };
        self.flags = read().map_err(|error| invalid(top, &error))?;
        let Some(routes) = top.get("route") else { return Ok(()) };
        let wrong = || {
            let message = "invalid value for `route`: expected tables";
            Error::new(message, "write `[[route]]` above the keys of a route").at(routes.span().start)
        };
        for route in routes.get_ref().as_array().ok_or_else(wrong)? {
            let table = route.get_ref().as_table().ok_or_else(wrong)?;
            self.routes.push(read_route(table, top, route.span().start)?);
        }
        Ok(())
    }
}

/// Reads and checks the files of `--config` and `--mcp-config`, if there are any.
pub(super) fn read(line: &CommandLine) -> Result<ConfigFile, Error> {
    let mut file = ConfigFile::default();
    if let Some(path) = &line.run.config {
        (file.name, file.text) = read_text(path)?;
    }
    if let Some(path) = &line.run.mcp_config {
        let servers = McpServers::read(path)?;
        let length = file.text.len();
        file.text.push_str(&servers.text);
        file.servers = Some((servers, length));
    }
    file.fill().map_err(|error| file.locate(error, 0))?;
    file.overriding = cli::names::<Flags>().into_iter().filter(|name| line.has(name)).collect();
    Ok(file)
}

fn read_text(path: &Path) -> Result<(String, String), Error> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|cause| {
        let hint = advice::for_error(&cause).unwrap_or("name a readable TOML file".into());
        Error::new(format!("cannot read `{name}` of --config: {cause}"), hint)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let front = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = front.split(|byte| *byte == b'\n').count();
        let message = format!("cannot read `{name}` of --config: line {line} is not UTF-8");
        Error::new(message, "save it as UTF-8 in your editor")
    })?;
    Ok((name, text))
}

/// Parses and checks `text`, the content of the file `name`.
#[cfg(any(test, fuzzing))]
pub(super) fn parse(name: String, text: String) -> Result<ConfigFile, Error> {
    let mut file = ConfigFile { name, text, ..ConfigFile::default() };
    file.fill().map_err(|error| file.locate(error, 0))?;
    Ok(file)
}

fn read_route(table: &DeTable<'_>, top: &DeTable<'_>, start: usize) -> Result<Route, Error> {
    check(table, &cli::names::<SiteFlags>(), &["path", "command"], |key| {
        let is_of_server = cli::names::<Flags>().iter().any(|name| name == key);
        let message = format!("cannot set `{key}` in a route: it is for the whole server");
        is_of_server.then(|| Error::new(message, "move it to the top of the file"))
    })?;
    empty::check_table(table)?;
    let mut all = top.clone();
    all.extend(table.clone());
    let read = || Ok((subject::<RouteKeys>(table)?, SiteFlags::read(table, &all)?));
    let (RouteKeys { path, command }, flags) = read().map_err(|error| invalid(table, &error))?;
    let missing =
        || Error::new("cannot serve the route: it has no `path`", "add a line such as path = \"/chat\"").at(start);
    Ok(Route { start: Some(start), path: path.ok_or_else(missing)?, command, flags })
}

/// Refuses a key that is neither in `flags` nor in `more`. `known` may return a more precise error for it.
fn check(table: &DeTable<'_>, flags: &[String], more: &[&str], known: fn(&str) -> Option<Error>) -> Result<(), Error> {
    let names: Vec<_> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let Some(key) = table.keys().find(|key| !names.contains(&&**key.get_ref())) else { return Ok(()) };
    let scored = names.iter().map(|name| (strsim::jaro_winkler(key.get_ref(), name), name));
    let hint = match scored.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        // With a lower score it is probably another word: `server` and `reverselookup` have 0.71.
        Some((score, name)) if score > 0.8 => format!("did you mean `{name}`?"),
        _ => "use the name of a flag; `wsd --help` lists them".to_owned(),
    };
    let error = known(key.get_ref()).unwrap_or_else(|| Error::new(format!("unknown key `{}`", key.get_ref()), hint));
    Err(error.at(key.span().start))
}

/// Returns an error that names the key with the invalid value.
fn invalid(table: &DeTable<'_>, error: &toml::de::Error) -> Error {
    let at = error.span().map(|span| span.start);
    let is_in = |value: &Spanned<DeValue<'_>>| at.is_some_and(|at| value.span().contains(&at));
    let key = table.iter().find(|(_, value)| is_in(value)).map_or("?", |(key, _)| key.get_ref());
    let got = error.message().rsplit_once("got `").map(|(_, got)| got.trim_end_matches('`'));
    let is_of_switch = error.message().contains("true or false");
    let is_quoted = got.is_some_and(|got| got.parse::<f64>().is_ok() || is_of_switch && got.parse::<bool>().is_ok());
    let meant = got.and_then(meant_framing).filter(|_| key == "framing");
    let hint = match key {
        _ if meant.is_some() => &format!("add {} instead", meant.unwrap_or_default()),
        "command" => "write a list of words: command = [\"cat\", \"-n\"]",
        "path" => "write a path: path = \"/chat\"",
        _ if is_quoted => "remove the quotes",
        _ => "look up the flag in `wsd --help`",
    };
    Error::new(format!("invalid value for `{key}`: {}", error.message()), hint).at(at)
}

/// Lists the routes of the file and of the command line. A route of the command line replaces one at the same path.
pub(super) fn routes(line: &CommandLine, file: &ConfigFile) -> Vec<Route> {
    let is_replaced = |route: &&Route| line.run.route.iter().any(|own| own.0 == *route.path);
    let own = line.run.route.iter().map(|own| Route {
        start: None,
        path: Flag { value: own.0.clone(), at: None },
        command: Some(Flag { value: own.1.clone(), at: None }),
        flags: SiteFlags { served: ServedFlags::default(), ..file.flags.site.clone() },
    });
    file.routes.iter().filter(|route| !is_replaced(route)).cloned().chain(own).collect()
}
