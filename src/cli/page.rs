//! Renders the page of flags, `docs/flags.md`, from their definition.

use std::fmt::Write as _;

use clap::{Arg, Command};

/// The text above the tables.
const HEAD: &str = "\
# Flags

<!-- Made by `wsd --generate=flags`. To write it anew: WSD_BLESS=1 cargo test --test it the_page_of_flags_is_generated -->

Flags are spelled as in Go and websocketd: `-port 8080`, `--port=8080`, `--binary`, `--binary=false`. Flags end at COMMAND; the
words after it are its arguments. Most flags are also keys of the [file](configuration.md) of `--config`, without the dashes.
";

/// The text above the table of the client.
const CLIENT: &str = "The [client](connect.md) has no file. Its flags may stand before the URL or after it.\n\n";

/// The text above the table of replays.
const REPLAY: &str = "A [replay](record.md) has no file. Its flags may stand before FILE or after it.\n\n";

/// Returns the page in Markdown: a table for each heading of `--help`, and one each for the flags of the client and of replays.
pub(super) fn page(server: &mut Command, client: &mut Command, replay: &mut Command) -> String {
    let mut page = HEAD.to_owned();
    append(server, "", &mut page);
    append(client, CLIENT, &mut page);
    append(replay, REPLAY, &mut page);
    page
}

/// Appends a table for each heading of a command, each below `text`.
fn append(definition: &mut Command, text: &str, page: &mut String) {
    definition.build();
    let mut heading = None;
    for flag in definition.get_arguments().filter(|flag| !flag.is_hide_set()) {
        if heading != flag.get_help_heading() {
            heading = flag.get_help_heading();
            let title = heading.unwrap_or("Other");
            let _ = write!(page, "\n## {title}\n\n{text}| flag | meaning |\n|---|---|\n");
        }
        let _ = writeln!(page, "| `{}` | {} |", spelling(flag), meaning(flag));
    }
}

/// Spells a flag with the name of its value, as `--help` does.
fn spelling(flag: &Arg) -> String {
    let long = flag.get_long().unwrap_or_default();
    let value = flag.get_value_names().and_then(|names| names.first()).filter(|_| flag.get_action().takes_values());
    match value {
        None => format!("--{long}"),
        Some(name) if flag.is_require_equals_set() => format!("--{long}[=<{name}>]"),
        Some(name) => format!("--{long} <{name}>"),
    }
}

/// Returns a flag's help, with the valid words if it has a list.
fn meaning(flag: &Arg) -> String {
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let words: Vec<_> = flag.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
    let is_listed = flag.get_action().takes_values() && !words.is_empty();
    if is_listed { format!("{help} [possible values: {}]", words.join(", ")) } else { help }
}
