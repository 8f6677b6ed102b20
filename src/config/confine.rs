//! Builds what programs may use: the flags `--chdir`, `--env`, `--user`, `--limit`, `--nice` and `--cgroup`.

use std::{fs, path::Path, sync::Arc, thread};

use rustix::process::{geteuid, getpriority_process, setpriority_process};

use super::{
    error::Error,
    quota::{Quota, limits},
};
use crate::{
    answer::scripts::Scripts,
    cli::{
        confine::ConfineFlags,
        types::{Assignments, Nice},
        value::Flag,
    },
    http::path::Root,
    worker::{
        account::{Account, NoAccount},
        advice,
        cgroup::{
            base::{self, NoCgroup},
            limits::CgroupLimits,
        },
        confinement::{Confinement, ProcessLimits},
        names::is_cgi_name,
        spawn::Confining,
        variable::Variable,
    },
};

/// Advice for a file or a folder that the user of a program may not use.
const CHECK_MODES: &str = "check owner and mode of it and of the folders above it, or name another user";

/// Returns what the programs of a site may use; `None` is all that wsd may.
pub(super) fn confining(flags: &ConfineFlags) -> Result<Confining, Error> {
    let ConfineFlags { chdir, user, limit, nice, cgroup, env: _ } = flags;
    if cfg!(not(target_os = "linux")) {
        let places = [place(user.as_ref()), place(limit.as_ref()), place(nice.as_ref()), place(cgroup.as_ref())];
        let names = ["--user", "--limit", "--nice", "--cgroup"];
        if let Some((name, at)) = names.into_iter().zip(places).find_map(|(name, at)| Some((name, at?))) {
            let message = format!("cannot use {name} on this system: wsd confines programs on Linux only");
            return Err(Error::new(message, "remove it").at(at));
        }
    }
    let confinement = Confinement {
        folder: folder(chdir.as_ref())?,
        account: account(user.as_ref())?,
        limits: process_limits(limit.as_ref())?,
        nice: priority(nice.as_ref())?,
        cgroup: cgroup_limits(cgroup.as_ref())?,
    };
    Ok((confinement != Confinement::default()).then(|| Arc::new(confinement)))
}

/// Whether programs start in a folder of their own (`--chdir`).
pub(super) fn has_folder(flags: &ConfineFlags) -> bool {
    flags.chdir.as_ref().is_some_and(|folder| !folder.is_empty())
}

/// Refuses a user that may not use what it shall run: its program, the folder of the programs, and the folder to start in.
pub(super) fn check_rights(
    confinement: &Confinement,
    user: Option<&Flag<String>>,
    scripts: Option<&Scripts>,
    cgidir: Option<&Root>,
) -> Result<(), Error> {
    let Some(account) = &confinement.account else { return Ok(()) };
    let name = &account.name;
    let check = |path: &Path, doing: &str| {
        account.may_execute(path).map_err(|cause| {
            let message = format!("cannot {doing} as the user `{name}` of --user: {cause}");
            Error::new(message, CHECK_MODES).about(user)
        })
    };
    if let Some(folder) = &confinement.folder {
        check(folder, &format!("enter the folder `{}` of --chdir", folder.display()))?;
    }
    let dir = match scripts {
        Some(Scripts::Command(program)) => {
            check(&program.path, &format!("start COMMAND `{}`", program.path.display()))?;
            None
        }
        Some(Scripts::Dir(dir, _)) => Some(("--dir", dir)),
        None => None,
    };
    for (flag, folder) in dir.into_iter().chain(cgidir.map(|folder| ("--cgidir", folder))) {
        check(folder.path(), &format!("use the folder `{}` of {flag}", folder.path().display()))?;
    }
    Ok(())
}

/// Returns the variables that all programs get: those of `--env`, those of their user, and `inherited` ones. An earlier one
/// replaces a later one of its name.
pub(super) fn variables(
    flags: &ConfineFlags,
    account: Option<&Account>,
    inherited: Vec<Variable>,
) -> Result<Vec<Variable>, Error> {
    let mut variables: Vec<Variable> = Vec::new();
    for flag in flags.env.iter().flatten() {
        for text in flag.0.iter().filter(|text| !text.is_empty()) {
            let refused = |message: String, hint| Err(Error::new(message, hint).about(flag));
            let hint = "write --env=NAME=VALUE; a name has letters, digits and underscores, and begins with no digit";
            let Some((name, value)) = text.split_once('=') else {
                return refused(format!("invalid variable `{text}` in --env: there is no `=`"), hint);
            };
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !name.bytes().all(is_valid) || !name.starts_with(|first: char| !first.is_ascii_digit()) {
                return refused(format!("invalid variable `{text}` in --env: `{name}` is not a name"), hint);
            }
            if value.contains('\0') {
                return refused(format!("invalid variable `{name}` in --env: its value has a NUL"), "remove the NUL");
            }
            if is_cgi_name(name) {
                let message = format!("cannot set `{name}` with --env: wsd sets it from the request");
                return refused(message, "choose another name");
            }
            variables.retain(|known| known.name() != name);
            variables.push(Variable::new(name, value));
        }
    }
    let of_user = account.map(Account::variables).into_iter().flatten();
    for variable in of_user.chain(inherited) {
        if variables.iter().all(|known| known.name() != variable.name()) {
            variables.push(variable);
        }
    }
    Ok(variables)
}

