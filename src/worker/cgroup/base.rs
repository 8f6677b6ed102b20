//! The control group below which wsd makes those of its workers: finds it, checks that wsd may use it, and prepares it.

use std::{
    collections::BTreeSet,
    fs, io, iter,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rustix::{
    fs::{Access, access},
    process::{Pid, getpid},
};

use super::{
    limits::CgroupLimits,
    tree::{groups, kill, leave, remove},
};

/// The group of wsd itself, below the base. The kernel gives limits to the groups of a group only while no process is in it.
const LEAF: &str = "wsd-main";

/// The looks for processes to move, of which each finds those that began meanwhile.
const LOOKS_MAX: usize = 10;

/// The base, once it is prepared.
static BASE: OnceLock<PathBuf> = OnceLock::new();

/// Why wsd cannot make control groups.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoCgroup {
    /// There is no cgroup v2 that wsd can see.
    Absent,
    /// Its group does not have these controllers.
    Controllers(String),
    /// wsd may not write to this file.
    Denied(PathBuf),
    /// The kernel has no `cgroup.kill`: it came with Linux 5.14.
    OldKernel,
}

/// Finds the base: the group of this process, or the one above it if wsd has moved.
pub(super) fn find() -> Result<PathBuf, NoCgroup> {
    let read = |file: &str| fs::read_to_string(file).map_err(|_| NoCgroup::Absent);
    let path = locate(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?).ok_or(NoCgroup::Absent)?;
    Ok(if path.ends_with(LEAF) { path.parent().map(Path::to_owned).unwrap_or(path) } else { path })
}

/// Returns the folder of a process's group, from its `/proc/PID/cgroup` and `/proc/PID/mountinfo`.
fn locate(groups: &str, mounts: &str) -> Option<PathBuf> {
    let own = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let mut fields = front.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let inner = own.strip_prefix(root).ok().filter(|_| back.split(' ').next() == Some("cgroup2"))?;
        let place = Path::new(place);
        Some(if inner.as_os_str().is_empty() { place.to_owned() } else { place.join(inner) })
    })
}

/// Checks that wsd may make groups with these limits. Changes nothing.
pub(crate) fn check(limits: &CgroupLimits) -> Result<(), NoCgroup> {
    let base = find()?;
    let given = words(&base.join("cgroup.controllers"));
    let lacking: Vec<_> = limits.controllers().filter(|name| !given.contains(*name)).collect();
    if !lacking.is_empty() {
        return Err(NoCgroup::Controllers(lacking.join(", ")));
    }
    if !is_root(&base) && !base.join("cgroup.kill").exists() {
        return Err(NoCgroup::OldKernel);
    }
    let must_enable = !missing(&base, limits).is_empty();
    let names = [Some("cgroup.procs"), must_enable.then_some("cgroup.subtree_control")];
    let files = names.into_iter().flatten().map(|name| base.join(name));
    for file in iter::once(base.clone()).chain(files) {
        access(&file, Access::WRITE_OK).map_err(|_| NoCgroup::Denied(file))?;
    }
    Ok(())
}

/// Prepares the base for groups with these limits, and removes what a `wsd` that was killed has left in it.
///
/// If the base does not pass the controllers on yet, all its processes move to a group of their own, wsd and the shell
/// that started it among them.
pub(crate) fn open<'a>(limits: impl Iterator<Item = &'a CgroupLimits>) -> io::Result<()> {
    let mut limits = limits.peekable();
    if limits.peek().is_none() {
        return Ok(());
    }
    let base = find().map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let members = |group: &Path| words(&group.join("cgroup.procs"));
    let missing: BTreeSet<_> = limits.flat_map(|limits| missing(&base, limits)).collect();
    if !missing.is_empty() {
        if !is_root(&base) {
            let leaf = base.join(LEAF);
            fs::create_dir(&leaf).or_else(|error| if leaf.is_dir() { Ok(()) } else { Err(error) })?;
            for _ in 0..LOOKS_MAX {
                let found = members(&base);
                if found.is_empty() {
                    break;
                }
                for process in found {
                    // Fails for one that has ended meanwhile.
                    let _ = fs::write(leaf.join("cgroup.procs"), process);
                }
            }
        }
        let enabled: Vec<_> = missing.into_iter().map(|name| format!("+{name}")).collect();
        fs::write(base.join("cgroup.subtree_control"), enabled.join(" "))?;
    }
    if BASE.get().is_none() {
        let living = &members(&base) | &members(&base.join(LEAF));
        let is_gone = |owner: Pid| owner == getpid() || !living.contains(&owner.to_string());
        for group in groups(&base, is_gone) {
            kill(&group);
            if !remove(&group) {
                leave(group);
            }
        }
        let _ = BASE.set(base);
    }
    Ok(())
}

/// Returns the base after [`open`].
pub(super) fn opened() -> Option<&'static Path> {
    BASE.get().map(PathBuf::as_path)
}

/// Whether this is the root of all groups. It may have processes and pass controllers on, and cannot be killed.
fn is_root(base: &Path) -> bool {
    !base.join("cgroup.type").exists()
}

/// Returns the controllers that the limits need and the base does not pass on.
fn missing(base: &Path, limits: &CgroupLimits) -> Vec<&'static str> {
    let enabled = words(&base.join("cgroup.subtree_control"));
    limits.controllers().filter(|name| !enabled.contains(*name)).collect()
}

/// Returns the words of a file; none if it cannot be read.
fn words(file: &Path) -> BTreeSet<String> {
    fs::read_to_string(file).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_process_is_found_where_its_file_system_is_mounted() {
        let mount = |root: &str, place: &str, kind: &str| {
            format!(
                "25 20 0:22 / /proc rw - proc proc rw\n30 20 0:26 {root} {place} rw,nosuid shared:9 - {kind} cgroup rw\n"
            )
        };
        let table = [
            ("0::/user.slice/a.scope\n", "/", "/sys/fs/cgroup", "cgroup2", Some("/sys/fs/cgroup/user.slice/a.scope")),
            ("3:cpu:/x\n0::/\n", "/", "/sys/fs/cgroup/unified", "cgroup2", Some("/sys/fs/cgroup/unified")),
            ("0::/pod/one\n", "/pod", "/sys/fs/cgroup", "cgroup2", Some("/sys/fs/cgroup/one")),
            ("0::/other\n", "/pod", "/sys/fs/cgroup", "cgroup2", None),
            ("0::/\n", "/", "/sys/fs/cgroup/cpu", "cgroup", None),
            ("3:cpu:/x\n", "/", "/sys/fs/cgroup", "cgroup2", None),
        ];
        for (groups, root, place, kind, want) in table {
            assert_eq!(locate(groups, &mount(root, place, kind)), want.map(PathBuf::from), "{groups} {root} {place}");
        }
    }
}
