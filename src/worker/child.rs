//! A worker's process: signalled, waited for, reaped.

use std::io;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid,
};

use crate::status::Status;

/// A process that leads a process group.
///
/// It is reaped when it is dropped, and not before its group has been swept, even when it has ended: until then its id,
/// which is the group's too, can mean nothing else. Dropped before [`stop`](super::stop::stop), it and its group are killed.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// It has ended, and its group has been killed.
    is_swept: bool,
}

impl Child {
    /// The process `pid`, just started as the leader of a process group.
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, is_swept: false }
    }

    /// The process's id, and its group's.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // Fails only if no process is left, or none that may be signalled: set-user-ID programs.
        let _ = kill_process_group(self.pid, signal);
        // The process itself may have gone to another group; unreaped, its id is still its own.
        if getpgid(Some(self.pid)) != Ok(self.pid) {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How the process itself ended, if it has; it stays unreaped.
    pub(crate) fn status(&self) -> Option<Status> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.as_ref().map(status_of),
            Err(_) => Some(Status::UNKNOWN),
        }
    }

    /// Resolves once the process itself has ended, with how it did; it stays unreaped. Cancel safe.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
    pub(crate) async fn ended(&self) -> io::Result<Status> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::{
            io::{Interest, unix::AsyncFd},
            time::sleep,
        };

        use crate::limits::UNTRACED;

        // Most often it has, by the time that the end of its output is known here.
        if let Some(status) = self.status() {
            return Ok(status);
        }
        let pidfd = pidfd_open(self.pid, PidfdFlags::NONBLOCK)?;
        let _ = AsyncFd::with_interest(pidfd, Interest::READABLE)?.readable().await?;
        loop {
            if let Some(status) = self.status() {
                return Ok(status);
            }
            // A debugger is told first (`ptrace(2)`).
            sleep(UNTRACED).await;
        }
    }

    /// Resolves once the process itself has ended, with how it did; it stays unreaped. Cancel safe.
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
        // A killed process ends at once, but one stuck in the kernel must not hold up the thread that drops it.
        // Without a thread to be had it stays a zombie until wsd ends.
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
