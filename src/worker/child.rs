//! A worker's process: started in a process group of its own, waited for, reaped.

use std::{
    ffi::OsString,
    fmt, io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Command, Stdio},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpgid, kill_process, kill_process_group, waitid},
};

use super::{
    Worker,
    descriptors::give_limit_back,
    input::Input,
    output::{Output, Stderr},
    program::Program,
    status::Status,
};

/// A process that leads a process group.
///
/// It is not reaped before its group has been swept, even when it has ended: until then its id, which is the group's
/// too, can mean nothing else. Dropped without [`Child::reap`], it and its group are killed.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    is_reaped: bool,
}

/// Why a program could not be started.
#[derive(Debug)]
pub(crate) struct LaunchError(io::Error);

impl LaunchError {
    /// Whether the system lacks processes, memory or descriptors, so that it may work later.
    pub(crate) fn is_shortage(&self) -> bool {
        let shortages = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
        shortages.into_iter().any(|errno| self.0.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// What to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.0.kind() {
            io::ErrorKind::NotFound => Some("the file, or the interpreter that its first line names, does not exist"),
            io::ErrorKind::PermissionDenied => Some("make it executable: chmod +x"),
            _ if self.0.raw_os_error() == Some(Errno::NOEXEC.raw_os_error()) => {
                Some("a script must begin with a line such as #!/bin/sh")
            }
            _ => None,
        }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Starts `program` with `environment` and nothing else, in a process group of its own.
///
/// Blocks for the 0.1 to 0.3 ms that it takes to start a process; the standard library starts it without copying
/// wsd's memory as long as neither a user, a group nor a hook is asked for.
pub(crate) fn spawn(program: &Program, environment: Vec<(OsString, OsString)>) -> Result<Worker, LaunchError> {
    let mut command = Command::new(&program.path);
    if let Some(name) = &program.name {
        command.arg0(name);
    }
    if let Some(folder) = &program.folder {
        command.current_dir(folder);
    }
    let mut started = command
        .args(&program.args)
        .env_clear()
        .envs(environment)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(LaunchError)?;
    let child = Child { pid: Pid::from_child(&started), is_reaped: false };
    give_limit_back(child.pid);
    let (stdin, stdout, stderr) = (started.stdin.take(), started.stdout.take(), started.stderr.take());
    let pipes = || -> Option<io::Result<_>> {
        let (stdin, stdout, stderr) = (OwnedFd::from(stdin?), OwnedFd::from(stdout?), OwnedFd::from(stderr?));
        Some(Input::new(stdin).and_then(|input| Ok((input, Output::new(stdout)?, Stderr::new(stderr)?))))
    };
    let (input, output, stderr) = pipes().expect("all three were asked for").map_err(LaunchError)?;
    Ok(Worker { child, input, output, stderr })
}

impl Child {
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
        self.sweep();
        match waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED) {
            Ok(Some(status)) => status_of(&status),
            _ => Status::Signal(0),
        }
    }

    fn sweep(&mut self) {
        self.signal(Signal::KILL);
        self.is_reaped = true;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.sweep();
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
