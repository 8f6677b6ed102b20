//! Describes an error of the command line: a message, and a hint on the next line.

use std::{error::Error, ffi::OsString};

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// A reason to exit instead of serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Text for standard output, and success: `--help`, `--version`.
    Text(String),
    /// An error for standard error.
    Wrong(String),
}

/// Returns the answer to an error of clap; the texts of `--help` and `--version` are errors to it.
pub(super) fn answer(definition: &Command, error: &clap::Error, args: &[OsString]) -> Answer {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Answer::Text(error.render().to_string().trim_end().to_owned() + "\n")
        }
        _ => Answer::Wrong(describe(definition, error, args)),
    }
}

/// Returns the message and the hint of an error that clap found in `args`, as `definition` has the flags.
fn describe(definition: &Command, error: &clap::Error, args: &[OsString]) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
        _ => "",
    };
    let (flag, value) = (name(text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    let is_client = definition.get_name() == "wsd connect";
    let help = format!("{} --help", definition.get_name());
    let look_up = || format!("look up {flag} in `{help}`");
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument => {
            let suggested = name(text(ContextKind::SuggestedArg));
            let foreign = flag.trim_start_matches('-');
            let synonym = SYNONYMS.iter().find(|(other, _)| *other == foreign).map(|(_, own)| *own);
            // The client has no framing `json`.
            let foreign = if is_client && foreign == "json" { "jsonrpc" } else { foreign };
            let advice = ADVICE.iter().find(|(other, _)| *other == foreign).map(|(_, hint)| (*hint).to_owned());
            let hint = match synonym.unwrap_or(suggested) {
                _ if advice.is_some() => advice.unwrap_or_default(),
                similar if is_listed(definition, similar) && (synonym.is_some() || is_near(foreign, similar)) => {
                    format!("did you mean `{similar}`?")
                }
                _ => format!("use a flag that `{help}` lists"),
            };
            (format!("unknown flag `{}`", as_written(flag, args)), hint)
        }
        ErrorKind::TooManyValues => (format!("unexpected value `{value}` for {flag}"), format!("write {flag} alone")),
        ErrorKind::InvalidValue if value.is_empty() && is_list(flag, args) => {
            (format!("invalid value for {flag}: an empty word"), "write words with one comma between two".to_owned())
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            let hint = for_resume(is_client, flag, value).unwrap_or_else(look_up);
            (format!("cannot use {flag} without a value"), hint)
        }
        ErrorKind::InvalidValue if let Some(level) = meant_level(value).filter(|_| flag == "--loglevel") => {
            (format!("invalid value `{value}` for {flag}"), format!("did you mean `{level}`?"))
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) => {
                let hint = match meant_framing(value).filter(|_| flag == "--framing") {
                    Some(own) if is_valid(definition, words, own) => format!("did you mean `{own}`?"),
                    Some(own) => format!("{}; {own} is for the server", one_of(words)),
                    None => one_of(words),
                };
                (format!("invalid value `{value}` for {flag}"), hint)
            }
            _ => (format!("invalid value `{value}` for {flag}"), look_up()),
        },
        ErrorKind::ValueValidation => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let port = value.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            let hint = if let Some(port) = port.filter(|_| flag.ends_with("port")) {
                format!("write the number alone, {flag}={port}; --address takes the address")
            } else {
                let missing = || number_is_missing(&cause, flag, value, args);
                for_resume(is_client, flag, value).or_else(missing).unwrap_or_else(look_up)
            };
            (format!("invalid value `{value}` for {flag}{cause}"), hint)
        }
        _ => return error.render().to_string().trim_start_matches("error: ").to_owned(),
    };
    format!("{message}\nhint: {hint}")
}

/// Whether an unknown name is probably a misspelt flag: one in three letters differs at most, or letters are missing at its end.
fn is_near(foreign: &str, similar: &str) -> bool {
    let similar = similar.trim_start_matches('-');
    similar.starts_with(foreign) || strsim::osa_distance(foreign, similar) <= (foreign.len() / 3).max(1)
}

/// Returns the level of the log that other programs call `word`.
fn meant_level(word: &str) -> Option<&'static str> {
    Some(match &*word.to_ascii_lowercase() {
        "warning" => "warn",
        "err" => "error",
        "notice" | "information" => "info",
        "critical" => "fatal",
        "off" => "none",
        _ => return None,
    })
}

