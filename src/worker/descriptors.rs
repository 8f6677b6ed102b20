//! The limit of open files: as high as it may be for wsd, for its workers as it was.
//!
//! A session takes four to five descriptors, and the usual limit of 1024 would end at some two hundred. Programs that
//! use `select` rely on that limit, or walk through all descriptors below it, so workers get it back.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[cfg(target_os = "linux")]
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit to the hard one, for this process.
#[cfg(target_os = "linux")]
pub(crate) fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if before.current != before.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        // Done once, before the first worker.
        let _ = BEFORE.set(before);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn raise_limit() {}

/// The limit that wsd was started with, if that was raised: what its workers get.
#[cfg(target_os = "linux")]
pub(super) fn limit_before() -> Option<Rlimit> {
    BEFORE.get().copied()
}
