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

use super::records::Records;
use crate::limits::TLS_BYTES;

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Without TLS.
    Plain(Plain),
    /// With TLS, after its handshake.
    Tls(Box<TlsStream<Followed>>),
}

/// An accepted connection of the kernel.
#[derive(Debug)]
pub(crate) enum Plain {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

/// An accepted connection that TLS reads. It follows the records, since rustls does not tell what it holds of one.
#[derive(Debug)]
pub(crate) struct Followed {
    plain: Plain,
    records: Records,
}

trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl Stream {
    /// Whether the kernel knows that the peer has closed its side or reset the connection.
    ///
    /// It can be true while unread bytes are left. If it is false, the peer may still be gone.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_gone(),
            Self::Tls(stream) => stream.get_ref().0.plain.is_gone(),
        }
    }

    /// Returns an upper bound of the encrypted bytes that TLS holds until the peer takes them or sends the rest of a record;
    /// 0 without TLS.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(stream) => {
                let (followed, tls) = stream.get_ref();
                followed.records.held() + if tls.wants_write() { TLS_BYTES } else { 0 }
            }
        }
    }

    fn bytes(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream),
            Self::Tls(stream) => Pin::new(stream),
        }
    }
}

impl Plain {
    fn is_gone(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = match self {
            Self::Tcp(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut cx),
            Self::Unix(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut cx),
        };
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    fn bytes(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

impl Followed {
    /// Follows a connection from its first byte.
    pub(crate) fn new(plain: Plain) -> Self {
        Self { plain, records: Records::default() }
    }

    fn bytes(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        Pin::new(&mut self.get_mut().plain)
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

/// Delegates every read to the inner stream.
macro_rules! delegate_reads {
    ($($stream:ty),+) => {$(
        impl AsyncRead for $stream {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                self.bytes().poll_read(cx, to)
            }
        }
    )+};
}

/// Delegates every write to the inner stream.
macro_rules! delegate_writes {
    ($($stream:ty),+) => {$(
        impl AsyncWrite for $stream {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                self.bytes().poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.bytes().poll_write_vectored(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.bytes().poll_flush(cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.bytes().poll_shutdown(cx)
            }
        }
    )+};
}

delegate_reads!(Stream, Plain);
delegate_writes!(Stream, Plain, Followed);
