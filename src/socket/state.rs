//! The states of a WebSocket: whether wsd may still send, and which frames the client may still send.

use crate::budget::Share;

/// Whether wsd may still send frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// It may.
    Open,
    /// It may not, since it has sent a Close frame (RFC 6455, section 5.5.1).
    Closed,
    /// The connection is broken. The next read reports the end.
    Broken,
}

/// The state of a socket whose session is over.
#[derive(Debug)]
pub(super) struct Closing {
    /// Bytes that wait for the client.
    pub(super) share: Share,
}

/// The bytes that may still come from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Frames, and at last a Close frame.
    Open,
    /// Anything, since it broke the protocol.
    Faulty,
    /// Nothing, since its Close frame has come.
    Closed,
    /// Nothing, since the connection is over.
    Gone,
}

impl Closing {
    pub(super) fn new(share: Share) -> Self {
        Self { share }
    }
}
