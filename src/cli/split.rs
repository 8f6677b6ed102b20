//! Splits a command line at COMMAND, as Go's flag package does.

use std::ffi::OsString;

use clap::Command;

use super::value::FlagValue;

/// Separates the flags from COMMAND and its arguments, and gives each flag its long spelling.
pub(super) fn split(definition: &Command, args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
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
            // These flags print a text and exit, unless their value is false.
            Some((name @ ("h" | "help" | "version" | "license"), value)) => match bool::of_word(value.as_ref()) {
                Some(true) => name,
                Some(false) => continue,
                None => body,
            },
            _ => body,
        };
        let body = if body == "h" { "help" } else { body };
        let takes_next = definition.get_arguments().any(|argument| {
            argument.get_long() == Some(body)
                && argument.get_action().takes_values()
                && argument.get_num_args().is_none_or(|count| count.min_values() > 0)
        });
        let mut word = OsString::from(format!("--{body}"));
        if takes_next && let Some(value) = args.next() {
            word.push("=");
            word.push(value);
        }
        flags.push(word);
    }
    (flags, Vec::new())
}
