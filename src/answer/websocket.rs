//! Answers a request for a WebSocket: the session's partner starts, and only then wsd sends the 101.

use std::sync::Arc;

use hyper::{
    Response, StatusCode,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
    upgrade::OnUpgrade,
};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    partner::{SessionPartner, no_program},
    routes::Routes,
    site::Site,
};
use crate::{
    event::Event,
    framing::{Framing, choice::named},
    http::{
        connection::into_stream,
        gate::Visitor,
        handshake,
        page::{Body, text_body},
    },
    peer::Connection,
    socket::Socket,
};

/// Answers a request for a WebSocket, whose handshake has been checked. A 101 begins a session.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    if ask.upgrade.is_none() {
        return Ok(None);
    }
    let headers = &ask.request.headers;
    let (framings, listed) = (&ask.site.framings, &ask.site.subprotocols);
    let chosen = handshake::subprotocol(headers, |name| framings.chosen(name).is_some());
    let framing = chosen.and_then(|name| framings.chosen(name)).unwrap_or(framings.default());
    let is_listed = |offer: &str| listed.iter().any(|name| name == offer);
    let subprotocol = chosen.or_else(|| handshake::subprotocol(headers, is_listed));
    if let (None, Some(first)) = (subprotocol, handshake::first_offer(headers)) {
        ask.site.subprotocol_warning.call_once(|| warn_of_offer(&ask.site, visitor, first));
    }
    let (partner, own_headers) = SessionPartner::start(ask, visitor, subprotocol, framing).await?;
    let mut response = switching_protocols(&handshake::accept(headers), subprotocol);
    response.headers_mut().extend(own_headers);
    // A refusal leaves the upgrade in its place: the page depends on it.
    let Some(upgrade) = ask.upgrade.take() else { return Ok(None) };
    run(ask, visitor.connection.clone(), upgrade, partner);
    Ok(Some(HttpAnswer::Page(response)))
}

/// Refuses a WebSocket to a site without programs if another site has some: a file is no answer to it. Without any program,
/// wsd only serves files, and a request for a WebSocket is one like any other.
pub(super) fn refuse_beside_programs(ask: &Ask) -> Answered {
    if has_programs(&ask.routes) { refuse(ask) } else { Ok(None) }
}

/// Refuses a WebSocket that no program has answered: a client must not take the console for an answer.
pub(super) fn refuse(ask: &Ask) -> Answered {
    if handshake::is_wanted(&ask.request.headers) { Err(no_program(ask)) } else { Ok(None) }
}

fn has_programs(routes: &Routes) -> bool {
    routes.otherwise.scripts.is_some() || routes.table.iter().any(|(_, site)| site.scripts.is_some())
}

/// Warns of a client that offers only subprotocols that are not listed: many such clients give up after the 101.
fn warn_of_offer(site: &Site, visitor: &Visitor, offered: &str) {
    let hint = &match named(offered) {
        None => format!("if the program speaks it: --subprotocol={offered}"),
        Some(Framing::Tty) => "if the page has a terminal: serve the program with --pty".to_owned(),
        Some(_) if !site.takes_framings => "this program has one framing: the client must not offer wsd.*".to_owned(),
        Some(Framing::Json) => {
            "if the program speaks it: serve it at a path of its own, with --framing=json".to_owned()
        }
        Some(_) => format!("if the program speaks it: add {} to --framing", offered.trim_start_matches("wsd.")),
    };
    Event::SubprotocolNotListed { peer: visitor.connection.peer, offered, hint }.emit();
}

/// Spawns the session, which begins once hyper has sent the 101.
fn run(ask: &Ask, connection: Connection, upgrade: OnUpgrade, partner: SessionPartner) {
    let (site, shutdown) = (Arc::clone(&ask.site), ask.shutdown.clone());
    let path = ask.request.uri.path().to_owned();
    ask.shutdown.spawn(async move {
        let upgraded = tokio::select! {
            biased;
            upgraded = upgrade => upgraded,
            () = partner.given_up() => return,
        };
        // Fails if the client leaves before the 101; dropping the process kills its worker.
        let Ok(upgraded) = upgraded else { return };
        let (stream, early) = into_stream(upgraded);
        let socket = |owner: &_| Socket::new(stream, early, &site.socket, owner);
        partner.run(&connection, path, socket, &shutdown).await;
    });
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
