//! A worker's process: signals it, waits for it, and reaps it.

use std::{io, time::Duration};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid},
};
use tokio::time::{sleep, timeout};

use super::{
    confinement::Confined, descendants::Descendants, reaper::leave, records::WorkerRecord, tally::ProgramTally,
};
use crate::{limits::GROUP_LOOK, metrics::route::RouteName, status::Status, sys};

/// A process that leads a process group.
///
/// Dropping it reaps the process, and never before its group has been killed: until it is reaped, its id, which is also the
/// group's, cannot name another process. Dropping it before [`stop`](super::stop::stop) kills it and its group.
#[derive(Debug)]
pub(crate) struct Child {
    leader: Leader,
    /// Its place in the list of workers; `None` once it has passed to the reaper.
    record: Option<WorkerRecord>,
    /// The processes that it has started, if wsd has looked for them.
    descendants: Option<Descendants>,
    /// Its limits, if it has any.
    confined: Option<Box<Confined>>,
    /// How it has ended, once its group has been killed.
    ended: Option<ChildEnd>,
    /// Counts it for its route; `None` for a program of no route.
    tally: Option<ProgramTally>,
}

/// The status of a process that has ended, and the resources that it has used.
#[derive(Clone, Copy, Debug)]
struct ChildEnd {
    status: Status,
    usage: Option<sys::ResourceUsage>,
}

/// The id of a [`Child`]. It must not outlive it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leader(Pid);

impl Child {
    /// Wraps the process `pid`, which leads a process group and is not reaped.
    pub(super) fn new(pid: Pid, record: WorkerRecord, confined: Option<Box<Confined>>) -> Self {
        record.set_process(pid);
        Self { leader: Leader(pid), record: Some(record), descendants: None, confined, ended: None, tally: None }
    }

    /// Returns the id of the process and of its group.
    pub(crate) fn pid(&self) -> i32 {
        self.leader.0.as_raw_nonzero().get()
    }

    /// Returns the process, for others that wait for its end.
    pub(crate) fn leader(&self) -> Leader {
        self.leader
    }

    /// Counts it for the metrics of its route from now on. It took this time to start.
    pub(crate) fn count_for(&mut self, route: &RouteName, took: Duration) {
        self.tally = Some(ProgramTally::begin(route, took));
    }

    /// Returns the resources that it has used, once its group has been killed.
    pub(crate) fn usage(&self) -> Option<sys::ResourceUsage> {
        self.ended?.usage
    }

    /// Counts a signal that wsd sends, since the program has not ended.
    pub(super) fn count_signal(&self, signal: &'static str) {
        if let Some(tally) = &self.tally {
            tally.count_signal(signal);
        }
    }

    /// Looks for the processes that it has started, for [`stop`](super::stop::stop). To be called before its input ends: it
    /// may exit at once, and then nobody can tell whose they were.
    pub(crate) fn remember(&mut self) {
        self.descendants = Some(self.look());
    }

    /// Returns the processes that it has started.
    pub(super) fn take_descendants(&mut self) -> Descendants {
        self.descendants.take().unwrap_or_else(|| self.look())
    }

    fn look(&self) -> Descendants {
        let id = self.record.as_ref().and_then(WorkerRecord::id);
        Descendants::of(self.leader.0, id, self.leader.status().is_some())
    }

    /// Sends a signal to every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.leader.0;
        // Fails only if no process is left, or none that wsd may signal.
        let _ = kill_process_group(pid, signal);
        // The process itself may have moved to another group. Until it is reaped, its id is still its own.
        if getpgid(Some(pid)) != Ok(pid) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills every process of the group. Fails if wsd may not kill the process itself.
    pub(super) fn kill(&self) -> Result<(), Errno> {
        self.signal(Signal::KILL);
        self.kill_cgroup();
        kill_process(self.leader.0, Signal::KILL)
    }

    /// Kills the rest of the groups of a process that has ended. Returns its status, with the limit that ended it.
    pub(super) fn sweep(&mut self, status: Status) -> Status {
        let pid = self.leader.0;
        let _ = kill_process_group(pid, Signal::KILL);
        self.kill_cgroup();
        let status = self.confined.as_ref().map_or(status, |confined| confined.explain(pid, status));
        self.ended = Some(ChildEnd { status, usage: sys::usage(self.pid()) });
        status
    }

    fn kill_cgroup(&self) {
        if let Some(confined) = &self.confined {
            confined.kill();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = self.leader.0;
        if let Some(ChildEnd { status, usage }) = self.ended {
            // Once the process is reaped, its id may come again.
            self.record = None;
            if let Some(tally) = &self.tally {
                tally.count_end(status, usage);
            }
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
            return;
        }
        self.signal(Signal::KILL);
        // A killed process ends at once, but one stuck in the kernel must not block the thread that drops it.
        if let Some(record) = self.record.take() {
            leave(pid, record, self.tally.take());
        }
    }
}

impl Leader {
    /// Returns the status of the process itself, if it has ended. Does not reap it.
    pub(crate) fn status(self) -> Option<Status> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.0), options) {
            Ok(status) => status.as_ref().map(status_of),
            Err(_) => Some(Status::UNKNOWN),
        }
    }

    /// Whether its process group has other processes. The process itself must have ended.
    pub(super) fn has_group(self) -> bool {
        Descendants::of(self.0, None, true).has_group()
    }

    /// Waits up to `wait` for the process to end. Returns its status if it has ended.
    pub(crate) async fn ended_within(self, wait: Duration) -> Option<Status> {
        match timeout(wait, self.ended()).await {
            Ok(Ok(status)) => Some(status),
            Ok(Err(_)) => {
                // wsd has no descriptor left to wait with.
                if self.status().is_none() {
                    sleep(wait).await;
                }
                self.status()
            }
            Err(_) => None,
        }
    }

    /// Resolves once the process itself has ended, even if wsd has no descriptor left to wait with.
    pub(crate) async fn gone(self) {
        while self.ended().await.is_err() {
            sleep(GROUP_LOOK).await;
        }
    }

    /// Resolves with the status of the process itself once it has ended. Does not reap it. Cancel safe.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
    pub(crate) async fn ended(self) -> io::Result<Status> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::{Interest, unix::AsyncFd};

        /// The time between two looks at the status of a worker that has ended while its debugger has not read that status.
        const TRACED_LOOK: Duration = Duration::from_millis(10);

        // Usually the process has ended by the time that wsd reads the end of its output.
        if let Some(status) = self.status() {
            return Ok(status);
        }
        let pidfd = pidfd_open(self.0, PidfdFlags::NONBLOCK)?;
        let _ = AsyncFd::with_interest(pidfd, Interest::READABLE)?.readable().await?;
        loop {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            // The kernel tells a debugger first (`ptrace(2)`).
            sleep(TRACED_LOOK).await;
        }
    }

    /// Resolves with the status of the process itself once it has ended. Does not reap it. Cancel safe.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn ended(self) -> io::Result<Status> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut sigchld = signal(SignalKind::child())?;
        loop {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            sigchld.recv().await;
        }
    }
}

fn status_of(status: &WaitIdStatus) -> Status {
    let small = |number: i32| u8::try_from(number & 0xFF).unwrap_or(u8::MAX);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Status::Exit(small(status)),
        (None, Some(signal)) => Status::Signal(small(signal)),
        (None, None) => Status::UNKNOWN,
    }
}
