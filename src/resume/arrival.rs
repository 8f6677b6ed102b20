//! The connections over which clients return.

use crate::{deflate::options::AgreedCompression, events::EventStream, peer::Connection, socket::stream::Stream};

/// A client that has returned, with its new connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The number of messages that it has.
    pub(crate) got: u64,
    /// The way on which it comes.
    pub(crate) entrance: Entrance,
    /// The connection.
    pub(crate) connection: Connection,
}

/// The way on which a client returns.
#[derive(Debug)]
pub(crate) enum Entrance {
    /// A WebSocket, the bytes that came with its handshake, and compression if the client has agreed.
    WebSocket(Stream, Vec<u8>, Option<AgreedCompression>),
    /// An event stream.
    Events(EventStream),
}
