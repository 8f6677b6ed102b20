//! The limit of open files: raised for wsd, and set back for its workers.
//!
//! A session takes four to five descriptors, so the usual limit of 1024 would allow about two hundred sessions. Some
//! programs rely on that limit: they use `select`, or close all descriptors below it. So workers get it back.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
