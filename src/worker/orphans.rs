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

/// Reaps the orphans that have ended where nothing lists them: a container may show the processes of another one.
///
/// Does so on the first thread only; the children of others are workers.
#[cfg(target_os = "linux")]
pub(super) fn reap_unlisted() {
    if LIST.is_some() {
        return;
    }
    let own = WaitIdOptions::from_bits_retain(libc::__WNOTHREAD.cast_unsigned());
    while let Ok(Some(_)) = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | own) {}
}

/// Does nothing: only on Linux is wsd the parent of orphans, and are children those of a thread.
#[cfg(not(target_os = "linux"))]
pub(super) fn reap_unlisted() {}

/// Reaps a child if it has ended; returns whether it is gone.
pub(super) fn reap(child: Pid) -> bool {
    !matches!(waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
}
