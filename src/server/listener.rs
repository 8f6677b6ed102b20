//! One place where wsd listens, and why it may not be listened on.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use rustix::{io::Errno, net::sockopt};
use tokio::net::{TcpListener, UnixListener};

use crate::{limits::TCP_KEEPALIVE, peer::Peer, socket::stream::Plain};

/// One place to be reached at.
#[derive(Debug)]
pub(crate) enum Listener {
    /// An address.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// A place that cannot be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    /// An address, or a path.
    pub(super) place: String,
    pub(super) cause: io::Error,
}

impl BindError {
    /// What to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.cause.kind() {
            io::ErrorKind::PermissionDenied if !self.place.contains('/') => {
                Some("ports below 1024 need a privilege; try `--port=8080`")
            }
            io::ErrorKind::AddrInUse => Some("another program listens there; for a port, `--port=0` picks a free one"),
            io::ErrorKind::AddrNotAvailable => Some("`--address` must be an address of this machine"),
            _ => None,
        }
    }

    /// Whether this machine has no such address, as `::1` where IPv6 is off.
    pub(super) fn is_of_missing(&self) -> bool {
        let is_unknown = self.cause.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error());
        is_unknown || self.cause.kind() == io::ErrorKind::AddrNotAvailable
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.place, self.cause)
    }
}

impl Listener {
    /// The next connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(Plain, Peer)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, address)| (Plain::Tcp(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| (Plain::Unix(stream), Peer::Unix)),
        }
    }

    /// The port; `None` for a Unix socket.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }

    /// How it is reached: a URL, or `unix:` and a path.
    pub(crate) fn url(&self, scheme: &str) -> String {
        match self {
            Self::Tcp(listener) => {
                let address =
                    listener.local_addr().map_or_else(|_| "?".to_owned(), |address| reachable(address).to_string());
                format!("{scheme}://{address}/")
            }
            Self::Unix(listener) => format!("unix:{}", unix_name(listener)),
        }
    }
}

/// The address by which this machine itself reaches one that stands for all.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Accepted connections inherit these: a lone message leaves at once, and a vanished peer is noticed.
pub(super) fn set_options(socket: &impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    Ok(sockopt::set_tcp_keepidle(socket, TCP_KEEPALIVE)?)
}

/// The path, or `@` and the name, that a socket is bound to.
fn unix_name(listener: &UnixListener) -> String {
    let Ok(address) = listener.local_addr() else { return String::new() };
    if let Some(path) = address.as_pathname() {
        return path.display().to_string();
    }
    #[cfg(target_os = "linux")]
    if let Some(name) =
        std::os::linux::net::SocketAddrExt::as_abstract_name(&std::os::unix::net::SocketAddr::from(address))
    {
        return format!("@{}", String::from_utf8_lossy(name));
    }
    String::new()
}
