//! A worker: the process behind a session, with what goes into it and what comes out.

pub(crate) mod child;
pub(crate) mod descriptors;
pub(crate) mod environ;
pub(crate) mod input;
pub(crate) mod output;
pub(crate) mod outputs;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod spawn;
pub(crate) mod stop;
pub(crate) mod variable;

use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use crate::limits::WIDE_PIPE_BYTES;
use child::Child;
use input::Input;
use output::{Output, Stderr};

/// Lets a pipe hold more, if the kernel does.
#[cfg(target_os = "linux")]
fn widen(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, WIDE_PIPE_BYTES);
}

#[cfg(not(target_os = "linux"))]
fn widen(_: impl AsFd) {}

/// A running program and our ends of its standard streams.
#[derive(Debug)]
pub(crate) struct Worker {
    /// The process, leader of its process group.
    pub(crate) child: Child,
    /// Its standard input.
    pub(crate) input: Input,
    /// Its standard output.
    pub(crate) output: Output,
    /// Its standard error.
    pub(crate) stderr: Stderr,
}
