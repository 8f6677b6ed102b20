//! Who is on the other side of a connection.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A client's connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Counts up from 1 since wsd was started; `conn` in the log.
    pub(crate) id: u64,
    /// The client's end.
    pub(crate) peer: Peer,
    /// How it is encrypted; `None` is not at all.
    pub(crate) tls: Option<Arc<Tls>>,
}

impl Connection {
    /// The next connection, with its own number.
    pub(crate) fn new(peer: Peer, tls: Option<Tls>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self { id: COUNT.fetch_add(1, Ordering::Relaxed) + 1, peer, tls: tls.map(Arc::new) }
    }
}

impl Connection {
    /// No client's: a worker that was started without one.
    pub(crate) fn none() -> Self {
        Self { id: 0, peer: Peer::Unix, tls: None }
    }
}

/// What TLS has agreed on; the names are those of Apache's `mod_ssl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// `SSL_PROTOCOL`, such as `TLSv1.3`.
    pub(crate) protocol: &'static str,
    /// `SSL_CIPHER`, by its name in IANA's registry.
    pub(crate) cipher: String,
    /// `SSL_CLIENT_S_DN`: the subject of the client's certificate, which has been verified; `None` if there is none.
    pub(crate) client: Option<String>,
}

/// A client's end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An address.
    Tcp(SocketAddr),
    /// A Unix socket: who it is stays in the kernel.
    Unix,
}

impl Peer {
    /// The address; an IPv4 address within IPv6 as IPv4.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }

    /// `REMOTE_ADDR`; websocketd's word for a Unix socket.
    pub(crate) fn address(self) -> String {
        self.ip().map_or_else(|| "unix-socket".to_owned(), |ip| ip.to_string())
    }

    /// `REMOTE_PORT`.
    pub(crate) fn port(self) -> String {
        match self {
            Self::Tcp(address) => address.port().to_string(),
            Self::Unix => String::new(),
        }
    }

    /// Whether the client came over the loopback interface.
    pub(crate) fn is_loopback(self) -> bool {
        self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.ip()) {
            (Self::Tcp(address), Some(ip)) => SocketAddr::new(ip, address.port()).fmt(f),
            _ => f.write_str(&self.address()),
        }
    }
}
