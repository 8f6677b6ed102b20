//! From a request to a session: checks the handshake, starts the program, and only then says 101.

use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    http::request::Parts,
};
use tracing::{error, warn};

use super::{
    Body, Context, connection, handshake,
    origin::Refusal,
    page::{not_found, page, text_body},
    path,
    scripts::{Script, Scripts},
};
use crate::{
    admission::Permit,
    limits::RETRY_AFTER_SECS,
    session,
    socket::Socket,
    worker::{
        Worker,
        child::{LaunchError, spawn},
        environ::{Facts, variables},
    },
};

/// Answers a request for a WebSocket; with a 101, a session has begun.
pub(super) fn respond(context: &Context, scripts: &Scripts, mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (request, _) = request.into_parts();
    match begin(context, scripts, &request) {
        Err(refusal) => refusal,
        Ok(Begun { accept, worker, permit }) => {
            let Context { site, connection, shutdown } = context.clone();
            let path = request.uri.path().to_owned();
            let session = async move {
                // Fails if the client leaves before the 101; the worker is killed as it is dropped.
                let Ok(upgraded) = upgrade.await else { return };
                let (stream, early) = connection::into_stream(upgraded);
                let socket = Socket::new(stream, early, site.session.message_bytes_max);
                session::run(connection, path, socket, worker, &site.session, permit, shutdown).await;
            };
            context.shutdown.spawn(session);
            switching_protocols(&accept)
        }
    }
}

/// A session about to begin.
struct Begun {
    /// `Sec-WebSocket-Accept`.
    accept: String,
    worker: Worker,
    permit: Permit,
}

#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
/// All that can fail, in this order: the handshake, the origin, the path, the fork limit, the program.
fn begin(context: &Context, scripts: &Scripts, request: &Parts) -> Result<Begun, Response<Body>> {
    let accept = handshake::accept(request).map_err(|refusal| refuse_handshake(context, refusal))?;
    check_origin(context, &request.headers)?;
    let path = path::decode(request.uri.path());
    let Some(script) = scripts.find(&path) else {
        refused(context, "path", "");
        return Err(not_found("There is no program at this path."));
    };
    let Some(permit) = context.site.admission.admit() else {
        refused(context, "maxforks", "raise --maxforks");
        let text = "As many programs are running as are allowed. Try again later.";
        return Err(with_retry_after(page(StatusCode::TOO_MANY_REQUESTS, text)));
    };
    let worker = launch(context, request, &script, &path).map_err(|error| launch_failed(context, &script, &error))?;
    Ok(Begun { accept, worker, permit })
}

#[expect(clippy::result_large_err, reason = "see above")]
fn check_origin(context: &Context, headers: &HeaderMap) -> Result<(), Response<Body>> {
    // Several headers in one text match nothing, as they should.
    let text = |name: HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let (origin, host) = (text(ORIGIN), text(HOST));
    let is_loopback = context.connection.peer.ip().is_loopback();
    let refusal = match context.site.origin.check(origin.as_deref(), host.as_deref(), is_loopback) {
        Ok(()) => return Ok(()),
        Err(refusal) => refusal,
    };
    let origin = origin.unwrap_or_default();
    let hint = match origin.as_str() {
        "" => "--origin=file://".to_owned(),
        origin => format!("--origin={origin}"),
    };
    let why = match refusal {
        Refusal::Origin => "origin",
        Refusal::Host => "host",
    };
    let Context { connection, .. } = context;
    warn!(peer = %connection.peer, why, origin, host = host.unwrap_or_default(), hint, "session refused");
    let text = "Pages of this origin may not connect. The server's log names the flag that would allow it.";
    Err(with_version(page(StatusCode::FORBIDDEN, text)))
}

fn launch(context: &Context, request: &Parts, script: &Script<'_>, path: &[u8]) -> Result<Worker, LaunchError> {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let facts = Facts {
        peer: context.connection.peer,
        method: request.method.as_str(),
        protocol: "HTTP/1.1",
        target,
        script_name: script.name,
        path_info: script.path_info,
        path,
        query: request.uri.query().unwrap_or_default(),
        headers: &headers,
        is_tls: false,
    };
    spawn(&script.program, variables(&context.site.environ, &facts))
}

fn launch_failed(context: &Context, script: &Script<'_>, cause: &LaunchError) -> Response<Body> {
    let program = script.program.path.display();
    let hint = cause.hint().unwrap_or_default();
    error!(peer = %context.connection.peer, program = %program, cause = %cause, hint, "worker not started");
    if cause.is_shortage() {
        let text = "The server is out of processes, memory or descriptors. Try again later.";
        with_retry_after(page(StatusCode::SERVICE_UNAVAILABLE, text))
    } else {
        page(StatusCode::INTERNAL_SERVER_ERROR, "The program cannot be started. The server's log tells why.")
    }
}

fn refuse_handshake(context: &Context, refusal: handshake::Refusal) -> Response<Body> {
    refused(context, refusal.why, "");
    let mut response = with_version(page(refusal.status, refusal.text));
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

fn refused(context: &Context, why: &str, hint: &str) {
    let peer = context.connection.peer;
    if hint.is_empty() {
        warn!(%peer, why, "session refused");
    } else {
        warn!(%peer, why, hint, "session refused");
    }
}

fn switching_protocols(accept: &str) -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(accept).expect("base64 is visible ASCII"));
    response
}

fn with_version(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn with_retry_after(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECS.into());
    response
}