fn folder(flag: Option<&Flag<std::ffi::OsString>>) -> Result<Option<std::path::PathBuf>, Error> {
    let Some(given) = flag.filter(|folder| !folder.is_empty()) else { return Ok(None) };
    let refused = |cause: &dyn std::fmt::Display, hint: String| {
        Error::new(format!("cannot start programs in the folder `{}` of --chdir: {cause}", given.display()), hint)
            .about(given)
    };
    let found = fs::canonicalize(&given.value).map_err(|cause| {
        let hint = advice::for_error(&cause).map_or_else(|| "name an existing folder".to_owned(), Into::into);
        refused(&cause, hint)
    })?;
    if found.is_dir() { Ok(Some(found)) } else { Err(refused(&"it is no folder", "name a folder".to_owned())) }
}

fn account(flag: Option<&Flag<String>>) -> Result<Option<Account>, Error> {
    let Some(given) = flag.filter(|text| !text.is_empty()) else { return Ok(None) };
    let refused = |cause: String, hint: &str| {
        Error::new(format!("cannot use `{}` of --user: {cause}", given.value), hint).about(given)
    };
    if !geteuid().is_root() {
        let cause = format!("only root may start programs as another user, and wsd runs as uid {}", geteuid().as_raw());
        return Err(refused(cause, "start wsd as root, or remove --user"));
    }
    let (name, group) = given.split_once(':').map_or((&**given as &str, None), |(name, group)| (name, Some(group)));
    let found = Account::find(name, group).map_err(|why| match why {
        NoAccount::User => refused(format!("there is no user `{name}`"), "name a user that `getent passwd` lists"),
        NoAccount::Group => {
            let cause = format!("there is no group `{}`", group.unwrap_or_default());
            refused(cause, "name a group that `getent group` lists")
        }
        NoAccount::Failed(cause) => refused(cause.to_string(), "check /etc/nsswitch.conf and the services it names"),
    });
    found.map(Some)
}

fn process_limits(flag: Option<&Flag<Assignments>>) -> Result<ProcessLimits, Error> {
    let Some(given) = flag else { return Ok(ProcessLimits::default()) };
    let known = [
        ("cpu", Quota::Count),
        ("memory", Quota::Bytes),
        ("files", Quota::Count),
        ("processes", Quota::Count),
        ("filesize", Quota::Bytes),
    ];
    let [cpu, memory, files, processes, filesize] = limits("--limit", given, known)?;
    Ok(ProcessLimits { cpu, memory, files, processes, filesize })
}

/// Returns the priority, if wsd may set it. A thread tries, whose priority is its own.
fn priority(flag: Option<&Flag<Nice>>) -> Result<Option<i32>, Error> {
    let Some((given, nice)) = flag.map(|given| (given, given.0)) else { return Ok(None) };
    if getpriority_process(None).is_ok_and(|own| nice < own)
        && let Ok(Err(cause)) = thread::spawn(move || setpriority_process(None, nice)).join()
    {
        let cause = std::io::Error::from(cause);
        let error =
            Error::new(format!("cannot use --nice={nice}: {cause}"), "only root may raise the priority of programs");
        return Err(error.about(given));
    }
    Ok(Some(nice))
}

/// Returns the limits of control groups, if wsd may make some.
fn cgroup_limits(flag: Option<&Flag<Assignments>>) -> Result<Option<CgroupLimits>, Error> {
    let Some(given) = flag else { return Ok(None) };
    let limits = match given.0.as_slice() {
        [text] if text.is_empty() || text == "false" => return Ok(None),
        [text] if text == "true" => CgroupLimits::default(),
        _ => {
            let known = [("memory", Quota::Bytes), ("processes", Quota::Count), ("cpu", Quota::Thousandths)];
            let [memory, processes, cpu_millis] = limits("--cgroup", given, known)?;
            CgroupLimits { memory, processes, cpu_millis }
        }
    };
    let cause = match base::check(&limits) {
        Ok(()) => return Ok(Some(limits)),
        Err(NoCgroup::Absent) => "wsd sees no cgroup v2 here".to_owned(),
        Err(NoCgroup::Controllers(names)) => {
            format!("the control group of wsd does not have what these limits need: {names}")
        }
        Err(NoCgroup::Denied(file)) => format!("wsd may not write to {}", file.display()),
        Err(NoCgroup::OldKernel) => "it needs Linux 5.14".to_owned(),
    };
    let hint = "delegate a control group to wsd: `Delegate=yes` in a unit of systemd, or `systemd-run --user --scope -p Delegate=yes wsd …`";
    Err(Error::new(format!("cannot use --cgroup: {cause}"), hint).about(given))
}

/// Returns the place of a flag that is set.
#[expect(clippy::option_option, reason = "the place of a flag of the command line is `None`")]
fn place<T>(flag: Option<&Flag<T>>) -> Option<Option<usize>> {
    flag.map(|flag| flag.at)
}
