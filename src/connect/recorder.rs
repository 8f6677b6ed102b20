//! A stream that records what is read during the handshake.
//!
//! tungstenite gives up a connection whose server chooses none of the subprotocols, and the bytes behind the answer with it. A
//! client that only offers to return goes on without.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::ByteStream;

/// The end of an answer's head.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A byte stream, and all that was read from it.
pub(super) struct Recorder {
    wire: ByteStream,
    read: Vec<u8>,
}

impl Recorder {
    /// Starts to record.
    pub(super) fn new(wire: ByteStream) -> Self {
        Self { wire, read: Vec::new() }
    }

    /// Returns the stream, the head of the answer, and the bytes that were read behind it.
    pub(super) fn end(self) -> (ByteStream, Vec<u8>, Vec<u8>) {
        let Self { wire, read: mut head } = self;
        let end = head.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END);
        let rest = head.split_off(end.map_or(head.len(), |at| at + HEAD_END.len()));
        (wire, head, rest)
    }
}

impl AsyncRead for Recorder {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        self.read.extend_from_slice(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
