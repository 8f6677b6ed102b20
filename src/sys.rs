//! All that the compiler cannot check: a process made the cheapest way that the kernel has, and a call of the allocator.
#![expect(unsafe_code, reason = "the one place for it: each block says why it is sound")]

#[cfg(target_os = "linux")]
pub(crate) use execute::{Image, keep_statuses, start};

#[cfg(target_os = "linux")]
mod execute {
    use std::{
        ffi::{CStr, CString, c_char, c_int, c_void},
        io,
        iter::once,
        mem::MaybeUninit,
        os::fd::OwnedFd,
        ptr,
        sync::OnceLock,
    };

    use nix::sys::signal::{SigSet, SigmaskHow};
    use rustix::{
        io::Errno,
        process::{Pid, Resource, Rlimit, WaitId, WaitIdOptions, chdir, setpgid, setrlimit, waitid},
        stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    };

    /// What a new process is to be.
    #[derive(Debug)]
    pub(crate) struct Image<'a> {
        /// The file to execute.
        pub(crate) path: &'a CStr,
        /// Its arguments, `argv[0]` first.
        pub(crate) args: &'a [CString],
        /// Its environment, `NAME=value` each.
        pub(crate) environment: &'a [CString],
        /// The folder that it begins in; `None` is this process's.
        pub(crate) folder: Option<&'a CStr>,
        /// Its limit of open files; `None` is this process's.
        pub(crate) descriptors: Option<Rlimit>,
        /// Its standard input, output and error: descriptors above 2.
        pub(crate) standard: &'a [OwnedFd; 3],
    }

    /// Bytes of the stack that a child has until it executes its program: a dozen calls without loops or buffers.
    const STACK_BYTES: usize = 32 << 10;

    /// The signals that are not at their default in this process. Asked once: handlers are there before any program.
    static SIGNALS: OnceLock<Vec<c_int>> = OnceLock::new();

    /// What the child needs, made beforehand: it may not allocate.
    struct Plan<'a> {
        image: &'a Image<'a>,
        args: Vec<*const c_char>,
        environment: Vec<*const c_char>,
        signals: &'a [c_int],
        /// Why it could not be done.
        error: Option<Errno>,
    }

    /// Starts a program as the leader of a process group, every signal at its default; returns when it has been executed.
    ///
    /// The way of glibc's `posix_spawn`, `clone(2)` with `CLONE_VM` and `CLONE_VFORK`: the child borrows this process's
    /// memory, and the calling thread waits meanwhile. But that one sets each of the 64 signals in the child, asks for the
    /// limit of open files six times, and maps and unmaps a stack: a fifth of the time until a small program has run.
    pub(crate) fn start(image: &Image<'_>) -> io::Result<Pid> {
        let mut plan = Plan {
            image,
            args: pointers(image.args),
            environment: pointers(image.environment),
            signals: SIGNALS.get_or_init(signals),
            error: None,
        };
        // Of the units that a stack is aligned to on every processor.
        let mut stack = Vec::<u128>::with_capacity(STACK_BYTES / size_of::<u128>());
        let top = stack.spare_capacity_mut().as_mut_ptr_range().end;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        // SAFETY: the child has a stack of its own, and this thread, which owns all that is in `plan`, goes on only when
        // the child has executed its program or ended (CLONE_VFORK). All signals are blocked in it until they are at their
        // defaults, so that no handler of this process runs in it; but for two that libc sends to its own threads only.
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

    /// What the child does; a status if it fails. Only system calls: other threads may hold any lock.
    extern "C" fn child(plan: *mut c_void) -> c_int {
        // SAFETY: this is the plan of `start`, which does not touch it until the child is done.
        let plan = unsafe { &mut *plan.cast::<Plan<'_>>() };
        plan.error = plan.execute().err();
        127
    }

    impl Plan<'_> {
        fn execute(&self) -> Result<(), Errno> {
            setpgid(None, None)?;
            for &signal in self.signals {
                set_action(signal, libc::SIG_DFL);
            }
            // One that came when this was in wsd's group still (Ctrl-Z) would stop it here, and wsd with it, whatever comes to
            // that group later. What is ignored does not wait any more.
            set_action(libc::SIGTSTP, libc::SIG_IGN);
            set_action(libc::SIGTSTP, libc::SIG_DFL);
            if let Some(folder) = self.image.folder {
                chdir(folder)?;
            }
            if let Some(limit) = self.image.descriptors {
                // Fails if somebody has lowered the hard limit since.
                let _ = setrlimit(Resource::Nofile, limit);
            }
            let [stdin, stdout, stderr] = self.image.standard;
            dup2_stdin(stdin)?;
            dup2_stdout(stdout)?;
            dup2_stderr(stderr)?;
            let _ = SigSet::empty().thread_set_mask();
            // SAFETY: both lists end with a null, and what they point to lives as long as the image.
            unsafe { libc::execve(self.image.path.as_ptr(), self.args.as_ptr(), self.environment.as_ptr()) };
            Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::NOEXEC))
        }
    }

    /// Has the kernel keep how each child ended, though whoever started this process ignored `SIGCHLD`: `sigaction(2)`.
    pub(crate) fn keep_statuses() {
        set_action(libc::SIGCHLD, libc::SIG_DFL);
    }

    /// Ignores a signal, or has the default done.
    fn set_action(signal: c_int, action: libc::sighandler_t) {
        // SAFETY: all of a `sigaction` may be zero, and neither of the two actions is a function.
        unsafe {
            let mut new = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            new.sa_sigaction = action;
            libc::sigaction(signal, &raw const new, ptr::null_mut());
        }
    }

    /// As `execve(2)` takes them: with a null at the end.
    fn pointers(texts: &[CString]) -> Vec<*const c_char> {
        texts.iter().map(|text| text.as_ptr()).chain(once(ptr::null())).collect()
    }

    /// Those that have a handler here or are ignored.
    fn signals() -> Vec<c_int> {
        let is_changed = |&signal: &c_int| {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: it writes an action or, for the two signals that are libc's own, leaves the zeros: the default.
            let action = unsafe {
                libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
                action.assume_init()
            };
            action.sa_sigaction != libc::SIG_DFL
        };
        (1..=libc::SIGRTMAX()).filter(is_changed).collect()
    }
}

/// Gives freed memory back to the kernel, wherever in the heap it lies (`malloc_trim(3)`). Allocators other than glibc's do so
/// by themselves.
pub(crate) fn give_back_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function takes no pointers, and may be called by any thread at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
