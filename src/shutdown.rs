//! The end of wsd itself: tells all tasks of it, and waits for them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use libc::c_int;
use tokio::{
    signal::unix::{Signal, SignalKind},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::TaskTracker,
};

#[cfg(target_os = "linux")]
use crate::sys;

/// A handle on the end of wsd. Clones share one end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    is_announced: Arc<AtomicBool>,
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Spawns a task that [`Shutdown::finish`] waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Resolves when the end has begun. Cancel safe.
    pub(crate) fn begun(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Announces the end, which begins with [`Shutdown::finish`]: whoever watches wsd learns of it before any client.
    pub(crate) fn announce(&self) {
        self.is_announced.store(true, Ordering::Release);
    }

    /// Whether the end is announced.
    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced.load(Ordering::Acquire)
    }

    /// Whether the end has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Begins the end and waits for all tasks. Returns whether they ended within `limit`.
    pub(crate) async fn finish(&self, limit: Duration) -> bool {
        self.token.cancel();
        self.tasks.close();
        timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

/// The signals that wsd handles.
#[derive(Debug)]
pub(crate) struct Signals {
    sigterm: Signal,
    sigint: Signal,
    sigquit: Signal,
    sighup: Signal,
    sigxcpu: Signal,
    sigusr1: Signal,
}

/// The signals without a meaning for wsd, whose default action would end it without a drain. wsd does nothing about them. After
/// SIGXFSZ the write beyond the limit fails.
const UNUSED: [c_int; 5] = [libc::SIGUSR2, libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF, libc::SIGXFSZ];

/// The numbers of these signals (POSIX, `kill`).
pub(crate) mod signal {
    /// SIGHUP: load again.
    pub(crate) const HANGUP: u8 = 1;
    /// SIGINT: end.
    pub(crate) const INTERRUPT: u8 = 2;
    /// SIGQUIT: end.
    pub(crate) const QUIT: u8 = 3;
    /// SIGUSR1: open the file of the log again. Its number on Linux; other systems have others.
    pub(crate) const USER_1: u8 = 10;
    /// SIGTERM: end.
    pub(crate) const TERMINATE: u8 = 15;
    /// SIGXCPU: end, because the limit of processor time is near.
    pub(crate) const OUT_OF_TIME: u8 = 24;
}

impl Signals {
    /// Starts to handle these signals, in place of their default actions.
    pub(crate) fn listen() -> io::Result<Self> {
        let listen = tokio::signal::unix::signal;
        UNUSED.into_iter().chain(unused_of_linux()).for_each(outlive);
        Ok(Self {
            sigterm: listen(SignalKind::terminate())?,
            sigint: listen(SignalKind::interrupt())?,
            sigquit: listen(SignalKind::quit())?,
            sighup: listen(SignalKind::hangup())?,
            sigxcpu: listen(SignalKind::from_raw(libc::SIGXCPU))?,
            sigusr1: listen(SignalKind::user_defined1())?,
        })
    }

    /// Resolves with the number of the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.sigterm.recv() => signal::TERMINATE,
            _ = self.sigint.recv() => signal::INTERRUPT,
            _ = self.sigquit.recv() => signal::QUIT,
            _ = self.sighup.recv() => signal::HANGUP,
            _ = self.sigxcpu.recv() => signal::OUT_OF_TIME,
            _ = self.sigusr1.recv() => signal::USER_1,
        }
    }
}

/// Handles a signal that has no meaning.
#[cfg(target_os = "linux")]
fn outlive(signal: c_int) {
    sys::outlive(signal);
}

/// Handles a signal that has no meaning: a program that wsd starts would also ignore it. tokio's handler stays.
#[cfg(not(target_os = "linux"))]
fn outlive(signal: c_int) {
    let _ = tokio::signal::unix::signal(SignalKind::from_raw(signal));
}

/// Lists the signals without a meaning that only Linux has; [`UNUSED`] lists the others.
#[cfg(target_os = "linux")]
fn unused_of_linux() -> impl Iterator<Item = c_int> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).chain([libc::SIGIO, libc::SIGSTKFLT])
}

/// Lists none: this system is not Linux.
#[cfg(not(target_os = "linux"))]
fn unused_of_linux() -> impl Iterator<Item = c_int> {
    std::iter::empty()
}
