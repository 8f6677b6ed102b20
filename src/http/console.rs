//! `--devconsole`: a page to talk to a program with, built into wsd and shown where nothing else answers.

use std::hash::{DefaultHasher, Hash, Hasher};

use hyper::{
    Method, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    Body,
    page::{page, text_body},
};

/// Scripts and styles from here only, connections to any WebSocket: the page's address field may name another.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The parts of the page, by path; the page itself is at every other one.
const PARTS: [(&str, &str, &str); 2] = [
    ("/.wsd/console.css", "text/css; charset=utf-8", include_str!("../../static/console.css")),
    ("/.wsd/console.js", "text/javascript; charset=utf-8", include_str!("../../static/console.js")),
];
const PAGE: (&str, &str) = ("text/html; charset=utf-8", include_str!("../../static/console.html"));

/// Answers with the page, which is the same for every request, or with a part of it.
pub(super) fn respond(request: &Request<()>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "The console is read with GET or HEAD.");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let part = PARTS.iter().find(|(path, ..)| *path == request.uri().path());
    let (kind, text) = part.map_or(PAGE, |(_, kind, text)| (kind, text));
    let etag = etag(text);
    let is_known = request.headers().get_all(IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|list| list.split(',').any(|tag| matches!(tag.trim(), t if t == etag || t == "*")))
    });
    let mut response = Response::new(text_body(if is_known { "" } else { text }));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(etag).expect("a number in quotes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn etag(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
