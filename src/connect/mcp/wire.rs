//! HTTP to the server: requests over connections that serve one request after another.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, USER_AGENT},
    http::response::Parts,
};
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::{
    cli::{connect::ConnectLine, value::is_on},
    connect::{
        call::part_of,
        destination::{Destination, Place},
        dial,
        error::ConnectError,
        headers::{self, Taken},
        say::say,
        tls,
    },
    limits::{CONNECT_MCP_IDLE, CONNECT_TIME_MAX, RESTART_MAX, RETRY_MIN, SHUTDOWN_ANSWER},
};

/// The headers of a request of MCP.
const TAKEN: Taken = Taken {
    holds: is_taken,
    by: "the protocol",
    hint: "leave it out; the client makes it from the session and the message",
};

fn is_taken(name: &HeaderName) -> bool {
    [ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING].contains(name)
        || ["connection", "last-event-id", "upgrade"].contains(&name.as_str())
        || name.as_str().starts_with("mcp-")
}

/// The kinds of answers that a POST takes; both must be named.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
/// The kind of an answer to a GET.
const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

type HttpSender = SendRequest<Full<Bytes>>;

/// The way to the server.
pub(super) struct HttpWay {
    server: Destination,
    target: Uri,
    /// The server and the path, for errors.
    pub(super) place: String,
    tls: Option<TlsConnector>,
    headers: HeaderMap,
    /// Whether to try again until there is a first connection: `--retry`.
    retries: bool,
    is_reached: AtomicBool,
    /// Connections without a request, each with the time of its last answer.
    idle: Mutex<Vec<(HttpSender, Instant)>>,
    heard: Mutex<Instant>,
}

impl HttpWay {
    /// Checks a command line.
    pub(super) fn new(line: &ConnectLine) -> Result<Self, ConnectError> {
        let server = Destination::parse(&line.url)?;
        let target = server.resource.parse().map_err(|cause| ConnectError::new(format!("invalid URL: {cause}")))?;
        let place = match &server.place {
            Place::Tcp(..) => format!("{}{}", server.authority, server.resource),
            Place::Unix(path) => format!("unix:{}:{}", path.display(), server.resource),
        };
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&server.authority).map_err(|_| headers::unfit("the URL"))?;
        headers.insert(HOST, host);
        headers::add(&mut headers, &server, &line.flags, &TAKEN)?;
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("wsd/", env!("CARGO_PKG_VERSION"))));
        Ok(Self {
            tls: server.is_tls.then(|| tls::connector(&line.flags)).transpose()?,
            server,
            target,
            place,
            headers,
            retries: is_on(&line.flags.retry),
            is_reached: AtomicBool::new(false),
            idle: Mutex::default(),
            heard: Mutex::new(Instant::now()),
        })
    }

    /// Whether there was a connection to the server.
    pub(super) fn is_reached(&self) -> bool {
        self.is_reached.load(Ordering::Relaxed)
    }

    /// Returns the time when the server last sent something.
    pub(super) fn heard(&self) -> Instant {
        *lock(&self.heard)
    }

    /// Sends a request with these headers, too. Returns the head of the answer.
    pub(super) async fn send(
        self: &Arc<Self>,
        method: Method,
        more: HeaderMap,
        body: Bytes,
    ) -> Result<StreamableReply, ConnectError> {
        let mut request = Request::new(Full::new(body));
        *request.uri_mut() = self.target.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(ACCEPT, if method == Method::GET { STREAM } else { ACCEPTED });
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.extend(more);
        *request.method_mut() = method;
        loop {
            let used = self.take_idle();
            let is_new = used.is_none();
            let mut sender = match used {
                Some(sender) => sender,
                None => self.open().await?,
            };
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    *lock(&self.heard) = Instant::now();
                    let (head, body) = answer.into_parts();
                    return Ok(StreamableReply { head, body, sender, wire: Arc::clone(self) });
                }
                Err(mut error) => match error.take_message().filter(|_| !is_new) {
                    // The server has closed the connection before the request.
                    Some(unsent) => request = unsent,
                    None => return Err(self.broken(error.error())),
                },
            }
        }
    }

    fn broken(&self, cause: &hyper::Error) -> ConnectError {
        let text = format!("cannot get an answer of {}: the connection broke: {cause}", self.place);
        ConnectError::passing(text)
    }

    fn take_idle(&self) -> Option<HttpSender> {
        let mut idle = lock(&self.idle);
        idle.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < CONNECT_MCP_IDLE);
        idle.pop().map(|(sender, _)| sender)
    }

    /// Opens a connection; with `--retry` until the first one is there.
    async fn open(&self) -> Result<HttpSender, ConnectError> {
        let mut pause = RETRY_MIN;
        loop {
            let error = match self.attempt().await {
                Err(error) if self.retries && error.is_passing && !self.is_reached() => error,
                done => return done.inspect(|_| self.is_reached.store(true, Ordering::Relaxed)),
            };
            let wait = part_of(pause);
            say(&format!("{}; trying again in {:.1} s", error.message(), wait.as_secs_f64()));
            sleep(wait).await;
            pause = (2 * pause).min(RESTART_MAX);
        }
    }

    async fn attempt(&self) -> Result<HttpSender, ConnectError> {
        let opening = async {
            let stream = dial::dial(&self.server, self.tls.as_ref()).await?;
            let opened = http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await;
            let (sender, connection) = opened.map_err(|cause| self.broken(&cause))?;
            tokio::spawn(connection);
            Ok(sender)
        };
        let late = |_| {
            let seconds = CONNECT_TIME_MAX.as_secs();
            ConnectError::passing(format!("cannot connect to {}: no answer in {seconds} s", self.place))
                .hint("check host and port, and whether a firewall drops the connection")
        };
        timeout(CONNECT_TIME_MAX, opening).await.map_err(late)?
    }
}

/// An answer of the server; dropping it before its end closes the connection.
pub(super) struct StreamableReply {
    /// The status and the headers.
    pub(super) head: Parts,
    body: Incoming,
    sender: HttpSender,
    wire: Arc<HttpWay>,
}

impl StreamableReply {
    /// Whether it is a stream of events.
    pub(super) fn is_stream(&self) -> bool {
        self.kind().is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// Returns the type of the body in lower case.
    pub(super) fn kind(&self) -> Option<String> {
        self.head.headers.get(CONTENT_TYPE)?.to_str().ok().map(str::to_ascii_lowercase)
    }

    /// Returns the next bytes of the body; `None` at its end. Cancel safe.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>, ConnectError> {
        loop {
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            *lock(&self.wire.heard) = Instant::now();
            if let Ok(data) = frame.map_err(|cause| self.wire.broken(&cause))?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Reads the whole body, up to a limit. Returns `None` beyond it.
    pub(super) async fn read_all(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut body = Vec::new();
        while let Some(bytes) = self.read().await? {
            if body.len() + bytes.len() > bytes_max {
                return Ok(None);
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Some(body))
    }

    /// Keeps the connection for another request, if the answer ends soon.
    pub(super) fn finish(mut self) {
        tokio::spawn(async move {
            let rest = async { while let Ok(Some(_)) = self.read().await {} };
            if timeout(SHUTDOWN_ANSWER, rest).await.is_ok() {
                let Self { sender, wire, .. } = self;
                lock(&wire.idle).push((sender, Instant::now()));
            }
        });
    }
}

/// Locks, and ignores poisoning: a panic leaves no half-done change behind these locks.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
