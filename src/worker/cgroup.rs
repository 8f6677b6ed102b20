//! The control groups of workers (cgroup v2, `--cgroup`): each worker has one, with all that it starts.
//!
//! They lie below the group of wsd, which its owner has delegated to wsd: `base`. A process cannot leave its group by a process
//! group, a session or an environment of its own, so nothing outlives its worker.

pub(crate) mod base;
pub(crate) mod limits;
pub(super) mod tree;

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::process::{Pid, getpid};

use limits::CgroupLimits;
use tree::{group_name, groups, kill, leave, remove};

/// The number of groups that this wsd has made.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The group of one worker. Dropping it kills all that is in it, and removes it.
#[derive(Debug)]
pub(super) struct WorkerCgroup(PathBuf);

/// The limits that the processes of a group have reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CgroupEvents {
    /// Whether the kernel has killed for lack of memory.
    pub(super) was_out_of_memory: bool,
    /// Whether the kernel has refused a process.
    pub(super) was_out_of_processes: bool,
}

impl WorkerCgroup {
    /// Makes a group; returns it and its `cgroup.procs`, open for writing.
    pub(super) fn make(limits: &CgroupLimits) -> io::Result<(Self, OwnedFd)> {
        let base = base::opened().ok_or_else(|| io::Error::other("wsd has no control group for its programs"))?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = base.join(group_name(getpid(), number));
        let told = |file: &Path, error: &io::Error| {
            io::Error::new(error.kind(), format!("cannot use the control group {}: {error}", file.display()))
        };
        fs::create_dir(&path).map_err(|error| told(&path, &error))?;
        let group = Self(path);
        limits.write(&group.0).map_err(|error| told(&group.0, &error))?;
        let procs = fs::File::options().write(true).open(group.0.join("cgroup.procs"));
        let procs = procs.map_err(|error| told(&group.0, &error))?;
        Ok((group, procs.into()))
    }

    /// Kills everything in the group. The kernel lets no fork escape it.
    pub(super) fn kill(&self) {
        kill(&self.0);
    }

    /// Returns the limits that were reached.
    pub(super) fn events(&self) -> CgroupEvents {
        let has =
            |file: &str, key: &str| fs::read_to_string(self.0.join(file)).is_ok_and(|text| count_of(&text, key) > 0);
        CgroupEvents {
            was_out_of_memory: has("memory.events", "oom_kill"),
            was_out_of_processes: has("pids.events", "max"),
        }
    }
}

impl Drop for WorkerCgroup {
    fn drop(&mut self) {
        self.kill();
        if !remove(&self.0) {
            leave(std::mem::take(&mut self.0));
        }
    }
}

/// Kills what the `wsd` of this id has left, and removes its groups as far as they are empty by then. For the guard, which
/// is in the group of that `wsd`; returns whether a group is left.
pub(super) fn end_all_of(wsd: Pid) -> bool {
    let Ok(base) = base::find() else { return false };
    let mut left = groups(&base, |owner| owner == wsd);
    for group in &left {
        kill(group);
    }
    left.retain(|group| !remove(group));
    !left.is_empty()
}

/// Returns the number behind a key in a file of lines such as `max 2`.
fn count_of(text: &str, key: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_group_tell_which_limit_was_reached() {
        let memory = "low 0\nhigh 0\nmax 17\noom 1\noom_kill 0\noom_group_kill 0\n";
        let table = [
            (memory, "max 0\n", false, false),
            (&memory.replace("oom_kill 0", "oom_kill 2"), "max 0\n", true, false),
            (memory, "max 3\n", false, true),
            ("", "", false, false),
        ];
        for (memory, pids, was_out_of_memory, was_out_of_processes) in table {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join("memory.events"), memory).expect("a file");
            fs::write(folder.path().join("pids.events"), pids).expect("a file");
            let group = std::mem::ManuallyDrop::new(WorkerCgroup(folder.path().to_owned()));

            let want = CgroupEvents { was_out_of_memory, was_out_of_processes };
            assert_eq!(group.events(), want, "{memory} {pids}");
        }
    }
}
