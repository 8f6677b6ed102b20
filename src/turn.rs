//! Turns: a task with much to do yields to the others, and blocking work runs on threads of its own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll},
};

use tokio::task::{JoinHandle, spawn_blocking, yield_now};

/// Yields for a task that has more to do. The event loop first polls all other tasks that are ready and asks the kernel
/// for further ones, and then polls this task again.
///
/// If the task only woke itself, the event loop would poll it 60 times before it asks the kernel.
pub(crate) fn yield_turn<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}

/// Runs `work`, which blocks, on a thread outside the event loop; `None` if the system has no thread left.
pub(crate) fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    // tokio panics in that case.
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
        // The neighbour waits before there is anything to read.
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
