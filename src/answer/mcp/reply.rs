//! The answers of the gateway: one message as JSON, or several as events.

use std::future::poll_fn;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use tokio::time::timeout;

use super::{super::ask::Ask, body::McpEvents};
use crate::{
    http::{
        gate::Visitor,
        page::{Body, text_body},
        refusal::Refusal,
    },
    limits::mcp::MCP_HEAD_WAIT,
    mcp::{
        fault::{McpFault, code, status_of},
        stream::{McpAnswerKind, StreamMessage, StreamReader},
    },
};

/// An answer before its head is sent.
pub(super) enum McpReply {
    /// The program answered first.
    Json(StreamMessage, McpAnswerKind),
    /// The stream of messages, with the first of them if one has come.
    Events(StreamReader, Option<StreamMessage>),
    /// The stream ended without an answer: the client has ended its session, or has read too slowly.
    Ended(StreamReader),
}

/// Waits for the first message: a fast answer alone is JSON.
pub(super) async fn first(mut reader: StreamReader) -> McpReply {
    match timeout(MCP_HEAD_WAIT, poll_fn(|cx| reader.poll_next(cx))).await {
        Ok(Some(message)) => match message.answer {
            Some(kind) => McpReply::Json(message, kind),
            None => McpReply::Events(reader, Some(message)),
        },
        Ok(None) => McpReply::Ended(reader),
        Err(_) => McpReply::Events(reader, None),
    }
}

/// Returns an answer of the program as JSON; its status depends on its error if `is_modern`.
pub(super) fn json(message: StreamMessage, kind: McpAnswerKind, is_modern: bool) -> Response<Body> {
    let status = match kind {
        McpAnswerKind::Fault(status) => status,
        McpAnswerKind::Error(error) if is_modern => status_of(error),
        McpAnswerKind::Error(_) | McpAnswerKind::Result => 200,
    };
    of_bytes(status, message.data)
}

/// Returns an answer with events. `primed` is the number of a stream to which the client may return.
pub(super) fn streaming(reader: StreamReader, primed: Option<u64>, first: Option<StreamMessage>) -> Response<Body> {
    let mut response = Response::new(McpEvents::new(reader, primed, first).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold the events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Returns an error of the gateway. `id` is the text of the request's id.
pub(super) fn failed(fault: &McpFault, id: Option<&[u8]>) -> Response<Body> {
    let mut response = of_bytes(fault.status, fault.message(id).into());
    if let Some(after) = fault.retry {
        let secs = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, secs.max(1).into());
    }
    response
}

/// Logs the refusal of a program that cannot start, and returns it as an error.
pub(super) fn refused(ask: &Ask, visitor: &Visitor, refusal: Refusal, id: Option<&[u8]>) -> Response<Body> {
    refusal.log(visitor.connection.peer, ask.request.uri.path(), &ask.site.launcher.process.route);
    let fault = McpFault::new(refusal.status.as_u16(), code::INTERNAL, refusal.text);
    let mut response = failed(&fault, id);
    response.headers_mut().extend(refusal.headers);
    response
}

/// Returns the answer to a message that has no answer.
pub(super) fn taken() -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn of_bytes(status: u16, body: Bytes) -> Response<Body> {
    let mut response = Response::new(text_body(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
