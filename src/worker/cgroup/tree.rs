//! The groups of workers as folders: lists, kills and removes them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::process::Pid;

/// The names of the groups of workers begin so; the id of wsd and a number follow.
const PREFIX: &str = "wsd-worker-";

/// The groups whose processes had not ended when their worker had.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Returns the name of a group of this `wsd`.
pub(super) fn group_name(wsd: Pid, number: u64) -> String {
    format!("{PREFIX}{wsd}-{number}")
}

/// Removes a group as soon as its processes have ended.
pub(super) fn leave(group: PathBuf) {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(group);
}

/// Removes the groups whose processes have ended meanwhile.
pub(crate) fn remove_left() {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain(|group| {
        kill(group);
        !remove(group)
    });
}

/// Lists the groups of workers of the owners that `is_meant` names.
pub(super) fn groups(base: &Path, is_meant: impl Fn(Pid) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().and_then(owner).is_some_and(&is_meant));
    named.map(|entry| entry.path()).collect()
}

/// Returns the `wsd` that a group of this name belongs to.
fn owner(name: &str) -> Option<Pid> {
    Pid::from_raw(name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()?)
}

/// Kills everything in a group.
pub(super) fn kill(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
}

/// Removes a group, and the groups that a program has made in it; returns whether it is gone.
pub(super) fn remove(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    match fs::remove_dir(group) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_known_by_the_wsd_that_made_it() {
        assert_eq!(owner("wsd-worker-12-3"), Pid::from_raw(12));
        for other in ["wsd-worker-", "wsd-worker-12", "wsd-worker-x-3", "wsd-main", "worker-12-3"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }
}
