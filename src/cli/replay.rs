//! The flags of `wsd replay`, which plays a recording to a program.

use std::{ffi::OsString, path::Path, path::PathBuf};

use clap::{ArgAction, Args, Command, CommandFactory, FromArgMatches, Parser};

use super::{
    error::{Answer, answer},
    split::split,
    types::{Items, SecsFromZero},
    value::{Flag, words},
};

/// Feeds a program the input of a recording (wsd --record) and compares its output.
///
/// Each message is fed once the output that came before it in the recording has come again. The first difference is
/// printed with the messages around it.
#[derive(Parser)]
#[command(
    name = "wsd replay",
    override_usage = "wsd replay [FLAGS] FILE [--] COMMAND [ARGS]",
    args_override_self = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 80,
    after_help = "COMMAND has the environment of wsd replay, and its standard error goes to that of wsd replay.\nThe exit status \
                  is 0 if the output and the exit status are those of the recording, 1 after a difference, 2 if there is \
                  nothing to compare: an invalid flag, no recording, no program; 128 + N after signal N."
)]
struct ReplayDefinition {
    #[command(flatten)]
    flags: ReplayFlags,
    /// Print this help
    #[arg(long, action = ArgAction::HelpShort, help_heading = "Flags of wsd replay")]
    help: Option<bool>,
}

/// The flags of the replay.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Flags of wsd replay")]
pub(crate) struct ReplayFlags {
    /// Feed messages as soon as the output before them has come, or not before their time in the recording [default: full]
    #[arg(long, value_name = "HOW")]
    pub(crate) speed: Option<Flag<SpeedWord>>,
    /// Leave these members of JSON out of the comparison, separated by commas, also within texts that hold JSON
    #[arg(long, value_name = "NAMES")]
    pub(crate) ignore: Option<Flag<Items>>,
    /// Wait this many seconds for output, beyond its time in the recording [default: 10]
    #[arg(long, value_name = "SECS")]
    pub(crate) timeout: Option<Flag<SecsFromZero>>,
}

words! {
    /// The speed of a replay.
    SpeedWord { Full = "full", Recorded = "recorded" }
}

/// A command line of `wsd replay`.
#[derive(Clone, Debug)]
pub(crate) struct ReplayLine {
    /// The flags.
    pub(crate) flags: ReplayFlags,
    /// The recording.
    pub(crate) file: PathBuf,
    /// COMMAND and its arguments; never empty.
    pub(crate) command: Vec<OsString>,
}

/// Reads a command line of `wsd replay`; `None` if the arguments are not one.
///
/// The word is `replay` as the first argument. Under the name of websocketd, where it is a program, there is no such word.
pub(crate) fn parse(args: &[OsString]) -> Option<Result<ReplayLine, Answer>> {
    let is_websocketd = Path::new(args.first()?).file_name().is_some_and(|name| name == "websocketd");
    (!is_websocketd && args.get(1)? == "replay").then(|| read(&args[1..]))
}

/// Reads the arguments from the word `replay` on. Flags may also stand behind the file.
fn read(args: &[OsString]) -> Result<ReplayLine, Answer> {
    let mut definition = definition();
    let (mut flags, rest) = split(&definition, args.iter().cloned());
    let (behind, command) = split(&definition, rest.iter().cloned());
    flags.extend(behind.into_iter().skip(1));
    let matches = definition.try_get_matches_from_mut(flags).map_err(|error| answer(&definition, &error, args))?;
    let ReplayDefinition { flags, .. } =
        ReplayDefinition::from_arg_matches(&matches).map_err(|error| answer(&definition, &error, args))?;
    let wrong = |message: &str, hint: &str| Err(Answer::Wrong(format!("{message}\nhint: {hint}")));
    let Some(file) = rest.first() else {
        let hint = "write a file of wsd --record and the program: wsd replay session.jsonl -- ./program";
        return wrong("cannot replay without a recording", hint);
    };
    if command.is_empty() {
        let hint = format!("write it behind the file: wsd replay {} -- ./program", file.display());
        return wrong("cannot replay without COMMAND", &hint);
    }
    Ok(ReplayLine { flags, file: file.into(), command })
}

/// Returns the definition of the flags.
pub(super) fn definition() -> Command {
    ReplayDefinition::command()
}
