//! Reads the command line and returns typed flags. Opens no file and no socket.
//!
//! Each subject has a struct of flags. clap reads it from the command line, serde from a TOML file. To add a flag, add a field
//! with its help text there and use it in `config`: help, completions, the manual page and the key follow.
//!
//! Flags are spelled as in Go's flag package, which websocketd uses: `-x` is `--x`, a boolean takes a value only after `=`,
//! and COMMAND begins at the first word that is not a flag.

#![expect(clippy::doc_markdown, reason = "the doc comments of flags are the text of `--help`")]
#![expect(rustdoc::broken_intra_doc_links, reason = "brackets in the text of `--help` are not links")]

pub(crate) mod auth;
pub(crate) mod confine;
pub(crate) mod connect;
pub(crate) mod error;
mod generate;
pub(crate) mod limits;
pub(crate) mod mcp;
mod page;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod server;
pub(crate) mod site;
mod split;
pub(crate) mod types;
pub(crate) mod value;

use std::cell::LazyCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, Parser, ValueHint};

pub(crate) use error::Answer;
use error::answer;
use generate::{GeneratedWord, generate};
use server::Flags;
use split::split;
use types::{CommandWords, RouteWords};
use value::Flag;

/// Turns any program that reads standard input and writes standard output into a WebSocket service.
///
/// Each WebSocket connection gets its own process of COMMAND. Every line that the process prints becomes a message, and
/// every message that it receives becomes a line on its standard input.
#[derive(Parser)]
#[command(
    name = "wsd",
    version,
    override_usage = "wsd [FLAGS] COMMAND [ARGS]\n       wsd [FLAGS] --dir=DIR\n       wsd connect [FLAGS] URL [COMMAND [ARGS]]\n       wsd replay [FLAGS] FILE [--] COMMAND [ARGS]",
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 80,
    after_help = "Flags end at COMMAND; the words after it are its arguments.\n`wsd connect --help` tells of the client, \
                  `wsd replay --help` of replays. A program that is called connect or replay is run as ./connect, or after --.\nExit status: 0 stopped by a signal, 1 invalid \
                  configuration, 2 invalid flag, 3 cannot start."
)]
struct Definition {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    run: RunFlags,
    /// Print this help
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Other")]
    help: Option<bool>,
    /// Print the licence
    #[arg(long, action = ArgAction::SetTrue, help_heading = "Other")]
    license: bool,
    /// Print the manual page, the page of flags, or the completions of the flags for a shell
    #[arg(long, value_name = "WHAT", hide = true)]
    generate: Option<Flag<GeneratedWord>>,
    /// Print the version
    #[arg(long, action = ArgAction::Version, help_heading = "Other")]
    version: Option<bool>,
}

/// Flags of the command line only: the file, the routes, and the check.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Routes")]
pub(crate) struct RunFlags {
    /// Read flags and routes from a TOML file, and again on SIGHUP
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Check the flags and the file of --config, then exit
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) check: Option<Flag<bool>>,
    /// Serve a program at a path, /PATH or /PATH/*; repeatable
    #[arg(long, value_name = "/PATH=COMMAND")]
    pub(crate) route: Vec<Flag<RouteWords>>,
}

/// A command line.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    /// All flags; [`CommandLine::over`] lays them over those of a file.
    matches: ArgMatches,
    /// The flags that no file may set.
    pub(crate) run: RunFlags,
    /// COMMAND and its arguments.
    pub(crate) command: Option<Flag<CommandWords>>,
    /// The last flag before COMMAND, if it is a switch without a value.
    pub(crate) last_switch: Option<String>,
    /// Whether wsd was started under the name `websocketd`; then the defaults of websocketd apply.
    pub(crate) is_websocketd: bool,
}

impl CommandLine {
    /// Returns `below`, overridden by the flags of the command line.
    pub(crate) fn over<T: FromArgMatches>(&self, mut below: T) -> T {
        below.update_from_arg_matches(&self.matches).expect("each flag may be missing");
        below
    }

    /// Lists the values of the flag of this name as the command line has them, without those that are not UTF-8.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.matches.get_raw(&name.replace('-', "_")).into_iter().flatten().filter_map(|value| value.to_str())
    }

    /// Whether the command line sets the flag of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.matches.ids().any(|id| id.as_str().replace('_', "-") == name)
    }
}

/// Reads the arguments; the first is the name of the program.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<CommandLine, Answer> {
    let args: Vec<_> = args.into_iter().collect();
    let own_name = args.first().and_then(|name| Path::new(name).file_name()).and_then(|name| name.to_str());
    let is_websocketd = own_name == Some("websocketd");
    let mut definition = if is_websocketd { old_definition() } else { Definition::command() };
    let (flags, command) = split(&definition, args.iter().cloned());
    let last_switch = last_switch(&definition, flags.last());
    let matches = definition.try_get_matches_from_mut(flags).map_err(|error| answer(&definition, &error, &args))?;
    let Definition { run, license, generate: asked, .. } =
        Definition::from_arg_matches(&matches).map_err(|error| answer(&definition, &error, &args))?;
    if license {
        return Err(Answer::Text(include_str!("../../LICENSE").to_owned()));
    }
    if let Some(what) = asked {
        let text = generate(definition, *what);
        return Err(text.map_or_else(|error| Answer::Wrong(error.to_string()), Answer::Text));
    }
    let command = (!command.is_empty()).then_some(Flag { value: CommandWords(command), at: None });
    Ok(CommandLine { matches, run, command, last_switch, is_websocketd })
}

/// Returns the definition of the flags for the name `websocketd`; its help shows the defaults of websocketd.
fn old_definition() -> Command {
    Definition::command()
        .name("websocketd")
        .override_usage("websocketd [FLAGS] COMMAND [ARGS]\n       websocketd [FLAGS] --dir=DIR")
        .mut_arg("port", |flag| flag.help("Listen on this port, not 0 [default: 80, with --ssl 443]"))
        .mut_arg("address", |flag| flag.help("Listen on this address; repeatable [default: all of this machine]"))
        .mut_arg("anyorigin", |flag| flag.help("Let pages of any origin connect [default, with a warning]"))
}

/// Lists the names of the flags of `T`. They are also the keys of a file.
pub(crate) fn names<T: Args>() -> Vec<String> {
    let definition = T::augment_args(Command::new("wsd"));
    definition.get_arguments().filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
}

/// Returns the first argument of COMMAND that looks like a flag of wsd, such as `--port`, `--port=80` or `-port=80`. Ignores
/// flags that many programs have, such as `--help`, and a `-port`, which may be letters.
pub(crate) fn misplaced(command: &CommandWords) -> Option<String> {
    // Most commands have no such argument, and the list takes a tenth of the time to start.
    let names = LazyCell::new(|| [names::<Flags>(), names::<RunFlags>()].concat());
    let flag = |word: &OsString| {
        let word = word.to_str()?;
        let name = match word.split_once('=') {
            Some((flag, _)) => flag.strip_prefix('-')?.trim_start_matches('-'),
            None => word.strip_prefix("--")?,
        };
        names.iter().find(|known| *known == name).cloned()
    };
    command.0.iter().skip(1).find_map(flag)
}

/// Returns a flag if it is one that takes a value after `=` only, and has none.
fn last_switch(definition: &Command, flag: Option<&OsString>) -> Option<String> {
    let flag = flag?.to_str()?;
    let is_switch = |argument: &&clap::Arg| {
        argument.get_long().is_some_and(|name| flag.strip_prefix("--") == Some(name))
            && argument.is_require_equals_set()
    };
    definition.get_arguments().find(is_switch).map(|_| flag.to_owned())
}
