//! The headers of requests to the gateway. Pure.

use hyper::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE, HeaderName},
};

use crate::mcp::{
    fault::{McpFault, code},
    headers::{LEGACY, is_modern_version},
};

/// The header with the name of a session.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The header with the version of the protocol.
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The header that names the last event that a client has.
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// Returns the name of the client's session.
pub(super) fn session_id(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
}

/// Whether the header names a modern version.
pub(super) fn is_modern(headers: &HeaderMap) -> bool {
    version(headers).is_some_and(|version| is_modern_version(&version))
}

/// Returns the version in the header.
pub(super) fn version(headers: &HeaderMap) -> Option<String> {
    headers.get(VERSION).map(|version| String::from_utf8_lossy(version.as_bytes()).into_owned())
}

/// Refuses a version that is no legacy one. Without the header it is 2025-03-26.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), McpFault> {
    match version(headers) {
        Some(version) if !LEGACY.contains(&&*version) => {
            let text = format!("MCP-Protocol-Version must be one of {}", LEGACY.join(", "));
            Err(McpFault::new(400, code::REFUSED, text))
        }
        _ => Ok(()),
    }
}

/// Returns the stream and the number of the last event that a client has, if it returns to a stream.
pub(super) fn last_event(headers: &HeaderMap) -> Result<Option<(u64, u64)>, McpFault> {
    let Some(value) = headers.get(LAST_EVENT) else { return Ok(None) };
    let numbers = value.to_str().ok().and_then(|text| text.split_once('.'));
    let numbers = numbers.and_then(|(stream, number)| Some((stream.parse().ok()?, number.parse().ok()?)));
    numbers.map(Some).ok_or_else(|| McpFault::new(400, code::REFUSED, "those events are gone"))
}

/// Whether the body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether the client takes both kinds of answers, or does not say which.
pub(super) fn takes_both(headers: &HeaderMap) -> bool {
    takes(headers, "application", "json") && takes_events(headers)
}

/// Whether the client takes events, or does not say.
pub(super) fn takes_events(headers: &HeaderMap) -> bool {
    takes(headers, "text", "event-stream")
}

/// Whether the client takes events by their name.
pub(super) fn names_events(headers: &HeaderMap) -> bool {
    kinds(headers).any(|kind| kind == "text/event-stream")
}

fn takes(headers: &HeaderMap, class: &str, kind: &str) -> bool {
    let fits = |range: String| {
        range.split_once('/').is_some_and(|(of, name)| {
            matches!((of == class, name == kind, of, name), (true, true, ..) | (true, _, _, "*") | (_, _, "*", "*"))
        })
    };
    !headers.contains_key(ACCEPT) || kinds(headers).any(fits)
}

fn kinds(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|list| list.split(','));
    ranges.map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
