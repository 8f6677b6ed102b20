//! A client's seat: the bounded queue of what it is still to get.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use super::{Slow, lock};
use crate::{
    budget::Share,
    limits::{SEAT_BYTES_MAX, SEAT_BYTES_TAKEN, SEAT_ITEM_BYTES},
    worker::status::Status,
};

/// Places for items that an empty seat keeps: what a client needs that keeps up.
pub(crate) const ITEMS_KEPT: usize = 64;

/// Whole messages, as frames that all seats share.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) messages: u64,
    pub(super) frames: Bytes,
}

impl Item {
    /// What it counts for on a seat: its frames, and what it takes to keep them.
    fn size(&self) -> usize {
        self.frames.len() + SEAT_ITEM_BYTES
    }
}

/// Why a client's place in a room is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parting {
    /// The worker has ended.
    Exit(Status),
    /// The worker said so, with this code and reason.
    Dismissed(u16, String),
    /// It did not keep up.
    Slow,
}

/// What waits on a seat, taken off it.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// Whole frames.
    pub(crate) frames: VecDeque<Bytes>,
    /// Their messages.
    pub(crate) messages: u64,
}

/// What the seats of a room ask of its worker's side: to wait.
///
/// With [`Slow::Wait`] that is for clients; otherwise only for sessions that have not had a turn since their seat was
/// filled, so that what the worker prints in one go cuts off nobody whose connection would have taken it.
#[derive(Debug)]
pub(super) struct Pressure {
    slow: Slow,
    /// Seats that are waited for.
    seats: AtomicUsize,
    /// The task of the worker: woken when no seat is waited for any more.
    pub(super) host: AtomicWaker,
}

impl Pressure {
    /// None, as there are no seats.
    pub(super) fn new(slow: Slow) -> Self {
        Self { slow, seats: AtomicUsize::new(0), host: AtomicWaker::new() }
    }

