//! The bounds of a program: its folder, its user, its limits and its control group (`--chdir`, `--user`, `--limit`, `--nice`,
//! `--cgroup`).

use std::{io, os::fd::OwnedFd, path::PathBuf, time::Duration};

use rustix::{
    fs::fchown,
    process::{Pid, Resource, Rlimit, getrlimit},
};

use super::{
    account::Account,
    cgroup::{WorkerCgroup, limits::CgroupLimits},
    procfs::processor_time,
};
use crate::{
    limits::CPU_GRACE,
    status::{ProgramLimit, Status},
    sys::Bounds,
};

/// The bounds of the programs of a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// The folder that they start in, absolute.
    pub(crate) folder: Option<PathBuf>,
    /// Their user.
    pub(crate) account: Option<Account>,
    /// The limits of each process.
    pub(crate) limits: ProcessLimits,
    /// Their priority.
    pub(crate) nice: Option<i32>,
    /// The limits of a control group for each; `None` is no such group.
    pub(crate) cgroup: Option<CgroupLimits>,
}

/// The limits of each process (`setrlimit(2)`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessLimits {
    /// Seconds of a processor.
    pub(crate) cpu: Option<u64>,
    /// Bytes of addresses.
    pub(crate) memory: Option<u64>,
    /// Open files.
    pub(crate) files: Option<u64>,
    /// Processes and threads of the user.
    pub(crate) processes: Option<u64>,
    /// Bytes of a file.
    pub(crate) filesize: Option<u64>,
}

/// The confinement of one worker.
#[derive(Debug)]
pub(super) struct Confined {
    limits: ProcessLimits,
    cgroup: Option<WorkerCgroup>,
}

impl ProcessLimits {
    /// Returns what the kernel takes. The kernel sends SIGXCPU at the soft limit, and SIGKILL [`CPU_GRACE`] later.
    fn list(&self) -> Vec<(Resource, Rlimit)> {
        let &Self { cpu, memory, files, processes, filesize } = self;
        let table = [
            (Resource::Cpu, cpu, CPU_GRACE.as_secs()),
            (Resource::As, memory, 0),
            (Resource::Nofile, files, 0),
            (Resource::Nproc, processes, 0),
            (Resource::Fsize, filesize, 0),
        ];
        let limit = |(resource, limit, grace): (Resource, Option<u64>, u64)| {
            let soft = limit?;
            // Nobody but root may set a limit above the hard one, which holds anyway.
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            let hard = soft.saturating_add(grace).min(most);
            Some((resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) }))
        };
        table.into_iter().filter_map(limit).collect()
    }
}

impl Confinement {
    /// Makes the control group of a worker, if it has one, and returns the rights that the worker gives up.
    pub(super) fn begin(&self) -> io::Result<(Bounds, Confined)> {
        if let Some(folder) = self.folder.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(io::Error::other(format!("the folder `{}` of --chdir is gone", folder.display())));
        }
        let (cgroup, group) = self.cgroup.as_ref().map(WorkerCgroup::make).transpose()?.unzip();
        let bounds = Bounds {
            group,
            limits: self.limits.list(),
            nice: self.nice,
            identity: self.account.as_ref().map(|account| account.identity.clone()),
        };
        Ok((bounds, Confined { limits: self.limits.clone(), cgroup }))
    }

    /// Gives the program's ends of its streams to its user, who may then open them again, as `/dev/stderr`.
    pub(super) fn hand_over(&self, streams: &[OwnedFd; 3]) -> io::Result<()> {
        let Some(account) = &self.account else { return Ok(()) };
        streams.iter().try_for_each(|stream| Ok(fchown(stream, Some(account.identity.uid), None)?))
    }
}

impl Confined {
    /// Kills everything in the control group.
    pub(super) fn kill(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
    }

    /// Returns the status of a worker that has ended and is not reaped, with the limit that ended it, as far as the kernel
    /// tells. A shell passes the signal of its last command on as a status.
    pub(super) fn explain(&self, worker: Pid, status: Status) -> Status {
        let shell = status.shell();
        let signal = u8::try_from(shell.saturating_sub(128)).unwrap_or_default();
        let is = |other: i32| i32::from(signal) == other;
        let spent = |limit: u64| processor_time(worker).is_some_and(|time| time >= Duration::from_secs(limit));
        let events = self.cgroup.as_ref().map(WorkerCgroup::events).unwrap_or_default();
        let limit = match status {
            Status::Exit(0) | Status::UNKNOWN => None,
            _ if self.limits.cpu.is_some() && is(libc::SIGXCPU) => Some(ProgramLimit::Cpu),
            _ if self.limits.filesize.is_some() && is(libc::SIGXFSZ) => Some(ProgramLimit::FileSize),
            _ if events.was_out_of_memory => Some(ProgramLimit::Memory),
            Status::Signal(_) if is(libc::SIGKILL) && self.limits.cpu.is_some_and(spent) => Some(ProgramLimit::Cpu),
            _ if events.was_out_of_processes => Some(ProgramLimit::Processes),
            _ => None,
        };
        limit.map_or(status, |limit| Status::Limit(limit, u8::try_from(shell).unwrap_or(u8::MAX)))
    }
}
