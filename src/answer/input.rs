//! Answers a POST to a session: hands the messages in the body to its program.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    body::Body as _,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    ask::Ask,
    carried::Carried,
    ration::Ration,
    texts::{self, TextsFault},
    transfer::{SEQ, number},
};
use crate::{
    budget::{Owner, Share},
    http::{
        page::{Body, no_content},
        refusal::Refusal,
        sender::GOT,
        upload::{Upload, UploadFault},
    },
    limits::INPUT_MESSAGES_MAX,
    message::Kind,
    resume::{
        mailbox::{Borders, Letter, Receipt},
        postbox::Postbox,
    },
};

/// The header with the number of messages that wsd has of the client.
const ACK: HeaderName = HeaderName::from_static("wsd-ack");

/// The type of a body that is a JSON array of texts, each of them a message.
const TEXTS: &str = "application/vnd.wsd.texts+json";

/// Bytes of JSON at most for a byte of a text: `\u0001`.
const ESCAPED_BYTES: usize = 6;

/// Bytes of JSON around a text: its quotation marks, a comma and a blank.
const QUOTE_BYTES: usize = 4;

/// Answers a POST to the session of `postbox`.
pub(super) async fn answer(ask: &mut Ask, postbox: &Postbox) -> Result<Response<Body>, Refusal> {
    let (got, first) = (number(&ask.request.headers, &GOT)?, number(&ask.request.headers, &SEQ)?);
    if first == Some(0) {
        return Err(bad("The header `Wsd-Seq` counts from 1."));
    }
    let letter = Letter { first, ..letter(ask, postbox.has_lines(), Ration::default(), &Carried::default()).await? };
    if got.is_some_and(|got| !postbox.acknowledge(got)) {
        return Err(bad("The header `Wsd-Got` counts more messages than there were."));
    }
    let has_messages = match &letter.borders {
        Borders::Ends(ends) => !ends.is_empty(),
        Borders::Framing => !letter.body.is_empty(),
        Borders::Whole => !letter.body.is_empty() || got.is_none() || first.is_some(),
    };
    if !has_messages {
        return Ok(acknowledged(postbox.got()));
    }
    let with_ack = |status, text, got: u64| Err(Refusal::unlogged(status, text).with_header(ACK, got));
    match postbox.send(letter).await {
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

/// Reads the messages in the body, no faster than `ration` permits. `has_lines` is whether the program's framing has lines.
pub(super) async fn letter(
    ask: &mut Ask,
    has_lines: bool,
    mut ration: Ration,
    carried: &Carried,
) -> Result<Letter, Refusal> {
    let (kind, mut borders) = shape(ask);
    let mut share = ask.request.extensions.get::<Owner>().map(Owner::share);
    let bytes_max = ask.site.socket.message_bytes_max;
    let json_bytes_max = bytes_max.saturating_mul(ESCAPED_BYTES).saturating_add(INPUT_MESSAGES_MAX * QUOTE_BYTES);
    let is_json = matches!(borders, Borders::Ends(_));
    let body_bytes_max = if is_json { json_bytes_max } else { bytes_max };
    let mut body = read(ask, body_bytes_max, share.as_mut(), (&mut ration, carried)).await?;
    if let (Borders::Ends(ends), false) = (&mut borders, body.is_empty()) {
        let texts = texts::read(&body, bytes_max, INPUT_MESSAGES_MAX).map_err(|fault| match fault {
            TextsFault::Invalid => bad("The body is not a JSON array of texts."),
            TextsFault::TooLong => too_long(),
            TextsFault::TooMany => too_many(),
        })?;
        (body, *ends) = (texts.body, texts.ends);
    }
    if kind == Kind::Text && str::from_utf8(&body).is_err() {
        return Err(bad("The body is not UTF-8. Send other bytes as application/octet-stream."));
    }
    let letter = Letter { first: None, kind, borders, body, share };
    if letter.messages(has_lines).nth(INPUT_MESSAGES_MAX).is_some() {
        return Err(too_many());
    }
    let letter = letter.counted();
    for _ in letter.messages(has_lines) {
        ration.count(0, 1, carried).await;
    }
    Ok(letter)
}

/// Returns the refusal of a token that is none of the client's.
pub(super) fn unknown() -> Refusal {
    Refusal::unlogged(StatusCode::NOT_FOUND, "There is no such session. It may have ended.")
}

/// Returns the type of the messages in the body, and where they end.
fn shape(ask: &Ask) -> (Kind, Borders) {
    let value = ask.request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*name {
        "application/octet-stream" => (Kind::Binary, Borders::Whole),
        "application/json" => (Kind::Text, Borders::Whole),
        TEXTS => (Kind::Text, Borders::Ends(Vec::new())),
        _ => (Kind::Text, Borders::Framing),
    }
}

/// Reads the whole body, up to `bytes_max`; `share` counts it.
async fn read(
    ask: &mut Ask,
    bytes_max: usize,
    mut share: Option<&mut Share>,
    (ration, carried): (&mut Ration, &Carried),
) -> Result<Bytes, Refusal> {
    let Some(body) = ask.body.take() else {
        carried.is_whole.store(true, Ordering::Relaxed);
        return Ok(Bytes::new());
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let mut upload = Upload::new(body);
    let fault = |fault| match fault {
        UploadFault::Late => Refusal::unlogged(StatusCode::REQUEST_TIMEOUT, "The body did not come in time."),
        UploadFault::Broken => bad("The body of the request is broken."),
    };
    while let Some(data) = upload.next().await.map_err(fault)? {
        if bytes.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        bytes.extend_from_slice(&data);
        if let Some(share) = &mut share {
            share.set(bytes.capacity(), 0);
        }
        carried.input.fetch_add(data.len() as u64, Ordering::Relaxed);
        ration.count(data.len(), 0, carried).await;
    }
    carried.is_whole.store(true, Ordering::Relaxed);
    // It may wait, and a box has no spare memory.
    Ok(bytes.into_boxed_slice().into())
}

fn too_long() -> Refusal {
    let text = "The body is longer than a message may be. The server's --maxframesize tells how long.";
    Refusal::unlogged(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn too_many() -> Refusal {
    Refusal::unlogged(StatusCode::PAYLOAD_TOO_LARGE, "The body has more than 10,000 messages. Send it in parts.")
}

fn bad(text: &'static str) -> Refusal {
    Refusal::unlogged(StatusCode::BAD_REQUEST, text)
}

fn acknowledged(got: u64) -> Response<Body> {
    let mut response = no_content();
    response.headers_mut().insert(ACK, HeaderValue::from(got));
    response
}
