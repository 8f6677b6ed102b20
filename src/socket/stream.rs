//! The byte streams that HTTP and WebSockets run over: TCP or a Unix socket, plain or within TLS.

use std::{
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::records::Records;
use crate::limits::TLS_BYTES;

/// An accepted connection: without TLS, or with TLS after its handshake.
pub(crate) type Stream = Either<Plain, Box<TlsStream<Followed>>>;

/// An accepted connection of the kernel: TCP or a Unix socket.
pub(crate) type Plain = Either<TcpStream, UnixStream>;

/// An accepted connection that TLS reads. It follows the records, since rustls does not tell what it holds of one.
#[derive(Debug)]
pub(crate) struct Followed {
    plain: Plain,
    records: Records,
}

/// Whether the kernel knows that the peer has closed its side or reset the connection.
///
/// It can be true while unread bytes are left. If it is false, the peer may still be gone.
pub(crate) fn is_gone(stream: &Stream) -> bool {
    let plain = match stream {
        Stream::Left(plain) => plain,
        Stream::Right(tls) => &tls.get_ref().0.plain,
    };
    let mut cx = Context::from_waker(Waker::noop());
    let ready = match plain {
        Plain::Left(tcp) => pin!(tcp.ready(Interest::READABLE)).poll(&mut cx),
        Plain::Right(unix) => pin!(unix.ready(Interest::READABLE)).poll(&mut cx),
    };
    matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
}

/// Returns an upper bound of the encrypted bytes that TLS holds until the peer takes them or sends the rest of a record; 0
/// without TLS.
pub(crate) fn held(stream: &Stream) -> usize {
    match stream {
        Stream::Left(_) => 0,
        Stream::Right(tls) => {
            let (followed, tls) = tls.get_ref();
            followed.records.held() + if tls.wants_write() { TLS_BYTES } else { 0 }
        }
    }
}

impl Followed {
    /// Follows a connection from its first byte.
    pub(crate) fn new(plain: Plain) -> Self {
        Self { plain, records: Records::default() }
    }
}

impl AsyncRead for Followed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { plain, records } = self.get_mut();
        let before = to.filled().len();
        let read = Pin::new(plain).poll_read(cx, to);
        records.pass(&to.filled()[before..]);
        read
    }
}

impl AsyncWrite for Followed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.plain).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.plain).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.plain.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.plain).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.plain).poll_shutdown(cx)
    }
}
