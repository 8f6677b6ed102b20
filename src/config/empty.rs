//! Refuses empty values of flags that protect or place something: a variable that is not set must not open the server.
//!
//! websocketd takes empty values of its own flags, so wsd does, too.

use toml::de::{DeTable, DeValue};

use super::error::Error;
use crate::cli::CommandLine;

/// The flags, the effect that an empty value would have, and advice.
const FLAGS: [(&str, &str, &str); 12] = [
    ("allow", "every address would be admitted", "name addresses: --allow=10.0.0.0/8, or remove --allow"),
    (
        "auth",
        "everybody would be admitted",
        "write --auth=basic:FILE or another kind, or --auth=none to admit everybody",
    ),
    ("bus", "each node would have rooms of its own", "name a server: --bus=redis://HOST, or remove --bus"),
    ("cgroup", "programs would have no control group", "write --cgroup=memory=64M, or --cgroup=false for none"),
    ("chdir", "programs would start in the folder of wsd", "name a folder: --chdir=DIR, or remove --chdir"),
    ("deny", "no address would be refused", "name addresses: --deny=10.0.0.0/8, or remove --deny"),
    ("limit", "programs would have no limits", "name limits: --limit=memory=512M, or remove --limit"),
    ("logfile", "the log would be on standard error", "name a file: --logfile=PATH, or remove --logfile"),
    ("metrics", "nothing would be measured", "name a place: --metrics=127.0.0.1:9100, or remove --metrics"),
    ("record", "nothing would be recorded", "name a folder: --record=DIR, or write --record=false"),
    ("trust-proxy", "no proxy would be trusted", "name proxies: --trust-proxy=127.0.0.1, or remove --trust-proxy"),
    ("user", "programs would run as the user of wsd", "name a user: --user=NAME, or remove --user"),
];

/// Refuses an empty value on the command line.
pub(super) fn check_line(line: &CommandLine) -> Result<(), Error> {
    let found = FLAGS.iter().find(|(name, ..)| line.values(name).any(is_blank));
    found.map_or(Ok(()), |flag| Err(refused(flag)))
}

/// Refuses an empty value in a table of the file: an empty text, or a list without a text. A route may replace what it inherits by
/// no limits, and by a list that denies nobody.
pub(super) fn check_table(table: &DeTable<'_>) -> Result<(), Error> {
    let is_empty = |name: &str, value: &DeValue<'_>| match value {
        _ if name == "limit" => false,
        DeValue::String(text) => is_blank(text),
        DeValue::Array(all) if name == "deny" && all.is_empty() => false,
        DeValue::Array(all) => all.iter().all(|one| one.get_ref().as_str().is_some_and(is_blank)),
        _ => false,
    };
    let found = FLAGS.iter().find_map(|flag| {
        let value = table.get(flag.0).filter(|value| is_empty(flag.0, value.get_ref()))?;
        Some(refused(flag).at(value.span().start))
    });
    found.map_or(Ok(()), Err)
}

/// Whether a value, or each part of a list with commas, is blank.
fn is_blank(value: &str) -> bool {
    value.split(',').all(|part| part.trim().is_empty())
}

fn refused((name, effect, hint): &(&str, &str, &str)) -> Error {
    Error::new(format!("cannot use an empty value for --{name}: {effect}"), *hint)
}
