//! `--config`: flags and routes from a TOML file.
//!
//! A key is the name of a flag, its value what would stand behind it; every error names file, line and key.

use std::{ffi::OsString, fs, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Error;
use crate::cli::{self, Kind};

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Flags for the whole.
    pub(super) settings: Vec<Setting>,
    /// Its `[[route]]` tables.
    pub(super) routes: Vec<Route>,
}

/// A flag in a file.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The flag's name.
    pub(super) name: String,
    /// The flag as words of a command line.
    pub(super) words: Vec<OsString>,
    /// Where it stands.
    pub(super) place: String,
}

/// A `[[route]]` table, or a `--route`.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Where it stands.
    pub(super) place: String,
    pub(super) path: String,
    pub(super) command: Vec<OsString>,
    /// Where that stands.
    pub(super) command_place: String,
    pub(super) settings: Vec<Setting>,
}

impl File {
    /// Where the setting stands that an error speaks of; nowhere, if it is the command line's.
    pub(super) fn place_of(&self, error: &Error) -> &str {
        place_of(&self.settings, error).unwrap_or_default()
    }
}

impl Route {
    /// Where in the route, or else in the file, that stands which an error speaks of.
    pub(super) fn place_of<'a>(&'a self, file: &'a File, error: &Error) -> &'a str {
        let is_of_command = error.message.starts_with("cannot find COMMAND") && !self.command_place.is_empty();
        let own = if is_of_command { Some(&*self.command_place) } else { place_of(&self.settings, error) };
        own.or_else(|| place_of(&file.settings, error)).unwrap_or(&self.place)
    }
}

/// The place of the first setting that an error speaks of.
fn place_of<'a>(settings: &'a [Setting], error: &Error) -> Option<&'a str> {
    if !error.message.starts_with("--") {
        // It has its place, or speaks of none.
        return None;
    }
    // What stands between backquotes is a value.
    let flags = error.message.split('`').step_by(2).flat_map(|text| text.split(' ')).filter_map(|word| {
        let name = word.strip_prefix("--")?;
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()
    });
    let places = flags.filter_map(|name| settings.iter().find(|setting| setting.name == name));
    places.map(|setting| &*setting.place).next()
}

/// What may have been meant by a key that there is not.
fn hint_for_unknown(name: &str, is_in_route: bool) -> String {
    let nearest = match (is_in_route, name) {
        (false, "path" | "command") => return "it is a key of a route: write `[[route]]` above it".to_owned(),
        (false, _) => cli::nearest(name, |flag| cli::kind_of(flag).is_some(), &["route"]),
        (true, _) => cli::nearest(name, cli::belongs_to_route, &["path", "command"]),
    };
    nearest.map_or_else(
        || "the keys are the names of flags: see `wsd --help`".to_owned(),
        |nearest| format!("did you mean `{nearest}`?"),
    )
}

/// Reads and checks a file.
pub(super) fn read(path: &Path) -> Result<File, Error> {
    let text = fs::read_to_string(path).map_err(|cause| {
        Error::new(format!("--config: cannot read `{}`: {cause}", path.display()), "name a readable TOML file")
    })?;
    parse(path.display().to_string(), &text)
}

/// Checks the text of the file of this name.
pub(super) fn parse(name: String, text: &str) -> Result<File, Error> {
    let source = Source { name, text };
    let table = DeTable::parse(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| source.place(span.start));
        Error::new(format!("{place}{}", error.message()), "the file must be TOML 1.0")
    })?;
    source.file(table.get_ref())
}

struct Source<'a> {
    name: String,
    text: &'a str,
}

