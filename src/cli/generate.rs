//! Generates the manual page, the page of flags and the completions from the definition of the flags.

use std::io;

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{connect, page::page, replay, value::words};

words! {
    /// The texts that `--generate` prints.
    GeneratedWord { Man = "man", Page = "flags", Bash = "bash", Zsh = "zsh", Fish = "fish" }
}

/// Returns the text that `--generate` asks for.
pub(super) fn generate(mut definition: Command, what: GeneratedWord) -> io::Result<String> {
    let mut text = Vec::new();
    match what {
        GeneratedWord::Man => {
            let mut page = Vec::new();
            Man::new(definition).render(&mut page)?;
            // Behind all that is about the server, before the notes at the end.
            let page = String::from_utf8_lossy(&page).replacen(
                ".SH VERSION",
                &(client_section()? + &replay_section()? + ".SH VERSION"),
                1,
            );
            text.extend(page.into_bytes());
        }
        GeneratedWord::Page => {
            text = page(&mut definition, &mut connect::definition(), &mut replay::definition()).into_bytes();
        }
        GeneratedWord::Bash => clap_complete::generate(Shell::Bash, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Zsh => clap_complete::generate(Shell::Zsh, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Fish => clap_complete::generate(Shell::Fish, &mut completed(&definition), "wsd", &mut text),
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the section of the manual page about the client.
fn client_section() -> io::Result<String> {
    let usage = "\\fBwsd connect\\fR [\\fIFLAGS\\fR] \\fIURL\\fR [\\fICOMMAND\\fR [\\fIARGS\\fR]]";
    section("WSD CONNECT", usage, connect::definition())
}

/// Returns the section of the manual page about replays.
fn replay_section() -> io::Result<String> {
    let usage = "\\fBwsd replay\\fR [\\fIFLAGS\\fR] \\fIFILE\\fR [--] \\fICOMMAND\\fR [\\fIARGS\\fR]";
    section("WSD REPLAY", usage, replay::definition())
}

/// Returns a section of the manual page about a command of its own.
fn section(title: &str, usage: &str, definition: Command) -> io::Result<String> {
    let man = Man::new(definition);
    let mut text = Vec::new();
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_extra_section(&mut text)?;
    // Its headings become those of parts: the page has a description of its own.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA", ".SS NOTES").replace(".SH ", ".SS ");
    Ok(format!(".SH \"{title}\"\n{usage}\n{text}"))
}

/// Returns the definition that shells complete: the words `connect` and `replay` with their flags, or those of the server.
fn completed(definition: &Command) -> Command {
    let connect = offering(&connect::definition(), "connect");
    let replay = offering(&replay::definition(), "replay");
    offering(definition, "wsd").disable_help_subcommand(true).subcommand(connect).subcommand(replay)
}

/// Returns the visible flags, and COMMAND.
fn offering(definition: &Command, name: &'static str) -> Command {
    let offered = definition.get_arguments().filter(|flag| !flag.is_hide_set()).cloned();
    let command = Arg::new("COMMAND").num_args(0..).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments);
    let offering = Command::new(name).version(env!("CARGO_PKG_VERSION"));
    offering.disable_help_flag(true).disable_version_flag(true).args(offered).arg(command)
}
