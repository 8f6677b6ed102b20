//! The other side of a connection: its address, and TLS.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::OwnedSemaphorePermit;

/// A client's connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// The number of the connection since the start of wsd, from 1; `conn` in the log.
    pub(crate) id: u64,
    /// The client's end; limits by source count its address.
    pub(crate) peer: Peer,
    /// Its encryption; `None` is a plain connection.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Whether the client speaks TLS: with wsd, or with a trusted proxy.
    pub(crate) is_secure: bool,
    /// Whether the peer is a trusted proxy, whose headers name the client of each request.
    pub(crate) is_proxy: bool,
    /// Its share of the limit of open files, until the last copy is dropped.
    _share: Option<Arc<OwnedSemaphorePermit>>,
}

impl Connection {
    /// Returns the next connection, with its own number.
    pub(crate) fn new(source: Accepted, tls: Option<Tls>, share: OwnedSemaphorePermit) -> Self {
        let (id, Accepted { peer, is_proxy }) = (next_id(), source);
        Self { id, peer, is_secure: tls.is_some(), is_proxy, tls: tls.map(Arc::new), _share: Some(Arc::new(share)) }
    }

    /// Returns a stand-in for a worker that wsd started without a client.
    pub(crate) fn none() -> Self {
        Self { id: 0, peer: Peer::Unix, tls: None, is_secure: false, is_proxy: false, _share: None }
    }

    /// Returns a copy with the next number: a connection of HTTP may carry several sessions, one after the other.
    pub(crate) fn renumbered(&self) -> Self {
        Self { id: next_id(), ..self.clone() }
    }

    /// Returns a copy for the log, which may outlive the connection.
    pub(crate) fn for_log(&self) -> Self {
        Self { _share: None, ..self.clone() }
    }
}

fn next_id() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed) + 1
}

/// The source of an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The client's end: the kernel names it, or a trusted proxy in the header of the PROXY protocol.
    pub(crate) peer: Peer,
    /// Whether the peer is a trusted proxy itself.
    pub(crate) is_proxy: bool,
}

/// The result of the handshake of TLS; the names are those of Apache's `mod_ssl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    /// `SSL_PROTOCOL`, such as `TLSv1.3`.
    pub(crate) protocol: &'static str,
    /// `SSL_CIPHER`, by its name in IANA's registry.
    pub(crate) cipher: String,
    /// `SSL_CLIENT_S_DN`: the subject of the client's certificate, which wsd has verified; `None` without a certificate.
    pub(crate) client: Option<String>,
    /// The name in that certificate: its first e-mail address or name of the DNS, or else its common name.
    pub(crate) client_name: Option<String>,
}

/// A client's end of a connection. Behind a trusted proxy it is the end that the proxy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An address of TCP.
    Tcp(SocketAddr),
    /// An address without a port, which the proxy has not named.
    Portless(IpAddr),
    /// A Unix socket, whose peer has no address.
    Unix,
}

impl Peer {
    /// Returns the address; an IPv4 address within IPv6 as IPv4.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Portless(ip) => Some(ip.to_canonical()),
            Self::Unix => None,
        }
    }

    /// Returns the value of `REMOTE_ADDR`; websocketd's word for a Unix socket.
    pub(crate) fn address(self) -> String {
        self.ip().map_or_else(|| "unix-socket".to_owned(), |ip| ip.to_string())
    }

    /// Returns the value of `REMOTE_PORT`; empty if there is none.
    pub(crate) fn port(self) -> String {
        match self {
            Self::Tcp(address) => address.port().to_string(),
            Self::Portless(_) | Self::Unix => String::new(),
        }
    }

    /// Returns the source of the client, for limits: its address, or its network of IPv6, which one machine may use all of.
    pub(crate) fn source(self) -> ClientSource {
        ClientSource(match self.ip() {
            Some(IpAddr::V6(ip)) => Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)))),
            other => other,
        })
    }

    /// Whether the client came over the loopback interface.
    pub(crate) fn is_loopback(self) -> bool {
        self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

/// A source of requests: an address of IPv4, a /64 of IPv6, or all clients of Unix sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientSource(Option<IpAddr>);

impl ClientSource {
    /// Returns the /48 of a source of IPv6: a customer may have all sources of it. `None` for any other source.
    pub(crate) fn network(self) -> Option<Self> {
        match self.0 {
            Some(IpAddr::V6(ip)) => Some(Self(Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80)))))),
            _ => None,
        }
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
