//! The command line: text in, [`Flags`] out. Opens nothing, binds nothing.
//!
//! The spelling is that of Go's flag package, which websocketd uses: `-x` is `--x`, a boolean takes a value only after
//! `=`, and everything from the first word that is no flag belongs to COMMAND.

mod flags;
mod generate;
mod values;

use std::{any::TypeId, ffi::OsString, num::NonZero, path::Path, time::Duration};

use clap::{CommandFactory, FromArgMatches, Parser, error::ErrorKind};

pub(crate) use flags::Flags;
use values::boolean;

/// The name that brings websocketd's defaults with it.
const OLD_NAME: &str = "websocketd";

/// The text of the licence.
const LICENSE: &str = include_str!("../../LICENSE");

/// What became of the arguments if not flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Text for standard output, and success: `--help`, `--version`.
    Text(String),
    /// What is wrong with them, for standard error.
    Wrong(String),
}

/// Reads the arguments, the name of the program first.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Flags, Answer> {
    let mut args = args.into_iter().peekable();
    let own_name = args.peek().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    let is_websocketd = own_name == Some(OLD_NAME);
    let mut definition = if is_websocketd { old_definition() } else { Flags::command() };
    let (flags, command) = split(&definition, args);
    let words = flags.iter().skip(1).cloned().collect();
    let matches = definition.try_get_matches_from_mut(flags).map_err(|error| answer(&error))?;
    let mut flags = Flags::from_arg_matches(&matches).map_err(|error| answer(&error))?;
    if flags.license {
        return Err(Answer::Text(LICENSE.to_owned()));
    }
    if let Some(what) = &flags.generate {
        return Err(generate::generate(definition, what));
    }
    flags.command = command;
    flags.words = words;
    flags.is_websocketd = is_websocketd;
    Ok(flags)
}

/// The definition of the flags as it is under the name of websocketd: what is so by default is told as it is.
fn old_definition() -> clap::Command {
    Flags::command()
        .name(OLD_NAME)
        .override_usage("websocketd [FLAGS] COMMAND [ARGS]\n       websocketd [FLAGS] --dir=DIR")
        .mut_arg("port", |flag| flag.help("Port to listen on, not 0 [default: 80, with --ssl 443]"))
        .mut_arg("address", |flag| flag.help("Address to listen on, may be repeated [default: all of this machine]"))
        .mut_arg("anyorigin", |flag| flag.help("Pages of any origin; so by default, but then with a warning"))
}

/// The flags that `words` say, as if they were on a command line of their own; the last of several wins.
pub(crate) fn parse_words(words: &[OsString]) -> Result<Flags, String> {
    let words = std::iter::once(OsString::from("wsd")).chain(words.iter().cloned());
    Flags::try_parse_from(words).map_err(|error| match answer(&error) {
        Answer::Text(text) => text,
        Answer::Wrong(text) => text.lines().next().unwrap_or_default().to_owned(),
    })
}

/// What the value of a flag is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// Text.
    Text,
    /// Text, as often as wanted.
    Texts,
}

/// The kind of a flag; `None` if there is none of that name that a file of settings could have.
pub(crate) fn kind_of(name: &str) -> Option<Kind> {
    let definition = Flags::command();
    let flag = definition.get_arguments().find(|flag| flag.get_long() == Some(name))?;
    if NOT_IN_FILES.contains(&name) {
        return None;
    }
    let value = flag.get_value_parser().type_id();
    let is = |id: TypeId| value == id;
    Some(if is(TypeId::of::<bool>()) {
        Kind::Boolean
    } else if is(TypeId::of::<u16>())
        || is(TypeId::of::<u64>())
        || is(TypeId::of::<i64>())
        || is(TypeId::of::<Duration>())
        || is(TypeId::of::<NonZero<usize>>())
    {
        Kind::Number
    } else if matches!(flag.get_action(), clap::ArgAction::Append) {
        Kind::Texts
    } else {
        Kind::Text
    })
}

/// Flags that make no sense in a file of settings.
const NOT_IN_FILES: [&str; 7] = ["config", "check", "route", "help", "version", "license", "generate"];

