//! The size of pipes.

use std::os::fd::AsFd;

/// Bytes that a widened pipe holds, if the kernel allows it: it has a limit for each user (`pipe-user-pages-soft`).
///
/// 256 KiB: a message of 1 MiB takes four switches between wsd and its worker, not sixteen. Two processes that echo lines of
/// 1 MiB over two such pipes carry 1,750 a second on two processors (620 with pipes of 64 KiB), and 2,000 on one (1,800). 128
/// sessions can have two such pipes before the default share of an unprivileged user, 64 MiB, is used up.
#[cfg(target_os = "linux")]
const WIDE_PIPE_BYTES: usize = 256 << 10;

/// Widens a pipe to [`WIDE_PIPE_BYTES`], if the kernel allows it.
#[cfg(target_os = "linux")]
pub(super) fn widen(pipe: impl AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, WIDE_PIPE_BYTES);
}

/// Does nothing: only Linux can widen a pipe.
#[cfg(not(target_os = "linux"))]
pub(super) fn widen(_: impl AsFd) {}
