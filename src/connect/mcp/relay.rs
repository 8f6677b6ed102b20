//! One request of HTTP with a message, and the messages that come back.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    Method,
    header::{HeaderName, HeaderValue},
};
use serde_json::value::RawValue;

use super::{
    bridge::{BridgedSession, McpBridge, McpMessage},
    events::EventReader,
    fault::BridgeFault,
    wire::StreamableReply,
};
use crate::{
    connect::{error::ConnectError, say::say},
    limits::CONNECT_MESSAGE_BYTES_MAX,
    mcp::message::{Form, MessageParts, splice},
};

/// The header with the place in a stream of events.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The receiver of the messages that come back.
pub(super) struct AnswerTaker<'a> {
    /// The request that they answer; `None` for the stream of a session.
    pub(super) request: Option<&'a McpMessage>,
    /// Whether the client shall not see the answer, since it has one.
    pub(super) is_hidden: bool,
}

/// The place in a stream of events.
#[derive(Debug, Default)]
pub(super) struct StreamCursor {
    /// Whether the answer has come.
    pub(super) is_answered: bool,
    /// The id of the last event.
    pub(super) last_id: Option<String>,
    /// The pause before a return that the server asks for.
    pub(super) retry: Option<Duration>,
    /// The number of messages.
    pub(super) messages: u64,
}

/// Sends a message. Returns the head of the answer.
pub(super) async fn post(
    bridge: &Arc<McpBridge>,
    message: &McpMessage,
    session: &BridgedSession,
) -> Result<StreamableReply, ConnectError> {
    let headers = bridge.headers(message, session);
    let answer = bridge.wire.send(Method::POST, headers, message.text.clone()).await?;
    if message.is_initialize() && answer.head.status.is_success() {
        bridge.begin(message, &answer.head.headers);
    }
    Ok(answer)
}

/// Asks for the stream of a session, or for the rest of one after an event.
pub(super) async fn get(
    bridge: &Arc<McpBridge>,
    session: &BridgedSession,
    last_id: Option<&str>,
) -> Result<StreamableReply, ConnectError> {
    let mut headers = session.headers();
    if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(LAST_EVENT_ID, id);
    }
    bridge.wire.send(Method::GET, headers, Bytes::new()).await
}

/// Passes on the messages of an answer, to its end or to that of the request.
pub(super) async fn relay(
    bridge: &Arc<McpBridge>,
    mut answer: StreamableReply,
    asker: &AnswerTaker<'_>,
    cursor: &mut StreamCursor,
) -> Result<(), BridgeFault> {
    if !answer.is_stream() {
        let body = answer.read_all(CONNECT_MESSAGE_BYTES_MAX).await?.ok_or_else(|| too_long(bridge))?;
        answer.finish();
        return whole(bridge, &body, asker, cursor).await;
    }
    let mut reader = EventReader::after(cursor.last_id.clone(), cursor.retry);
    while !cursor.is_answered {
        let Some(bytes) = answer.read().await? else { break };
        let mut events = Vec::new();
        reader.read(&bytes, |data| events.push(data));
        cursor.last_id.clone_from(&reader.last_id);
        cursor.retry = reader.retry;
        if reader.held() > CONNECT_MESSAGE_BYTES_MAX {
            return Err(too_long(bridge).into());
        }
        for data in events {
            pass(bridge, &data, asker, cursor).await;
        }
    }
    answer.finish();
    Ok(())
}

/// Passes on the messages of a body that is JSON: one, or a batch of them (2025-03-26).
async fn whole(
    bridge: &Arc<McpBridge>,
    body: &[u8],
    asker: &AnswerTaker<'_>,
    cursor: &mut StreamCursor,
) -> Result<(), BridgeFault> {
    if body.trim_ascii_start().starts_with(b"[") {
        for message in serde_json::from_slice::<Vec<&RawValue>>(body).unwrap_or_default() {
            pass(bridge, message.get().as_bytes(), asker, cursor).await;
        }
    } else if !body.trim_ascii().is_empty() && !pass(bridge, body, asker, cursor).await {
        return BridgeFault::within(body).map_or(Ok(()), Err);
    }
    Ok(())
}

/// Passes on a message. Returns whether it is one.
async fn pass(bridge: &Arc<McpBridge>, text: &[u8], asker: &AnswerTaker<'_>, cursor: &mut StreamCursor) -> bool {
    let Ok(parts) = MessageParts::of(text) else {
        say(&format!("skipped a part of the answer of {}: it is no message of JSON-RPC", bridge.wire.place));
        return false;
    };
    cursor.messages += 1;
    let mut changes = Vec::new();
    let answered = asker.request.filter(|_| parts.form == Form::Response && !cursor.is_answered);
    if let (Some(request), Some(place)) = (answered, parts.id.clone())
        && let Some(id) = request.request_id().filter(|id| is_same(id, &text[place.clone()]))
    {
        cursor.is_answered = true;
        bridge.heed(request, text, &parts);
        if asker.is_hidden {
            return true;
        }
        // A server may write a number or a string in another way than the client.
        changes.push((place, id));
    }
    bridge.output.send(splice(text, changes)).await;
    true
}

/// Whether two ids are the same, however they are written.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let value = |text| serde_json::from_slice::<serde_json::Value>(text).ok();
    one == other
        || matches!((value(one), value(other)), (Some(one), Some(other)) if one == other
            || one.as_f64().is_some_and(|number| Some(number) == other.as_f64()))
}

fn too_long(bridge: &McpBridge) -> ConnectError {
    let mib = CONNECT_MESSAGE_BYTES_MAX >> 20;
    ConnectError::new(format!("cannot take an answer of {}: it is over the limit of {mib} MiB", bridge.wire.place))
}
