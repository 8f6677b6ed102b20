//! Eyes on processes: whether they are gone, whom they belong to, what they use.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process, test_kill_process_group};

use crate::time::within;

/// The process of this number, which must be one.
pub fn pid(number: &str) -> Pid {
    let number = number.trim().parse().ok().and_then(Pid::from_raw);
    number.expect("a process id")
}

/// Whether the process is gone within `time`, scaled.
pub fn gone_within(pid: Pid, time: Duration) -> bool {
    within(time, || is_gone(pid).then_some(())).is_some()
}

/// Whether all processes of the group are gone within `time`, scaled.
pub fn group_gone_within(group: Pid, time: Duration) -> bool {
    within(time, || is_group_gone(group).then_some(())).is_some()
}

/// Whether the group of a `wsd` that has ended is gone within `time`, scaled. Its number may be that of another group by then:
/// one whose first process has a `wsd` that lives.
pub fn orphans_gone_within(group: Pid, time: Duration) -> bool {
    #[cfg(target_os = "linux")]
    let is_another = || linux::has_wsd(group);
    #[cfg(not(target_os = "linux"))]
    let is_another = || false;
    within(time, || (is_group_gone(group) || is_another()).then_some(())).is_some()
}

/// Whether there is no such process any more.
///
/// A process that has ended stays, as a zombie, until its parent reaps it. A zombie of `wsd` is not gone; one that was
/// left to the system is, as when that reaps it is not for `wsd` to say.
pub fn is_gone(pid: Pid) -> bool {
    #[cfg(target_os = "linux")]
    if linux::is_foreign_zombie(pid) {
        return true;
    }
    test_kill_process(pid) == Err(Errno::SRCH)
}

/// Whether there is no process of the group any more.
fn is_group_gone(group: Pid) -> bool {
    #[cfg(target_os = "linux")]
    if linux::group(group).into_iter().all(is_gone) {
        return true;
    }
    test_kill_process_group(group) == Err(Errno::SRCH)
}

/// The facts of a process under Linux's `/proc`.
#[cfg(target_os = "linux")]
pub mod linux {
    use std::fs;
    use std::time::Duration;

    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    /// The most memory the process ever held, in KiB.
    pub fn peak_memory(pid: Pid) -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time the process used so far.
    pub fn processor_time(pid: Pid) -> Duration {
        let ticks: u64 = stat(pid)[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // 100 ticks a second: what Linux shows to programs on every common machine.
        Duration::from_millis(ticks * 10)
    }

    /// The pseudo-terminals that the process has open, either end of each: `/dev/ptmx` and `/dev/pts/N`.
    pub fn terminals(pid: Pid) -> Vec<String> {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
        let files = open.filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.display().to_string()));
        files.filter(|file| file.starts_with("/dev/pts/") || file == "/dev/ptmx").collect()
    }

    /// The number of the controlling terminal of the process; 0 is none.
    pub fn controlling_terminal(pid: Pid) -> String {
        stat(pid)[4].clone()
    }

    /// The group the process belongs to.
    pub fn process_group(pid: Pid) -> Pid {
        super::pid(&stat(pid)[2])
    }

    /// The children of the process, those included that have ended and were not reaped.
    pub fn children(parent: Pid) -> Vec<Pid> {
        processes().into_iter().filter(|pid| try_stat(*pid).is_some_and(|stat| stat[1] == parent.to_string())).collect()
    }

    /// The processes of the group, those included that have ended and were not reaped.
    pub(crate) fn group(group: Pid) -> Vec<Pid> {
        processes().into_iter().filter(|pid| try_stat(*pid).is_some_and(|stat| stat[2] == group.to_string())).collect()
    }

    /// Whether the process has ended, and its parent, who is to reap it, is not `wsd`.
    pub(crate) fn is_foreign_zombie(pid: Pid) -> bool {
        try_stat(pid).is_some_and(|stat| stat[0] == "Z") && !has_wsd(pid)
    }

    /// Whether the parent of the process is `wsd`.
    pub(crate) fn has_wsd(pid: Pid) -> bool {
        let Some(stat) = try_stat(pid) else { return false };
        let parent = fs::read_to_string(format!("/proc/{}/comm", stat[1])).unwrap_or_default();
        parent.trim() == "wsd"
    }

    /// Lets the process open exactly `free` more descriptors, as if the system had no more to give.
    pub fn leave_descriptors(pid: Pid, free: usize) {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let open: Vec<u64> = open.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        let mut unused = (0..).filter(|number| !open.contains(number));
        // A limit is above every number that may be given out.
        set_descriptor_limit(pid, unused.nth(free));
    }

    /// Undoes [`leave_descriptors`].
    pub fn restore_descriptors(pid: Pid) {
        set_descriptor_limit(pid, getrlimit(Resource::Nofile).current);
    }

    fn set_descriptor_limit(pid: Pid, current: Option<u64>) {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum }).unwrap();
    }

    fn processes() -> Vec<Pid> {
        let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| Pid::from_raw(name.to_str()?.parse().ok()?)).collect()
    }

    fn stat(pid: Pid) -> Vec<String> {
        try_stat(pid).unwrap_or_else(|| panic!("there is no process {pid}"))
    }

    /// The fields of `/proc/PID/stat` from the third on: state, parent, group and so forth.
    fn try_stat(pid: Pid) -> Option<Vec<String>> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses and may hold anything, spaces and parentheses too.
        let (_, fields) = stat.rsplit_once(')')?;
        Some(fields.split_whitespace().map(str::to_owned).collect())
    }
}
