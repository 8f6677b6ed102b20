//! All `unsafe` code: it starts a process in the cheapest way that the kernel has, copies this one, and calls the C library.
#![expect(unsafe_code, reason = "the one place for it: each block says why it is sound")]

#[cfg(target_os = "linux")]
pub(crate) use copy::{copy_process, forget_code, keep_only};
#[cfg(target_os = "linux")]
pub(crate) use execute::{keep_statuses, start};
#[cfg(target_os = "linux")]
pub(crate) use image::Image;
pub(crate) use image::{Bounds, Identity};
pub(crate) use usage::{ResourceUsage, usage};

mod image;
mod own;
mod usage;

#[cfg(target_os = "linux")]
mod execute {
    use std::{
        ffi::{c_char, c_int, c_void},
        io, ptr,
        sync::OnceLock,
    };

    use nix::sys::signal::{SigSet, SigmaskHow};
    use rustix::{
        io::Errno,
        process::{Pid, Resource, WaitId, WaitIdOptions, setrlimit, waitid},
    };

    use super::{
        action,
        image::{Image, pointers},
        nothing, set_action,
    };

    /// Bytes of the child's stack until it executes its program: it makes a dozen calls, without buffers.
    const STACK_BYTES: usize = 32 << 10;

    /// The signals that a child sets to their defaults. Read once: wsd sets its handlers before it starts a program.
    static SIGNALS: OnceLock<Vec<c_int>> = OnceLock::new();

    /// The child's data. The parent allocates it, since the child may not allocate.
    struct ChildPlan<'a> {
        image: &'a Image<'a>,
        args: Vec<*const c_char>,
        environment: Vec<*const c_char>,
        signals: &'a [c_int],
        /// The reason why the child failed.
        error: Option<Errno>,
    }

    /// Starts a program as the leader of a process group, every signal at its default; returns once the child executes it.
    ///
    /// It uses `clone(2)` with `CLONE_VM` and `CLONE_VFORK`, as glibc's `posix_spawn` does: the child borrows this process's
    /// memory, and the calling thread waits. But `posix_spawn` sets each of the 64 signals in the child, asks for the limit
    /// of open files six times, and maps and unmaps a stack.
    ///
    /// Sessions a second, each with a process, one after the other and fifty at a time: 2,390 and 2,610 with `--threads=1`,
    /// 2,010 and 2,190 with two. With `std::process::Command`: 2,230 and 1,620, 1,560 and 1,760.
    pub(crate) fn start(image: &Image<'_>) -> io::Result<Pid> {
        let mut plan = ChildPlan {
            image,
            args: pointers(image.args),
            environment: pointers(image.environment),
            signals: SIGNALS.get_or_init(signals),
            error: None,
        };
        // Every processor wants a stack aligned to 16 bytes at most.
        let mut stack = Vec::<u128>::with_capacity(STACK_BYTES / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        // SAFETY: the child has a stack of its own. This thread owns `plan` and waits until the child has executed its
        // program or ended (CLONE_VFORK). The child blocks all signals until they are at their defaults, so no handler of
        // this process with an effect runs in it; the exceptions are two signals that libc sends to its own threads only.
        let pid = unsafe { libc::clone(child, top.cast(), flags, ptr::from_mut(&mut plan).cast()) };
        let failure = io::Error::last_os_error();
        mask.thread_set_mask().expect("it was this thread's mask before");
        if pid < 0 {
            return Err(failure);
        }
        let pid = Pid::from_raw(pid).expect("a process has an id");
        match plan.error {
            None => Ok(pid),
            Some(errno) => {
                let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
                Err(errno.into())
            }
        }
    }

    /// Runs in the child; returns a status if it fails. It makes system calls only, since other threads may hold any lock.
    extern "C" fn child(plan: *mut c_void) -> c_int {
        // SAFETY: this is the plan of `start`, which does not touch it until the child is done.
        let plan = unsafe { &mut *plan.cast::<ChildPlan<'_>>() };
        plan.error = plan.execute().err();
        127
    }

    impl ChildPlan<'_> {
        fn execute(&self) -> Result<(), Errno> {
            self.image.lead()?;
            for &signal in self.signals {
                set_action(signal, libc::SIG_DFL);
            }
            // A SIGTSTP (Ctrl-Z) from the time when this child was in wsd's group would now stop the child, and wsd with it, and
            // no signal to that group would continue them. Ignoring the signal discards a pending one.
            set_action(libc::SIGTSTP, libc::SIG_IGN);
            set_action(libc::SIGTSTP, libc::SIG_DFL);
            if let Some(limit) = self.image.descriptors {
                // Fails if somebody has lowered the hard limit meanwhile.
                let _ = setrlimit(Resource::Nofile, limit);
            }
            if let Some(bounds) = self.image.bounds {
                bounds.enter()?;
            }
            self.image.connect()?;
            let _ = SigSet::empty().thread_set_mask();
            if let Some(bounds) = self.image.bounds {
                bounds.settle()?;
            }
            // SAFETY: both lists end with a null, and their texts live as long as the image.
            unsafe { libc::execve(self.image.path.as_ptr(), self.args.as_ptr(), self.environment.as_ptr()) };
            Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOEXEC))
        }
    }

    /// Makes the kernel keep each child's status, even if the parent of wsd ignored `SIGCHLD` (`sigaction(2)`).
    pub(crate) fn keep_statuses() {
        set_action(libc::SIGCHLD, libc::SIG_DFL);
    }

    /// Returns the signals that this process ignores, or handles with an effect.
    fn signals() -> Vec<c_int> {
        (1..=libc::SIGRTMAX()).filter(|&signal| ![libc::SIG_DFL, nothing()].contains(&action(signal))).collect()
    }
}

