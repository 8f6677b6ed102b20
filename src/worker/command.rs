//! The program of `wsd connect`: its streams are its caller's, and so are its environment and its process group.
//!
//! It has the terminal of its caller, and Ctrl-C reaches it there. So the group cannot be killed at its end, as that of a session
//! of the server: wsd finds the processes that it has started one by one (see `descendants`).

use std::{
    io,
    process::{Child as StdChild, Command},
    sync::mpsc::channel,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use super::{child::Child, environ, records::WorkerRecord, starter, unique_id::UniqueId};
use crate::{limits::UNTIL_STUCK, status::Status};

/// A running program. Dropping it kills it, with all that it has started.
#[derive(Debug)]
pub(crate) struct CommandProcess(Child);

impl CommandProcess {
    /// Starts a command, with a `UNIQUE_ID` in its environment. Returns its streams, too.
    pub(crate) fn start(mut command: Command) -> io::Result<(Self, StdChild)> {
        // Otherwise process 1 becomes the parent of its orphans.
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (tell, told) = channel();
        starter::run(move || {
            let id = environ::unique_id();
            let record = WorkerRecord::new(UniqueId::among([format!("UNIQUE_ID={id}").as_bytes()].into_iter()));
            let started = command.env("UNIQUE_ID", id).spawn();
            let _ = tell.send(started.map(|child| (Self(Child::new(Pid::from_child(&child), record, None)), child)));
        })?;
        told.recv().unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
    }

    /// Resolves with its status once it has ended. Cancel safe.
    pub(crate) async fn ended(&self) -> Status {
        self.0.leader().ended().await.unwrap_or(Status::UNKNOWN)
    }

    /// Looks for the processes that it has started, before its input ends.
    pub(crate) fn remember(&mut self) {
        self.0.remember();
    }

    /// Waits for its end after that of its input. It gets SIGTERM after `patience`, and SIGKILL after `more`, as do all
    /// processes that it has started; none of them outlives it.
    pub(crate) async fn end(mut self, patience: Duration, more: Duration) -> Status {
        let mut descendants = self.0.take_descendants();
        let leader = self.0.leader();
        let mut status = leader.ended_within(patience).await;
        if status.is_none() {
            self.0.signal(Signal::TERM);
            descendants.signal(Signal::TERM);
            status = leader.ended_within(more).await;
        }
        if status.is_none() {
            self.0.signal(Signal::KILL);
            descendants.kill();
            status = leader.ended_within(UNTIL_STUCK).await;
        }
        if let Some(status) = status {
            descendants.set_ended();
            self.0.sweep(status);
        }
        descendants.end().await;
        status.unwrap_or(Status::UNKNOWN)
    }
}

impl Drop for CommandProcess {
    fn drop(&mut self) {
        let mut descendants = self.0.take_descendants();
        self.0.signal(Signal::KILL);
        descendants.kill();
    }
}
