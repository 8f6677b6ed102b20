//! One socket that wsd listens on, and the error if it cannot.

use std::{
    borrow::Cow,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use rustix::{io::Errno, net::sockopt};
use tokio::net::{TcpListener, UnixListener};

use crate::{limits::TCP_KEEPALIVE, peer::Peer, socket::stream::Plain, worker::advice};

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// The flag of addresses, for the hint.
pub(super) const PORT_FLAG: &str = "--port";

/// The flag of Unix sockets, for the hint.
pub(super) const UNIX_FLAG: &str = "--unixsocket";

/// The error of a place that wsd cannot listen on.
#[derive(Debug)]
pub(crate) struct BindError {
    /// An address, or a path.
    pub(super) place: String,
    /// The flag that names it.
    pub(super) flag: &'static str,
    /// Whether it is a Unix socket.
    pub(super) is_file: bool,
    /// The system's error.
    pub(super) cause: io::Error,
}

impl BindError {
    /// Returns advice for the user, if wsd has any.
    fn hint(&self) -> Option<Cow<'static, str>> {
        let is_file = self.is_file;
        Some(match self.cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if is_file => {
                format!("make its folder first, or name an existing one with `{}`", self.flag).into()
            }
            io::ErrorKind::AddrInUse if is_file => {
                format!("stop the server that uses it, or name another path with `{}`", self.flag).into()
            }
            io::ErrorKind::AlreadyExists => "remove the file if nobody needs it, or name another path".into(),
            io::ErrorKind::InvalidFilename => "name a shorter path: the system allows about 100 bytes".into(),
            io::ErrorKind::PermissionDenied if !is_file => {
                format!("ports below 1024 need a privilege: name another one with `{}`", self.flag).into()
            }
            io::ErrorKind::AddrInUse if self.flag == PORT_FLAG => {
                "stop the program that listens there, or listen elsewhere; `--port=0` picks a free port".into()
            }
            io::ErrorKind::AddrInUse => {
                format!("stop the program that listens there, or name another port with `{}`", self.flag).into()
            }
            io::ErrorKind::AddrNotAvailable => format!(
                "name an address of this machine with `{}`",
                if self.flag == PORT_FLAG { "--address" } else { self.flag }
            )
            .into(),
            _ => advice::for_error(&self.cause)?,
        })
    }

    /// Whether this machine lacks the address, such as `::1` where IPv6 is off.
    pub(super) fn is_of_missing(&self) -> bool {
        let is_unknown = self.cause.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error());
        is_unknown || self.cause.kind() == io::ErrorKind::AddrNotAvailable
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.place, self.cause)?;
        self.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl Listener {
    /// Accepts the next connection. Cancel safe.
    pub(super) async fn accept(&self) -> io::Result<(Plain, Peer)> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, address)| (Plain::Left(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| (Plain::Right(stream), Peer::Unix)),
        }
    }

    /// Returns the port; `None` for a Unix socket.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Self::Unix(_) => None,
        }
    }

    /// Returns the URLs of `base` (`--base`) for other machines of the network, if the listener has all addresses of this one.
    pub(crate) fn network_urls(&self, scheme: &str, base: &str) -> Vec<String> {
        let Self::Tcp(listener) = self else { return Vec::new() };
        let Ok(address) = listener.local_addr() else { return Vec::new() };
        // A socket of IPv6 serves both families unless somebody has told it not to.
        let is_both = address.is_ipv6() && !sockopt::ipv6_v6only(listener).unwrap_or(true);
        let families = [is_both.then_some(Ipv4Addr::UNSPECIFIED.into()), Some(address.ip())];
        let unspecified = families.into_iter().flatten().filter(|_| address.ip().is_unspecified());
        let own = unspecified.filter_map(network_address);
        own.map(|own| format!("{scheme}://{}{base}/", SocketAddr::new(own, address.port()))).collect()
    }

    /// Returns the address that clients connect to: a URL of `base` (`--base`), or `unix:` and the path of the socket.
    pub(crate) fn url(&self, scheme: &str, base: &str) -> String {
        match self {
            Self::Tcp(listener) => {
                let address =
                    listener.local_addr().map_or_else(|_| "?".to_owned(), |address| reachable(address).to_string());
                format!("{scheme}://{address}{base}/")
            }
            Self::Unix(listener) => format!("unix:{}", unix_name(listener)),
        }
    }
}

/// Returns an address of this machine that other machines of its network can reach.
fn network_address(family: IpAddr) -> Option<IpAddr> {
    // Connecting a UDP socket sends nothing: the kernel only chooses the own address towards that one, which is for
    // documentation (RFC 5737, RFC 3849).
    let outside = if family.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let socket = UdpSocket::bind((family, 0)).ok()?;
    socket.connect(outside).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|own| !own.is_unspecified() && !own.is_loopback())
}

/// Replaces an unspecified address (`0.0.0.0`, `::`) by the loopback address, which this machine can connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// Sets options that accepted connections inherit: TCP sends a single message at once, and detects a lost peer.
pub(super) fn set_options(socket: &impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_keepalive(socket, true)?;
    Ok(sockopt::set_tcp_keepidle(socket, TCP_KEEPALIVE)?)
}

/// Returns the path, or `@` and the abstract name, that a socket is bound to.
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
