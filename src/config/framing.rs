//! Builds the framings of a site, and refuses those that cannot go with other flags.

use super::error::Error;
use crate::{
    cli::{
        site::{FramingWord, ProgramFlags, SharingWord, SiteFlags},
        value::{Flag, is_on},
    },
    framing::{
        Framing,
        choice::{Framings, named},
    },
};

/// Returns the framings of a site: those of `--framing`, or the one that other flags imply.
pub(super) fn framings(flags: &SiteFlags) -> Result<Framings, Error> {
    let ProgramFlags { framing, binary, passstderr, acp, pty, .. } = &flags.programs;
    if is_on(pty) {
        // `terminal` refuses all others.
        return Ok(Framings::of(vec![Framing::Chunks, Framing::Tty]).expect("two are some"));
    }
    let given = framing.as_deref().unwrap_or_default();
    let is_all = |word| given.iter().all(|flag| flag.value == word);
    let (is_binary, wants_both) = (is_on(binary), is_on(passstderr));
    check_answers(flags, given)?;
    if is_on(acp) {
        let other = match () {
            () if is_binary => "--binary",
            () if wants_both => "--passstderr",
            () if !is_all(FramingWord::JsonRpc) => "--framing",
            () => return Ok(Framings::only(Framing::Acp)),
        };
        let message = format!("cannot combine --acp and {other}: --acp is a kind of --framing=jsonrpc");
        return Err(Error::new(message, "remove one of them").about(acp));
    }
    if is_binary && wants_both && given.is_empty() {
        return Err(Error::contradiction("--binary", "--passstderr").about(binary).about(passstderr));
    }
    if is_binary && !is_all(FramingWord::Chunks) {
        let message = "cannot combine --binary and --framing: --binary is short for --framing=chunks";
        return Err(Error::new(message, "remove one of them").about(binary).about(given.first()));
    }
    if wants_both && !is_all(FramingWord::Lines) {
        let message = "cannot combine --passstderr and --framing: its messages are the lines of both streams";
        return Err(Error::new(message, "remove one of them").about(passstderr).about(given.first()));
    }
    check_choice(flags, given)?;
    if wants_both {
        return Ok(Framings::only(Framing::Streams));
    }
    let implied = Framings::only(match () {
        () if is_binary => Framing::Chunks,
        // Without binary messages, which MCP does not have.
        () if flags.mcp.switch().is_some() => Framing::Acp,
        () => Framing::Lines,
    });
    Ok(Framings::of(given.iter().map(|flag| framing_of(flag.value)).collect()).unwrap_or(implied))
}

/// Whether `--framing` may name further framings: each client has a program of its own, whose messages may be of any kind.
pub(super) fn takes_framings(flags: &SiteFlags) -> bool {
    let ProgramFlags { framing, binary, passstderr, acp, pty, .. } = &flags.programs;
    flags.rooms.sharing() == SharingWord::Off
        && ![binary, passstderr, acp, pty].into_iter().any(is_on)
        && !framing.iter().flatten().any(|word| word.value == FramingWord::Json)
}

/// Refuses names of `--subprotocol` that promise another framing than the program has.
pub(super) fn check_subprotocols(flags: &SiteFlags, names: &[String], framings: &Framings) -> Result<(), Error> {
    let promise = |name: &String| Some((name.clone(), named(name).filter(|_| framings.chosen(name).is_none())?));
    let Some((name, framing)) = names.iter().find_map(promise) else { return Ok(()) };
    let message = match framing {
        Framing::Tty => {
            "cannot use `tty` in --subprotocol without --pty: the messages of `tty` are those of a terminal".to_owned()
        }
        _ => format!("cannot use `{name}` in --subprotocol: it is a name of --framing"),
    };
    let hint = match framing {
        Framing::Tty => "add --pty, or remove tty from --subprotocol".to_owned(),
        Framing::Json => "remove it; --framing=json is for a program at a path of its own".to_owned(),
        _ if !takes_framings(flags) => "remove it: this program has one framing".to_owned(),
        _ => format!("remove it, and add {} to --framing", name.trim_start_matches("wsd.")),
    };
    Err(Error::new(message, hint).about(&flags.clients.subprotocol))
}

/// Drops the framing at the top of the file from a route with `pty` or `acp` of its own, and these two from a route with a
/// framing of its own. `start` is where the table of the route starts.
pub(super) fn drop_inherited_framing(flags: &mut SiteFlags, start: usize) {
    let ProgramFlags { framing, acp, pty, .. } = &mut flags.programs;
    let is_of_top = |at: Option<usize>| at.is_some_and(|at| at < start);
    let is_own = |at: Option<usize>| at.is_some_and(|at| at >= start);
    if [&*pty, &*acp].into_iter().flatten().any(|switch| switch.value && is_own(switch.at)) {
        framing.take_if(|words| words.iter().all(|word| is_of_top(word.at)));
    }
    if framing.iter().flatten().any(|word| is_own(word.at)) {
        for switch in [pty, acp] {
            switch.take_if(|switch| is_of_top(switch.at));
        }
    }
}

/// Refuses a program whose messages are answers to one client, if several share it.
fn check_answers(flags: &SiteFlags, given: &[Flag<FramingWord>]) -> Result<(), Error> {
    if flags.rooms.sharing() == SharingWord::Off {
        return Ok(());
    }
    let acp = flags.programs.acp.as_ref().filter(|acp| acp.value);
    let is_answering = |flag: &&Flag<FramingWord>| matches!(flag.value, FramingWord::JsonRpc | FramingWord::Lsp);
    let (name, at) = match (acp, given.iter().find(is_answering)) {
        (Some(acp), _) => ("--acp", acp.at),
        (None, Some(flag)) if flag.value == FramingWord::Lsp => ("--framing=lsp", flag.at),
        (None, Some(flag)) => ("--framing=jsonrpc", flag.at),
        (None, None) => return Ok(()),
    };
    let message = format!("cannot combine {name} and --shared: answers to one client would go to all");
    Err(Error::new(message, "remove --shared: each client gets a program of its own").about(&flags.rooms.shared).at(at))
}

/// Refuses several framings where a program can have only one.
fn check_choice(flags: &SiteFlags, given: &[Flag<FramingWord>]) -> Result<(), Error> {
    if given.len() < 2 {
        return Ok(());
    }
    if flags.rooms.sharing() != SharingWord::Off {
        let message = "cannot combine --shared and several words of --framing: all clients share one program, which has one framing";
        return Err(Error::new(message, "name one framing").about(&flags.rooms.shared).about(&given[0]));
    }
    if given.iter().any(|flag| flag.value == FramingWord::Json) {
        let message = "cannot combine json and other words of --framing: a program with json gets events, not messages";
        return Err(Error::new(message, "serve it at a path of its own, with --framing=json").about(&given[0]));
    }
    Ok(())
}

fn framing_of(word: FramingWord) -> Framing {
    match word {
        FramingWord::Lines => Framing::Lines,
        FramingWord::Nul => Framing::Nul,
        FramingWord::Length => Framing::Length,
        FramingWord::Chunks => Framing::Chunks,
        FramingWord::Json => Framing::Json,
        FramingWord::JsonRpc => Framing::JsonRpc,
        FramingWord::Lsp => Framing::Lsp,
    }
}
