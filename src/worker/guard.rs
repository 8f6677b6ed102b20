//! The guard: a small process that ends all programs if wsd itself is killed, as by the kernel when memory is short.
//!
//! It is a copy of wsd from before wsd had threads, and reads a socket that only wsd could write to. That socket ends with wsd,
//! however wsd ends. Then the guard kills the workers that are still in the list (see `records`), their process groups, all
//! that has their `UNIQUE_ID`, and all descendants of these.
//!
//! The kernel could tell each program instead (`PR_SET_PDEATHSIG`). That reaches no descendants, and no longer those whose
//! parent it has killed.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    thread::sleep,
    time::Duration,
};

use nix::sys::signal::SigSet;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, chdir, getpid, kill_process_group, set_child_subreaper},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    cgroup,
    procfs::{ProcessIdentity, Stat, all, is_own, stat, unique_id},
    records,
    unique_id::UniqueId,
};
use crate::{event::Event, limits::GUARD_TIME_MAX, sys};

/// The name of the process. It does not contain `wsd`, so that `pkill wsd` does not reach it.
const NAME: &std::ffi::CStr = c"ws-guard";

/// The time that wsd takes to start, and more. Until then the guard leaves the processors to it.
const START: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The time between two looks for processes. A process that is being started shows its environment only after that.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks without a process to kill, after which there is none.
const QUIET_LOOKS: usize = 2;

/// wsd's end of the socket, if there is a guard. Dropping it ends the guard.
#[derive(Debug, Default)]
pub(crate) struct GuardProcess(Option<UnixStream>);

impl GuardProcess {
    /// Starts the guard, and makes wsd the parent of its orphans. This process must have one thread so far.
    pub(crate) fn start() -> io::Result<Self> {
        // When process 1 of a container ends, the kernel ends all others.
        let guard = if getpid() == Pid::INIT { None } else { Some(copy()?) };
        // Not before: the guard is an orphan, too.
        set_child_subreaper(Some(getpid()))?;
        Ok(Self(guard))
    }

    /// Logs an error if the guard ends before wsd. Needs a tokio runtime.
    #[expect(
        deprecated,
        reason = "what a `UnixStream` names stays open, which is all that the new, unsafe way asks for"
    )]
    pub(crate) fn watch(&self) -> impl Future<Output = ()> + use<> {
        let socket = self.0.as_ref().and_then(|socket| socket.try_clone().ok());
        async move {
            let socket = socket.and_then(|socket| AsyncFd::with_interest(socket, Interest::READABLE).ok());
            if let Some(socket) = socket
                && socket.readable().await.is_ok()
            {
                Event::GuardLost { hint: "restart wsd: if it is killed now, its programs stay" }.emit();
            }
        }
    }
}

impl Drop for GuardProcess {
    /// Lets the guard kill the programs that are left, and waits for it.
    fn drop(&mut self) {
        let Some(mut socket) = self.0.take() else { return };
        let _ = socket.set_read_timeout(Some(GUARD_TIME_MAX));
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.read(&mut [0]);
    }
}

/// Starts the guard; returns the socket that it watches.
fn copy() -> io::Result<UnixStream> {
    records::open()?;
    let (ours, theirs) = UnixStream::pair()?;
    let (wsd, mut ours) = (getpid(), Some(ours));
    sys::copy_process(NAME, || {
        drop(ours.take());
        watch(theirs);
        end_cgroups(wsd);
    })?;
    // The copy has taken its own.
    Ok(ours.expect("it is still here"))
}

/// Waits for the end of wsd, and then kills what it has left.
fn watch(mut socket: UnixStream) {
    // Signals to all processes of a service, such as those of systemd, are for wsd.
    let _ = SigSet::all().thread_block();
    // Also ready if wsd ends.
    let _ = poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&START));
    if let Some(table) = records::table() {
        sys::keep_only([socket.as_fd(), table.as_fd()]);
    }
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
    let _ = chdir("/");
    sys::forget_code();
    while socket.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {}
    end_all(&records::read().unwrap_or_default());
}

/// Kills all in the control groups of this `wsd`, and removes the groups. A process that the kernel ends takes a moment.
fn end_cgroups(wsd: Pid) {
    let looks = GUARD_TIME_MAX.as_millis() / PAUSE.as_millis();
    for _ in 0..looks {
        if !cgroup::end_all_of(wsd) {
            return;
        }
        sleep(PAUSE);
    }
}

fn end_all(workers: &[(Option<Pid>, Option<UniqueId>)]) {
    let processes: HashSet<Pid> = workers.iter().filter_map(|(process, _)| *process).collect();
    if !is_own() {
        // Without `/proc` it finds the groups only.
        for process in processes {
            let _ = kill_process_group(process, Signal::KILL);
        }
        return;
    }
    let ids: HashSet<UniqueId> = workers.iter().filter_map(|(_, id)| *id).collect();
    let is_theirs = |stat: &Stat| {
        let is_known = |pid: Pid| processes.contains(&pid);
        is_known(stat.process.pid)
            || stat.group.is_some_and(is_known)
            || unique_id(stat.process.pid).is_some_and(|id| ids.contains(&id))
    };
    let mut killed = HashSet::new();
    let looks = usize::try_from(GUARD_TIME_MAX.as_millis() / PAUSE.as_millis()).unwrap_or_default();
    let mut quiet = if workers.is_empty() { QUIET_LOOKS } else { 0 };
    for _ in 0..looks {
        if quiet == QUIET_LOOKS {
            return;
        }
        let fresh: Vec<_> = family(is_theirs).into_iter().filter(|process| killed.insert(*process)).collect();
        quiet = if fresh.is_empty() { quiet + 1 } else { 0 };
        for process in fresh {
            // Refused for programs of other users.
            let _ = process.signal(Signal::KILL);
        }
        sleep(PAUSE);
    }
}

/// Returns the processes that are meant, and all their descendants.
fn family(is_meant: impl Fn(&Stat) -> bool) -> Vec<ProcessIdentity> {
    let (own, mut children, mut queue) = (getpid(), HashMap::<Pid, Vec<ProcessIdentity>>::new(), Vec::new());
    for stat in all().into_iter().filter_map(stat).filter(|stat| stat.process.pid != own && !stat.is_zombie) {
        if let Some(parent) = stat.parent {
            children.entry(parent).or_default().push(stat.process);
        }
        if is_meant(&stat) {
            queue.push(stat.process);
        }
    }
    let mut found = Vec::new();
    while let Some(process) = queue.pop() {
        queue.extend(children.remove(&process.pid).unwrap_or_default());
        found.push(process);
    }
    found
}
