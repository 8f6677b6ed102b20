//! A client's seat: the bounded queue of what it is still to get.

use std::{
    collections::VecDeque,
    sync::Mutex,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use super::{Slow, lock};
use crate::{
    limits::{SEAT_BYTES_MAX, SEAT_BYTES_TAKEN},
    worker::status::Status,
};

/// Whole messages, as frames that all seats share.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) messages: u64,
    pub(super) frames: Bytes,
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

/// The queue of one client.
#[derive(Debug)]
pub(crate) struct Seat {
    queue: Mutex<Queue>,
    session: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    /// What the client gets before anything else.
    welcome: VecDeque<Item>,
    items: VecDeque<Item>,
    /// Of `items`.
    bytes: usize,
    /// Messages that it missed.
    lost: u64,
    parting: Option<Parting>,
}

impl Seat {
    /// A seat with a welcome on it, which does not count as lagging behind.
    pub(super) fn new(welcome: impl Iterator<Item = Item>) -> Self {
        let welcome = welcome.collect();
        Self { queue: Mutex::new(Queue { welcome, ..Queue::default() }), session: AtomicWaker::new() }
    }

    /// Puts messages on the seat. If there is no room, `slow` says what happens; an empty seat has room for anything.
    pub(super) fn offer(&self, item: Item, slow: Slow) {
        let mut queue = lock(&self.queue);
        if queue.parting.is_some() {
            return;
        }
        let is_full = |queue: &Queue| queue.bytes > 0 && queue.bytes + item.frames.len() > SEAT_BYTES_MAX;
        match slow {
            Slow::Close if is_full(&queue) => {
                *queue = Queue { parting: Some(Parting::Slow), lost: queue.lost, ..Queue::default() };
                drop(queue);
                return self.session.wake();
            }
            Slow::Drop => {
                while is_full(&queue) {
                    let Some(oldest) = queue.items.pop_front() else { break };
                    queue.bytes -= oldest.frames.len();
                    queue.lost += oldest.messages;
                }
            }
            Slow::Close | Slow::Wait => {}
        }
        queue.bytes += item.frames.len();
        queue.items.push_back(item);
        drop(queue);
        self.session.wake();
    }

    /// Ends the session, after what is on the seat.
    pub(super) fn part(&self, parting: Parting) {
        lock(&self.queue).parting.get_or_insert(parting);
        self.session.wake();
    }

    /// Whether the session is to end.
    pub(super) fn has_parting(&self) -> bool {
        lock(&self.queue).parting.is_some()
    }

    /// Whether the client is to be cut off, since it did not keep up.
    pub(crate) fn is_cut(&self) -> bool {
        lock(&self.queue).parting == Some(Parting::Slow)
    }

    /// The task of `cx` is woken when something has changed.
    pub(crate) fn listen(&self, cx: &mut Context<'_>) {
        self.session.register(cx.waker());
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.queue).bytes >= SEAT_BYTES_MAX
    }

    /// Messages that the client has missed.
    pub(crate) fn lost(&self) -> u64 {
        lock(&self.queue).lost
    }

    /// Takes the next messages, up to [`SEAT_BYTES_TAKEN`] and one more. Ready with their number when some were taken, and
    /// with the reason of the parting when all have been.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>, taken: &mut VecDeque<Bytes>) -> Poll<Result<u64, Parting>> {
        self.session.register(cx.waker());
        let mut queue = lock(&self.queue);
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
    }
}

impl Queue {
    fn next(&mut self) -> Option<Item> {
        self.welcome.pop_front().or_else(|| {
            let item = self.items.pop_front()?;
            self.bytes -= item.frames.len();
            Some(item)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn item(letter: u8, bytes: usize) -> Item {
        Item { messages: 1, frames: vec![letter; bytes].into() }
    }

    fn take_all(seat: &Seat) -> (Vec<u8>, Option<Parting>) {
        let (mut taken, mut cx) = (VecDeque::new(), Context::from_waker(Waker::noop()));
        loop {
            match seat.poll_take(&mut cx, &mut taken) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(parting)) => return (taken.iter().map(|frames| frames[0]).collect(), Some(parting)),
                Poll::Pending => return (taken.iter().map(|frames| frames[0]).collect(), None),
            }
        }
    }

    #[test]
    fn a_full_seat_means_what_slow_says() {
        let half = SEAT_BYTES_MAX / 2;
        let table = [
            (Slow::Close, vec![half, half], "ab", None, 0),
            (Slow::Close, vec![half, half, 1], "", Some(Parting::Slow), 0),
            (Slow::Close, vec![SEAT_BYTES_MAX * 2], "a", None, 0),
            (Slow::Drop, vec![half, half], "ab", None, 0),
            (Slow::Drop, vec![half, half, 1], "bc", None, 1),
            (Slow::Drop, vec![1, 1, SEAT_BYTES_MAX * 2], "c", None, 2),
            (Slow::Wait, vec![half, half, 1], "abc", None, 0),
        ];
        for (slow, sizes, want, parting, lost) in table {
            let seat = Seat::new(std::iter::empty());
            for (&size, letter) in sizes.iter().zip(b'a'..) {
                seat.offer(item(letter, size), slow);
            }
            assert_eq!(take_all(&seat), (want.into(), parting), "{slow:?} {sizes:?}");
            assert_eq!(seat.lost(), lost, "{slow:?} {sizes:?}");
        }
    }

    #[test]
    fn a_welcome_does_not_count() {
        let seat = Seat::new(std::iter::once(item(b'h', 2 * SEAT_BYTES_MAX)));
        seat.offer(item(b'a', 1), Slow::Close);
        seat.offer(item(b'b', 1), Slow::Close);
        assert_eq!(take_all(&seat), (b"hab".to_vec(), None));
    }

    #[test]
    fn what_was_said_before_the_parting_arrives() {
        let seat = Seat::new(std::iter::once(item(b'h', 3)));
        seat.offer(item(b'a', 1), Slow::Close);
        seat.part(Parting::Exit(Status::Exit(0)));
        seat.offer(item(b'z', 1), Slow::Close);
        assert_eq!(take_all(&seat), (b"ha".to_vec(), Some(Parting::Exit(Status::Exit(0)))));
    }
}