/// Returns the hint for a flag whose number is missing, so that the next word was taken for it.
fn number_is_missing(cause: &str, flag: &str, value: &str, args: &[OsString]) -> Option<String> {
    let is_flag = |word: &OsString| word.to_str().is_some_and(|word| word.trim_start_matches('-') == &flag[2..]);
    let is_apart = args.windows(2).any(|pair| is_flag(&pair[0]) && pair[1] == *value);
    let is_meant = is_apart && cause.contains("number") && !value.contains(|c: char| c.is_ascii_digit());
    is_meant.then(|| format!("a number is missing after {flag}: write {flag}=N {value}"))
}

/// Whether the flags for a framing are flags of `definition`, with one of these words.
fn is_valid(definition: &Command, words: &[String], own: &str) -> bool {
    match own.strip_prefix("--framing=") {
        Some(rest) => words.iter().any(|word| rest.split(' ').next() == Some(word)),
        None => is_listed(definition, own),
    }
}

/// Returns the hint for an invalid value of --resume: the server's is a time, the client's is a switch.
fn for_resume(is_client: bool, flag: &str, value: &str) -> Option<String> {
    match (flag, is_client) {
        ("--resume", true) if value.parse::<f64>().is_ok() => {
            Some(format!("the server keeps the session: wsd --resume={value}; here write --resume"))
        }
        ("--resume", false) => Some("write --resume=60".to_owned()),
        _ => None,
    }
}

/// The names that other servers and clients give to flags of wsd.
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

/// Hints for names that are no flags of wsd, but protocols, framings, and flags of terminals.
const ADVICE: [(&str, &str); 12] = [
    ("cols", "the query sets the size of a terminal: /?cols=132&rows=50"),
    ("columns", "the query sets the size of a terminal: /?cols=132&rows=50"),
    ("json", "did you mean `--framing=json`?"),
    ("json-rpc", "did you mean `--framing=jsonrpc`?"),
    ("jsonrpc", "did you mean `--framing=jsonrpc`?"),
    ("lsp", "did you mean `--framing=lsp`?"),
    ("nul", "did you mean `--framing=nul`?"),
    ("null", "did you mean `--framing=nul`?"),
    ("rows", "the query sets the size of a terminal: /?cols=132&rows=50"),
    ("terminal", "did you mean `--pty`?"),
    ("tty", "did you mean `--pty`?"),
    ("writable", "terminals of --pty take input anyway; --readonly takes none"),
];

/// Words that one may take for framings, in any case, and how wsd spells them.
const MEANT: [(&str, &str); 17] = [
    ("acp", "--acp"),
    ("binary", "--framing=chunks"),
    ("chunks", "--framing=chunks"),
    ("json", "--framing=json"),
    ("json-lines", "--framing=jsonrpc"),
    ("json-rpc", "--framing=jsonrpc"),
    ("jsonl", "--framing=jsonrpc"),
    ("jsonrpc", "--framing=jsonrpc"),
    ("length", "--framing=length"),
    ("lines", "--framing=lines"),
    ("lsp", "--framing=lsp"),
    ("mcp", "--mcp"),
    ("ndjson", "--framing=jsonrpc"),
    ("nul", "--framing=nul"),
    ("null", "--framing=nul"),
    ("pty", "--pty"),
    ("raw", "--framing=chunks"),
];

/// Returns the flags for a word that one may take for a framing.
pub(crate) fn meant_framing(word: &str) -> Option<&'static str> {
    MEANT.iter().find(|(other, _)| word.eq_ignore_ascii_case(other)).map(|(_, own)| *own)
}

/// Whether the value of a flag has commas, as of a list.
fn is_list(flag: &str, args: &[OsString]) -> bool {
    let words: Vec<_> = args.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let is_flag = |word: &str| word.trim_start_matches('-') == flag.trim_start_matches('-');
    let apart = words.windows(2).filter(|pair| is_flag(pair[0])).map(|pair| pair[1]);
    let joined = words.iter().filter_map(|word| word.split_once('=')).filter(|(name, _)| is_flag(name));
    apart.chain(joined.map(|(_, value)| value)).any(|value| value.contains(','))
}

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
