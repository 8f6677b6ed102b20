//! The seats of a room, and the delivery of messages to them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{history::History, seat::Seat};
use crate::{admission::Permit, framing::events::Receivers, message::Batch, partner::Verdict};

/// The seats of a room and its history.
#[derive(Debug)]
pub(super) struct Hub {
    seats: HashMap<String, Arc<Seat>>,
    /// The clients on other nodes, and those that are about to come (`--bus`).
    others: usize,
    /// The messages for new clients.
    pub(super) history: History,
    /// The worker's fork slot. The hub offers it to other programs while there is no client.
    permit: Option<Permit>,
    /// The time that the worker stays without clients; `None` is for ever.
    linger: Option<Duration>,
    /// The end of that time, while there is no client.
    pub(super) idle: Option<Idle>,
    /// Whether no client can join any more, since the worker ends.
    pub(super) is_over: bool,
}

/// A room that its last client has left.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    /// The time at which the room ends.
    pub(super) until: Instant,
    /// Cancelled when another program needs the fork slot.
    pub(super) wanted: CancellationToken,
}

impl Hub {
    /// Returns a hub without seats.
    pub(super) fn new(history: History, linger: Option<Duration>, permit: Option<Permit>) -> Self {
        Self { seats: HashMap::new(), others: 0, history, permit, linger, idle: None, is_over: false }
    }

    /// Adds a seat, which `make` makes from the history.
    pub(super) fn add(&mut self, client: &str, make: impl FnOnce(&History) -> Seat) -> Arc<Seat> {
        let seat = Arc::new(make(&self.history));
        self.seats.insert(client.to_owned(), Arc::clone(&seat));
        self.become_busy();
        seat
    }

    /// Removes a seat. Without seats, the worker ends when its time is over.
    pub(super) fn remove(&mut self, client: &str) {
        self.seats.remove(client);
        self.become_idle();
    }

    /// Sets the time that the worker stays without clients.
    pub(super) fn set_linger(&mut self, linger: Duration) {
        self.linger = Some(linger);
        self.become_idle();
    }

    /// Counts a client that has no seat here.
    pub(super) fn add_other(&mut self) {
        self.others += 1;
        self.become_busy();
    }

    /// Counts clients less that have no seat here. Without clients, the worker ends when its time is over.
    pub(super) fn remove_others(&mut self, count: usize) {
        self.others -= count;
        self.become_idle();
    }

    /// Whether the room ends without clients, sooner or later.
    pub(super) fn is_for_clients(&self) -> bool {
        self.linger.is_some()
    }

    /// Accepts no more clients, unless there is one.
    pub(super) fn close_if_empty(&mut self) -> bool {
        self.is_over |= self.seats.is_empty() && self.others == 0;
        self.is_over
    }

    /// Whether no client has a seat here.
    pub(super) fn has_no_seats(&self) -> bool {
        self.seats.is_empty()
    }

    /// Keeps the fork slot of a new worker.
    pub(super) fn set_slot(&mut self, permit: Permit) {
        self.permit = Some(permit);
        self.become_idle();
    }

    fn become_busy(&mut self) {
        // Too late for a room that ends without clients: it stays idle, and a client on another node gets a new room.
        if !self.is_over
            && self.idle.take().is_some()
            && let Some(permit) = &mut self.permit
        {
            permit.withdraw();
        }
    }

    fn become_idle(&mut self) {
        if self.seats.is_empty()
            && self.others == 0
            && let (Some(permit), Some(linger)) = (&mut self.permit, self.linger)
        {
            self.idle = Some(Idle { until: Instant::now() + linger, wanted: permit.offer() });
            self.is_over |= linger.is_zero();
        }
    }

    /// Ends the room, unless a client has come since it was to end at `until`.
    pub(super) fn end_idle(&mut self, until: Instant) {
        self.is_over |= self.idle.as_ref().is_some_and(|idle| idle.until == until);
    }

    /// Frees the fork slot, since the worker has ended.
    pub(super) fn free_slot(&mut self) {
        self.permit = None;
        self.idle = None;
    }

    /// Returns the number of seats.
    pub(super) fn count(&self) -> usize {
        self.seats.len()
    }

    /// Delivers messages. Adds them to the history, unless they are for named clients only.
    pub(super) fn publish(&mut self, batch: &Arc<Batch>, to: &Receivers) {
        match to {
            Receivers::Only(clients) => {
                for seat in clients.iter().filter_map(|client| self.seats.get(client)) {
                    seat.offer(batch);
                }
            }
            Receivers::All => {
                self.history.add(batch);
                self.seats.values().for_each(|seat| seat.offer(batch));
            }
            Receivers::Except(except) => {
                self.history.add(batch);
                self.seats.iter().filter(|(client, _)| *client != except).for_each(|(_, seat)| seat.offer(batch));
            }
        }
    }

    /// Ends one client's session, after the messages on its seat.
    pub(super) fn dismiss(&self, client: &str, verdict: Verdict) {
        if let Some(seat) = self.seats.get(client) {
            seat.end(verdict);
        }
    }

    /// Ends all sessions, each after the messages on its seat.
    pub(super) fn dismiss_all(&self, verdict: &Verdict) {
        self.seats.values().for_each(|seat| seat.end(verdict.clone()));
    }

    /// Refuses new clients, forgets the history, and offers the fork slot, since the worker ends.
    pub(super) fn close(&mut self) {
        self.is_over = true;
        self.history.clear();
        self.permit.as_mut().map(Permit::offer);
    }
}
