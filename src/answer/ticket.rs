//! Answers `POST /.wsd/ticket`: a single-use token, for clients that cannot send their credentials with a WebSocket.

use hyper::{
    Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::ask::{Answered, Ask, HttpAnswer};
use crate::{
    http::{auth::ticket, gate::Visitor, page::text_body, refusal::Refusal},
    limits::auth::TICKET_TIME,
};

/// Returns the refusal of a request that asks for no ticket, or for one of a path without authentication.
fn no_ticket(method: &Method) -> Refusal {
    if *method != Method::POST {
        let refusal = Refusal::unlogged(StatusCode::METHOD_NOT_ALLOWED, "A ticket is asked for with POST: use POST.");
        return refusal.with_header(ALLOW, HeaderValue::from_static("POST"));
    }
    let text = "No route with --auth is at that path, which is `/` by default. Name the path of the session, as in \
                /.wsd/ticket?path=/chat.";
    Refusal::unlogged(StatusCode::NOT_FOUND, text)
}

/// Answers with a ticket for a client that the gate knows, if the site has authentication.
pub(super) fn answer(ask: &Ask, visitor: &Visitor) -> Answered {
    let is_place = !ask.wants_ticket && ticket::place(&ask.request.uri, &ask.routes.base).is_some();
    if is_place && ask.routes.sites().any(|site| site.gate.auth.is_some()) {
        return Err(no_ticket(&ask.request.method));
    }
    let (true, Some(auth), Some(proof)) = (ask.wants_ticket, &ask.site.gate.auth, &visitor.proof) else {
        return Ok(None);
    };
    let source = visitor.connection.peer.source();
    let Some(ticket) = auth.issue_ticket(ask.request.uri.path(), (**proof).clone(), source) else {
        let text = "A ticket buys no other ticket. Show the credentials themselves, or the cookie of a page.";
        return Err(Refusal::unlogged(StatusCode::FORBIDDEN, text));
    };
    let secs = TICKET_TIME.as_secs();
    let mut response = Response::new(text_body(format!("{{\"ticket\":\"{ticket}\",\"expires\":{secs}}}\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Some(HttpAnswer::Page(response)))
}
