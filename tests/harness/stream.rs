//! The stream of a connection: a socket of any family, with or without TLS.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SocketType, bind, connect, getsockname, socket};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::time::deadline;

/// A connected socket. No read and no write takes longer than the deadline unless another time is set.
pub struct Stream {
    socket: File,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// Over TCP.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, deadline())?;
        stream.set_nodelay(true)?;
        Self::of(stream)
    }

    /// Over TCP, from this address of the machine.
    pub fn tcp_from(own: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from((own, 0))).unwrap();
        connect(&socket, &address).unwrap();
        Self::over(TcpStream::from(socket))
    }

    /// Over the Unix socket at this path; on Linux a path that begins with `@` is a name without a file.
    pub fn unix(path: &str) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(name) = path.strip_prefix('@') {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return Self::of(UnixStream::connect_addr(&address)?);
        }
        Self::of(UnixStream::connect(Path::new(path))?)
    }

    /// Over a socket that is connected already.
    pub fn over(stream: TcpStream) -> Self {
        Self::of(stream).unwrap()
    }

    fn of(socket: impl Into<OwnedFd>) -> io::Result<Self> {
        let stream = Self { socket: File::from(socket.into()), tls: None };
        stream.set_read_timeout(Some(deadline()))?;
        stream.set_write_timeout(Some(deadline()))?;
        Ok(stream)
    }

    /// Connects with TLS to a server that must be `localhost`. If the server refuses the client's
    /// certificate, only the first read fails (TLS 1.3).
    pub fn secure(mut self, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(self)
    }

    /// Returns the parameters that TLS has agreed on.
    pub fn tls(&self) -> &ClientConnection {
        self.tls.as_ref().expect("a connection within TLS")
    }

    /// The address of this end, as the server sees it.
    pub fn local_address(&self) -> SocketAddr {
        getsockname(&self.socket).unwrap().try_into().expect("a connection over TCP")
    }

    /// Says that nothing more will be sent; the other end may have gone already.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            tls.complete_io(&mut self.socket).unwrap();
        }
        let finished = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Write);
        assert!(matches!(finished, Ok(()) | Err(Errno::NOTCONN)), "{finished:?}");
    }

    /// Sets how long a read may take.
    pub fn set_read_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.socket, Timeout::Recv, time)?)
    }

    /// Sets how long a write may take.
    pub fn set_write_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(&self.socket, Timeout::Send, time)?)
    }

    /// Reads, and leaves there what it read. Within TLS it is of no use: what is there may be no data.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.tls.is_none());
        Ok(rustix::net::recv(&self.socket, buffer, RecvFlags::PEEK)?.0)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.socket).flush(),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<Stream> for TcpStream {
    /// The bare socket, which is taken to be one of TCP.
    fn from(stream: Stream) -> Self {
        Self::from(OwnedFd::from(stream.socket))
    }
}
