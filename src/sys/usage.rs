//! The resources that a process has used.

use std::time::Duration;

/// The resources that a process has used, with those of its children for which it has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResourceUsage {
    /// The time of the processor, in user mode and in the kernel.
    pub(crate) cpu: Duration,
    /// The most memory of one process at a time, in bytes. The kernel counts from the start on, when the process still shares
    /// wsd's memory: it is never less than that.
    pub(crate) memory: u64,
}

/// Returns the resources that the child `pid` has used, which has ended; leaves it to be reaped. `None` if it has not ended, or
/// on systems that do not tell.
#[cfg(target_os = "linux")]
pub(crate) fn usage(pid: i32) -> Option<ResourceUsage> {
    use std::{mem::MaybeUninit, ptr};

    let (mut info, mut usage) = (MaybeUninit::<libc::siginfo_t>::zeroed(), MaybeUninit::<libc::rusage>::zeroed());
    let options = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG;
    // SAFETY: it writes to both structures, or leaves their zeros, which are valid. glibc's function has no fifth argument, but
    // the kernel has it for all options, as `wait4(2)`.
    let (result, info, usage) = unsafe {
        let (to_info, to_usage) = (ptr::from_mut(&mut info), ptr::from_mut(&mut usage));
        let result = libc::syscall(libc::SYS_waitid, libc::P_PID, pid, to_info, options, to_usage);
        (result, info.assume_init(), usage.assume_init())
    };
    if result != 0 || info.si_signo == 0 {
        return None;
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.try_into().unwrap_or_default())
            + Duration::from_micros(time.tv_usec.try_into().unwrap_or_default())
    };
    // In KiB.
    let memory = u64::try_from(usage.ru_maxrss).unwrap_or_default() << 10;
    Some(ResourceUsage { cpu: time(usage.ru_utime) + time(usage.ru_stime), memory })
}

/// Returns `None`: wsd asks on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn usage(_: i32) -> Option<ResourceUsage> {
    None
}
