//! Files that are built into wsd: the console, and the JavaScript client for pages.

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

use super::{ask::Ask, paths};
use crate::http::page::{Body, page, text_body};

/// Allows scripts and styles of this server only, but any WebSocket: the console's address field may name another server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws: wss:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";

/// Path, content type and text.
type BuiltinFile = (&'static str, &'static str, &'static str);

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The JavaScript client for pages; wsd always serves it.
const CLIENT: BuiltinFile = ("/.wsd/client.js", SCRIPT, include_str!("../../static/wsd.js"));

/// The parts of the console's page.
const CONSOLE_PARTS: [BuiltinFile; 10] = [
    ("/.wsd/console.css", "text/css; charset=utf-8", include_str!("../../static/console.css")),
    ("/.wsd/console.js", SCRIPT, include_str!("../../static/console.js")),
    ("/.wsd/console-close.js", SCRIPT, include_str!("../../static/console-close.js")),
    ("/.wsd/console-export.js", SCRIPT, include_str!("../../static/console-export.js")),
    ("/.wsd/console-history.js", SCRIPT, include_str!("../../static/console-history.js")),
    ("/.wsd/console-log.js", SCRIPT, include_str!("../../static/console-log.js")),
    ("/.wsd/console-message.js", SCRIPT, include_str!("../../static/console-message.js")),
    ("/.wsd/console-paths.js", SCRIPT, include_str!("../../static/console-paths.js")),
    ("/.wsd/console-session.js", SCRIPT, include_str!("../../static/console-session.js")),
    ("/.wsd/console-text.js", SCRIPT, include_str!("../../static/console-text.js")),
];

/// The console's page; wsd serves it at every path that has nothing else.
const CONSOLE: BuiltinFile = ("", "text/html; charset=utf-8", include_str!("../../static/console.html"));

/// The list of the paths that the console offers.
const PATHS: &str = "/.wsd/paths.json";

/// Answers a request for the client; `None` at any other path.
pub(super) fn client(request: &Parts) -> Option<Response<Body>> {
    (request.uri.path() == CLIENT.0).then(|| respond(request, CLIENT.1, CLIENT.2))
}

/// Answers with a part of the console, if any site has one; `None` at any other path.
pub(super) async fn console_part(ask: &Ask) -> Option<Response<Body>> {
    let path = ask.request.uri.path();
    if !path.starts_with("/.wsd/") || !ask.routes.have_console() {
        return None;
    }
    if path == PATHS {
        return Some(respond(&ask.request, "application/json", paths::json(&ask.routes).await));
    }
    let (_, kind, text) = CONSOLE_PARTS.into_iter().find(|(part, ..)| *part == path)?;
    Some(respond(&ask.request, kind, text))
}

/// Answers with the page of the console.
pub(super) fn console(request: &Parts) -> Response<Body> {
    respond(request, CONSOLE.1, CONSOLE.2)
}

fn respond(request: &Parts, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "This is read with GET or HEAD.");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let text = text.into();
    let etag = etag(&text);
    let knows =
        |list: &str| list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    let is_known = request.headers.get_all(IF_NONE_MATCH).iter().any(|value| value.to_str().is_ok_and(knows));
    let mut response = Response::new(text_body(if is_known { Bytes::new() } else { text }));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::try_from(etag).expect("a number in quotes"));
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