impl Source<'_> {
    /// `FILE:LINE: `.
    fn place(&self, at: usize) -> String {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        format!("{}:{line}: ", self.name)
    }

    fn file(&self, table: &DeTable<'_>) -> Result<File, Error> {
        let mut file = File::default();
        for (key, value) in table {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("route", DeValue::Array(routes)) => {
                    for route in routes {
                        let DeValue::Table(table) = route.get_ref() else {
                            return Err(self.wrong(value, name, "a table: write `[[route]]`"));
                        };
                        file.routes.push(self.route(table, route.span().start)?);
                    }
                }
                ("route", _) => return Err(self.wrong(value, name, "a list of tables: write `[[route]]`")),
                _ => file.settings.push(self.setting(key, value, false)?),
            }
        }
        Ok(file)
    }

    fn route(&self, table: &DeTable<'_>, at: usize) -> Result<Route, Error> {
        let (mut path, mut command, mut settings) = (None, Vec::new(), Vec::new());
        let mut command_place = String::new();
        let mut place = self.place(at);
        for (key, value) in table {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("path", DeValue::String(text)) => {
                    path = Some(text.to_string());
                    place = self.place(value.span().start);
                }
                ("path", _) => return Err(self.wrong(value, name, "text")),
                ("command", DeValue::Array(words)) if !words.is_empty() => {
                    command_place = self.place(key.span().start);
                    for word in words {
                        let DeValue::String(word) = word.get_ref() else {
                            return Err(self.wrong(value, name, "a list of texts"));
                        };
                        command.push(OsString::from(&**word));
                    }
                }
                ("command", _) => return Err(self.wrong(value, name, "a list, such as [\"./counter\", \"10\"]")),
                _ => settings.push(self.setting(key, value, true)?),
            }
        }
        let Some(path) = path else {
            return Err(Error::new(format!("{place}a route has no `path`"), "add a line such as path = \"/chat\""));
        };
        let serves = |setting: &Setting| cli::is_content(&setting.name);
        if command.is_empty() && !settings.iter().any(serves) {
            return Err(Error::new(
                format!("{place}nothing to serve: the route has no `command`, `dir`, `staticdir` or `cgidir`"),
                "add a line such as command = [\"./counter\", \"10\"]",
            ));
        }
        Ok(Route { place, path, command, command_place, settings })
    }

    fn setting(
        &self,
        key: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        is_in_route: bool,
    ) -> Result<Setting, Error> {
        let name: &str = key.get_ref();
        let place = self.place(key.span().start);
        let Some(kind) = cli::kind_of(name) else {
            return Err(Error::new(format!("{place}there is no key `{name}`"), hint_for_unknown(name, is_in_route)));
        };
        if is_in_route && !cli::belongs_to_route(name) {
            let message = format!("{place}`{name}` is for the whole server, not for a route");
            return Err(Error::new(message, "move it to the top of the file"));
        }
        let values = self.values(name, kind, value)?;
        let words: Vec<OsString> = values.iter().map(|value| format!("--{name}={value}").into()).collect();
        if let Err(why) = cli::parse_words(&words) {
            return Err(Error::new(format!("{place}`{name}`: {why}"), "see `wsd --help`"));
        }
        Ok(Setting { name: name.to_owned(), words, place })
    }

    /// The value as it would stand behind the flag; of a list of texts each.
    fn values(&self, name: &str, kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Error> {
        let texts = |values: &toml::de::DeArray<'_>| -> Option<Vec<String>> {
            values.iter().map(|value| value.get_ref().as_str().map(ToOwned::to_owned)).collect()
        };
        match (kind, value.get_ref()) {
            // `shared = true` is the flag without a value, `shared = false` is no flag.
            (Kind::Text, DeValue::Boolean(is)) if name == "shared" => {
                Ok(if *is { vec!["all".to_owned()] } else { Vec::new() })
            }
            (Kind::Boolean, DeValue::Boolean(value)) => Ok(vec![value.to_string()]),
            (Kind::Boolean, _) => Err(self.wrong(value, name, "true or false")),
            (Kind::Number, DeValue::Integer(number)) => Ok(vec![number.to_string()]),
            (Kind::Number, DeValue::Float(number)) if matches!(name, "cgi-timeout" | "slow-wait") => {
                Ok(vec![number.to_string()])
            }
            (Kind::Number, _) => Err(self.wrong(value, name, "a number")),
            (Kind::Text | Kind::Texts, DeValue::String(text)) => Ok(vec![text.to_string()]),
            (Kind::Texts, DeValue::Array(values)) => {
                texts(values).ok_or_else(|| self.wrong(value, name, "a list of texts"))
            }
            // A list, where the flag has commas.
            (Kind::Text, DeValue::Array(values)) if matches!(name, "origin" | "passenv" | "subprotocol") => {
                let values = texts(values).ok_or_else(|| self.wrong(value, name, "a list of texts"))?;
                Ok(vec![values.join(",")])
            }
            (Kind::Text | Kind::Texts, _) => Err(self.wrong(value, name, "text")),
        }
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, name: &str, wanted: &str) -> Error {
        let place = self.place(value.span().start);
        Error::new(format!("{place}`{name}` has the wrong type"), format!("it is {wanted}"))
    }
}