    /// Ready when no seat is waited for.
    pub(super) fn poll_none(&self, cx: &mut Context<'_>) -> Poll<()> {
        // In this order: a seat that has room from here on wakes the task.
        self.host.register(cx.waker());
        if self.seats.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The queue of one client.
#[derive(Debug)]
pub(crate) struct Seat {
    queue: Mutex<Queue>,
    session: AtomicWaker,
    pressure: Arc<Pressure>,
}

#[derive(Debug)]
struct Queue {
    /// What the client gets before anything else.
    welcome: VecDeque<Item>,
    items: VecDeque<Item>,
    /// Of `items`: see [`Item::size`].
    bytes: usize,
    /// Of `welcome`.
    welcome_bytes: usize,
    /// What counts against `--maxbuffer`.
    share: Share,
    /// Messages that it missed.
    lost: u64,
    parting: Option<Parting>,
    /// The client's connection takes no more, or is not known to.
    is_blocked: bool,
    has_left: bool,
    /// It is one of [`Pressure::seats`].
    is_waited_for: bool,
}

impl Seat {
    /// A seat with a welcome on it, which does not count as lagging behind.
    pub(super) fn new(welcome: impl Iterator<Item = Item>, pressure: Arc<Pressure>, share: Share) -> Self {
        let welcome: VecDeque<_> = welcome.collect();
        let mut queue = Queue {
            welcome_bytes: welcome.iter().map(Item::size).sum(),
            welcome,
            items: VecDeque::new(),
            bytes: 0,
            share,
            lost: 0,
            parting: None,
            // Until the session begins, which a client may put off.
            is_blocked: true,
            has_left: false,
            is_waited_for: false,
        };
        queue.count();
        Self { queue: Mutex::new(queue), session: AtomicWaker::new(), pressure }
    }

    /// Puts messages on the seat. If it is full and the client takes no more, [`Slow`] says what happens.
    pub(super) fn offer(&self, item: Item) {
        self.change(|queue| {
            if queue.parting.is_some() || queue.has_left {
                return;
            }
            match self.pressure.slow {
                Slow::Close if queue.is_full() && queue.is_blocked => return queue.cut(),
                Slow::Drop if queue.is_blocked => {
                    while queue.is_full()
                        && let Some(oldest) = queue.next()
                    {
                        queue.lost += oldest.messages;
                    }
                }
                _ => {}
            }
            queue.bytes += item.size();
            queue.items.push_back(item);
        });
        self.session.wake();
    }

    /// Ends the session, after what is on the seat.
    pub(super) fn part(&self, parting: Parting) {
        self.change(|queue| {
            queue.parting.get_or_insert(parting);
        });
        self.session.wake();
    }

    /// The client is gone: nothing is put on the seat any more, and nobody waits for it.
    pub(super) fn leave(&self) {
        self.change(|queue| queue.has_left = true);
    }

    /// Why the session is to end, if it is.
    pub(crate) fn parting(&self) -> Option<Parting> {
        lock(&self.queue).parting.clone()
    }

    /// Whether the session is to end.
    pub(super) fn has_parting(&self) -> bool {
        lock(&self.queue).parting.is_some()
    }

    /// Whether the worker waits for the client to take something.
    pub(crate) fn is_waited_for(&self) -> bool {
        lock(&self.queue).is_waited_for
    }

    /// Takes all that waits: the session ends, and nothing is put on the seat any more.
    pub(crate) fn take_rest(&self) -> Rest {
        self.change(|queue| {
            let mut rest = Rest::default();
            while let Some(item) = queue.next() {
                rest.messages += item.messages;
                rest.frames.push_back(item.frames);
            }
            queue.has_left = true;
            rest
        })
    }

    /// The client's connection takes no more for now; the task of `cx` is woken when the seat has changed.
    pub(crate) fn block(&self, cx: &mut Context<'_>) {
        self.session.register(cx.waker());
        self.change(|queue| queue.is_blocked = true);
    }

    /// Messages that the client has missed.
    pub(crate) fn lost(&self) -> u64 {
        lock(&self.queue).lost
    }

    /// Takes the next messages, up to [`SEAT_BYTES_TAKEN`] and one more. Ready with their number when some were taken, and
    /// with the reason of the parting when all have been.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, taken: &mut VecDeque<Bytes>) -> Poll<Result<u64, Parting>> {
        self.session.register(cx.waker());
        self.change(|queue| {
            queue.is_blocked = false;
            let (mut bytes, mut messages) = (0, 0);
            while bytes < SEAT_BYTES_TAKEN
                && let Some(item) = queue.next()
            {
                bytes += item.frames.len();
                messages += item.messages;
                taken.push_back(item.frames);
            }
            match queue.parting.clone() {
                _ if messages > 0 => Poll::Ready(Ok(messages)),
                Some(parting) => Poll::Ready(Err(parting)),
                None => Poll::Pending,
            }
        })
    }

    /// Changes the queue, and with it whether the seat is waited for.
    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = lock(&self.queue);
        let result = change(&mut queue);
        queue.count();
        let is_patient = self.pressure.slow == Slow::Wait || !queue.is_blocked;
        let is_waited_for = queue.is_full() && is_patient && queue.parting.is_none() && !queue.has_left;
        if mem::replace(&mut queue.is_waited_for, is_waited_for) == is_waited_for {
            return result;
        }
        if is_waited_for {
            self.pressure.seats.fetch_add(1, Ordering::SeqCst);
        } else if self.pressure.seats.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.pressure.host.wake();
        }
        result
    }
}

impl Queue {
    /// Whether there is no room for more.
    fn is_full(&self) -> bool {
        self.bytes >= SEAT_BYTES_MAX
    }

    /// Counts what waits for a client that takes no more. What is about to be taken costs nothing to count.
    fn count(&mut self) {
        if self.items.is_empty() && self.items.capacity() > ITEMS_KEPT {
            self.items = VecDeque::new();
        }
        let own = (self.items.capacity() + self.welcome.capacity()) * mem::size_of::<Item>();
        if self.is_blocked {
            self.share.set(own, self.bytes + self.welcome_bytes);
        } else {
            self.share.set(0, 0);
        }
    }

    /// Ends the session at once.
    fn cut(&mut self) {
        self.welcome = VecDeque::new();
        self.items.clear();
        (self.bytes, self.welcome_bytes) = (0, 0);
        self.parting = Some(Parting::Slow);
    }

    fn next(&mut self) -> Option<Item> {
        if let Some(item) = self.welcome.pop_front() {
            self.welcome_bytes -= item.size();
            return Some(item);
        }
        let item = self.items.pop_front()?;
        self.bytes -= item.size();
        Some(item)
    }
}

#[cfg(test)]
mod tests;
