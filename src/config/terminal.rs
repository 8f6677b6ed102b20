//! Builds how the programs of a site are connected: by pipes or terminals. Refuses flags that have no meaning at a terminal.

use super::error::Error;
use crate::{
    cli::{
        site::{ProgramFlags, SharingWord, SiteFlags},
        value::is_on,
    },
    framing::window::WindowSize,
    worker::stdio::Stdio,
};

/// Returns how programs are connected (`--unbuffer`, `--pty`).
pub(super) fn stdio(flags: &SiteFlags) -> Result<Stdio, Error> {
    let ProgramFlags { pty, unbuffer, framing, binary, passstderr, acp, .. } = &flags.programs;
    if !is_on(pty) {
        return Ok(if is_on(unbuffer) { Stdio::Unbuffered } else { Stdio::Pipes });
    }
    let refuse = |other: &str, why: &str, hint: &str| {
        Err(Error::new(format!("cannot combine --pty and {other}: {why}"), hint).about(pty))
    };
    if cfg!(not(target_os = "linux")) {
        return Err(
            Error::new("cannot use --pty on this system: wsd has terminals on Linux only", "remove it").about(pty)
        );
    }
    if flags.rooms.sharing() != SharingWord::Off {
        let refused = refuse("--shared", "a terminal has one size and one keyboard", "remove one of them, or run tmux");
        return refused.map_err(|error| error.about(&flags.rooms.shared));
    }
    if let Some(first) = framing.as_ref().and_then(|given| given.first()) {
        let refused = refuse("--framing", "a terminal has bytes, not messages", "remove --framing");
        return refused.map_err(|error| error.about(first));
    }
    if is_on(binary) {
        return refuse("--binary", "a terminal has bytes in any case", "remove --binary")
            .map_err(|error| error.about(binary));
    }
    if is_on(acp) {
        let refused = refuse("--acp", "a terminal has bytes, not messages", "remove --acp");
        return refused.map_err(|error| error.about(acp));
    }
    if is_on(passstderr) {
        let refused = refuse("--passstderr", "both streams go to one terminal", "remove --passstderr");
        return refused.map_err(|error| error.about(passstderr));
    }
    if is_on(unbuffer) {
        let refused = refuse("--unbuffer", "stdout is a terminal in any case", "remove --unbuffer");
        return refused.map_err(|error| error.about(unbuffer));
    }
    Ok(Stdio::Terminal(WindowSize::DEFAULT))
}
