//! Answers the requests to the gateway for MCP (`--mcp`): messages by POST, streams, and the leave of a client.

mod body;
pub(crate) mod endpoint;
mod launch;
mod metadata;
mod post;
pub(super) mod purpose;
mod reply;
mod requests;

use hyper::{Response, StatusCode, header::ALLOW};

use super::ask::{Answered, Ask, HttpAnswer};
use crate::{
    http::{
        cors,
        gate::Visitor,
        handshake::has_body,
        page::{Body, text_body},
        refusal::Refusal,
    },
    mcp::{
        fault::{McpFault, code},
        gateway::Gateway,
        session,
        terms::{McpEras, Trouble},
    },
    peer::Connection,
};
use endpoint::Mcp;
use launch::{launching, program};
use purpose::McpPurpose;
use reply::{failed, refused, streaming};
use requests::{is_modern, last_event, session_id, takes_events};

/// Adds to a request that is for the gateway, or to its refusal by the gate, what such clients need.
pub(super) fn admitted(
    ask: &mut Ask,
    connection: &Connection,
    admitted: Result<Visitor, Refusal>,
) -> Result<Visitor, Refusal> {
    let is_of_origin = !matches!(&admitted, Err(refusal) if refusal.status == StatusCode::FORBIDDEN);
    if is_of_origin {
        // A page must see why it is refused, and where it gets a token.
        ask.cors = cors::headers_for(&ask.request.headers, cors::MCP_EXPOSED);
    }
    admitted.map_err(|refusal| metadata::challenge(ask, connection, refusal))
}

/// Answers a request to the gateway.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    let site = std::sync::Arc::clone(&ask.site);
    let (Some(purpose), Some(Mcp { gateway, issuers })) = (ask.mcp, &site.mcp) else { return Ok(None) };
    let response = match purpose {
        McpPurpose::Metadata => metadata::page(ask, &visitor.connection, issuers),
        McpPurpose::Preflight => cors::preflight_of_mcp(&ask.request.headers),
        _ if ask.shutdown.has_begun() => failed(&McpFault::new(503, code::INTERNAL, "the server is stopping"), None),
        // In boxes: a request for something else makes this future, too, and its memory must not be large.
        McpPurpose::Message => Box::pin(post::answer(ask, visitor, gateway)).await?,
        McpPurpose::Stream => match Box::pin(stream(ask, visitor, gateway)).await {
            Ok(response) => response,
            Err(Trouble::Fault(fault)) => failed(&fault, None),
            Err(Trouble::Refused(refusal)) => refused(ask, visitor, refusal, None),
        },
        McpPurpose::Leave => match leave(ask, visitor, gateway) {
            Ok(()) => Response::new(text_body("")),
            Err(fault) => failed(&fault, None),
        },
        McpPurpose::Other => failed(&not_allowed(), None),
    };
    Ok(Some(HttpAnswer::Page(allowing(gateway, response))))
}

/// Answers with the stream for messages that belong to no request, or with the rest of an earlier stream.
async fn stream(ask: &Ask, visitor: &Visitor, gateway: &Gateway) -> Result<Response<Body>, Trouble<Refusal>> {
    let session = find(ask, visitor, gateway)?;
    let headers = &ask.request.headers;
    if !takes_events(headers) {
        return Err(McpFault::new(406, code::REFUSED, "the client must accept text/event-stream").into());
    }
    if has_body(headers) {
        // Nobody would read it, and behind unread bytes wsd does not see that the client leaves.
        return Err(McpFault::new(400, code::REFUSED, "a request for an event stream has no body").into());
    }
    let after = last_event(headers)?;
    let script = program(ask).map_err(Trouble::Refused)?;
    let launching = launching(ask, visitor, script, session.environment.clone(), launch::ProgramSharing::Alone);
    let open = session.listen(after, launching).await?;
    Ok(streaming(open.reader, open.is_primed.then_some(open.stream), None))
}

/// Ends the session of a client that leaves.
fn leave(ask: &Ask, visitor: &Visitor, gateway: &Gateway) -> Result<(), McpFault> {
    let session = find(ask, visitor, gateway)?;
    session.end();
    gateway.sessions.remove(&session.id);
    Ok(())
}

/// Finds the session that a GET or DELETE names.
fn find(ask: &Ask, visitor: &Visitor, gateway: &Gateway) -> Result<std::sync::Arc<session::McpSession>, McpFault> {
    let headers = &ask.request.headers;
    let id = session_id(headers);
    let is_known_modern = id.is_none() && gateway.shared.is_modern() && gateway.sessions.is_empty();
    if gateway.options.eras == McpEras::Shared || is_modern(headers) || is_known_modern {
        return Err(not_allowed());
    }
    requests::check_version(headers)?;
    let id = id.ok_or_else(|| McpFault::new(400, code::REFUSED, "Mcp-Session-Id is missing: send initialize first"))?;
    gateway.sessions.find(&id, &visitor.user).ok_or_else(session::unknown)
}

fn not_allowed() -> McpFault {
    McpFault::new(405, code::REFUSED, "send messages with POST")
}

/// Adds the methods to a refusal of one.
fn allowing(gateway: &Gateway, mut response: Response<Body>) -> Response<Body> {
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let has_sessions = gateway.options.eras != McpEras::Shared && !gateway.shared.is_modern();
        let methods = if has_sessions { "GET, POST, DELETE" } else { "POST" };
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static(methods));
    }
    response
}
