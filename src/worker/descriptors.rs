//! The limit of open files: as high as it may be for wsd, for its workers as it was.
//!
//! A session takes four to five descriptors, and the usual limit of 1024 would end at some two hundred. Programs that
//! use `select` rely on that limit, or walk through all descriptors below it, so workers get it back.

#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use rustix::process::Pid;
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// The limit that wsd was started with, if that was raised.
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

/// Gives a worker the limit that wsd was started with.
///
/// It has just been started: there is no other way that does not copy all of wsd's memory or lower wsd's own limit for
/// a moment. A program needs longer to be loaded than this takes.
#[cfg(target_os = "linux")]
pub(super) fn give_limit_back(worker: Pid) {
    if let Some(before) = BEFORE.get() {
        // Fails for a set-user-ID program, which keeps the higher one.
        let _ = prlimit(Some(worker), Resource::Nofile, *before);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn give_limit_back(_: Pid) {}
