//! Refuses a plain request for a program that no program answers: one of another method, or of `--http` where that is not set.

use std::sync::{Mutex, PoisonError};

use hyper::{
    Method, StatusCode,
    header::{ALLOW, CONNECTION, HeaderValue, UPGRADE},
};

use super::{
    ask::{Answered, Ask},
    scripts::Scripts,
    transfer::takes_events,
};
use crate::{
    event::Event,
    http::{gate::Visitor, handshake, refusal::Refusal},
    metrics::route::RouteName,
    peer::Peer,
};

/// The routes whose clients have lost `Upgrade`, each of which the log names once.
static WARNED: Mutex<Vec<RouteName>> = Mutex::new(Vec::new());

/// Warns of a proxy that passes no `Upgrade` on, once for each route.
fn warn_of_lost_upgrade(ask: &Ask, peer: Peer) {
    let route = &ask.site.launcher.process.route;
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if !warned.contains(route) {
        warned.push(route.clone());
        let hint = "a proxy has dropped Upgrade: see docs/proxies.md";
        Event::UpgradeDropped { peer, path: ask.request.uri.path(), hint }.emit();
    }
}

/// Refuses such a request at the path of a program. Files and pages do not answer it in place of the program.
pub(super) fn answer(ask: &Ask, visitor: &Visitor) -> Answered {
    let Some(scripts) = &ask.site.scripts else { return Ok(None) };
    if handshake::has_lost_upgrade(&ask.request) && scripts.find(&ask.path, ask.base.bytes).is_some() {
        warn_of_lost_upgrade(ask, visitor.connection.peer);
    }
    let refused = if ask.site.http.is_some() { other_method(&ask.request.method) } else { without_http(ask) };
    // The folder `/.wsd/` is wsd's own.
    let Some(refusal) = refused.filter(|_| !ask.own_path().starts_with("/.wsd/")) else { return Ok(None) };
    if scripts.find(&ask.path, ask.base.bytes).is_some() { Err(refusal) } else { Ok(None) }
}

/// Returns the refusal of a method that has no meaning with `--http`.
fn other_method(method: &Method) -> Option<Refusal> {
    let text = match *method {
        Method::GET | Method::HEAD => return None,
        Method::DELETE => "DELETE ends a session. The token of the session is missing: send it in `Wsd-Session`.",
        Method::PUT => "A program takes no PUT. Use POST: with `curl -T`, add `-X POST`.",
        _ => "A program takes POST, GET for an event stream, and DELETE with the token of a session.",
    };
    let allowed = HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS");
    Some(Refusal::unlogged(StatusCode::METHOD_NOT_ALLOWED, text).with_header(ALLOW, allowed))
}

/// Returns the refusal of a request that `--http` would answer. Under the name of websocketd there is none: it has no such flag.
fn without_http(ask: &Ask) -> Option<Refusal> {
    if !ask.site.pages.has_welcome {
        return None;
    }
    let has_terminal = ask.site.scripts.as_ref().is_some_and(Scripts::have_terminals);
    let text = if has_terminal {
        "This program has a terminal: connect with a WebSocket."
    } else {
        "A program answers over a WebSocket. Start wsd with --http, and it answers POST and event streams, too; with --mcp, \
         clients of MCP."
    };
    match ask.request.method {
        Method::POST => {
            let refusal = Refusal::unlogged(StatusCode::METHOD_NOT_ALLOWED, text);
            Some(refusal.with_header(ALLOW, HeaderValue::from_static("GET, HEAD")))
        }
        Method::GET if takes_events(&ask.request.headers) => {
            let refusal = Refusal::unlogged(StatusCode::UPGRADE_REQUIRED, text);
            let refusal = refusal.with_header(UPGRADE, HeaderValue::from_static("websocket"));
            Some(refusal.with_header(CONNECTION, HeaderValue::from_static("Upgrade")))
        }
        _ => None,
    }
}
