//! The end of wsd itself: one signal, many waiters, and a wait for all of them.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::TaskTracker,
};

/// A handle on the end; clones are the same end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Spawns a task that the end waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Resolves when the end has begun. Cancel safe.
    pub(crate) fn begun(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Begins the end and waits for all tasks; whether they ended within `limit`.
    pub(crate) async fn finish(&self, limit: Duration) -> bool {
        self.token.cancel();
        self.tasks.close();
        timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

/// The signals that end wsd: SIGTERM and SIGINT.
#[derive(Debug)]
pub(crate) struct Signals {
    sigterm: Signal,
    sigint: Signal,
}

impl Signals {
    /// Begins to listen: from now on these signals do nothing by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { sigterm: signal(SignalKind::terminate())?, sigint: signal(SignalKind::interrupt())? })
    }

    /// Resolves with the number of the next signal. Cancel safe.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.sigterm.recv() => 15,
            _ = self.sigint.recv() => 2,
        }
    }
}
