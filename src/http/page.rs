//! The pages that wsd itself writes: short errors with advice.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

use super::refusal::Refusal;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Returns a page of plain text: the status, then `text`. It repeats nothing of the request.
pub(crate) fn page(status: StatusCode, text: &str) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(text_body(format!("{} {reason}\n\n{text}\n", status.as_u16())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Returns the page of a refusal.
pub(crate) fn refused(refusal: Refusal) -> Response<Body> {
    if let Some(response) = refusal.response {
        return *response;
    }
    let mut response = page(refusal.status, refusal.text);
    response.headers_mut().extend(refusal.headers);
    response
}

/// Returns a 404 page; `text` says what this server is.
pub(crate) fn not_found(text: &str) -> Response<Body> {
    page(StatusCode::NOT_FOUND, text)
}

/// Returns an answer without a body.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Returns a body that is complete in memory.
pub(crate) fn text_body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}
