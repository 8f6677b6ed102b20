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
pub(crate) fn yield_turn<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}

/// Does `work`, which blocks, on a thread that serves nobody; `None` if the system has no thread left.
pub(crate) fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    // The library panics in that case.
    catch_unwind(AssertUnwindSafe(|| spawn_blocking(work))).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        io::Write as _,
        os::unix::net::UnixStream as Blocking,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use tokio::{io::AsyncReadExt as _, net::UnixStream};

    use super::*;

    #[tokio::test]
    async fn a_task_with_more_to_do_lets_the_kernel_be_asked_for_others() {
        let (mut theirs, ours) = Blocking::pair().expect("a pair");
        ours.set_nonblocking(true).expect("it can be");
        let mut ours = UnixStream::from_std(ours).expect("it can be watched");
        let has_heard = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&has_heard);
        let neighbour = tokio::spawn(async move {
            ours.read_u8().await.expect("a byte");
            heard.store(true, Ordering::Relaxed);
        });
        // The neighbour waits before there is anything to hear.
        yield_now().await;

        theirs.write_all(b"x").expect("it takes one");
        let mut turns = 0;
        let busy = tokio::spawn(poll_fn(move |cx| {
            turns += 1;
            if has_heard.load(Ordering::Relaxed) { Poll::Ready(turns) } else { yield_turn(cx) }
        }));

        neighbour.await.expect("it hears");
        let turns = busy.await.expect("it ends");
        assert!(turns < 10, "{turns} turns");
    }
}
