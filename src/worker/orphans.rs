//! The orphans of wsd: processes whose parents have ended, which the kernel makes children of wsd.

use std::{fs::File, sync::LazyLock};

use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, waitid};

use super::procfs::{is_own, read_children};

/// The children of the first thread of this process. All orphans are among them, and no worker is: see `starter`.
static LIST: LazyLock<Option<File>> = LazyLock::new(|| {
    let own = getpid();
    is_own().then(|| File::open(format!("/proc/{own}/task/{own}/children")).ok()).flatten()
});

/// Returns the orphans that run, and reaps those that have ended.
pub(super) fn living() -> Vec<Pid> {
    let mut orphans = LIST.as_ref().map(read_children).unwrap_or_default();
    orphans.retain(|&orphan| !reap(orphan));
    orphans
}

/// Reaps a child if it has ended; returns whether it is gone.
pub(super) fn reap(child: Pid) -> bool {
    !matches!(waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
}
