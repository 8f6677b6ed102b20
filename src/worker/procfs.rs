//! Processes as `/proc` shows them (`proc(5)`): their parents, their children and their `UNIQUE_ID`.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::FileExt,
    sync::LazyLock,
    time::Duration,
};

use rustix::{
    io::Errno,
    param::clock_ticks_per_second,
    process::{Pid, Signal, getpid},
};

use super::unique_id::UniqueId;

/// Bytes of one look at a list of children. The kernel fills a page at most.
const LIST_BYTES: usize = 4 << 10;

/// Bytes of `/proc/PID/stat`: 52 numbers and a name.
const STAT_BYTES: usize = 2 << 10;

/// Whether `/proc` shows this process under its own id. Within a container it may show the processes outside: their ids name
/// other processes here. Then this file finds none. It finds none either on systems without such a `/proc`.
static IS_OWN: LazyLock<bool> =
    LazyLock::new(|| fs::read_link("/proc/self").is_ok_and(|own| own.to_str() == Some(&getpid().to_string())));

/// A process that the kernel cannot take for another: an id may come again, but not with the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcessIdentity {
    /// Its id.
    pub(super) pid: Pid,
    /// When it began, in ticks since the start of the system.
    began: u64,
}

/// The parts of `/proc/PID/stat` that wsd needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    /// The process.
    pub(super) process: ProcessIdentity,
    /// Whether it has ended.
    pub(super) is_zombie: bool,
    /// Its parent; `None` if that is outside of this container.
    pub(super) parent: Option<Pid>,
    /// Its process group; `None` if that is outside of this container.
    pub(super) group: Option<Pid>,
    /// The ticks of the clock that its threads have run, in user mode and in the kernel.
    ticks: u64,
}

impl ProcessIdentity {
    /// Sends a signal to this very process.
    #[cfg(target_os = "linux")]
    pub(super) fn signal(self, signal: Signal) -> Result<(), Errno> {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

        let pidfd = pidfd_open(self.pid, PidfdFlags::empty())?;
        // From here on the descriptor names one process; this tells which.
        if !self.is_alive() {
            return Err(Errno::SRCH);
        }
        pidfd_send_signal(pidfd, signal)
    }

    /// Sends a signal to this process.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn signal(self, signal: Signal) -> Result<(), Errno> {
        rustix::process::kill_process(self.pid, signal)
    }

    /// Whether it has not ended.
    pub(super) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.process == self && !stat.is_zombie)
    }
}

/// Whether this file finds processes.
pub(super) fn is_own() -> bool {
    *IS_OWN
}

/// Returns the facts of a process; `None` if there is no such process.
pub(super) fn stat(pid: Pid) -> Option<Stat> {
    if !is_own() {
        return None;
    }
    let mut buffer = [0; STAT_BYTES];
    let count = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    parse_stat(pid, &buffer[..count])
}

/// Returns the time of a processor that a process has taken, also if it has ended and is not reaped.
pub(super) fn processor_time(pid: Pid) -> Option<Duration> {
    let ticks = stat(pid)?.ticks;
    Some(Duration::from_millis(ticks * 1000 / clock_ticks_per_second().max(1)))
}

/// Parses the content of `/proc/PID/stat`.
fn parse_stat(pid: Pid, text: &[u8]) -> Option<Stat> {
    // The name, in parentheses, may contain anything.
    let (_, fields) = str::from_utf8(text.rsplit(|&byte| byte == b')').next()?).ok()?.split_once(' ')?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // A process that is about to vanish has the group -1, which is no id.
    let process = |index: usize| fields.get(index)?.parse().ok().filter(|raw| *raw > 0).and_then(Pid::from_raw);
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    Some(Stat {
        process: ProcessIdentity { pid, began: fields.get(19)?.parse().ok()? },
        is_zombie: matches!(fields[0], "Z" | "X"),
        parent: process(1),
        group: process(2),
        ticks: number(11) + number(12),
    })
}

/// Returns the ids of all processes.
#[cfg(target_os = "linux")]
pub(super) fn all() -> Vec<Pid> {
    if is_own() { numbers_in("/proc").collect() } else { Vec::new() }
}

