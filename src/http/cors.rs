//! Cross-origin answers (CORS, as in the Fetch Standard): the headers by which a page of another origin may read an answer of
//! `--http`. The gate has admitted that origin. Pure.

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HOST, HeaderValue,
        ORIGIN, VARY,
    },
};

use super::{
    origin::is_same,
    page::{Body, text_body},
};

/// The headers of answers of `--http` that pages may read.
pub(crate) const EXPOSED: &str = "Wsd-Ack, Wsd-Exit, Wsd-Session, Retry-After";

/// The headers of answers of `--mcp` that pages may read.
pub(crate) const MCP_EXPOSED: &str = "Mcp-Session-Id, Mcp-Protocol-Version, WWW-Authenticate, Retry-After";

/// Returns the headers for every answer to an admitted request; none unless a page of another origin sent it. The page may read
/// the headers in `exposed`.
pub(crate) fn headers_for(request: &HeaderMap, exposed: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let host = request.get(HOST).and_then(|host| host.to_str().ok());
    if let Some(origin) = request.get(ORIGIN).filter(|origin| !is_same(origin.to_str().ok(), host)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    headers
}

/// Answers a preflight: names the methods and headers of `--http`. [`headers_for`] adds the origin.
pub(crate) fn preflight() -> Response<Body> {
    let allowed = "Authorization, Content-Type, Last-Event-ID, Wsd-Session, Wsd-Seq, Wsd-Got, Wsd-Poll";
    allowing("GET, POST, DELETE", HeaderValue::from_static(allowed))
}

/// Answers a preflight of `--mcp`: allows the headers that the page asks for, since tools name headers of their own.
pub(crate) fn preflight_of_mcp(request: &HeaderMap) -> Response<Body> {
    let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    allowing("GET, POST, DELETE, OPTIONS", asked.unwrap_or_else(|| HeaderValue::from_static("Content-Type")))
}

fn allowing(methods: &'static str, names: HeaderValue) -> Response<Body> {
    let mut response = Response::new(text_body(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    // Seconds that a browser may keep this answer: ten minutes save a preflight for most requests of a session.
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_another_origin_gets_headers_with_that_origin() {
        let table = [
            (None, "wsd.example", None),
            (Some("https://wsd.example"), "wsd.example", None),
            (Some("https://app.example"), "wsd.example", Some("https://app.example")),
            (Some("http://wsd.example:81"), "wsd.example", Some("http://wsd.example:81")),
            (Some("null"), "wsd.example", Some("null")),
        ];
        for (origin, host, want) in table {
            let mut request = HeaderMap::new();
            request.insert(HOST, HeaderValue::from_static(host));
            request.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));

            let headers = headers_for(&request, EXPOSED);

            let found = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(HeaderValue::as_bytes);
            assert_eq!(found, want.map(str::as_bytes), "{origin:?}");
            assert_eq!(headers.contains_key(VARY), want.is_some(), "{origin:?}");
        }
    }
}
