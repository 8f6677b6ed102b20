//! From a request to a session: checks the handshake, starts the program, and only then says 101.

use std::{ffi::OsStr, sync::Arc};

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
    launch::{admit, check_budget, environment, start, start_at_once, with_retry_after},
    origin::{Policy, Refusal},
    page::{not_found, page, text_body},
    path,
    scripts::{Script, Scripts},
};
use crate::{
    budget::Owner,
    partner::Partner as _,
    room::{
        member::Member,
        registry::{self, Rooms, Sharing},
    },
    session,
    socket::Socket,
    worker::{
        environ::{Content, room_variables, unique_id},
        process::Process,
        variable::Variable,
    },
};

/// What stands at the other end of a session.
enum Partner {
    /// A process of its own.
    Process(Process),
    /// A room.
    Room(Member),
}

/// Answers a request for a WebSocket; with a 101, a session has begun.
pub(super) async fn respond(context: &Context, scripts: &Scripts, mut request: Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut request);
    let (request, _) = request.into_parts();
    match begin(context, scripts, &request).await {
        Err(refusal) => refusal,
        Ok((response, partner)) => {
            let Context { site, connection, shutdown, .. } = context.clone();
            let path = request.uri.path().to_owned();
            let session = async move {
                // Fails if the client leaves before the 101; the worker is killed as it is dropped.
                let Ok(upgraded) = upgrade.await else { return };
                let (stream, early) = connection::into_stream(upgraded);
                let socket = |owner: &Owner| Socket::new(stream, early, &site.socket, owner.clone());
                match partner {
                    Partner::Process(process) => {
                        session::run(&connection, &path, socket(process.owner()), process, &shutdown).await;
                    }
                    Partner::Room(member) => {
                        session::run(&connection, &path, socket(member.owner()), member, &shutdown).await;
                    }
                }
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
) -> Result<(Response<Body>, Partner), Response<Body>> {
    let accept = handshake::accept(request).map_err(|refusal| refuse_handshake(context, refusal))?;
    check_origin(context, &request.headers, Policy::check).map_err(with_version)?;
    let path = path::decode(request.uri.path());
    let Some(script) = scripts.find(&path, context.base.bytes) else {
        warn!(peer = %context.connection.peer, why = "path", "session refused");
        return Err(not_found("There is no program at this path."));
    };
    let subprotocol = handshake::subprotocol(&request.headers, &context.site.subprotocols);
    let id = unique_id();
    let environment = environment(context, request, &script, &path, &id, Content::default(), subprotocol).await;
    let partner = match &context.site.rooms {
        None => {
            let permit = admit(context)?;
            let (worker, permit) = start(context, &script.program, environment, permit).await?;
            Partner::Process(Process::new(context.connection.clone(), worker, permit, &context.site.process))
        }
        Some(rooms) => {
            check_budget(context)?;
            if context.site.admission.is_full() {
                // The last client of a room may have left a moment ago.
                rooms.ended(&path).await;
            }
            Partner::Room(join(context, rooms, &script, &path, id, &environment)?)
        }
    };
    Ok((switching_protocols(&accept, subprotocol), partner))
}

/// Lets a client into a room, whose worker is started if it is the first.
#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
fn join(
    context: &Context,
    rooms: &Arc<Rooms>,
    script: &Script<'_>,
    path: &[u8],
    id: String,
    environment: &[Variable],
) -> Result<Member, Response<Body>> {
    let inherited = &context.site.environ.inherited;
    let of_client: Vec<_> = environment
        .iter()
        .filter(|variable| !inherited.iter().any(|known| known.name() == variable.name()))
        .map(|variable| (text(variable.name()), text(variable.value())))
        .collect();
    let variables = of_client.iter().map(|(name, value)| (&**name, &**value));
    let launch = || {
        let permit = admit(context)?;
        let environment = match rooms.sharing {
            Sharing::Alone => environment.to_vec(),
            Sharing::All => room_variables(&context.site.environ, script.name, b""),
            Sharing::Path => room_variables(&context.site.environ, script.name, script.path_info),
        };
        Ok((start_at_once(context, &script.program, environment)?, permit))
    };
    // A room for all is that of the route, whatever the path of its first client.
    let path = if rooms.sharing == Sharing::All { script.name } else { path };
    let joined = rooms.join(path, id, variables, &context.connection, &context.shutdown, launch);
    joined.map_err(|refusal| match refusal {
        registry::Refusal::Launch(response) => response,
        registry::Refusal::Full => refuse_room(context, "full", "The room is full. Try again later."),
        registry::Refusal::Down => refuse_room(context, "down", "The program is being started again. Try again soon."),
    })
}

fn text(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

fn refuse_room(context: &Context, why: &str, text: &str) -> Response<Body> {
    warn!(peer = %context.connection.peer, why, "session refused");
    with_retry_after(page(StatusCode::SERVICE_UNAVAILABLE, text))
}

/// Checks `Origin` and `Host`; or 403.
#[expect(clippy::result_large_err, reason = "the error is the answer, which is made in either case")]
pub(super) fn check_origin(
    context: &Context,
    headers: &HeaderMap,
    check: impl Fn(&Policy, Option<&str>, Option<&str>, bool) -> Result<(), Refusal>,
) -> Result<(), Response<Body>> {
    // Several headers in one text match nothing, as they should.
    let text = |name: HeaderName| {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let (origin, host) = (text(ORIGIN), text(HOST));
    let peer = context.connection.peer;
    let why = match check(&context.site.origin, origin.as_deref(), host.as_deref(), peer.is_loopback()) {
        Ok(()) => return Ok(()),
        Err(Refusal::Origin) => "origin",
        Err(Refusal::Host) => "host",
    };
    let (origin, host) = (origin.unwrap_or_default(), host.unwrap_or_default());
    let hint = match why {
        _ if !origin.is_empty() => format!("--origin={origin}"),
        "host" => format!("--origin={host}"),
        _ => "--origin=file://".to_owned(),
    };
    warn!(%peer, why, origin, host, hint, "session refused");
    let what = match why {
        "host" => "This server does not go by the name in `Host`.",
        _ => "Pages of this origin may not connect.",
    };
    Err(page(StatusCode::FORBIDDEN, &format!("{what} The server's log names the flag that would allow it.")))
}

/// Refuses what a page of another site has a browser ask of a script.
pub(super) fn refuse_other_site(context: &Context) -> Response<Body> {
    warn!(peer = %context.connection.peer, why = "site", hint = "--anyorigin", "session refused");
    let text = "Pages of other sites may not use this script. The server's log names the flag that would allow it.";
    page(StatusCode::FORBIDDEN, text)
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
