//! Listens on TCP addresses, on a Unix socket, and on sockets that systemd passes.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use rustix::net::sockopt;
use tokio::net::TcpSocket;

use super::{
    listener::{BindError, Listener, PORT_FLAG, UNIX_FLAG, set_options},
    systemd,
    unix::{self, SocketFile, UnixOptions},
};
use crate::limits::LISTEN_QUEUE;

/// The places to listen on.
#[derive(Clone, Debug)]
pub(crate) struct ListenOptions {
    /// The addresses and their common port; 0 stands for any free port.
    pub(crate) tcp: Option<(Addresses, u16)>,
    /// `--unixsocket`.
    pub(crate) unix: Option<UnixOptions>,
    /// `--redirport`.
    pub(crate) redirect_port: Option<u16>,
    /// Whether the flags name no place. Sockets that systemd passes then replace the default place.
    pub(crate) is_default: bool,
}

/// Addresses of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// The addresses that no other machine can reach: 127.0.0.1, and `::1` where there is IPv6.
    Loopback,
    /// All of them.
    All,
    /// The addresses of each name; at least one of each name must exist here. A given address is a list of one.
    These(Vec<Vec<IpAddr>>),
}

/// The sockets that wsd listens on.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Sockets that serve the site.
    pub(crate) main: Vec<Listener>,
    /// Sockets that only redirect to it.
    pub(crate) redirect: Vec<Listener>,
    /// The file of the Unix socket; dropping this removes the file.
    pub(crate) file: Option<SocketFile>,
}

/// Listens on every place; after an error, on none.
pub(crate) fn bind(options: &ListenOptions) -> Result<Listeners, BindError> {
    let (mut main, mut redirect) = systemd::listeners()?;
    let is_handed_over = !main.is_empty() || !redirect.is_empty();
    if let Some((addresses, port)) = &options.tcp
        && !(is_handed_over && options.is_default)
    {
        main.extend(bind_tcp(addresses, *port)?);
        if let Some(port) = options.redirect_port {
            let bound = bind_tcp(addresses, port);
            redirect.extend(bound.map_err(|error| BindError { flag: "--redirport", ..error })?);
        }
    }
    let mut file = None;
    if let Some(unix) = &options.unix {
        let bound = unix::bind(unix);
        let place = || unix.path.to_string_lossy().into_owned();
        let (listener, its_file) =
            bound.map_err(|cause| BindError { place: place(), flag: UNIX_FLAG, is_file: true, cause })?;
        main.push(Listener::Unix(listener));
        file = its_file;
    }
    if !redirect.is_empty() && main.iter().all(|listener| listener.port().is_none()) {
        let cause = io::Error::other("there is no TCP socket to redirect to");
        return Err(BindError {
            place: format!("{} of LISTEN_FDS", systemd::REDIRECT),
            flag: "",
            is_file: false,
            cause,
        });
    }
    Ok(Listeners { main, redirect, file })
}

/// Listens on these addresses at a common port; 0 picks a free one.
pub(super) fn bind_tcp(addresses: &Addresses, mut port: u16) -> Result<Vec<Listener>, BindError> {
    let mut bound = Vec::new();
    match addresses {
        Addresses::Loopback => return bind_loopback(port),
        Addresses::All => bound.push(
            // One socket serves IPv4 and IPv6 where the machine has both.
            bind_one(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).or_else(|error| {
                match error.cause.kind() {
                    io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                    _ => bind_one(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
                }
            })?,
        ),
        Addresses::These(names) => {
            for addresses in names {
                let mut missing = None;
                let before = bound.len();
                for &address in addresses {
                    match bind_one(SocketAddr::new(address, port)) {
                        Ok(listener) => {
                            port = listener.port().unwrap_or(port);
                            bound.push(listener);
                        }
                        Err(error) if error.is_of_missing() => missing = Some(error),
                        Err(error) => return Err(error),
                    }
                }
                if let Some(error) = missing.filter(|_| bound.len() == before) {
                    return Err(error);
                }
            }
        }
    }
    Ok(bound)
}

/// Listens on both loopback addresses; without IPv6, on 127.0.0.1 alone. Port 0 picks a port that is free on both.
fn bind_loopback(port: u16) -> Result<Vec<Listener>, BindError> {
    let mut attempts = if port == 0 { 16 } else { 1 };
    loop {
        let four = bind_one(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))?;
        match bind_one(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), four.port().unwrap_or(port))) {
            Ok(six) => return Ok(vec![four, six]),
            Err(error) if error.cause.kind() != io::ErrorKind::AddrInUse => return Ok(vec![four]),
            Err(error) if attempts == 1 => return Err(error),
            Err(_) => attempts -= 1,
        }
    }
}

fn bind_one(address: SocketAddr) -> Result<Listener, BindError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait until the kernel forgets the connections of the last run.
        socket.set_reuseaddr(true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
        }
        set_options(&socket)?;
        socket.bind(address)?;
        socket.listen(LISTEN_QUEUE)
    };
    bind().map(Listener::Tcp).map_err(|cause| BindError {
        place: address.to_string(),
        flag: PORT_FLAG,
        is_file: false,
        cause,
    })
}
