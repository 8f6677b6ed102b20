//! Generates the manual page, the page of flags and the completions from the definition of the flags.

use std::io;

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{page::page, value::words};

words! {
    /// The texts that `--generate` prints.
    GeneratedWord { Man = "man", Page = "flags", Bash = "bash", Zsh = "zsh", Fish = "fish" }
}

/// Returns the text that `--generate` asks for.
pub(super) fn generate(mut definition: Command, what: GeneratedWord) -> io::Result<String> {
    let mut text = Vec::new();
    match what {
        GeneratedWord::Man => Man::new(definition).render(&mut text)?,
        GeneratedWord::Page => text = page(&mut definition).into_bytes(),
        GeneratedWord::Bash => clap_complete::generate(Shell::Bash, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Zsh => clap_complete::generate(Shell::Zsh, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Fish => clap_complete::generate(Shell::Fish, &mut completed(&definition), "wsd", &mut text),
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the definition that shells complete: the visible flags, and COMMAND.
fn completed(definition: &Command) -> Command {
    let offered = definition.get_arguments().filter(|flag| !flag.is_hide_set()).cloned();
    let command = Arg::new("COMMAND").num_args(0..).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments);
    let offering = Command::new("wsd").version(env!("CARGO_PKG_VERSION"));
    offering.disable_help_flag(true).disable_version_flag(true).args(offered).arg(command)
}
