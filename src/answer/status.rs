//! Answers with the status: the page `/.wsd/`, its facts `/.wsd/status`, and the end of a session, `/.wsd/end`.
//!
//! A client sees the status if the gate of the path has checked its credentials (`--auth`), or if there are none to check and
//! it is on this machine.

mod feed;
mod turn;

use hyper::{
    Method, Response, StatusCode, Version,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, FORWARDED, HOST, HeaderName, HeaderValue, VIA, X_CONTENT_TYPE_OPTIONS,
    },
    http::request::Parts,
};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    builtin::{BuiltinFile, SCRIPT, STYLESHEET, respond},
    status_places::{END, FACTS, PAGE, is_status_place},
    transfer::takes_events,
};
use crate::{
    event::Event,
    http::{
        gate::Visitor,
        handshake,
        origin::is_loopback_name,
        page::{Body, no_content, text_body},
        refusal::Refusal,
    },
    metrics::present::PRESENT,
    peer::Peer,
};
use turn::make_snapshot;

/// The content type and the text of the page.
const HTML: (&str, &str) = ("text/html; charset=utf-8", include_str!("../../static/status.html"));

/// The parts of the page.
const PARTS: [BuiltinFile; 5] = [
    ("/.wsd/status.css", STYLESHEET, include_str!("../../static/status.css")),
    ("/.wsd/status.js", SCRIPT, include_str!("../../static/status.js")),
    ("/.wsd/status-table.js", SCRIPT, include_str!("../../static/status-table.js")),
    ("/.wsd/status-rates.js", SCRIPT, include_str!("../../static/status-rates.js")),
    ("/.wsd/status-text.js", SCRIPT, include_str!("../../static/status-text.js")),
];

/// The headers by which a proxy tells that it passes a request on, beside `X-Forwarded-For` and its like.
const OF_PROXIES: [HeaderName; 5] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("true-client-ip"),
];

/// The header in which a browser tells which page sent a request.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Answers at the paths of the status. Under the name of websocketd there are none.
pub(super) async fn answer(ask: &Ask, visitor: &Visitor) -> Answered {
    let path = ask.own_path();
    if !path.starts_with(PAGE) || !ask.site.pages.has_welcome || ask.wants_ticket {
        return Ok(None);
    }
    if let Some((_, kind, text)) = PARTS.into_iter().find(|(part, ..)| *part == path) {
        return Ok(Some(HttpAnswer::Page(respond(&ask.request, kind, text))));
    }
    if !is_status_place(ask.request.uri.path(), &ask.routes.base) {
        return Ok(None);
    }
    check_reader(ask, visitor)?;
    let response = match path {
        END => end(ask, visitor)?,
        FACTS => facts(ask, visitor).await?,
        _ => page(ask),
    };
    Ok(Some(HttpAnswer::Page(response)))
}

/// Refuses a client that may not see the status.
fn check_reader(ask: &Ask, visitor: &Visitor) -> Result<(), Refusal> {
    if ask.site.gate.auth.is_some() || is_local(visitor, &ask.request) {
        return Ok(());
    }
    let text =
        "The status is for clients on the server's own machine. With --auth it is for clients that show credentials.";
    let is_proxy = visitor.connection.is_proxy && !matches!(visitor.connection.peer, Peer::Portless(_));
    let hint = if is_proxy {
        "this client is itself a proxy of --trust-proxy: open it through the proxy, or start wsd with --auth"
    } else {
        "open it by localhost on this machine, or start wsd with --auth"
    };
    Err(Refusal::new(StatusCode::NOT_FOUND, "status", text).with_hint(hint))
}

