//! The description of a new process, and the steps by which the child gives up rights. This file has no `unsafe` code.
//!
//! The child borrows the memory of wsd: its steps are system calls only, and allocate nothing.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::{
    ffi::{CStr, CString, c_char},
    iter::once,
    os::fd::AsFd,
    ptr,
};

use rustix::{
    io::Errno,
    process::{Gid, Resource, Rlimit, Uid},
};
#[cfg(target_os = "linux")]
use rustix::{
    io::write,
    process::{chdir, ioctl_tiocsctty, setpgid, setpriority_process, setrlimit, setsid},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// The description of a new process.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// The file to execute.
    pub(crate) path: &'a CStr,
    /// The arguments, `argv[0]` first.
    pub(crate) args: &'a [CString],
    /// The environment, each entry as `NAME=value`.
    pub(crate) environment: &'a [CString],
    /// The working folder; `None` is this process's.
    pub(crate) folder: Option<&'a CStr>,
    /// The limit of open files; `None` is this process's.
    pub(crate) descriptors: Option<Rlimit>,
    /// The rights to give up; `None` is none.
    pub(crate) bounds: Option<&'a Bounds>,
    /// The controlling terminal: the process then leads a session, too.
    pub(crate) terminal: Option<&'a OwnedFd>,
    /// Standard input, output and error: descriptors above 2.
    pub(crate) standard: &'a [OwnedFd; 3],
}

/// The rights that a process gives up before it executes its program.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// The `cgroup.procs` of the control group to enter, open for writing.
    pub(crate) group: Option<OwnedFd>,
    /// The limits to set.
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    /// The priority.
    pub(crate) nice: Option<i32>,
    /// The user to become.
    pub(crate) identity: Option<Identity>,
}

/// A user as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user's id.
    pub(crate) uid: Uid,
    /// The first group.
    pub(crate) gid: Gid,
    /// All groups (`initgroups(3)`).
    pub(crate) groups: Vec<Gid>,
}

#[cfg(target_os = "linux")]
impl Image<'_> {
    /// Makes the calling process the leader of a group, or of a session with the controlling terminal.
    pub(super) fn lead(&self) -> Result<(), Errno> {
        match self.terminal {
            None => setpgid(None, None),
            Some(terminal) => setsid().and_then(|_| ioctl_tiocsctty(terminal)),
        }
    }

    /// Enters the working folder, and takes the standard streams.
    pub(super) fn connect(&self) -> Result<(), Errno> {
        if let Some(folder) = self.folder {
            chdir(folder)?;
        }
        let [stdin, stdout, stderr] = self.standard;
        dup2_stdin(stdin)?;
        dup2_stdout(stdout)?;
        dup2_stderr(stderr)
    }
}

#[cfg(target_os = "linux")]
impl Identity {
    /// Makes the calling thread this user, with its groups, for good. The system calls change one thread, unlike libc's.
    pub(crate) fn assume(&self) -> Result<(), Errno> {
        self.enter()?;
        self.settle()
    }

    /// Makes this user's rights those of the calling thread, which no other process of the user may signal yet.
    fn enter(&self) -> Result<(), Errno> {
        set_thread_groups(&self.groups)?;
        set_thread_res_gid(self.gid, self.gid, self.gid)?;
        set_thread_res_uid(None, self.uid, None)
    }

    /// Gives up the way back to the user that this thread was.
    fn settle(&self) -> Result<(), Errno> {
        set_thread_res_uid(self.uid, self.uid, self.uid)
    }
}

#[cfg(not(target_os = "linux"))]
impl Identity {
    /// Fails: only on Linux can a thread become another user.
    pub(crate) fn assume(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}

#[cfg(target_os = "linux")]
impl Bounds {
    /// Gives up all rights except the way back to root.
    pub(super) fn enter(&self) -> Result<(), Errno> {
        if let Some(group) = &self.group {
            // The kernel takes 0 for the writer itself.
            write(group.as_fd(), b"0")?;
        }
        for (resource, limit) in &self.limits {
            setrlimit(*resource, *limit)?;
        }
        if let Some(nice) = self.nice {
            setpriority_process(None, nice)?;
        }
        self.identity.as_ref().map_or(Ok(()), Identity::enter)
    }

    /// Gives up the way back to root. From here on other processes of the user may stop this one, while wsd waits for it: the
    /// next call must execute the program.
    pub(super) fn settle(&self) -> Result<(), Errno> {
        self.identity.as_ref().map_or(Ok(()), Identity::settle)
    }
}

/// Returns pointers to the texts with a null at the end, as `execve(2)` takes them.
#[cfg(target_os = "linux")]
pub(super) fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain(once(ptr::null())).collect()
}