#[cfg(target_os = "linux")]
mod copy {
    use std::{
        ffi::{CStr, c_int, c_void},
        io,
        os::fd::{AsRawFd, BorrowedFd},
        ptr,
    };

    use rustix::{
        process::{Pid, WaitOptions, setsid, waitpid},
        thread::set_name,
    };

    use super::own::{code_ranges, open_descriptors};

    /// Bytes of the stack of the copy.
    const STACK_BYTES: usize = 1 << 20;

    /// The name of the copy, and its work.
    type Plan<'a, W> = (&'a CStr, Option<W>);

    /// Copies this process, which must have one thread. The copy does `work`, and ends.
    ///
    /// The copy is called `name`. It is in a session of its own, so no signal from a terminal reaches it. It is no child of this
    /// process: the one between them has ended, which borrowed this process's memory as in [`start`](super::start). So the
    /// memory is copied once.
    pub(crate) fn copy_process<W: FnOnce()>(name: &CStr, work: W) -> io::Result<()> {
        let mut plan: Plan<'_, W> = (name, Some(work));
        let mut stack = Vec::<u128>::with_capacity(STACK_BYTES / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the process has a stack of its own. This thread owns `plan` and waits until that process has ended
        // (CLONE_VFORK). There is no other thread, which could hold a lock that it or the copy needs.
        let between = unsafe { libc::clone(copy::<W>, top.cast(), flags, ptr::from_mut(&mut plan).cast()) };
        let between = Pid::from_raw(between.max(0)).ok_or_else(io::Error::last_os_error)?;
        let ended = waitpid(Some(between), WaitOptions::empty())?;
        let is_done = ended.is_some_and(|(_, status)| status.exit_status() == Some(0));
        if is_done { Ok(()) } else { Err(io::ErrorKind::OutOfMemory.into()) }
    }

    /// Runs in the process between the two; returns its status.
    extern "C" fn copy<W: FnOnce()>(plan: *mut c_void) -> c_int {
        let _ = setsid();
        // SAFETY: there is no other thread.
        let copy = unsafe { libc::fork() };
        if copy != 0 {
            return c_int::from(copy < 0);
        }
        // SAFETY: this is the plan of `copy_process`, in the memory of the copy.
        let (name, work) = unsafe { &mut *plan.cast::<Plan<'_, W>>() };
        let _ = set_name(name);
        if let Some(work) = work.take() {
            work();
        }
        // Without the work that a program does at its end, which is that of the process it is a copy of.
        // SAFETY: it takes a number, and does not return.
        unsafe { libc::_exit(0) }
    }

    /// Lets go of the pages of code that this process has touched: the code that runs once at the start is a good
    /// part of wsd's memory, and most of that of a process that will sleep. The kernel maps them again when they are needed.
    pub(crate) fn forget_code() {
        for (start, bytes) in code_ranges() {
            // SAFETY: nobody can have written to these pages, so the kernel reads them again from their file as they were.
            unsafe { libc::madvise(ptr::with_exposed_provenance_mut(start), bytes, libc::MADV_DONTNEED) };
        }
    }

    /// Closes every descriptor except standard input, output and error, and `kept`.
    pub(crate) fn keep_only(kept: [BorrowedFd<'_>; 2]) {
        let kept = kept.map(|descriptor| descriptor.as_raw_fd());
        for descriptor in open_descriptors().filter(|descriptor| !kept.contains(descriptor)) {
            // SAFETY: the owners of the others never run again in this process, which is a copy.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Whether this process ignores a signal.
pub(crate) fn is_ignored(signal: libc::c_int) -> bool {
    action(signal) == libc::SIG_IGN
}

/// Handles a signal without any effect. `execve(2)` resets it for a program; an ignored signal takes a system call.
#[cfg(target_os = "linux")]
pub(crate) fn outlive(signal: libc::c_int) {
    set_action(signal, nothing());
}

/// Returns a handler without an effect.
#[cfg(target_os = "linux")]
fn nothing() -> libc::sighandler_t {
    extern "C" fn handler(_: libc::c_int) {}
    handler as *const () as libc::sighandler_t
}

/// Sets the action of a signal: `SIG_IGN`, `SIG_DFL` or [`nothing`].
#[cfg(target_os = "linux")]
fn set_action(signal: libc::c_int, action: libc::sighandler_t) {
    // SAFETY: `nothing` is the only function, and may run at any moment.
    unsafe { libc::signal(signal, action) };
}

fn action(signal: libc::c_int) -> libc::sighandler_t {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: it writes an action, or leaves the zeros (the default) for the two signals that libc keeps for itself.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

/// Keeps every descriptor above 2 that is open now from the programs that wsd starts. wsd opens its own that way.
pub(crate) fn keep_descriptors_from_programs() {
    #[cfg(target_os = "linux")]
    // SAFETY: it takes numbers. Kernels before 5.11 do not know it.
    if unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) } == 0 {
        return;
    }
    for descriptor in own::open_descriptors() {
        // SAFETY: it takes numbers, and closes nothing in this process.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Freed memory that a thread's allocator keeps for the next message: a session that carries one of the largest messages
/// both ways holds more than 4 MiB, since vectors grow by doubling.
pub(crate) const FREED_BYTES_KEPT: usize = 8 << 20;

/// Makes the allocator keep [`FREED_BYTES_KEPT`] of freed memory a thread (`mallopt(3)`). Allocators other than glibc's
/// decide by themselves.
///
/// By default glibc gives freed memory at the end of a heap back to the kernel, and takes it again for the next large
/// message: that halves the rate of an echo of 1 MiB with one thread, and takes 40 % more processor time with two.
pub(crate) fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function takes no pointers, and no other thread runs yet.
    unsafe {
        let bytes = libc::c_int::try_from(FREED_BYTES_KEPT).expect("8 MiB are an int");
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
        libc::mallopt(libc::M_TRIM_THRESHOLD, bytes);
    }
}

/// Gives freed memory anywhere in the heap back to the kernel (`malloc_trim(3)`); other allocators than glibc's do so.
pub(crate) fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function takes no pointers, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The function of C, which tokio's scheduler calls. Without it the loader maps the system's library for it: 0.3 MiB of memory.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
// SAFETY: this is what C has under the name.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
