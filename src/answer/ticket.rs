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

/// Answers with a ticket for a client that the gate knows, if the site has authentication.
pub(super) fn answer(ask: &Ask, visitor: &Visitor) -> Answered {
    let is_place = ticket::place(&ask.request.uri, &ask.routes.base).is_some();
    if is_place && ask.site.gate.auth.is_some() && ask.request.method != Method::POST {
        let refusal = Refusal::unlogged(StatusCode::METHOD_NOT_ALLOWED, "A ticket is asked for with POST.");
        return Err(refusal.with_header(ALLOW, HeaderValue::from_static("POST")));
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
