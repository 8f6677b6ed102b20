//! Describes an error of the command line: a message, and a hint on the next line.

use std::{error::Error, ffi::OsString};

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// Returns the message and the hint of an error that clap found in `args`, as `definition` has the flags.
pub(super) fn describe(definition: &Command, error: &clap::Error, args: &[OsString]) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
        _ => "",
    };
    let (flag, value) = (name(text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    let look_up = || format!("look up {flag} in `wsd --help`");
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument => {
            let suggested = name(text(ContextKind::SuggestedArg));
            let synonym = SYNONYMS.iter().find(|(other, _)| *other == flag.trim_start_matches('-'));
            let hint = match synonym.map_or(suggested, |(_, own)| own) {
                similar if is_listed(definition, similar) => format!("did you mean `{similar}`?"),
                _ => "use a flag that `wsd --help` lists".to_owned(),
            };
            (format!("unknown flag `{}`", as_written(flag, args)), hint)
        }
        ErrorKind::TooManyValues => (format!("unexpected value `{value}` for {flag}"), format!("write {flag} alone")),
        ErrorKind::InvalidValue if value.is_empty() => (format!("cannot use {flag} without a value"), look_up()),
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) => (format!("invalid value `{value}` for {flag}"), one_of(words)),
            _ => (format!("invalid value `{value}` for {flag}"), look_up()),
        },
        ErrorKind::ValueValidation => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let port = value.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            let hint = match port.filter(|_| flag.ends_with("port")) {
                Some(port) => format!("write the number alone, {flag}={port}; --address takes the address"),
                None => look_up(),
            };
            (format!("invalid value `{value}` for {flag}{cause}"), hint)
        }
        _ => return error.render().to_string().trim_start_matches("error: ").to_owned(),
    };
    format!("{message}\nhint: {hint}")
}

/// The names that other servers give to flags of wsd.
const SYNONYMS: [(&str, &str); 8] = [
    ("bind", "--address"),
    ("ca", "--sslca"),
    ("cert", "--sslcert"),
    ("host", "--address"),
    ("key", "--sslkey"),
    ("listen", "--address"),
    ("p", "--port"),
    ("tls", "--ssl"),
];

/// Whether `wsd --help` lists this flag.
fn is_listed(definition: &Command, flag: &str) -> bool {
    let is_this = |known: &clap::Arg| known.get_long().is_some_and(|name| flag.strip_prefix("--") == Some(name));
    definition.get_arguments().any(|known| is_this(known) && !known.is_hide_set())
}

/// Returns the name of a flag without its value: `--slow` for `--slow <HOW>`, `--shared` for `--shared[=<HOW>]`.
fn name(usage: &str) -> &str {
    usage.split([' ', '[', '=']).next().unwrap_or(usage)
}

/// Returns an unknown flag as the command line has it: `-p`, where clap read `--p`.
fn as_written<'a>(flag: &'a str, args: &'a [OsString]) -> &'a str {
    let mut words = args.iter().skip(1).filter_map(|word| Some(name(word.to_str()?)));
    words.find(|word| *word == flag || flag.strip_prefix('-') == Some(word)).unwrap_or(flag)
}

/// Names the words that are valid.
fn one_of(words: &[String]) -> String {
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("use {} or {last}", others.join(", ")),
        _ => format!("use {}", words.concat()),
    }
}
