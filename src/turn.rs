//! Turns: a task that could go on for long lets the others have theirs, and what blocks stays out of their way.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll},
};

use tokio::task::{JoinHandle, spawn_blocking, yield_now};

/// Ends the turn of a task that has more to do: it is polled again once all others that are ready have been, and once the
/// kernel has been asked for more of them.
///
/// A task that only woke itself would be polled 60 times before the kernel is asked again.
pub(crate) fn over<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}

/// Does `work`, which blocks, on a thread that serves nobody; `None` if the system has no thread left.
pub(crate) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    // The library knows no other way to say so.
    catch_unwind(AssertUnwindSafe(|| spawn_blocking(work))).ok()
}
