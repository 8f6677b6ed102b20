//! The pages that wsd writes itself: errors, in a few words that help.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};

use super::Body;

/// A page of plain text: the status, and what to do about it. Nothing of the request is repeated in it.
pub(crate) fn page(status: StatusCode, text: &str) -> Response<Body> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(text_body(format!("{} {reason}\n\n{text}\n", status.as_u16())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// 404, with what this server is.
pub(crate) fn not_found(text: &str) -> Response<Body> {
    page(StatusCode::NOT_FOUND, text)
}

/// A body that is all there.
pub(crate) fn text_body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}
