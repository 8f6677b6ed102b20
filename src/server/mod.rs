//! Accepts connections until shutdown; an error of one connection does not stop the others.

pub(crate) mod listen;
pub(crate) mod listener;
mod proxied;
pub(crate) mod proxy_header;
mod shares;
mod subject;
pub(crate) mod systemd;
pub(crate) mod tls;
pub(crate) mod unix;
pub(crate) mod watch;

use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use rustix::{io::Errno, net::RecvFlags};
use tokio::{
    io::{AsyncWriteExt, Interest},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    answer::{routes::Routes, service::Service},
    budget::{Budget, Owner, OwnerKind},
    event::Event,
    http::{self, proxies::Proxies},
    limits::{CONNECTIONS_MAX, TLS_BYTES, TLS_TIME_MAX},
    peer::{Accepted, Connection, Peer, Tls},
    shutdown::Shutdown,
    socket::stream::{Followed, Plain, Stream},
    worker::advice,
};
use listener::Listener;
use shares::Shares;
use tls::Certificates;

/// The pause after an accept that failed for lack of descriptors or memory. It keeps wsd from spinning; no user notices it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time between two looks whether a handshake of TLS may begin while the budget is nearly used up.
const TLS_PAUSE: Duration = Duration::from_millis(100);

/// Accepts the connections of all listeners, in tasks of `shutdown`, until the shutdown begins.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    slots: Arc<Semaphore>,
    shares: Arc<Shares>,
    proxies: Arc<Proxies>,
    shutdown: Shutdown,
}

impl Acceptor {
    /// Returns an acceptor for the programs of `routes`, and for connections from anybody and from `proxies`. At most
    /// [`CONNECTIONS_MAX`] connections at a time, over all listeners, are no sessions.
    pub(crate) fn new(routes: &Routes, proxies: Proxies, shutdown: &Shutdown) -> Self {
        let (slots, shares) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), Arc::new(Shares::new()));
        let acceptor = Self { slots, shares, proxies: Arc::new(proxies), shutdown: shutdown.clone() };
        acceptor.set_aside(routes);
        acceptor
    }

    /// Sets descriptors aside for the programs of `routes`: connections share the others.
    pub(crate) fn set_aside(&self, routes: &Routes) {
        self.shares.set_aside(routes, &self.shutdown);
    }

    /// Returns the number of accepted connections that wait for a descriptor.
    pub(crate) fn waiting(&self) -> Arc<AtomicUsize> {
        self.shares.waiting()
    }

    /// Starts to accept from `listeners`. `service` answers the requests, over TLS if there are certificates.
    pub(crate) fn open(&self, listeners: Vec<Listener>, service: &Service, certificates: Option<&Certificates>) {
        for listener in listeners {
            let (acceptor, service, certificates) = (self.clone(), service.clone(), certificates.cloned());
            self.shutdown.spawn(async move {
                tokio::select! {
                    () = acceptor.accept(&listener, service, certificates) => {}
                    () = acceptor.shutdown.begun() => {}
                }
            });
        }
    }

    /// Accepts connections; does not return.
    async fn accept(&self, listener: &Listener, service: Service, certificates: Option<Certificates>) {
        loop {
            let (mut stream, peer) = next(listener).await;
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            let Ok(share) = self.shares.take().await else { return };
            let (service, certificates, shutdown) = (service.clone(), certificates.clone(), self.shutdown.clone());
            let proxies = Arc::clone(&self.proxies);
            self.shutdown.spawn(async move {
                let Some(source) = proxied::source(&mut stream, peer, &proxies, &shutdown).await else { return };
                let budget = service.budget();
                let opened = match certificates {
                    None => Some((Stream::Left(stream), None)),
                    Some(certificates) => secure(stream, source, &certificates, &budget, &shutdown).await,
                };
                if let Some((stream, tls)) = opened {
                    let connection = Connection::new(source, tls, share);
                    let respond = |client, request| service.clone().respond(client, shutdown.clone(), request);
                    http::connection::serve(stream, (&connection, &proxies), &budget, &shutdown, respond).await;
                }
                drop(slot);
            });
        }
    }
}

