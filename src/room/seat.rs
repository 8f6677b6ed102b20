//! A client's seat: a queue of limited size for the messages to it.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

use super::{lock::lock, options::Slow};
use crate::{
    budget::Share,
    limits::SEAT_BYTES_MAX,
    message::Batch,
    metrics::{counts::COUNTS, live::Traffic, route::RouteName},
    partner::Verdict,
};

/// Places for batches that an empty seat keeps: a client that keeps up needs no more.
const PLACES_KEPT: usize = 64;

/// Bytes that a batch on a seat costs beside its own: its place in the queue, and the overhead of its payload and frames if
/// no other client has it.
pub(super) const BATCH_BYTES: usize = 512;

/// Bytes that a session takes from its seat at a time.
const TAKEN_BYTES: u64 = 128 << 10;

/// The backpressure of the seats on their room's worker.
///
/// With [`Slow::Wait`] the worker waits for clients. Otherwise it waits only for sessions that have had no turn since their
/// seat became full: a burst of output must not close a client whose connection would have taken it.
#[derive(Debug)]
pub(super) struct Pressure {
    slow: Slow,
    /// The number of seats that the worker waits for.
    seats: AtomicUsize,
    /// The task of the worker. A seat wakes it when the worker need not wait for any seat.
    pub(super) host: AtomicWaker,
    /// The route, for the metrics.
    route: RouteName,
}

impl Pressure {
    /// Returns the state without seats.
    pub(super) fn new(slow: Slow, route: RouteName) -> Self {
        Self { slow, seats: AtomicUsize::new(0), host: AtomicWaker::new(), route }
    }

    /// Ready when the worker need not wait for any seat.
    pub(super) fn poll_none(&self, cx: &mut Context<'_>) -> Poll<()> {
        // The task registers first, so that a seat that gets room meanwhile wakes it.
        self.host.register(cx.waker());
        if self.seats.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The queue of one client.
#[derive(Debug)]
pub(crate) struct Seat {
    queue: Mutex<SeatQueue>,
    session: AtomicWaker,
    pressure: Arc<Pressure>,
}

#[derive(Debug)]
struct SeatQueue {
    /// The history, which the client gets first.
    welcome: VecDeque<Arc<Batch>>,
    batches: VecDeque<Arc<Batch>>,
    /// The bytes of `batches`, by [`size`].
    bytes: usize,
    /// The bytes of `welcome`.
    welcome_bytes: usize,
    /// The bytes that count against `--maxbuffer`.
    share: Share,
    /// The number of messages that the client has missed.
    lost: u64,
    /// Why the session must end.
    verdict: Option<Verdict>,
    /// Whether the client's connection takes no more, or is not known to.
    is_blocked: bool,
    has_left: bool,
    /// Whether it is one of [`Pressure::seats`].
    is_waited_for: bool,
}

impl Seat {
    /// Returns a seat with `welcome`, which does not count towards a full seat.
    pub(super) fn new(welcome: impl Iterator<Item = Arc<Batch>>, pressure: Arc<Pressure>, share: Share) -> Self {
        let welcome: VecDeque<_> = welcome.collect();
        let mut queue = SeatQueue {
            welcome_bytes: welcome.iter().map(|batch| size(batch)).sum(),
            welcome,
            batches: VecDeque::new(),
            bytes: 0,
            share,
            lost: 0,
            verdict: None,
            // Until the session begins, which a client may delay.
            is_blocked: true,
            has_left: false,
            is_waited_for: false,
        };
        queue.count();
        Self { queue: Mutex::new(queue), session: AtomicWaker::new(), pressure }
    }

    /// Puts messages on the seat. If it is full and the client takes no more, [`Slow`] decides what happens.
    pub(super) fn offer(&self, batch: &Arc<Batch>) {
        self.change(|queue| {
            if queue.verdict.is_some() || queue.has_left {
                return;
            }
            match self.pressure.slow {
                Slow::Close if queue.is_full() && queue.is_blocked => return queue.cut(),
                Slow::Drop if queue.is_blocked => {
                    while queue.is_full()
                        && let Some(oldest) = queue.next()
                    {
                        queue.lost += oldest.count() as u64;
                    }
                }
                _ => {}
            }
            queue.bytes += size(batch);
            queue.batches.push_back(Arc::clone(batch));
        });
        self.session.wake();
    }

    /// Ends the session, after the messages on the seat.
    pub(super) fn end(&self, verdict: Verdict) {
        self.change(|queue| {
            queue.verdict.get_or_insert(verdict);
        });
        self.session.wake();
    }

    /// Notes that the client is gone: the seat takes no more messages, and the worker does not wait for it.
    pub(super) fn leave(&self) {
        self.change(|queue| queue.has_left = true);
    }

    /// Returns why the session must end, if it must.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        lock(&self.queue).verdict.clone()
    }

    /// Whether the worker waits for the client to take something.
    pub(super) fn is_waited_for(&self) -> bool {
        lock(&self.queue).is_waited_for
    }

    /// Hands over all messages, since the session ends. Returns them as counted.
    pub(super) fn take_rest(&self, mut on: impl FnMut(&Arc<Batch>)) -> Traffic {
        self.change(|queue| {
            let mut taken = Traffic::default();
            while let Some(batch) = queue.next() {
                taken.add(batch.count(), batch.len());
                on(&batch);
            }
            queue.has_left = true;
            taken
        })
    }

    /// Notes that the client's connection takes no more for now. The seat wakes the task of `cx` when it has changed.
    pub(super) fn block(&self, cx: &mut Context<'_>) {
        self.session.register(cx.waker());
        self.change(|queue| queue.is_blocked = true);
    }

    /// Returns the number of messages that the client has missed.
    pub(super) fn lost(&self) -> u64 {
        lock(&self.queue).lost
    }

    /// Hands over the next messages, up to [`TAKEN_BYTES`] and one batch more. Ready with their count if there were any, and
    /// with the reason for the end of the session once the seat is empty.
    pub(super) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        on: &mut impl FnMut(&Arc<Batch>),
    ) -> Poll<Result<Traffic, Verdict>> {
        self.session.register(cx.waker());
        self.change(|queue| {
            queue.is_blocked = false;
            let mut taken = Traffic::default();
            while taken.bytes < TAKEN_BYTES
                && let Some(batch) = queue.next()
            {
                taken.add(batch.count(), batch.len());
                on(&batch);
            }
            match queue.verdict.clone() {
                _ if taken.messages > 0 => Poll::Ready(Ok(taken)),
                Some(verdict) => Poll::Ready(Err(verdict)),
                None => Poll::Pending,
            }
        })
    }

