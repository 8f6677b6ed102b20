//! How rooms are run.

use std::time::Duration;

use crate::{budget::Budget, framing::Framing};

/// How rooms are run.
#[derive(Clone, Debug)]
pub(crate) struct RoomOptions {
    /// How messages stand in the worker's streams.
    pub(crate) framing: Framing,
    /// What happens to clients that do not keep up.
    pub(crate) slow: Slow,
    /// The number of messages that a newcomer gets first (`--history`).
    pub(crate) history: usize,
    /// Whether the worker stays when the last client has left (`--eager`).
    pub(crate) stays: bool,
    /// Whether each client has a room of its own.
    pub(crate) is_for_one: bool,
    /// The time added to each wait before a signal (`--closems`).
    pub(crate) patience: Duration,
    /// How long a client that takes nothing is waited for, with [`Slow::Wait`] (`--slow-wait`).
    pub(crate) slow_wait: Duration,
    /// The budget that all that waits counts against (`--maxbuffer`).
    pub(crate) budget: Budget,
}

/// What happens to a client whose seat is full (`--slow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// wsd cuts it off, with 1013; the others notice nothing.
    Close,
    /// It misses the oldest messages.
    Drop,
    /// The worker waits for it, and so do all others.
    Wait,
}
