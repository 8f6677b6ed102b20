//! The threads that start programs. They live as long as wsd.
//!
//! For Linux a process is the child of the thread that started it, and an orphan of wsd becomes a child of the first thread.
//! As the first thread starts no program, its children are the orphans. If a thread ended, its children would join them.

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

type Job = Box<dyn FnOnce() + Send>;

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), idle: 0, threads: 0 });
static WORK: Condvar = Condvar::new();

struct Queue {
    jobs: VecDeque<Job>,
    /// The threads that wait for a job.
    idle: usize,
    threads: usize,
}

/// Programs that wsd starts at the same time on other threads; more wait for their turn. Loading them takes processors
/// and disks, and more at a time would not be faster.
pub(super) const STARTS_MAX: usize = 4;

/// Runs `job` on one of at most [`STARTS_MAX`] threads. Fails if the system has no thread for the first.
pub(super) fn run(job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut queue = lock();
    if queue.idle <= queue.jobs.len() && queue.threads < STARTS_MAX {
        match thread::Builder::new().name("starter".to_owned()).spawn(work) {
            Ok(_) => queue.threads += 1,
            Err(error) if queue.threads == 0 => return Err(error),
            Err(_) => {}
        }
    }
    queue.jobs.push_back(Box::new(job));
    drop(queue);
    WORK.notify_one();
    Ok(())
}

fn work() {
    loop {
        let mut queue = lock();
        queue.idle += 1;
        let mut queue = WORK.wait_while(queue, |queue| queue.jobs.is_empty()).unwrap_or_else(PoisonError::into_inner);
        queue.idle -= 1;
        let job = queue.jobs.pop_front();
        drop(queue);
        if let Some(job) = job {
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}
