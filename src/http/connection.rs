//! One HTTP connection: serves requests one after the other, until it closes or becomes a WebSocket.

use std::{
    convert::Infallible,
    fmt::Display,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Body as _, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{Instrument as _, Span};

use super::{
    pace::Timed,
    page::Body,
    proxies::Proxies,
    refusal::Refusal,
    source_limits::InFlight,
    wire::{Exchange, Foreign, Wire},
};
use crate::{
    budget::{Budget, Owner, OwnerKind, Share},
    event::{Event, trace_span},
    limits::{HEAD_BYTES_MAX, HTTP_BUFFER_BYTES_MAX, SHUTDOWN_ANSWER},
    metrics::counts::HttpConnection,
    peer::{Connection, Peer},
    shutdown::Shutdown,
    socket::stream::Stream,
    trace,
};

/// Serves the stream of a connection until it closes or a session takes it over; `respond` answers each request of a client, or
/// its refusal. A trusted proxy may name another client for each request.
///
/// A request with a body has the [`Owner`] of the connection's bytes among its extensions.
pub(crate) async fn serve<F: Future<Output = HttpReply>>(
    stream: Stream,
    (connection, proxies): (&Connection, &Proxies),
    budget: &Budget,
    shutdown: &Shutdown,
    respond: impl Fn(Result<Connection, Refusal>, Request<Incoming>) -> F,
) {
    let _counted = HttpConnection::count();
    let peer = connection.peer;
    let owner = Owner::new(budget, OwnerKind::Client);
    let exchange = Arc::<Exchange>::default();
    let wire = Wire::new(Timed::new(stream, exchange.answers(), owner.clone()), Arc::clone(&exchange));
    let service = service_fn(|mut request: Request<Incoming>| {
        let has_body = !request.body().is_end_stream();
        exchange.set_body(has_body);
        if has_body {
            request.extensions_mut().insert(owner.clone());
        }
        let answer = exchange.begin();
        let uri = request.uri().clone();
        let client = proxies.client(connection, uri.path(), request.headers_mut());
        let mut record = Record::new(client.as_ref().map_or(peer, |client| client.peer), uri, &request);
        let response = respond(client, request).instrument(record.span.clone());
        let share = owner.share();
        async move {
            let HttpReply { response, kind, in_flight } = response.await;
            (record.status, record.kind) = (response.status().as_u16(), kind);
            let answered =
                |body| CountedBody { body, fault: None, share, record, _answer: answer, _in_flight: in_flight };
            Ok::<_, Infallible>(response.map(answered))
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES_MAX)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // Errors here are the client's: it broke HTTP, was too slow or left. It has got an error response where it could.
    tokio::select! {
        ended = connection.as_mut() => if let Err(error) = ended && error.is_parse() {
            log_unreadable(peer, exchange.foreign(), &error);
        },
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(SHUTDOWN_ANSWER, connection).await;
        }
    }
}

fn log_unreadable(peer: Peer, foreign: Option<Foreign>, error: &hyper::Error) {
    let (cause, hint): (&dyn Display, _) = match foreign {
        Some(Foreign::Tls) => (&"TLS on a port without TLS", Some("use http:// or ws://, or start wsd with --ssl")),
        Some(Foreign::Proxy) => {
            (&"the PROXY protocol", Some("switch it off in the proxy, or start wsd with --proxy-protocol"))
        }
        Some(Foreign::Http2) => (&"HTTP/2", Some("choose HTTP/1.1 in the client or the proxy")),
        None => (error, None),
    };
    Event::RequestUnreadable { peer, cause, hint }.emit();
}

/// A response, and the facts of it that no client sees.
#[derive(Debug)]
pub(crate) struct HttpReply {
    /// The response.
    pub(crate) response: Response<Body>,
    /// The kind of the answer.
    pub(crate) kind: AnswerKind,
    /// Counts the request for its source until the client has the response; `None` without a limit.
    pub(crate) in_flight: Option<InFlight>,
}

impl HttpReply {
    /// Returns a response to a request that counts for no source.
    pub(crate) fn new(response: Response<Body>, kind: AnswerKind) -> Self {
        Self { response, kind, in_flight: None }
    }
}

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    /// It is logged, and counted by this word.
    Counted(&'static str),
    /// It is neither: whoever watches wsd asks often.
    Watched,
}

/// An answered request, for the log. Dropping it logs it, unless the connection becomes a session.
#[derive(Debug)]
struct Record {
    peer: Peer,
    method: Method,
    uri: Uri,
    /// Adds its trace to its line in the log.
    span: Span,
    kind: AnswerKind,
    status: u16,
    /// The bytes of the body that hyper has taken.
    bytes: u64,
    began: Instant,
}

/// The status in the log of a request whose client left before the answer; nginx's convention.
const CLIENT_LEFT: u16 = 499;

impl Record {
    fn new(peer: Peer, uri: Uri, request: &Request<Incoming>) -> Self {
        let method = request.method().clone();
        let span = trace_span(trace::id(request.headers().get_all("traceparent").iter().map(HeaderValue::as_bytes)));
        Self {
            peer,
            method,
            uri,
            span,
            kind: AnswerKind::Counted("none"),
            status: CLIENT_LEFT,
            bytes: 0,
            began: Instant::now(),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.status != StatusCode::SWITCHING_PROTOCOLS.as_u16()
            && let AnswerKind::Counted(kind) = self.kind
        {
            let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (peer, method, path) = (self.peer, self.method.as_str(), self.uri.path());
            let event = Event::HttpRequest { peer, method, path, status: self.status, bytes: self.bytes, ms, kind };
            self.span.in_scope(|| event.emit());
        }
    }
}

/// The body of an answer. While it exists, the client may be silent.
struct CountedBody {
    body: Body,
    /// The error of `body`, which hyper gets at the next poll: in this one it writes the data before it.
    fault: Option<io::Error>,
    /// Counts the data that waits for the client.
    share: Share,
    record: Record,
    _answer: TaskTrackerToken,
    /// Counts the request for its source.
    _in_flight: Option<InFlight>,
}

/// Bytes from which on a part of an answer counts against the budget while it waits.
const COUNTED_BYTES_MIN: usize = 1 << 10;

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, io::Error>>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(fault))) => {
                self.fault = Some(fault);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame.map_data(|data| self.count(data))))),
            Poll::Pending => {
                // An event stream may be idle for hours.
                self.share.set(0, 0);
                Poll::Pending
            }
            end @ Poll::Ready(None) => end,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.fault.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

impl CountedBody {
    /// Counts a part of the answer until hyper has written it. Counts as much twice for the source of the next parts: the
    /// file's own buffer and the one that it is read into, or the way from a script.
    fn count(&mut self, data: Bytes) -> Bytes {
        self.record.bytes += data.len() as u64;
        if data.len() < COUNTED_BYTES_MIN {
            return data;
        }
        let size = data.len();
        self.share.set(2 * size, size);
        self.share.owner().budget().count(data, size)
    }
}

/// Returns the stream of an upgraded connection, and the bytes of frames that the client sent together with its request.
pub(crate) fn into_stream(upgraded: Upgraded) -> (Stream, Vec<u8>) {
    let parts = upgraded.downcast::<TokioIo<Wire>>().expect("every connection is served through Wire");
    // A copy, mostly an empty one: the buffer itself would hold hyper's 8 KiB for the whole session.
    (parts.io.into_inner().into_inner().into_inner(), parts.read_buf.to_vec())
}
