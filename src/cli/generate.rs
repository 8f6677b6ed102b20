//! The manual page and the completions, made from the definition of the flags.

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;

use super::Answer;

/// The flag that shows it is offered.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `--generate` asks for.
pub(super) fn generate(definition: Command, what: &str) -> Answer {
    let mut text = Vec::new();
    let shell = match what {
        "man" => {
            return match clap_mangen::Man::new(definition).render(&mut text) {
                Ok(()) => Answer::Text(String::from_utf8_lossy(&text).into_owned()),
                Err(error) => Answer::Wrong(error.to_string()),
            };
        }
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return Answer::Wrong(format!("--generate: there is no `{what}`\nhint: it is man, bash, zsh or fish")),
    };
    clap_complete::generate(shell, &mut completed(&definition), "wsd", &mut text);
    Answer::Text(String::from_utf8_lossy(&text).into_owned())
}

/// The flags that are offered, with what is known of their values, and COMMAND.
fn completed(definition: &Command) -> Command {
    let offered = definition.get_arguments().filter(|flag| !flag.is_hide_set()).cloned().map(with_values);
    let command = Arg::new("COMMAND").num_args(0..).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments);
    let offering = Command::new("wsd").version(VERSION).disable_help_flag(true).disable_version_flag(true);
    offering.args(offered).arg(command)
}

fn with_values(flag: Arg) -> Arg {
    match flag.get_id().as_str() {
        "loglevel" => flag.value_parser(["debug", "trace", "access", "info", "warn", "error", "fatal", "none"]),
        "framing" => flag.value_parser(["lines", "chunks", "json"]),
        "slow" => flag.value_parser(["close", "drop", "wait"]),
        "shared" => flag.value_parser(["all", "path"]),
        "dir" | "staticdir" | "cgidir" => flag.value_hint(ValueHint::DirPath),
        "config" | "sslcert" | "sslkey" | "sslca" | "unixsocket" => flag.value_hint(ValueHint::FilePath),
        _ => flag,
    }
}
