//! Pages that are built into wsd, such as the JavaScript client for pages.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use hyper::{
    Method, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
    http::request::Parts,
};

use crate::http::page::{Body, page, text_body};

/// Allows scripts and styles of this server only, but any WebSocket: the console's address field may name another server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws: wss:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// The built-in pages that a site shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnPages {
    /// Whether it shows the console (`--devconsole`).
    pub(crate) has_console: bool,
    /// Whether a client that sees the status may end sessions (`--admin`).
    pub(crate) has_admin: bool,
    /// Whether it explains itself at `/` and at the paths of programs. Under the name of websocketd it does not.
    pub(crate) has_welcome: bool,
}

/// Path, content type and text.
pub(super) type BuiltinFile = (&'static str, &'static str, &'static str);

/// The content type of JavaScript.
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The content type of a stylesheet.
pub(super) const STYLESHEET: &str = "text/css; charset=utf-8";

/// The JavaScript client for pages, its part for event streams, and the look of wsd's own pages; wsd always serves them.
const SHARED_PARTS: [BuiltinFile; 3] = [
    ("/.wsd/client.js", SCRIPT, include_str!("../../static/wsd.js")),
    ("/.wsd/wsd-stream.js", SCRIPT, include_str!("../../static/wsd-stream.js")),
    ("/.wsd/look.css", STYLESHEET, include_str!("../../static/look.css")),
];

impl OwnPages {
    /// Answers a request for a page at a path of its own within the server; `None` at any other path.
    #[expect(clippy::unused_self, reason = "every site has these parts")]
    pub(super) fn answer(self, path: &str, request: &Parts) -> Option<Response<Body>> {
        let part = SHARED_PARTS.into_iter().find(|(part, ..)| *part == path);
        part.map(|(_, kind, text)| respond(request, kind, text))
    }
}

/// Answers with a text that is built in, or with a 304 if the client has it.
pub(super) fn respond(request: &Parts, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = page(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page is read with GET or HEAD. A program answers over a WebSocket.",
        );
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let text = text.into();
    let etag = etag(&text);
    let knows =
        |list: &str| list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    let is_known = request.headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(knows));
    let mut response = document(kind, if is_known { Bytes::new() } else { text });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response.headers_mut().insert(ETAG, HeaderValue::try_from(etag).expect("a number in quotes"));
    response
}

/// Returns a text that is built in, with its headers.
pub(super) fn document(kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(text_body(text));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn etag(text: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
