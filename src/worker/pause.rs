//! A client's pause: it can take no more output for now, and wsd does not read its program.

use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::sleep;

use super::child::Leader;
use crate::limits::GROUP_LOOK;

/// Whether a client has paused its output.
///
/// The pause is over when the program has ended: the rest of its output is what the kernel holds, and the client learns of the
/// end.
#[derive(Default)]
pub(super) struct Pause {
    /// Resolves at the end of the program.
    end: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    /// Whether the session does not know yet that it may read again.
    has_resumed: bool,
}

impl Pause {
    /// Begins a pause.
    pub(super) fn begin(&mut self, leader: Leader) {
        self.end.get_or_insert_with(|| Box::pin(ended(leader)));
    }

    /// Ends the pause. [`Pause::wake`] tells the session.
    pub(super) fn end(&mut self) {
        self.has_resumed = self.end.take().is_some();
    }

    /// Wakes the task of `cx` after the end of a pause.
    pub(super) fn wake(&mut self, cx: &mut Context<'_>) {
        if mem::take(&mut self.has_resumed) {
            cx.waker().wake_by_ref();
        }
    }

    /// Ready unless there is a pause.
    pub(super) fn poll_none(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(end) = &mut self.end {
            ready!(end.as_mut().poll(cx));
            self.end = None;
        }
        Poll::Ready(())
    }
}

async fn ended(leader: Leader) {
    // Fails if wsd has no descriptor left to wait with.
    while leader.ended().await.is_err() {
        sleep(GROUP_LOOK).await;
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pause").field("is_on", &self.end.is_some()).finish_non_exhaustive()
    }
}