    /// Changes the queue, and updates whether the worker waits for the seat.
    fn change<T>(&self, change: impl FnOnce(&mut SeatQueue) -> T) -> T {
        let mut queue = lock(&self.queue);
        let result = change(&mut queue);
        queue.count();
        let is_patient = self.pressure.slow == Slow::Wait || !queue.is_blocked;
        let is_waited_for = queue.is_full() && is_patient && queue.verdict.is_none() && !queue.has_left;
        if mem::replace(&mut queue.is_waited_for, is_waited_for) == is_waited_for {
            return result;
        }
        if is_waited_for {
            self.pressure.seats.fetch_add(1, Ordering::SeqCst);
            if self.pressure.slow == Slow::Wait {
                COUNTS.slow_client(&self.pressure.route, "wait");
            }
        } else if self.pressure.seats.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.pressure.host.wake();
        }
        result
    }
}

impl SeatQueue {
    /// Whether there is no room for more.
    fn is_full(&self) -> bool {
        self.bytes >= SEAT_BYTES_MAX
    }

    /// Updates the share. It counts bytes only for a client that takes no more; another one takes them soon.
    fn count(&mut self) {
        if self.batches.is_empty() && self.batches.capacity() > PLACES_KEPT {
            self.batches = VecDeque::new();
        }
        let own = (self.batches.capacity() + self.welcome.capacity()) * mem::size_of::<Arc<Batch>>();
        if self.is_blocked {
            self.share.set(own, self.bytes + self.welcome_bytes);
        } else {
            self.share.set(0, 0);
        }
    }

    /// Ends the session at once, and drops the messages.
    fn cut(&mut self) {
        (self.welcome, self.batches) = (VecDeque::new(), VecDeque::new());
        (self.bytes, self.welcome_bytes) = (0, 0);
        self.verdict = Some(Verdict::Slow);
    }

    fn next(&mut self) -> Option<Arc<Batch>> {
        if let Some(batch) = self.welcome.pop_front() {
            self.welcome_bytes -= size(&batch);
            return Some(batch);
        }
        let batch = self.batches.pop_front()?;
        self.bytes -= size(&batch);
        Some(batch)
    }
}

/// Returns the bytes that a batch costs on a seat: its messages and the overhead.
fn size(batch: &Batch) -> usize {
    batch.len() + BATCH_BYTES
}

#[cfg(test)]
mod tests;
