//! Who is on the other side of a connection.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU64, Ordering},
};

/// A client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Counts up from 1 since wsd was started; `conn` in the log.
    pub(crate) id: u64,
    /// The client's end.
    pub(crate) peer: Peer,
}

impl Connection {
    /// The next connection, with its own number.
    pub(crate) fn new(peer: Peer) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self { id: COUNT.fetch_add(1, Ordering::Relaxed) + 1, peer }
    }
}

/// A client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An address; an IPv4 address mapped into IPv6 is shown as IPv4.
    Tcp(SocketAddr),
}

impl Peer {
    /// The address without the port.
    pub(crate) fn ip(self) -> IpAddr {
        let Self::Tcp(address) = self;
        address.ip().to_canonical()
    }

    /// The port.
    pub(crate) fn port(self) -> u16 {
        let Self::Tcp(address) = self;
        address.port()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip(), self.port()).fmt(f)
    }
}
