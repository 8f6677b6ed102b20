//! The states of a WebSocket: whether it can be sent to, and what its client may still say.

use crate::budget::Share;

/// Whether data can still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// It can.
    Open,
    /// A Close frame has been, after which nothing may be sent (RFC 6455, section 5.5.1).
    Closed,
    /// The connection is broken. The read side tells what there is to say of it.
    Broken,
}

/// The state of a socket whose session is over.
#[derive(Debug)]
pub(super) struct Closing {
    /// Bytes that wait for the client.
    pub(super) share: Share,
}

/// What the client may still say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A Close frame, an answer to ours or its own.
    Talks,
    /// Anything: it broke the protocol.
    Faulty,
    /// Nothing: its Close frame has come.
    Closed,
    /// Nothing: the connection is over.
    Gone,
}

impl Closing {
    pub(super) fn new(share: Share) -> Self {
        Self { share }
    }
}
