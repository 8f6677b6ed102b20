//! Sessions that a client can leave and find again: the subprotocol `wsd.resume.1` (`--resume`).
//!
//! Both sides count the data messages of each direction, and tell each other how many they have. wsd keeps the messages that a
//! client has not acknowledged in a [`ring`]. When the connection is lost, the session goes on without it. A client returns
//! with the token of its session through a [`door`]; then wsd sends the rest of the ring, and the client sends the messages
//! that wsd does not have.
//!
//! [`client::Resumable`] is the client of such a session. The session itself knows nothing of this, except that a client may be
//! away.

mod ahead;
mod arrival;
mod away;
pub(crate) mod carrier;
pub(crate) mod client;
pub(crate) mod control;
pub(crate) mod door;
mod duties;
mod ended;
mod ending;
mod frames;
pub(crate) mod inbound;
pub(crate) mod link;
mod lock;
mod mail;
pub(crate) mod mailbox;
pub(crate) mod offer;
pub(crate) mod postbox;
mod reading;
pub(crate) mod ring;
mod telling;
mod token;

use std::time::Duration;

use crate::socket::SocketOptions;
use door::Doors;

/// The settings of resumable sessions.
#[derive(Clone, Debug)]
pub(crate) struct ResumeOptions {
    /// The time that a session waits for its client (`--resume`).
    pub(crate) keep: Duration,
    /// Bytes of messages that wsd keeps for a client (`--replay`).
    pub(crate) replay_bytes_max: usize,
    /// Bytes at most of one message of a client (`--maxframesize`).
    pub(crate) message_bytes_max: usize,
    /// The settings of the WebSockets with which clients return.
    pub(crate) socket: SocketOptions,
    /// The doors of all sessions.
    pub(crate) doors: Doors,
}

/// The policy for output that the ring has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The program waits.
    Block,
    /// The client misses the oldest messages.
    Drop,
    /// The room waits for a client that is there; one that is away misses the oldest messages.
    DropWhileAway,
}
