//! The settings of rooms.

use std::time::Duration;

use crate::{budget::Budget, framing::Framing, metrics::route::RouteName};

/// The settings of the rooms of one program.
#[derive(Clone, Debug)]
pub(crate) struct RoomOptions {
    /// The format of messages in the worker's streams.
    pub(crate) framing: Framing,
    /// The limit of a message whose length the worker's output tells (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
    /// The policy for slow clients.
    pub(crate) slow: Slow,
    /// The number of earlier messages that a new client gets first (`--history`).
    pub(crate) history: usize,
    /// The time that the worker and the history stay when the last client has left (`--linger`); `None` is for ever
    /// (`--eager`).
    pub(crate) linger: Option<Duration>,
    /// Whether each client has a room of its own.
    pub(crate) is_for_one: bool,
    /// The time added to each wait before a signal (`--closems`).
    pub(crate) patience: Duration,
    /// The time that the room waits for a client that takes nothing, with [`Slow::Wait`] (`--slow-wait`).
    pub(crate) slow_wait: Duration,
    /// The budget for all bytes that wait (`--maxbuffer`).
    pub(crate) budget: Budget,
    /// The route, for the metrics.
    pub(crate) route: RouteName,
}

/// The policy for a client whose seat is full (`--slow`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// wsd closes the client with 1013; the others notice nothing.
    Close,
    /// The client misses the oldest messages.
    Drop,
    /// The worker waits for the client, and so do all other clients.
    Wait,
}
