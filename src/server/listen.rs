//! Where wsd listens.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket};

use crate::limits::{LISTEN_QUEUE, TCP_KEEPALIVE};

/// The addresses to listen on, all with the same port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `None` is this machine only: 127.0.0.1, and `::1` where there is IPv6.
    pub(crate) addresses: Option<Vec<IpAddr>>,
    /// 0 is any free one.
    pub(crate) port: u16,
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) address: SocketAddr,
    pub(crate) cause: io::Error,
}

impl BindError {
    /// What to do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self.cause.kind() {
            io::ErrorKind::PermissionDenied => Some("ports below 1024 need a privilege; try `--port=8080`"),
            io::ErrorKind::AddrInUse => Some("another program listens there; `--port=0` picks a free port"),
            io::ErrorKind::AddrNotAvailable => Some("`--address` must be an address of this machine"),
            _ => None,
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on `{}`: {}", self.address, self.cause)
    }
}

/// Listens on every address, or none.
pub(crate) fn bind(options: &Options) -> Result<Vec<TcpListener>, BindError> {
    match &options.addresses {
        Some(addresses) => {
            let mut port = options.port;
            let mut listeners = Vec::new();
            for &address in addresses {
                let listener = bind_one(SocketAddr::new(address, port))?;
                port = port_of(&listener, port);
                listeners.push(listener);
            }
            Ok(listeners)
        }
        None => bind_loopback(options.port),
    }
}

/// Listens on both loopback addresses; without IPv6 on the one there is. A free port must be free on both.
fn bind_loopback(port: u16) -> Result<Vec<TcpListener>, BindError> {
    const ATTEMPTS: usize = 16;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let four = bind_one(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))?;
        match bind_one(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port_of(&four, port))) {
            Ok(six) => return Ok(vec![four, six]),
            Err(error) if error.cause.kind() == io::ErrorKind::AddrInUse => {
                if port != 0 {
                    return Err(error);
                }
                last = Some(error);
            }
            Err(_) => return Ok(vec![four]),
        }
    }
    Err(last.expect("at least one attempt"))
}

fn bind_one(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait until the connections of the last run are forgotten.
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit these three: a lone message leaves at once, and a vanished peer is noticed.
        socket.set_nodelay(true)?;
        sockopt::set_socket_keepalive(&socket, true)?;
        sockopt::set_tcp_keepidle(&socket, TCP_KEEPALIVE)?;
        socket.bind(address)?;
        socket.listen(LISTEN_QUEUE)
    };
    bind().map_err(|cause| BindError { address, cause })
}

fn port_of(listener: &TcpListener, otherwise: u16) -> u16 {
    listener.local_addr().map_or(otherwise, |address| address.port())
}
