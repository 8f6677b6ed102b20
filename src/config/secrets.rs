//! Lists the files that wsd never serves: the files of `--config`, `--mcp-config`, `--sslkey`, `--bus-key`, `--auth` and
//! `--auth-key`, and those that COMMAND names.

use std::{
    ffi::OsStr,
    iter::once,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    answer::{
        guard::{Guard, Namer},
        scripts::Scripts,
        site::Site,
    },
    http::auth::Auth,
};

/// Lists the program and each file that its arguments may name: `server.py`, `--file=server.py`, `-fserver.py`.
fn of_command(site: &Site) -> Vec<(Namer, PathBuf)> {
    let Some(Scripts::Command(program)) = &site.scripts else { return Vec::new() };
    let named = program.args.iter().flat_map(|arg| names(arg.as_bytes())).map(OsStr::from_bytes);
    once(program.path.clone()).chain(named.map(PathBuf::from)).map(|path| (Namer::Command, path)).collect()
}

/// Returns the names of files that an argument may have: itself, its part after `=`, and its part after a short option.
fn names(arg: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = arg.iter().position(|byte| *byte == b'=').map(|at| &arg[at + 1..]);
    let attached = match arg {
        [b'-', option, rest @ ..] if *option != b'-' => Some(rest),
        _ => None,
    };
    [Some(arg), value, attached].into_iter().flatten().filter(|name| !name.is_empty())
}

/// Lists the files of `--auth` and `--auth-key`.
fn of_auth(site: &Site) -> Vec<(Namer, PathBuf)> {
    let files = site.gate.auth.iter().flat_map(Auth::secret_files);
    files.map(|(flag, path)| (Namer::Flag(flag), path.to_owned())).collect()
}

/// Guards the files of these flags and of the sites. `before` has the guards of the previous settings.
///
/// Keeps a guard of the previous settings, because it knows the earlier files at its path. Never drops the guard of a flag:
/// most changes need a restart, so wsd still uses the old file.
pub(super) fn guards<'a>(
    before: &[Arc<Guard>],
    of_flags: [(&'static str, Option<&Path>); 4],
    sites: impl IntoIterator<Item = &'a Site> + Clone,
) -> Vec<Arc<Guard>> {
    let mut guards: Vec<_> = before.iter().filter(|guard| guard.namer != Namer::Command).cloned().collect();
    let of_flags = of_flags.into_iter().filter_map(|(flag, path)| Some((Namer::Flag(flag), path?.to_owned())));
    for (namer, path) in
        of_flags.chain(sites.clone().into_iter().flat_map(of_auth)).chain(sites.into_iter().flat_map(of_command))
    {
        if guards.iter().any(|guard| guard.path == path) {
            continue;
        }
        let known = before.iter().find(|guard| guard.path == path && guard.namer == namer).cloned();
        guards.push(known.unwrap_or_else(|| Arc::new(Guard::new(path, namer))));
    }
    guards
}
