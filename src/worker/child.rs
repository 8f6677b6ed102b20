//! A worker's process: signals it, waits for it, and reaps it.

use std::io;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid,
};

use crate::status::Status;

/// A process that leads a process group.
///
/// Dropping it reaps the process, and never before its group has been killed: until it is reaped, its id, which is also the
/// group's, cannot name another process. Dropping it before [`stop`](super::stop::stop) kills it and its group.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// Whether it has ended and its group has been killed.
    is_swept: bool,
}

impl Child {
    /// Wraps the process `pid`, which leads a process group and is not reaped.
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, is_swept: false }
    }

    /// Returns the id of the process and of its group.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // Fails only if no process is left, or none that wsd may signal: set-user-ID programs.
        let _ = kill_process_group(self.pid, signal);
        // The process itself may have moved to another group. Until it is reaped, its id is still its own.
        if getpgid(Some(self.pid)) != Ok(self.pid) {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Returns the status of the process itself, if it has ended. Does not reap it.
    pub(crate) fn status(&self) -> Option<Status> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.as_ref().map(status_of),
            Err(_) => Some(Status::UNKNOWN),
        }
    }

    /// Resolves with the status of the process itself once it has ended. Does not reap it. Cancel safe.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
    pub(crate) async fn ended(&self) -> io::Result<Status> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::{
            io::{Interest, unix::AsyncFd},
            time::sleep,
        };

        use crate::limits::TRACED_LOOK;

        // Usually the process has ended by the time that wsd reads the end of its output.
        if let Some(status) = self.status() {
            return Ok(status);
        }
        let pidfd = pidfd_open(self.pid, PidfdFlags::NONBLOCK)?;
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
    pub(crate) async fn ended(&self) -> io::Result<Status> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut sigchld = signal(SignalKind::child())?;
        loop {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            sigchld.recv().await;
        }
    }

    /// Kills the rest of the group of a process that has ended.
    pub(super) fn sweep(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.is_swept = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let pid = self.pid;
        let reap = move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        if self.is_swept {
            let _ = reap();
            return;
        }
        self.signal(Signal::KILL);
        // A killed process ends at once, but one stuck in the kernel must not block the thread that drops it.
        // If the system has no thread left, the process stays a zombie until wsd ends.
        let _ = std::thread::Builder::new().spawn(reap);
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
