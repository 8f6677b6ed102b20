//! Generates the manual page, the page of flags and the completions from the definition of the flags.

use std::io;

use clap::{Arg, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{connect, page::page, value::words};

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
            let page = String::from_utf8_lossy(&page).replacen(".SH VERSION", &(client_section()? + ".SH VERSION"), 1);
            text.extend(page.into_bytes());
        }
        GeneratedWord::Page => text = page(&mut definition, &mut connect::definition()).into_bytes(),
        GeneratedWord::Bash => clap_complete::generate(Shell::Bash, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Zsh => clap_complete::generate(Shell::Zsh, &mut completed(&definition), "wsd", &mut text),
        GeneratedWord::Fish => clap_complete::generate(Shell::Fish, &mut completed(&definition), "wsd", &mut text),
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the section of the manual page about the client.
fn client_section() -> io::Result<String> {
    let client = Man::new(connect::definition());
    let mut text = Vec::new();
    client.render_description_section(&mut text)?;
    client.render_options_section(&mut text)?;
    client.render_extra_section(&mut text)?;
    // Its headings become those of parts: the page has a description of its own.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA", ".SS NOTES").replace(".SH ", ".SS ");
    Ok(format!(
        ".SH \"WSD CONNECT\"\n\\fBwsd connect\\fR [\\fIFLAGS\\fR] \\fIURL\\fR [\\fICOMMAND\\fR [\\fIARGS\\fR]]\n{text}"
    ))
}

/// Returns the definition that shells complete: the word `connect` with the flags of the client, or those of the server.
fn completed(definition: &Command) -> Command {
    offering(definition, "wsd").disable_help_subcommand(true).subcommand(offering(&connect::definition(), "connect"))
}

/// Returns the visible flags, and COMMAND.
fn offering(definition: &Command, name: &'static str) -> Command {
    let offered = definition.get_arguments().filter(|flag| !flag.is_hide_set()).cloned();
    let command = Arg::new("COMMAND").num_args(0..).trailing_var_arg(true).value_hint(ValueHint::CommandWithArguments);
    let offering = Command::new(name).version(env!("CARGO_PKG_VERSION"));
    offering.disable_help_flag(true).disable_version_flag(true).args(offered).arg(command)
}
