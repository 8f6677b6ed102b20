//! The limit of open files: raised for wsd, set back for its workers, and shared between them and connections.
//!
//! A session takes four to five descriptors, so the usual limit of 1024 would allow about two hundred sessions. Some
//! programs rely on that limit: they use `select`, or close all descriptors below it. So workers get it back.

use std::fs;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};
#[cfg(target_os = "linux")]
use rustix::process::{Rlimit, setrlimit};

use super::starter::STARTS_MAX;
use crate::limits::OPEN_FILES_MIN;

#[cfg(target_os = "linux")]
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit of this process to the hard one.
#[cfg(target_os = "linux")]
pub(crate) fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != before.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        // wsd does this once, before it starts the first worker.
        let _ = BEFORE.set(before);
    }
}

/// Does nothing: only Linux workers get the old limit back.
#[cfg(not(target_os = "linux"))]
pub(crate) fn raise_limit() {}

/// Returns the limit for workers, which wsd had at its start; `None` if it was not raised.
#[cfg(target_os = "linux")]
pub(super) fn limit_before() -> Option<Rlimit> {
    BEFORE.get().copied()
}

/// The descriptors of a running worker: three pipes.
const OF_WORKER: usize = 3;

/// Descriptors for files that are being looked for and the next connection of each listener; and, for each worker that is being
/// started or stopped at a time, the other ends of its pipes and the one that tells of its end.
const SPARE: usize = 8 + 4 * STARTS_MAX;

/// The use of the descriptors that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allotment {
    /// The limit of open files of wsd.
    pub(crate) limit: usize,
    /// The programs that can run at a time, each with a client.
    pub(crate) programs: usize,
    /// The connections that may be open at a time, so that these programs get their descriptors.
    pub(crate) connections: usize,
}

/// The descriptors that wsd itself has, and may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    limit: usize,
    used: usize,
}

impl Descriptors {
    /// Counts the descriptors that are open now, before the first connection.
    pub(crate) fn count() -> Self {
        let limit = or_unlimited(getrlimit(Resource::Nofile).current);
        Self { limit, used: open_descriptors() }
    }

    /// Sets descriptors aside for as many programs as `forks_max` allows, as far as the limit of open files does. A
    /// connection takes `of_connection` of the others: its own, and one for the file that it may read.
    pub(crate) fn allot(self, forks_max: Option<usize>, of_connection: usize) -> Allotment {
        allot_of(self.limit, self.used, forks_max, of_connection)
    }
}

/// Checks that wsd may open enough files for a program and a client.
pub(crate) fn check_limit() -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let limit = or_unlimited(if cfg!(target_os = "linux") { limit.maximum } else { limit.current });
    if limit >= OPEN_FILES_MIN {
        return Ok(());
    }
    let hint = "raise the limit of open files: ulimit -n";
    Err(format!("cannot serve with a limit of {limit} open files: wsd needs {OPEN_FILES_MIN}\nhint: {hint}"))
}

/// Counts the open descriptors. Linux tells their number since 6.2 (`proc_pid_fd(5)`), which takes a tenth of the time of a list.
fn open_descriptors() -> usize {
    let told = if cfg!(target_os = "linux") { fs::metadata("/dev/fd").map_or(0, |folder| folder.len()) } else { 0 };
    match usize::try_from(told) {
        Ok(told) if told > 0 => told,
        _ => fs::read_dir("/dev/fd").map_or(0, Iterator::count),
    }
}

fn or_unlimited(limit: Option<u64>) -> usize {
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX)
}

fn allot_of(limit: usize, used: usize, forks_max: Option<usize>, of_connection: usize) -> Allotment {
    let free = limit.saturating_sub(used + SPARE);
    let programs = forks_max.unwrap_or(usize::MAX).min(free / (OF_WORKER + of_connection)).max(1);
    let connections = (free.saturating_sub(OF_WORKER * programs) / of_connection).max(1);
    Allotment { limit, programs, connections }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_their_descriptors_before_connections() {
        // Limit, used, --maxforks, descriptors of a connection; programs, connections.
        let table = [
            (SPARE + 54, 14, Some(1024), 1, 10, 10),
            (SPARE + 54, 14, Some(1024), 2, 8, 8),
            (SPARE + 54, 14, Some(4), 1, 4, 28),
            (SPARE + 54, 14, Some(4), 2, 4, 14),
            (SPARE + 1014, 14, Some(2), 1, 2, 994),
            (1 << 20, 20, Some(1024), 1, 1024, (1 << 20) - 20 - SPARE - 3072),
            (SPARE + 820, 20, None, 1, 200, 200),
            (20, 20, Some(5), 1, 1, 1),
        ];
        for (limit, used, forks_max, of_connection, programs, connections) in table {
            let want = Allotment { limit, programs, connections };
            let got = allot_of(limit, used, forks_max, of_connection);
            assert_eq!(got, want, "{limit} {used} {forks_max:?} {of_connection}");
        }
    }
}
