//! Opens the byte stream to a server: TCP or a Unix socket, through a proxy, within TLS.

use std::{env, io, os::unix::net::SocketAddr, path::Path};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use super::{
    destination::{Destination, Place},
    error::ConnectError,
    proxy::Proxy,
    tls::secure,
};

/// A byte stream to a server, of any kind.
pub(super) type ByteStream = Box<dyn Duplex>;

/// A byte stream in both directions.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Opens the byte stream to the server. `tls` is for a server with TLS only.
pub(super) async fn dial(server: &Destination, tls: Option<&TlsConnector>) -> Result<ByteStream, ConnectError> {
    let (host, port) = match &server.place {
        Place::Unix(path) => return Ok(Box::new(connect_unix(path).await?)),
        Place::Tcp(host, port) => (host, *port),
    };
    let stream = match Proxy::of_environment(host, server.is_tls, |name| env::var(name).ok())? {
        None => connect_tcp(host, port, "").await?,
        Some(proxy) => {
            let mut stream = connect_tcp(&proxy.host, proxy.port, "the proxy ")
                .await
                .map_err(|error| error.hint(proxy.advice(host)))?;
            proxy.tunnel(&mut stream, host, port).await?;
            stream
        }
    };
    match tls {
        Some(connector) => Ok(Box::new(secure(stream, connector, host, port).await?)),
        None => Ok(Box::new(stream)),
    }
}

/// Connects to the first address of the host that answers. `what` is put before the host in errors.
async fn connect_tcp(host: &str, port: u16, what: &str) -> Result<TcpStream, ConnectError> {
    let addresses = lookup_host((host, port)).await.map_err(|cause| {
        let cause = cause.to_string();
        // A resolver's message, behind words that say the same as ours.
        let cause = cause.strip_prefix("failed to lookup address information: ").unwrap_or(&cause);
        ConnectError::passing(format!("cannot find {what}host `{host}`: {cause}"))
            .hint("check the spelling of the host, and that this machine reaches a name server")
    })?;
    let mut failure = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A message must not wait for the answer to the one before it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(cause) => failure = Some((address, cause)),
        }
    }
    let Some((address, cause)) = failure else {
        return Err(ConnectError::passing(format!("cannot find {what}host `{host}`: it has no address")));
    };
    let error = ConnectError::passing(format!("cannot connect to {what}{address}: {cause}"));
    Err(if cause.kind() == io::ErrorKind::ConnectionRefused {
        error.hint("start the server there, or check host and port; --retry waits for it")
    } else {
        error
    })
}

/// Connects to a Unix socket; `@NAME` is an abstract one.
async fn connect_unix(path: &Path) -> Result<UnixStream, ConnectError> {
    let name = path.to_str().and_then(|path| path.strip_prefix('@'));
    let connected = match name {
        Some(name) => connect_abstract(name),
        None => UnixStream::connect(path).await,
    };
    connected.map_err(|cause| {
        let message = format!("cannot connect to the Unix socket `{}`: {cause}", path.display());
        match cause.kind() {
            io::ErrorKind::PermissionDenied => ConnectError::new(message)
                .hint("ask for the right to write to it: wsd --socketmode sets its permissions"),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ConnectError::passing(message)
                .hint("start the server there, or check the path; write unix:SOCKET:/PATH for a path of the server"),
            _ => ConnectError::passing(message),
        }
    })
}

#[cfg(target_os = "linux")]
fn connect_abstract(name: &str) -> io::Result<UnixStream> {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::UnixStream as StdStream};

    // A connection within this machine is there at once, or fails.
    let stream = StdStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &str) -> io::Result<UnixStream> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
