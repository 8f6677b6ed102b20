//! The seats of a room, and the delivery of messages to them.

use std::{collections::HashMap, sync::Arc};

use super::{history::History, seat::Seat};
use crate::{framing::events::Receivers, message::Batch, partner::Verdict};

/// The seats of a room and its history.
#[derive(Debug)]
pub(super) struct Hub {
    seats: HashMap<String, Arc<Seat>>,
    history: History,
    /// Whether no client can join any more, since the worker ends.
    pub(super) is_over: bool,
}

impl Hub {
    /// Returns a hub without seats.
    pub(super) fn new(history: History) -> Self {
        Self { seats: HashMap::new(), history, is_over: false }
    }

    /// Adds a seat, which `make` makes from the history.
    pub(super) fn add(&mut self, client: &str, make: impl FnOnce(&History) -> Seat) -> Arc<Seat> {
        let seat = Arc::new(make(&self.history));
        self.seats.insert(client.to_owned(), Arc::clone(&seat));
        seat
    }

    /// Removes a seat.
    pub(super) fn remove(&mut self, client: &str) {
        self.seats.remove(client);
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

    /// Forgets the history.
    pub(super) fn forget_history(&mut self) {
        self.history.clear();
    }

    /// Forgets the older half of the history.
    pub(super) fn shorten_history(&mut self) {
        self.history.halve();
    }
}