/// Performs the TLS handshake within [`TLS_TIME_MAX`]. Logs a failure; a client that speaks plain HTTP gets a 400.
///
/// It waits with the first byte unread while the budget is nearly used up: what the kernel holds costs wsd nothing.
/// The largest message of a handshake counts from the first byte on: the bytes that rustls holds are not known.
async fn secure(
    mut stream: Plain,
    source: Accepted,
    certificates: &Certificates,
    budget: &Budget,
    shutdown: &Shutdown,
) -> Option<(Stream, Option<Tls>)> {
    let owner = Owner::new(budget, OwnerKind::Client);
    let mut share = owner.share();
    let handshake = async {
        let first = first_byte(&stream).await?;
        while budget.is_full() {
            sleep(TLS_PAUSE).await;
        }
        share.set(TLS_BYTES, 0);
        // TLS does not begin with a letter.
        if first.is_ascii_uppercase() {
            stream.write_all(tls::PLAIN_HTTP).await?;
            stream.shutdown().await?;
            return Err(io::Error::other(PLAIN));
        }
        let config = Arc::clone(&certificates.borrow());
        TlsAcceptor::from(config).accept(Followed::new(stream)).await
    };
    let done = tokio::select! {
        done = timeout(TLS_TIME_MAX, handshake) => done.unwrap_or_else(|_| Err(io::Error::other("too slow"))),
        () = owner.asked() => return None,
        () = shutdown.begun() => return None,
    };
    match done {
        Ok(stream) => {
            let tls = tls::describe(stream.get_ref().1);
            Some((Stream::Right(Box::new(stream)), Some(tls)))
        }
        Err(cause) => {
            let is_plain = cause.get_ref().is_some_and(|cause| cause.to_string() == PLAIN);
            let hint = is_plain.then_some("connect with https:// or wss://; --redirport=80 redirects plain HTTP");
            Event::ConnectionRefused { peer: source.peer, why: "tls", cause: &cause, hint }.emit();
            None
        }
    }
}

/// The cause of a client without TLS.
const PLAIN: &str = "plain HTTP on a port of TLS";

/// Peeks at the first byte of a connection; the next read still returns it.
async fn first_byte(stream: &Plain) -> io::Result<u8> {
    let mut byte = [0];
    let peek = |fd: std::os::fd::BorrowedFd<'_>, byte: &mut [u8; 1]| match rustix::net::recv(fd, byte, RecvFlags::PEEK)
    {
        Ok((_, 0)) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(()),
        Err(errno) => Err(io::Error::from(errno)),
    };
    match stream {
        Plain::Left(tcp) => tcp.async_io(Interest::READABLE, || peek(tcp.as_fd(), &mut byte)).await?,
        Plain::Right(unix) => unix.async_io(Interest::READABLE, || peek(unix.as_fd(), &mut byte)).await?,
    }
    Ok(byte[0])
}

/// Returns the next connection. After an error, such as too few descriptors, waits [`ACCEPT_PAUSE`] and tries again.
async fn next(listener: &Listener) -> (Plain, Peer) {
    let mut has_warned = false;
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut has_warned, true) {
                    Event::ConnectionsWait { cause: &error, hint: advice::for_error(&error).as_deref() }.emit();
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether `accept(2)` failed for one client only, which left or is unreachable; the next call may succeed at once.
fn is_of_client(error: &io::Error) -> bool {
    let of_network = [Errno::PROTO, Errno::NETDOWN, Errno::NETUNREACH, Errno::HOSTDOWN, Errno::HOSTUNREACH];
    is_one_of(error, &[Errno::CONNABORTED, Errno::INTR, Errno::PERM]) || is_one_of(error, &of_network)
}

fn is_one_of(error: &io::Error, errnos: &[Errno]) -> bool {
    errnos.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
