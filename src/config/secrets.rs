//! The files that are never served: those of settings and secrets that flags name, and those that COMMAND is made of.

use std::{
    ffi::OsStr,
    iter::once,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::answer::{
    guard::{Guard, Namer},
    scripts::Scripts,
    site::Site,
};

/// The program, and all that its arguments may name: `server.py`, `--file=server.py`.
fn of_command(site: &Site) -> Vec<(Namer, PathBuf)> {
    let Some(Scripts::Command(program)) = &site.scripts else { return Vec::new() };
    let values = program.args.iter().filter_map(|arg| {
        let at = arg.as_bytes().iter().position(|byte| *byte == b'=')?;
        Some(OsStr::from_bytes(&arg.as_bytes()[at + 1..]))
    });
    let named = program.args.iter().map(AsRef::as_ref).chain(values).filter(|name: &&OsStr| !name.is_empty());
    once(program.path.clone()).chain(named.map(PathBuf::from)).map(|path| (Namer::Command, path)).collect()
}

/// Guards the files of `--config` and `--sslkey` and those that the sites name, in the settings that come after `before`.
///
/// A guard that was there before is kept: it knows what has been at its path. That of a flag stays for good, since most of
/// them have no effect before the next start: the old file is still in use.
pub(super) fn guards<'a>(
    before: &[Arc<Guard>],
    config: Option<&Path>,
    key: Option<&Path>,
    sites: impl IntoIterator<Item = &'a Site>,
) -> Vec<Arc<Guard>> {
    let mut guards: Vec<_> = before.iter().filter(|guard| guard.namer() != Namer::Command).cloned().collect();
    let of_flags = [("--config", config), ("--sslkey", key)];
    let of_flags = of_flags.into_iter().filter_map(|(flag, path)| Some((Namer::Flag(flag), path?.to_owned())));
    for (namer, path) in of_flags.chain(sites.into_iter().flat_map(of_command)) {
        if guards.iter().any(|guard| guard.path() == path) {
            continue;
        }
        let known = before.iter().find(|guard| guard.path() == path && guard.namer() == namer).cloned();
        guards.push(known.unwrap_or_else(|| Arc::new(Guard::new(path, namer))));
    }
    guards
}
