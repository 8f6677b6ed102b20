//! The description of a gateway for clients that need a token (RFC 9728), and the challenge that names it.

use hyper::{
    Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue, WWW_AUTHENTICATE},
};
use serde_json::json;

use super::{super::ask::Ask, purpose::METADATA};
use crate::{
    http::{
        page::{Body, text_body},
        refusal::Refusal,
    },
    peer::Connection,
};

/// Answers with the description.
pub(super) fn page(ask: &Ask, connection: &Connection, issuers: &[String]) -> Response<Body> {
    let mut description = json!({ "resource": url(ask, connection, ""), "bearer_methods_supported": ["header"] });
    if !issuers.is_empty() {
        description["authorization_servers"] = json!(issuers);
    }
    let mut response = Response::new(text_body(description.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Adds the place of the description to the refusal of a client that is not known.
pub(super) fn challenge(ask: &Ask, connection: &Connection, mut refusal: Refusal) -> Refusal {
    if refusal.status != StatusCode::UNAUTHORIZED {
        return refusal;
    }
    let place = format!("resource_metadata=\"{}\"", url(ask, connection, METADATA));
    let is_bearer = |value: &HeaderValue| value.as_bytes().starts_with(b"Bearer ");
    let before = refusal.headers.iter_mut().find(|(name, value)| *name == WWW_AUTHENTICATE && is_bearer(value));
    let text = match &before {
        Some((_, value)) => format!("{}, {place}", value.to_str().unwrap_or("Bearer")),
        None => format!("Bearer {place}"),
    };
    let Ok(value) = HeaderValue::try_from(text) else { return refusal };
    match before {
        Some((_, before)) => *before = value,
        None => refusal.headers.push((WWW_AUTHENTICATE, value)),
    }
    refusal
}

/// Returns the URL of the gateway, with `front` before its path. The gate has checked `Host`.
fn url(ask: &Ask, connection: &Connection, front: &str) -> String {
    let scheme = if connection.is_secure { "https" } else { "http" };
    let host = ask.request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let host: String = host.chars().filter(|c| !matches!(c, '"' | '\\' | ' ')).collect();
    format!("{scheme}://{host}{front}{}", ask.request.uri.path())
}
