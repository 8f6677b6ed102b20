//! Turns: a task that could go on for long lets the others have theirs.

use std::{
    pin::pin,
    task::{Context, Poll},
};

use tokio::task::yield_now;

/// Ends the turn of a task that has more to do: it is polled again once all others that are ready have been, and once the
/// kernel has been asked for more of them.
///
/// A task that only woke itself would be polled 60 times before the kernel is asked again.
pub(crate) fn over<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}
