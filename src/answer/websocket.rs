//! Answers a request for a WebSocket: the session's partner starts, and only then wsd sends the 101.

use std::sync::Arc;

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
    },
    upgrade::OnUpgrade,
};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    partner::{SessionPartner, Start, no_program},
    routes::Routes,
    site::Site,
    subprotocol::{Subprotocol, choose},
};
use crate::{
    budget::Owner,
    client::Client,
    deflate::{negotiation, options::AgreedCompression},
    event::Event,
    framing::{Framing, choice::named},
    http::{
        connection::into_stream,
        gate::Visitor,
        handshake,
        page::{Body, text_body},
    },
    peer::Connection,
    resume::{
        ResumeOptions,
        client::Resumable,
        door::{Claim, Entrance},
        link::Link,
        offer::{Returning, application},
    },
    socket::{Socket, stream::Stream},
};

/// Answers a request for a WebSocket, whose handshake has been checked. A 101 begins a session.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    if ask.upgrade.is_none() {
        return Ok(None);
    }
    let (site, headers) = (Arc::clone(&ask.site), &ask.request.headers);
    let Subprotocol { offer, name, framing, resume } = choose(&site, headers);
    if let (None, Some(first)) = (offer, handshake::first_offer(headers)) {
        ask.site.subprotocol_warning.call_once(|| warn_of_offer(&site, visitor, first));
    }
    let returning = resume.map(|resume| Returnee::find(ask, visitor, resume));
    let start = Start::prepare(ask, visitor, name).await?;
    let mut response = switching_protocols(&handshake::accept(headers), offer);
    let agreed = compression(&site, headers, &mut response);
    response.headers_mut().extend(start.headers(ask, visitor));
    if let Some(Returnee::Known(claim)) = returning {
        let Some(upgrade) = ask.upgrade.take() else { return Ok(None) };
        deliver(ask, visitor.connection.clone(), upgrade, (claim, agreed));
        return Ok(Some(HttpAnswer::Page(response)));
    }
    let partner = start.partner(ask, visitor, framing).await?;
    // A refusal leaves the upgrade in its place: the page depends on it.
    let Some(upgrade) = ask.upgrade.take() else { return Ok(None) };
    let connection = visitor.connection.clone();
    match (resume, returning) {
        (Some(resume), Some(Returnee::New { binding, is_lost })) => {
            let (conn, overflow, shutdown) = (connection.id, partner.overflow(), ask.shutdown.clone());
            let resume = Arc::clone(resume);
            run(ask, connection, upgrade, partner, move |stream, early, owner| {
                let link = Link::Socket(Socket::new(stream, early, (&resume.socket, agreed), owner));
                let door = resume.doors.open(binding, framing.has_lines());
                Box::new(Resumable::new(conn, link, door, (&resume, overflow), (owner, &shutdown), is_lost))
            });
        }
        _ => run(ask, connection, upgrade, partner, move |stream, early, owner| {
            Socket::new(stream, early, (&site.socket, agreed), owner)
        }),
    }
    Ok(Some(HttpAnswer::Page(response)))
}

/// Accepts an offer of compression, if the site has it, and adds the answer to the 101.
fn compression(site: &Site, headers: &HeaderMap, response: &mut Response<Body>) -> Option<AgreedCompression> {
    let options = Arc::clone(site.compress.as_ref()?);
    let lists = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|list| list.to_str().ok());
    let (agreement, answer) = negotiation::answer(lists)?;
    let answer = HeaderValue::from_str(&answer).expect("it is visible ASCII");
    response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, answer);
    Some(AgreedCompression { options, agreement })
}

/// A client that can return, or does.
enum Returnee {
    /// It has no session, or none that is known; then `is_lost`.
    New { binding: u64, is_lost: bool },
    /// Its session waits for it.
    Known(Claim),
}

impl Returnee {
    /// Claims the session to which the client wants to return, if wsd has it for this path, origin and user.
    fn find(ask: &Ask, visitor: &Visitor, resume: &ResumeOptions) -> Self {
        let binding = binding(ask, visitor, resume);
        let claim = ask.returning.as_ref().and_then(|Returning { token, got }| {
            Some(Self::Known(resume.doors.claim(token.as_ref()?, binding, Some(*got))?))
        });
        claim.unwrap_or(Self::New { binding, is_lost: ask.returning.is_some() })
    }
}

/// Returns a number for the facts that must be the same at a return.
pub(super) fn binding(ask: &Ask, visitor: &Visitor, resume: &ResumeOptions) -> u64 {
    resume.doors.binding(&ask.path, visitor.origin.as_deref(), &visitor.user)
}

/// Hands the connection to the session, once hyper has sent the 101.
fn deliver(ask: &Ask, connection: Connection, upgrade: OnUpgrade, (claim, agreed): (Claim, Option<AgreedCompression>)) {
    ask.spawn(async move {
        // Fails if the client leaves before the 101; it may return again.
        let Ok(upgraded) = upgrade.await else { return };
        let (stream, early) = into_stream(upgraded);
        claim.deliver(Entrance::WebSocket(stream, early, agreed), connection);
    });
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
        _ if application(offered).is_some() => "to let clients return to their sessions: --resume=60".to_owned(),
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
fn run<C: Client + Send>(
    ask: &Ask,
    connection: Connection,
    upgrade: OnUpgrade,
    partner: SessionPartner,
    client: impl FnOnce(Stream, Vec<u8>, &Owner) -> C + Send + 'static,
) {
    let shutdown = ask.shutdown.clone();
    let path = ask.request.uri.path().to_owned();
    ask.spawn(async move {
        let upgraded = tokio::select! {
            biased;
            upgraded = upgrade => upgraded,
            () = partner.given_up() => return,
        };
        // Fails if the client leaves before the 101; dropping the process kills its worker.
        let Ok(upgraded) = upgraded else { return };
        let (stream, early) = into_stream(upgraded);
        partner.run(path, |owner: &_| client(stream, early, owner), &shutdown).await;
        // Until here it counts as an open file.
        drop(connection);
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
