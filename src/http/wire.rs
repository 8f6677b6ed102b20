//! Adapts what hyper writes by itself: it spells the headers of a 101 as RFC 6455 does, for old clients that compare letter
//! by letter, and puts a text in the place of the empty answer to a request that hyper cannot read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    str,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pace::Timed;

/// A connection with adapted answers.
#[derive(Debug)]
pub(super) struct Wire {
    timed: Timed,
    exchange: Arc<Exchange>,
    /// The rest of the answer to an unreadable request.
    refusal: Vec<u8>,
}

/// The state of a connection that its answers need.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The number of answers that hyper has been given and has not begun to write. An answer without one is hyper's own.
    owed: AtomicUsize,
    /// The first bytes that the client sent.
    front: OnceLock<[u8; FRONT_BYTES]>,
}

/// As many bytes tell TLS and the PROXY protocol from HTTP.
const FRONT_BYTES: usize = 6;

impl Exchange {
    /// Notes that hyper gets an answer to write.
    pub(super) fn owe(&self) {
        self.owed.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the protocol that the client speaks in place of HTTP, if wsd knows it.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        match self.front.get()? {
            [0x16, 3, ..] => Some(Foreign::Tls),
            b"PROXY " | b"\r\n\r\n\0\r" => Some(Foreign::Proxy),
            _ => None,
        }
    }
}

/// A protocol in place of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// TLS.
    Tls,
    /// The PROXY protocol of `HAProxy`, version 1 or 2.
    Proxy,
}

impl Wire {
    /// Wraps a connection.
    pub(super) fn new(timed: Timed, exchange: Arc<Exchange>) -> Self {
        Self { timed, exchange, refusal: Vec::new() }
    }

    /// Returns the connection, without adapted answers.
    pub(super) fn into_inner(self) -> Timed {
        self.timed
    }

    /// Writes the answer to an unreadable request, if there is one.
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let count = ready!(Pin::new(&mut self.timed).poll_write(cx, &self.refusal))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the beginning of an answer; `None` if `bytes` are to be written as they are.
    fn poll_head(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Option<Poll<io::Result<usize>>> {
        let status = status(bytes)?;
        let is_own = self.exchange.owed.load(Ordering::Relaxed) == 0;
        if is_own && status.is_client_error() && bytes.ends_with(b"\r\n\r\n") {
            self.refusal = refusal(status, self.exchange.foreign());
            return Some(Poll::Ready(Ok(bytes.len())));
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        let spelled = str::from_utf8(bytes).ok()?.replace("Sec-Websocket-", "Sec-WebSocket-");
        Some(Pin::new(&mut self.timed).poll_write(cx, spelled.as_bytes()))
    }

    /// Counts an answer that hyper has begun to write.
    fn count(&self, bytes: &[u8], written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) && status(bytes).is_some_and(|status| status != StatusCode::CONTINUE)
        {
            let one_less = |owed: usize| owed.checked_sub(1);
            let _ = self.exchange.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        }
    }
}

/// Returns the status of the answer that begins here, if one does.
fn status(bytes: &[u8]) -> Option<StatusCode> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    StatusCode::from_bytes(rest.get(..3)?).ok()
}

/// Returns the answer to an unreadable request.
fn refusal(status: StatusCode, foreign: Option<Foreign>) -> Vec<u8> {
    let advice = match foreign {
        Some(Foreign::Tls) => "This port does not speak TLS: use http:// or ws://, or start wsd with --ssl.",
        Some(Foreign::Proxy) => "This server does not read the PROXY protocol: switch it off in the proxy.",
        None if status == StatusCode::BAD_REQUEST => {
            "This is not HTTP/1.1. Quotes, angle brackets and spaces in a URL are percent-encoded: %22, %3C, %3E, %20."
        }
        None => "The head of the request has more than 32 KiB or 100 headers.",
    };
    let body = format!("{status}\n\n{advice}\n");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.timed).poll_read(cx, buffer);
        if self.exchange.front.get().is_none()
            && let Some(front) = buffer.filled()[before..].first_chunk()
        {
            let _ = self.exchange.front.set(*front);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        let head = self.poll_head(cx, bytes);
        let written = head.unwrap_or_else(|| Pin::new(&mut self.timed).poll_write(cx, bytes));
        self.count(bytes, &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        let first = parts.iter().map(|part| &**part).find(|part| !part.is_empty()).unwrap_or_default();
        let head = self.poll_head(cx, first);
        let written = head.unwrap_or_else(|| Pin::new(&mut self.timed).poll_write_vectored(cx, parts));
        self.count(first, &written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.timed.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.timed).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.timed).poll_shutdown(cx)
    }
}
