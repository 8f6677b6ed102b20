//! A client's pause: it can take no more output for now, and wsd does not read its program.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::child::Leader;

/// Whether a client has paused its output.
///
/// The pause is over when the program has ended: the rest of its output is what the kernel holds, and the client learns of the
/// end.
#[derive(Debug, Default)]
pub(super) struct Pause(Option<Box<PauseState>>);

struct PauseState {
    /// Resolves at the end of the program.
    end: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// Whether the client has resumed, and the session does not know yet that it may read again.
    has_resumed: bool,
}

impl Pause {
    /// Begins a pause.
    pub(super) fn begin(&mut self, leader: Leader) {
        let state = || Box::new(PauseState { end: Box::pin(leader.gone()), has_resumed: false });
        self.0.get_or_insert_with(state).has_resumed = false;
    }

    /// Ends the pause. [`Pause::wake`] tells the session.
    pub(super) fn end(&mut self) {
        if let Some(state) = &mut self.0 {
            state.has_resumed = true;
        }
    }

    /// Wakes the task of `cx` after the end of a pause.
    pub(super) fn wake(&mut self, cx: &mut Context<'_>) {
        if self.0.take_if(|state| state.has_resumed).is_some() {
            cx.waker().wake_by_ref();
        }
    }

    /// Ready unless there is a pause.
    pub(super) fn poll_none(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(state) = &mut self.0 {
            ready!(state.end.as_mut().poll(cx));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

impl fmt::Debug for PauseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PauseState").field("has_resumed", &self.has_resumed).finish_non_exhaustive()
    }
}