/// Whether a client without credentials is on this machine: it came over the loopback interface, or a trusted proxy says so, and
/// it asks for this machine by a name of its own. A name of another site may lead here, too (DNS rebinding).
fn is_local(visitor: &Visitor, request: &Parts) -> bool {
    let connection = &visitor.connection;
    let is_client_local = if connection.is_proxy {
        // One that a proxy has named: with no name, it is the proxy itself, which has a port.
        matches!(connection.peer, Peer::Portless(_))
    } else {
        // A proxy that wsd does not trust hides its client.
        !is_passed_on(request)
    };
    let host = request.headers.get(HOST).map(|host| host.to_str().is_ok_and(is_loopback_name));
    is_client_local && connection.peer.is_loopback() && host.unwrap_or(true)
}

/// Whether a proxy has passed a request on, as far as it shows. nginx tells so by no header unless it is told to; but it asks by
/// HTTP/1.0, or with `Connection: upgrade` for all requests, as the usual settings for WebSockets say.
fn is_passed_on(request: &Parts) -> bool {
    let is_of_proxy = |name: &HeaderName| name.as_str().starts_with("x-forwarded-") || OF_PROXIES.contains(name);
    request.version == Version::HTTP_10
        || handshake::is_upgrade_to_nothing(&request.headers)
        || request.headers.keys().any(is_of_proxy)
}

/// Refuses a request that a page of another origin has sent, whatever `--origin` and `--anyorigin` say.
fn check_page(ask: &Ask, visitor: &Visitor) -> Result<(), Refusal> {
    let mut sites = ask.request.headers.get_all(SITE).iter();
    if visitor.origin.is_none() && sites.all(|site| site == "same-origin" || site == "none") {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "site", "Only the server's own page may ask for this."))
}

/// Answers with the page.
fn page(ask: &Ask) -> Response<Body> {
    if ask.site.pages.has_admin {
        return respond(
            &ask.request,
            HTML.0,
            HTML.1.replacen("<html lang=\"en\">", "<html lang=\"en\" data-admin>", 1),
        );
    }
    respond(&ask.request, HTML.0, HTML.1)
}

/// Answers with the facts: once, or each second to a client that asks for an event stream.
async fn facts(ask: &Ask, visitor: &Visitor) -> Result<Response<Body>, Refusal> {
    check_page(ask, visitor)?;
    if !matches!(ask.request.method, Method::GET | Method::HEAD) {
        return Err(not_allowed("The status is read with GET or HEAD.", "GET, HEAD"));
    }
    if ask.request.method == Method::GET && takes_events(&ask.request.headers) {
        return feed::answer(ask, visitor);
    }
    let mut response = Response::new(text_body(make_snapshot().await + "\n"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Ends a session.
fn end(ask: &Ask, visitor: &Visitor) -> Result<Response<Body>, Refusal> {
    check_page(ask, visitor)?;
    if ask.request.method != Method::POST {
        return Err(not_allowed("A session is ended with POST.", "POST"));
    }
    if !ask.site.pages.has_admin {
        let refusal =
            Refusal::new(StatusCode::FORBIDDEN, "admin", "Nobody may end sessions here: wsd runs without --admin.");
        return Err(refusal.with_hint("to let whoever sees the status end sessions: --admin"));
    }
    let conn = ask.request.uri.query().and_then(|query| query.strip_prefix("conn=")?.parse().ok());
    let Some(conn) = conn else {
        return Err(Refusal::unlogged(StatusCode::BAD_REQUEST, "The query names the session: /.wsd/end?conn=7"));
    };
    let Some(session) = PRESENT.session(conn) else {
        return Err(Refusal::unlogged(StatusCode::NOT_FOUND, "There is no such session. Perhaps it has ended."));
    };
    let user = Some(&*visitor.user).filter(|user| !user.is_empty());
    Event::SessionDismissed { conn, peer: visitor.connection.peer, user }.emit();
    session.dismiss();
    Ok(no_content())
}

fn not_allowed(text: &'static str, allowed: &'static str) -> Refusal {
    Refusal::unlogged(StatusCode::METHOD_NOT_ALLOWED, text).with_header(ALLOW, HeaderValue::from_static(allowed))
}
