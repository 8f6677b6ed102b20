//! The size of pipes.

use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
use crate::limits::WIDE_PIPE_BYTES;

/// Widens a pipe to [`WIDE_PIPE_BYTES`], if the kernel allows it.
#[cfg(target_os = "linux")]
pub(super) fn widen(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, WIDE_PIPE_BYTES);
}

/// Does nothing: only Linux can widen a pipe.
#[cfg(not(target_os = "linux"))]
pub(super) fn widen(_: impl AsFd) {}
