//! Answers a POST to a session: hands the messages in the body to its program.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    body::Body as _,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use tokio::time::timeout;

use super::{
    ask::Ask,
    transfer::{GOT, SEQ, number},
};
use crate::{
    budget::{Owner, Share},
    http::{
        page::{Body, no_content},
        refusal::Refusal,
    },
    limits::INPUT_STALL_MAX,
    message::Kind,
    resume::{
        mailbox::{Letter, Receipt},
        postbox::Postbox,
    },
};

/// The header with the number of messages that wsd has of the client.
const ACK: HeaderName = HeaderName::from_static("wsd-ack");

/// The type of a body that is one text, whatever lines it has.
const ONE_TEXT: &str = "text/vnd.wsd.message";

/// Answers a POST to the session of `postbox`.
pub(super) async fn answer(ask: &mut Ask, postbox: &Postbox) -> Result<Response<Body>, Refusal> {
    let (got, first) = (number(&ask.request.headers, &GOT)?, number(&ask.request.headers, &SEQ)?);
    if first == Some(0) {
        return Err(bad("The header `Wsd-Seq` counts from 1."));
    }
    let (kind, is_whole) = shape(ask);
    let mut share = ask.request.extensions.get::<Owner>().map(Owner::share);
    let body = read(ask, share.as_mut()).await?;
    if kind == Kind::Text && str::from_utf8(&body).is_err() {
        return Err(bad("The body is not UTF-8. Send other bytes as application/octet-stream."));
    }
    if got.is_some_and(|got| !postbox.acknowledge(got)) {
        return Err(bad("The header `Wsd-Got` counts more messages than there were."));
    }
    let has_messages = !body.is_empty() || is_whole && (got.is_none() || first.is_some());
    if !has_messages {
        return Ok(acknowledged(postbox.got()));
    }
    let with_ack = |status, text, got: u64| Err(Refusal::unlogged(status, text).with_header(ACK, got));
    match postbox.send(Letter { first, kind, is_whole, body, share }).await {
        Receipt::Taken(got) => Ok(acknowledged(got)),
        Receipt::Gap(got) => with_ack(StatusCode::CONFLICT, "Messages before these are missing: see `Wsd-Ack`.", got),
        Receipt::Busy(got) => {
            let text = "The program has not read earlier messages. Try again later.";
            with_ack(StatusCode::TOO_MANY_REQUESTS, text, got).map_err(Refusal::with_retry)
        }
        Receipt::Broken => Err(bad("The program cannot take such a message. The session ends.")),
        Receipt::Over => Err(unknown()),
    }
}

/// Returns the refusal of a token that is none of the client's.
pub(super) fn unknown() -> Refusal {
    Refusal::unlogged(StatusCode::NOT_FOUND, "There is no such session. It may have ended.")
}

/// Returns the type of the messages in the body, and whether it is one message in any framing.
fn shape(ask: &Ask) -> (Kind, bool) {
    let value = ask.request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*name {
        "application/octet-stream" => (Kind::Binary, true),
        "application/json" | ONE_TEXT => (Kind::Text, true),
        _ => (Kind::Text, false),
    }
}

/// Reads the whole body, which `share` counts.
async fn read(ask: &mut Ask, mut share: Option<&mut Share>) -> Result<Bytes, Refusal> {
    let bytes_max = ask.site.socket.message_bytes_max;
    let text = "The body is longer than a message may be. The server's --maxframesize tells how long.";
    let too_long = || Refusal::unlogged(StatusCode::PAYLOAD_TOO_LARGE, text);
    let Some(mut body) = ask.body.take() else { return Ok(Bytes::new()) };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    loop {
        let late = |_| Refusal::unlogged(StatusCode::REQUEST_TIMEOUT, "The body did not come in time.");
        let Some(frame) = timeout(INPUT_STALL_MAX, body.frame()).await.map_err(late)? else { break };
        let frame = frame.map_err(|_| bad("The body of the request is broken."))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        bytes.extend_from_slice(&data);
        if let Some(share) = &mut share {
            share.set(bytes.capacity(), 0);
        }
    }
    Ok(bytes.into())
}

fn bad(text: &'static str) -> Refusal {
    Refusal::unlogged(StatusCode::BAD_REQUEST, text)
}

fn acknowledged(got: u64) -> Response<Body> {
    let mut response = no_content();
    response.headers_mut().insert(ACK, HeaderValue::from(got));
    response
}
