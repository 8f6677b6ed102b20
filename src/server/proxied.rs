//! Finds the client of an accepted connection: the peer, or the client that a trusted proxy names by the PROXY protocol.

use std::{io, net::SocketAddr};

use tokio::{io::AsyncReadExt, time::timeout};

use super::proxy_header::{HEADER_BYTES_MAX, ProxyHeader, parse};
use crate::{
    event::Event,
    http::proxies::Proxies,
    limits::PROXY_TIME_MAX,
    peer::{Accepted, Peer},
    shutdown::Shutdown,
    socket::stream::Plain,
};

/// The reason for which wsd closes a connection with `--proxy-protocol`, in the log.
const WHY: &str = "proxy";

/// Returns the source of a connection. With `--proxy-protocol`, reads the header first: before TLS, within [`PROXY_TIME_MAX`].
///
/// Returns `None`, with a line in the log, for a connection to close: of a peer that is not trusted, or without a header.
pub(super) async fn source(stream: &mut Plain, peer: Peer, proxies: &Proxies, shutdown: &Shutdown) -> Option<Accepted> {
    let is_proxy = proxies.trust(peer);
    if !proxies.has_protocol {
        return Some(Accepted { peer, is_proxy });
    }
    if !is_proxy {
        Event::ConnectionRefused { peer, why: WHY, cause: &"--trust-proxy does not have this peer", hint: None }.emit();
        return None;
    }
    // In a box, so that other connections do not hold the room for a header.
    let header = Box::pin(timeout(PROXY_TIME_MAX, read(stream)));
    let read = tokio::select! {
        read = header => read.unwrap_or_else(|_| Err(io::Error::other("its header of the PROXY protocol is too slow"))),
        () = shutdown.begun() => return None,
    };
    match read {
        Ok(Some(client)) => {
            let peer = Peer::Tcp(client);
            Some(Accepted { peer, is_proxy: proxies.trust(peer) })
        }
        // The proxy does not tell for whom it connects, so the headers of the request may be of anybody.
        Ok(None) => Some(Accepted { peer, is_proxy: false }),
        Err(cause) => {
            Event::ConnectionRefused { peer, why: WHY, cause: &cause, hint: None }.emit();
            None
        }
    }
}

/// Reads the header, and no byte after it.
async fn read(stream: &mut Plain) -> io::Result<Option<SocketAddr>> {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let mut length = 0;
    loop {
        match parse(&bytes[..length]).map_err(io::Error::other)? {
            ProxyHeader::Needs(more) => {
                stream.read_exact(&mut bytes[length..length + more]).await?;
                length += more;
            }
            ProxyHeader::Whole { client, mut skip } => {
                while skip > 0 {
                    let part = skip.min(bytes.len());
                    stream.read_exact(&mut bytes[..part]).await?;
                    skip -= part;
                }
                return Ok(client);
            }
        }
    }
}
