//! A worker's process: signalled, waited for, reaped.

use std::io;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid,
};

use super::status::Status;

/// A process that leads a process group.
///
/// It is not reaped before its group has been swept, even when it has ended: until then its id, which is the group's
/// too, can mean nothing else. Dropped without [`Child::reap`], it and its group are killed.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    is_reaped: bool,
}

impl Child {
    /// The process `pid`, just started as the leader of a process group.
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, is_reaped: false }
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

    /// Whether the process itself has ended; it stays unreaped.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Resolves once the process itself has ended; it stays unreaped. Cancel safe.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "what an `OwnedFd` names stays open, which is all that the new, unsafe way asks for")]
    pub(crate) async fn ended(&self) -> io::Result<()> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::{Interest, unix::AsyncFd};

        // Most often it has, by the time that the end of its output is known here.
        if self.has_ended() {
            return Ok(());
        }
        let pidfd = pidfd_open(self.pid, PidfdFlags::NONBLOCK)?;
        AsyncFd::with_interest(pidfd, Interest::READABLE)?.readable().await.map(drop)
    }

    /// Resolves once the process itself has ended; it stays unreaped. Cancel safe.
    #[cfg(not(target_os = "linux"))]
    pub(crate) async fn ended(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut sigchld = signal(SignalKind::child())?;
        while !self.has_ended() {
            sigchld.recv().await;
        }
        Ok(())
    }

    /// Kills what is left of the group, reaps the process, which must have ended, and tells how it ended.
    pub(crate) fn reap(mut self) -> Status {
        let _ = kill_process_group(self.pid, Signal::KILL);
        self.is_reaped = true;
        match waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED) {
            Ok(Some(status)) => status_of(&status),
            _ => Status::Signal(0),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            let pid = self.pid;
            // A killed process ends at once, but one stuck in the kernel must not hold up the thread that drops it.
            let reap = move || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
            // Without a thread to be had it stays a zombie until wsd ends.
            let _ = std::thread::Builder::new().spawn(reap);
        }
    }
}

fn status_of(status: &WaitIdStatus) -> Status {
    let small = |number: i32| u8::try_from(number & 0xFF).unwrap_or(u8::MAX);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => Status::Exit(small(status)),
        (None, Some(signal)) => Status::Signal(small(signal)),
        (None, None) => Status::Signal(0),
    }
}
