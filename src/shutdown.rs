//! The end of wsd itself: tells all tasks of it, and waits for them.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::TaskTracker,
};

/// A handle on the end of wsd. Clones share one end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
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
}

/// The numbers of these signals (POSIX, `kill`).
pub(crate) mod signal {
    /// SIGHUP: load again.
    pub(crate) const HANGUP: u8 = 1;
    /// SIGINT: end.
    pub(crate) const INTERRUPT: u8 = 2;
    /// SIGQUIT: end.
    pub(crate) const QUIT: u8 = 3;
    /// SIGTERM: end.
    pub(crate) const TERMINATE: u8 = 15;
}

impl Signals {
    /// Starts to handle these signals, in place of their default actions.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let listen = tokio::signal::unix::signal;
        for unused in [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::alarm()] {
            // The default action would end wsd without a drain. tokio's handler stays when nobody listens any more.
            let _ = listen(unused)?;
        }
        Ok(Self {
            sigterm: listen(SignalKind::terminate())?,
            sigint: listen(SignalKind::interrupt())?,
            sigquit: listen(SignalKind::quit())?,
            sighup: listen(SignalKind::hangup())?,
        })
    }

    /// Resolves with the number of the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.sigterm.recv() => signal::TERMINATE,
            _ = self.sigint.recv() => signal::INTERRUPT,
            _ = self.sigquit.recv() => signal::QUIT,
            _ = self.sighup.recv() => signal::HANGUP,
        }
    }
}
