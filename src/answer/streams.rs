//! Answers the requests of a session over an event stream: the stream, messages for the program, and the client's leave.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    body::Frame,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    ask::{Answered, Ask, HttpAnswer},
    input::{self, unknown},
    partner::{SessionPartner, Start},
    transfer::{POLL, Purpose, SESSION, Transfer, number},
    websocket::binding,
};
use crate::{
    events::{self, EventStream, Events},
    http::{
        gate::Visitor,
        handshake::has_body,
        page::{Body, no_content},
        refusal::Refusal,
        sender::GOT,
    },
    limits::POLL_WAIT_MAX,
    resume::{
        ResumeOptions,
        client::Resumable,
        door::{Entrance, OwnDoor, Token},
        link::Link,
        postbox::Postbox,
    },
};

/// `Last-Event-ID` of a client that has been told the end.
const CLOSED: &str = "closed";

/// Answers a request of a session over an event stream.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor) -> Answered {
    let (Some(transfer), Some(options)) = (&ask.transfer, ask.site.http.clone()) else { return Ok(None) };
    let response = match transfer.purpose {
        Purpose::OneShot | Purpose::Preflight => return Ok(None),
        Purpose::Stream if has_body(&ask.request.headers) => {
            // Nobody would read it, and behind unread bytes wsd does not see that the client leaves.
            let text = "A request for an event stream has no body.";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "body", text));
        }
        Purpose::Stream => stream(ask, visitor, &options).await?,
        Purpose::Input => {
            let postbox = postbox(ask, visitor, &options).ok_or_else(unknown)?;
            input::answer(ask, &postbox).await?
        }
        Purpose::Leave => {
            postbox(ask, visitor, &options).ok_or_else(unknown)?.leave();
            no_content()
        }
    };
    Ok(Some(HttpAnswer::Page(response)))
}

/// Finds the session of the client's token.
fn postbox(ask: &Ask, visitor: &Visitor, options: &ResumeOptions) -> Option<Postbox> {
    let token = Token::parse(ask.transfer.as_ref()?.session.as_deref()?)?;
    options.doors.postbox(&token, binding(ask, visitor, options))
}

/// Answers with an event stream of an earlier session, or of a new one.
async fn stream(ask: &Ask, visitor: &Visitor, options: &Arc<ResumeOptions>) -> Result<Response<Body>, Refusal> {
    let Some(Transfer { session, last, .. }) = &ask.transfer else { return Err(unknown()) };
    if last.as_deref() == Some(CLOSED) {
        // A browser stops only now.
        if let Some(postbox) = postbox(ask, visitor, options) {
            postbox.confirm();
        }
        return Ok(no_content());
    }
    let (binding, acked) = (binding(ask, visitor, options), number(&ask.request.headers, &GOT)?);
    let poll = number(&ask.request.headers, &POLL)?.map(|secs| Duration::from_secs(secs).min(POLL_WAIT_MAX));
    // Each poll tells what the client has.
    let acknowledges = acked.is_some() || poll.is_some();
    let got = acked.or_else(|| last.as_deref()?.parse().ok());
    let token = session.as_deref().and_then(Token::parse);
    if let Some(token) = token
        && let Some(claim) = options.doors.claim(&token, binding, got)
    {
        let token = token.to_string();
        let (stream, events) = events::pair(&token, acknowledges, poll);
        claim.deliver(Entrance::Events(stream), visitor.connection.clone());
        if events.begun().await {
            return Ok(page(&token, events));
        }
    }
    // Other sessions may come over the connection, too.
    let visitor = &Visitor { connection: visitor.connection.renumbered(), ..visitor.clone() };
    let framing = ask.site.framings.default();
    let partner = Start::prepare(ask, visitor, None).await?.partner(ask, visitor, framing).await?;
    let door = options.doors.open(binding, framing.has_lines());
    let token = door.token().to_string();
    let (stream, events) = events::pair(&token, acknowledges, poll);
    run(ask, visitor, partner, (options, door), stream, session.is_some());
    events.begun().await;
    Ok(page(&token, events))
}

/// Spawns the session. `is_lost` is whether the client wanted to return to another one.
fn run(
    ask: &Ask,
    visitor: &Visitor,
    partner: SessionPartner,
    (options, door): (&Arc<ResumeOptions>, OwnDoor),
    stream: EventStream,
    is_lost: bool,
) {
    let (options, connection, shutdown) = (Arc::clone(options), visitor.connection.clone(), ask.shutdown.clone());
    let (path, overflow) = (ask.request.uri.path().to_owned(), partner.overflow());
    ask.spawn(async move {
        let (link, conn) = (Link::Events(stream), connection.id);
        let client =
            |owner: &_| Box::new(Resumable::new(conn, link, door, (&options, overflow), (owner, &shutdown), is_lost));
        partner.run(path, client, &shutdown).await;
        // Until here it counts as an open file.
        drop(connection);
    });
}

/// Returns the answer whose body is an event stream.
fn page(token: &str, events: Events) -> Response<Body> {
    let mut response = Response::new(EventBody(events).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold the events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(SESSION, HeaderValue::from_str(token).expect("a token is visible ASCII"));
    response
}

/// The body of an answer with events.
struct EventBody(Events);

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_take(cx).map(|events| events.map(|events| Ok(Frame::data(events.into()))))
    }
}
