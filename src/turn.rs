//! Turns: a task that could go on for long lets the others have theirs, and what blocks stays out of their way.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll},
    thread::available_parallelism,
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{JoinHandle, spawn_blocking, yield_now},
};

thread_local! {
    /// Who was the last to carry something on this thread.
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Whether a program can run while this process does.
static HAS_PROCESSORS: LazyLock<bool> = LazyLock::new(|| available_parallelism().is_ok_and(|count| count.get() > 1));

/// Takes note that `who`, the number of a connection with a program of its own (0 is any room), carries something.
pub(crate) fn take(who: u64) {
    LAST.set(who);
}

/// Whether `who` was the last to carry something, and so has the thread to itself.
pub(crate) fn is_alone(who: u64) -> bool {
    LAST.get() == who
}

/// Ends the turn of a task that has more to do: it is polled again once all others that are ready have been, and once the
/// kernel has been asked for more of them.
///
/// A task that only woke itself would be polled 60 times before the kernel is asked again.
pub(crate) fn over<T>(cx: &mut Context<'_>) -> Poll<T> {
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}

/// Whether the thread need not sleep while `who` expects more at any moment, but may ask the kernel for it again and again,
/// with [`over`]: as long as no other session and no room carries something.
///
/// One of several threads would hand over what it waits for to those that do sleep, and one that has the only processor
/// would keep its program from it: these sleep as ever.
pub(crate) fn may_stay_awake(who: u64) -> bool {
    is_alone(who) && *HAS_PROCESSORS && Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread
}

/// Does `work`, which blocks, on a thread that serves nobody; `None` if the system has no thread left.
pub(crate) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<JoinHandle<T>> {
    // The library knows no other way to say so.
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
            atomic::{AtomicBool, AtomicUsize, Ordering},
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
            if has_heard.load(Ordering::Relaxed) { Poll::Ready(turns) } else { over(cx) }
        }));

        neighbour.await.expect("it hears");
        let turns = busy.await.expect("it ends");
        assert!(turns < 10, "{turns} turns");
    }

    /// How often a task has been polled that stays awake as number 1, after `last` has carried something, while others have
    /// had many turns.
    async fn turns_awake(last: u64) -> usize {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let task = tokio::spawn(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            take(last);
            if may_stay_awake(1) { over::<()>(cx) } else { Poll::Pending }
        }));
        while turns.load(Ordering::Relaxed) == 0 {
            yield_now().await;
        }
        for _ in 0..100 {
            yield_now().await;
        }
        task.abort();
        let _ = task.await;
        turns.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn who_expects_more_stays_awake_until_another_carries_something() {
        if *HAS_PROCESSORS {
            assert!(turns_awake(1).await > 50);
        }
        assert_eq!(turns_awake(2).await, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn one_of_several_threads_sleeps() {
        assert_eq!(turns_awake(1).await, 1);
    }
}