/// Flags that are the whole server's, not a route's.
const SERVER_FLAGS: [&str; 13] = [
    "port",
    "address",
    "unixsocket",
    "socketmode",
    "redirport",
    "ssl",
    "sslcert",
    "sslkey",
    "sslca",
    "loglevel",
    "maxbuffer",
    "threads",
    "route",
];

/// Flags that say what is served, which no route takes over from the top of the file.
const CONTENT_FLAGS: [&str; 4] = ["dir", "staticdir", "cgidir", "devconsole"];

/// Whether the flag says what is served.
pub(crate) fn is_content(name: &str) -> bool {
    CONTENT_FLAGS.contains(&name)
}

/// Whether a route may have the flag.
pub(crate) fn belongs_to_route(name: &str) -> bool {
    kind_of(name).is_some() && !SERVER_FLAGS.contains(&name)
}

/// Whether a route takes the flag over from the top of the file, or from the command line.
pub(crate) fn is_inherited(name: &str) -> bool {
    belongs_to_route(name) && name != "maxforks" && !is_content(name)
}

/// The name that is most like `name`, of those of flags that `may_be` and `more`.
pub(crate) fn nearest(name: &str, may_be: impl Fn(&str) -> bool, more: &[&'static str]) -> Option<String> {
    let definition = Flags::command();
    let flags = definition.get_arguments().filter_map(clap::Arg::get_long).filter(|name| may_be(name));
    let scored = flags.chain(more.iter().copied()).map(|known| (strsim::jaro_winkler(name, known), known));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    // Below that it is rather a word of its own: `server` and `reverselookup` have 0.71.
    (best.0 > 0.8).then(|| best.1.to_owned())
}

/// The name of the flag that a word of [`Flags::words`] begins.
pub(crate) fn name_of(word: &OsString) -> Option<&str> {
    let body = word.to_str()?.strip_prefix("--")?;
    Some(body.split_once('=').map_or(body, |(name, _)| name))
}

/// The first of COMMAND's words that is spelled like one of wsd's own flags, which it is not: `--port`, `--port=80`. What
/// many programs have, such as `--help`, is not meant.
pub(crate) fn misplaced(command: &[OsString]) -> Option<&str> {
    let is_own = |word: &&OsString| name_of(word).and_then(kind_of).is_some();
    let word = command.iter().skip(1).find(is_own)?;
    name_of(word)
}

/// Flags that are asked and answered; asked with `false` they are not.
const ANSWERED: [&str; 4] = ["h", "help", "version", "license"];

fn answer(error: &clap::Error) -> Answer {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Text(text.trim_end().to_owned() + "\n"),
        _ => Answer::Wrong(text.strip_prefix("error: ").unwrap_or(&text).to_owned()),
    }
}

/// Parts the flags, each in its long spelling, from COMMAND and its arguments.
fn split(definition: &clap::Command, args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut args = args.into_iter();
    let mut flags: Vec<OsString> = args.next().into_iter().collect();
    while let Some(word) = args.next() {
        let Some(flag) = word.to_str().filter(|word| word.starts_with('-') && *word != "-" && *word != "--") else {
            let is_border = word == "--";
            let command = (!is_border).then_some(word).into_iter().chain(args).collect();
            return (flags, command);
        };
        let body = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')).unwrap_or(flag);
        let body = match body.split_once('=') {
            Some((name, value)) if ANSWERED.contains(&name) => match boolean(value) {
                Ok(true) => name,
                Ok(false) => continue,
                Err(_) => body,
            },
            _ => body,
        };
        let body = if body == "h" { "help" } else { body };
        let takes_next = definition.get_arguments().any(|argument| {
            argument.get_long() == Some(body)
                && argument.get_action().takes_values()
                && argument.get_num_args().is_none_or(|count| count.min_values() > 0)
        });
        let next = if takes_next { args.next() } else { None };
        flags.push(next.map_or_else(
            || format!("--{body}").into(),
            |value| {
                let mut word = OsString::from(format!("--{body}="));
                word.push(value);
                word
            },
        ));
    }
    (flags, Vec::new())
}
