//! The headers with which a browser lets a page of another origin use the requests of `--http` (Fetch standard, CORS).

use hyper::{
    HeaderMap, Response,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, HeaderValue, ORIGIN, VARY,
    },
};

use crate::http::page::{Body, no_content};

/// Seconds for which a browser need not ask again.
const MAX_AGE_SECS: u32 = 600;

/// Returns the headers for the answer to a request that has passed the gate; none if no page sent it.
pub(super) fn allowed(request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let Some(origin) = request.get(ORIGIN) else { return Vec::new() };
    vec![
        (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()),
        (VARY, HeaderValue::from_static("Origin")),
        (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Wsd-Ack, Wsd-Exit, Wsd-Session")),
    ]
}

/// Returns the answer to a browser that asks whether a page may send a request.
pub(super) fn preflight() -> Response<Body> {
    let mut response = no_content();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    let allowed = HeaderValue::from_static("Content-Type, Last-Event-ID, Wsd-Session, Wsd-Seq, Wsd-Got");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_SECS));
    response
}
