//! The messages that wsd has read ahead of a program.

use crate::{
    client::Departure,
    limits::{AHEAD_BYTES_MAX, AHEAD_MESSAGES_MAX},
    message::{Draft, Kind},
};

/// Bytes of messages that the program gets at a time: as much as a read of the connection.
const GIVEN_BYTES: usize = 64 << 10;

/// The messages that wsd has read ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The messages, those that the program has got as well.
    pub(super) messages: Draft,
    /// The number of messages that the program has got.
    given: usize,
    /// How the client has departed behind them.
    pub(super) departure: Option<Departure>,
}

impl Ahead {
    /// Whether more may be read.
    pub(super) fn has_room(&self) -> bool {
        self.messages.len() < AHEAD_BYTES_MAX && self.messages.count() < AHEAD_MESSAGES_MAX
    }

    /// Drops the messages.
    pub(super) fn forget(&mut self) {
        (self.messages, self.given) = (Draft::default(), 0);
    }

    /// Returns the bytes of memory that it takes up.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>() + self.messages.held()
    }

    /// Hands the next messages to `on`, until it takes no more. Returns whether none is left.
    pub(super) fn give(&mut self, mut on: impl FnMut(Kind, &[u8]) -> bool) -> bool {
        let mut bytes = 0;
        while bytes < GIVEN_BYTES && self.given < self.messages.count() {
            let (kind, payload) = self.messages.get(self.given);
            self.given += 1;
            bytes += payload.len() + 1;
            if !on(kind, payload) {
                break;
            }
        }
        self.given == self.messages.count()
    }
}
