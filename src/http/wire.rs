//! Adapts what hyper writes by itself: it spells the headers of a 101 as RFC 6455 does, for old clients that compare letter
//! by letter, and puts a text in the place of the empty answer to a request that hyper cannot read.
//!
//! It does so only when all earlier answers have left: the bytes of a body may look like an empty answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    str,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::pace::Timed;

/// A connection with adapted answers.
#[derive(Debug)]
pub(super) struct Wire {
    timed: Timed,
    exchange: Arc<Exchange>,
    /// The first bytes of the client, and how many of them are known.
    front: ([u8; FRONT_BYTES], usize),
    /// The rest of the answer to an unreadable request.
    refusal: Vec<u8>,
}

/// The state of a connection that its answers need.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The answers under way: from the request until hyper has the whole answer.
    answers: TaskTracker,
    /// Whether the client has not got all of those answers yet.
    is_answering: AtomicBool,
    /// Whether the last request has a body. hyper may close the connection before it has read all of it.
    has_body: AtomicBool,
    /// The first bytes that the client sent.
    front: OnceLock<[u8; FRONT_BYTES]>,
}

/// As many bytes tell TLS, the PROXY protocol and HTTP/2 from HTTP/1.1.
const FRONT_BYTES: usize = 6;

impl Exchange {
    /// Notes that hyper has read a request. The answer is under way until hyper has it and has dropped the token.
    pub(super) fn begin(&self) -> TaskTrackerToken {
        self.is_answering.store(true, Ordering::Relaxed);
        self.answers.token()
    }

    /// Notes that the request of the last answer has a body, or has none.
    pub(super) fn set_body(&self, has_body: bool) {
        self.has_body.store(has_body, Ordering::Relaxed);
    }

    /// Notes that all bytes have left that hyper has written so far.
    fn flushed(&self) {
        if self.answers.is_empty() {
            self.is_answering.store(false, Ordering::Relaxed);
        }
    }

    /// Returns the tracker of the answers under way.
    pub(super) fn answers(&self) -> TaskTracker {
        self.answers.clone()
    }

    /// Returns the protocol that the client speaks in place of HTTP, if wsd knows it.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        match self.front.get()? {
            [0x16, 3, ..] => Some(Foreign::Tls),
            b"PROXY " | b"\r\n\r\n\0\r" => Some(Foreign::Proxy),
            HTTP2 => Some(Foreign::Http2),
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
    /// HTTP/2 without TLS. A client that knows it of the server sends a preface (RFC 9113, section 3.4) and no upgrade.
    Http2,
}

/// The front of that preface.
const HTTP2: &[u8; FRONT_BYTES] = b"PRI * ";

impl Wire {
    /// Wraps a connection. `timed` has the tracker of the answers of `exchange`.
    pub(super) fn new(timed: Timed, exchange: Arc<Exchange>) -> Self {
        Self { timed, exchange, front: ([0; FRONT_BYTES], 0), refusal: Vec::new() }
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
        let is_own = self.exchange.is_answering.load(Ordering::Relaxed);
        if !is_own && status.is_client_error() && bytes.ends_with(b"\r\n\r\n") {
            self.refusal = refusal(status, self.exchange.foreign());
            return Some(Poll::Ready(Ok(bytes.len())));
        }
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        let spelled = str::from_utf8(bytes).ok()?.replace("\nSec-Websocket-", "\nSec-WebSocket-");
        Some(Pin::new(&mut self.timed).poll_write(cx, spelled.as_bytes()))
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
        Some(Foreign::Proxy) => {
            "This server does not read the PROXY protocol: switch it off in the proxy, or start wsd with \
             --proxy-protocol."
        }
        Some(Foreign::Http2) => "This server speaks HTTP/1.1, not HTTP/2: choose HTTP/1.1 in the client or the proxy.",
        None if status == StatusCode::BAD_REQUEST => {
            "The first line or a header is not valid HTTP/1.1. In a URL, quotes, angle brackets and spaces are \
             percent-encoded: %22, %3C, %3E, %20."
        }
        None => "The head of the request has more than 32 KiB or 100 headers, or an impossible Content-Length.",
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
        if self.exchange.front.get().is_none() {
            let (mut front, known) = self.front;
            let more = &buffer.filled()[before..];
            let taken = more.len().min(FRONT_BYTES - known);
            front[known..known + taken].copy_from_slice(&more[..taken]);
            self.front = (front, known + taken);
            if known + taken == FRONT_BYTES {
                let _ = self.exchange.front.set(front);
                if front == *HTTP2 {
                    // hyper answers a whole preface with nothing, and any other bytes that it cannot read with 400.
                    buffer.filled_mut()[before + FRONT_BYTES - 1 - known] = 0;
                }
            }
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        let head = self.poll_head(cx, bytes);
        head.unwrap_or_else(|| Pin::new(&mut self.timed).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_refusal(cx))?;
        let first = parts.iter().map(|part| &**part).find(|part| !part.is_empty()).unwrap_or_default();
        let head = self.poll_head(cx, first);
        head.unwrap_or_else(|| Pin::new(&mut self.timed).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        self.timed.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        ready!(Pin::new(&mut self.timed).poll_flush(cx))?;
        self.exchange.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        if self.exchange.has_body.load(Ordering::Relaxed) {
            self.timed.expect_more();
        }
        Pin::new(&mut self.timed).poll_shutdown(cx)
    }
}