/// Returns the children of a process, those of all its threads.
pub(super) fn children(pid: Pid) -> Vec<Pid> {
    numbers_in(&format!("/proc/{pid}/task")).filter(|_| is_own()).flat_map(|thread| children_of(pid, thread)).collect()
}

/// Returns the children of the first thread of a process: those of most programs, in a quarter of the time.
pub(super) fn first_children(pid: Pid) -> Vec<Pid> {
    if is_own() { children_of(pid, pid) } else { Vec::new() }
}

/// Reads a list of children.
pub(super) fn read_children(list: &File) -> Vec<Pid> {
    let (mut text, mut buffer) = (Vec::new(), [0; LIST_BYTES]);
    while let Ok(count @ 1..) = list.read_at(&mut buffer, text.len() as u64) {
        text.extend_from_slice(&buffer[..count]);
    }
    let numbers = str::from_utf8(&text).unwrap_or_default().split_ascii_whitespace();
    numbers.filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

fn children_of(pid: Pid, thread: Pid) -> Vec<Pid> {
    let list = File::open(format!("/proc/{pid}/task/{thread}/children"));
    list.map(|list| read_children(&list)).unwrap_or_default()
}

/// Returns the `UNIQUE_ID` in the environment with which a process began; `None` also if wsd may not read it,
/// and for the moment in which the process executes its program.
pub(super) fn unique_id(pid: Pid) -> Option<UniqueId> {
    UniqueId::among(fs::read(format!("/proc/{pid}/environ")).ok()?.split(|&byte| byte == 0))
}

/// Returns the ids that name files in a folder of `/proc`.
fn numbers_in(folder: &str) -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_process_is_known_by_its_parent_its_group_its_time_and_its_unique_id() {
        let id = "0123456789abcdef0123456789abcdef";
        let mut cat = Command::new("cat").env("UNIQUE_ID", id).stdin(Stdio::piped()).spawn().expect("cat starts");
        let pid = Pid::from_child(&cat);

        let seen = stat(pid).expect("it runs");

        assert_eq!(
            (seen.parent, seen.group, seen.is_zombie),
            (Some(getpid()), rustix::process::getpgid(None).ok(), false)
        );
        // It shows none while it executes its program.
        let shown = std::iter::repeat_with(|| unique_id(pid)).find(Option::is_some).flatten();
        assert_eq!(shown, UniqueId::among([format!("UNIQUE_ID={id}").as_bytes()].into_iter()));
        assert!(children(getpid()).contains(&pid) && all().contains(&pid));
        let other = ProcessIdentity { began: seen.process.began + 1, ..seen.process };
        assert_eq!((other.signal(Signal::KILL), other.is_alive()), (Err(Errno::SRCH), false), "an id that came again");
        assert_eq!(seen.process.signal(Signal::KILL), Ok(()));
        cat.wait().expect("it is reaped");
        assert!(!seen.process.is_alive());
    }

    #[test]
    fn a_process_that_is_about_to_vanish_has_no_group_and_no_parent() {
        let stat = |ids: &str| format!("7 (a) b) c) Z {ids} 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 99 0 0");
        let parsed = |ids: &str| parse_stat(getpid(), stat(ids).as_bytes()).expect("it has all fields");

        let (living, vanishing) = (parsed("3 5 5"), parsed("0 -1 -1"));

        assert_eq!((living.parent, living.group), (Pid::from_raw(3), Pid::from_raw(5)));
        assert_eq!((vanishing.parent, vanishing.group), (None, None));
        assert!(vanishing.is_zombie && vanishing.process.began == 99);
        assert!(parse_stat(getpid(), b"7 (cut) S 3").is_none());
    }

    #[test]
    fn a_list_of_children_may_be_longer_than_a_page() {
        let mut started: Vec<_> =
            (0..LIST_BYTES / 4).map(|_| Command::new("true").spawn().expect("it starts")).collect();

        let seen: std::collections::HashSet<_> = children(getpid()).into_iter().collect();

        assert!(started.iter().all(|child| seen.contains(&Pid::from_child(child))));
        for child in &mut started {
            child.wait().expect("it is reaped");
        }
    }
}
