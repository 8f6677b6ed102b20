//! From a request to a session: checks the handshake, starts the program, and only then says 101.

use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CONNECTION, HOST, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    http::request::Parts,
};
use tracing::warn;

use super::{
    Body, Context, connection, handshake,
    launch::{admit, launch},
    origin::Refusal,
    page::{not_found, page, text_body},
    path,
    scripts::Scripts,
};
use crate::{
    admission::Permit,
    session,
    socket::Socket,
    worker::{Worker, environ::Content},
};

/// Answers a request for a WebSocket; with a 101, a session has begun.
pub(super) async fn respond(context: &Context, scripts: &Scripts, mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (request, _) = request.into_parts();
    match begin(context, scripts, &request).await {
        Err(refusal) => refusal,
        Ok((response, worker, permit)) => {
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
            response
        }
    }
}

/// All that can fail, in this order: the handshake, the origin, the path, the fork limit, the program.
async fn begin(
    context: &Context,
    scripts: &Scripts,
    request: &Parts,
) -> Result<(Response<Body>, Worker, Permit), Response<Body>> {
    let accept = handshake::accept(request).map_err(|refusal| refuse_handshake(context, refusal))?;
    check_origin(context, &request.headers)?;
    let path = path::decode(request.uri.path());
    let Some(script) = scripts.find(&path) else {
        warn!(peer = %context.connection.peer, why = "path", "session refused");
        return Err(not_found("There is no program at this path."));
    };
    let subprotocol = handshake::subprotocol(&request.headers, &context.site.subprotocols);
    let permit = admit(context)?;
    let worker = launch(context, request, &script, &path, Content::default(), subprotocol).await?;
    Ok((switching_protocols(&accept, subprotocol), worker, permit))
}

#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
fn check_origin(context: &Context, headers: &HeaderMap) -> Result<(), Response<Body>> {
    // Several headers in one text match nothing, as they should.
    let text = |name: HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let (origin, host) = (text(ORIGIN), text(HOST));
    let peer = context.connection.peer;
    let why = match context.site.origin.check(origin.as_deref(), host.as_deref(), peer.is_loopback()) {
        Ok(()) => return Ok(()),
        Err(Refusal::Origin) => "origin",
        Err(Refusal::Host) => "host",
    };
    let origin = origin.unwrap_or_default();
    let hint = if origin.is_empty() { "--origin=file://".to_owned() } else { format!("--origin={origin}") };
    warn!(%peer, why, origin, host = host.unwrap_or_default(), hint, "session refused");
    let text = "Pages of this origin may not connect. The server's log names the flag that would allow it.";
    Err(with_version(page(StatusCode::FORBIDDEN, text)))
}

fn refuse_handshake(context: &Context, refusal: handshake::Refusal) -> Response<Body> {
    warn!(peer = %context.connection.peer, why = refusal.why, "session refused");
    let mut response = with_version(page(refusal.status, refusal.text));
    if refusal.status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

fn switching_protocols(accept: &str, subprotocol: Option<&str>) -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(accept).expect("base64 is visible ASCII"));
    if let Some(name) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(name).expect("a listed name is a token"));
    }
    response
}

fn with_version(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}
