//! The opening handshake (RFC 6455, section 4.2): the checks of the request. Pure.

use super::refusal::Refusal;
use hyper::{
    HeaderMap, Method, StatusCode, Version,
    header::{
        ALLOW, CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
    http::request::Parts,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Whether a request asks for a WebSocket: its `Connection` headers have the token `upgrade`, and its `Upgrade` headers the
/// token `websocket`, in any case (RFC 9110, section 7.8).
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket")
}

/// Whether a request is one for a WebSocket, except that a proxy has removed `Upgrade`, which is for one hop only.
pub(crate) fn has_lost_upgrade(request: &Parts) -> bool {
    let headers = &request.headers;
    request.method == Method::GET && headers.contains_key(SEC_WEBSOCKET_KEY) && !is_wanted(headers)
}

/// Whether a request has `Connection: upgrade` and no `Upgrade`: so a proxy passes all requests on that is set up for
/// WebSockets only.
pub(crate) fn is_upgrade_to_nothing(headers: &HeaderMap) -> bool {
    has_token(headers, &CONNECTION, "upgrade") && !headers.contains_key(UPGRADE)
}

/// Checks a request for a WebSocket.
pub(crate) fn check(request: &Parts) -> Result<(), Refusal> {
    if request.method != Method::GET {
        let text = "A WebSocket is opened with GET (RFC 6455, section 4.1).";
        let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", text);
        return Err(refusal.with_header(ALLOW, HeaderValue::from_static("GET")));
    }
    if request.version != Version::HTTP_11 {
        let text = "A WebSocket is opened with HTTP/1.1 (RFC 6455, section 4.1).";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "http", text));
    }
    if has_body(&request.headers) {
        let text = "A request for a WebSocket has no body: its bytes could be taken for frames.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "body", text));
    }
    if single(&request.headers, &SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let text = "The header `Sec-WebSocket-Version: 13` is needed (RFC 6455, section 4.1).";
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, "version", text));
    }
    match single(&request.headers, &SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key) => Ok(()),
        _ => {
            let text = "The header `Sec-WebSocket-Key` must be 16 bytes in base64 (RFC 6455, section 4.1).";
            Err(Refusal::new(StatusCode::BAD_REQUEST, "key", text))
        }
    }
}

/// Returns the value of `Sec-WebSocket-Accept` for a request that [`check`] lets pass.
pub(crate) fn accept(headers: &HeaderMap) -> String {
    derive_accept_key(single(headers, &SEC_WEBSOCKET_KEY).unwrap_or_default())
}

/// Returns the client's offers of subprotocols, in order (RFC 6455, section 4.2.2).
pub(crate) fn offers(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).map(str::trim)
}

/// Takes the first offer of a kind out of the headers, and removes the others of that kind.
pub(crate) fn take_offer(headers: &mut HeaderMap, is_of_kind: fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut taken = None;
    let mut values = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        let offers = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let (found, left): (Vec<_>, Vec<_>) = offers.partition(|offer| is_of_kind(offer));
        taken = taken.or_else(|| found.first().map(|offer| offer.to_vec()));
        values.extend(HeaderValue::from_bytes(&left.join(&b", "[..])).ok().filter(|_| !left.is_empty()));
    }
    if taken.is_some() {
        headers.remove(SEC_WEBSOCKET_PROTOCOL);
        for value in values {
            headers.append(SEC_WEBSOCKET_PROTOCOL, value);
        }
    }
    taken
}

/// Returns the client's first offer of a subprotocol, if it may be the name of one.
pub(crate) fn first_offer(headers: &HeaderMap) -> Option<&str> {
    let first = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').next()?.trim();
    Some(first).filter(|name| is_token(name) && name.len() <= OFFER_BYTES_MAX)
}

/// A longer name is none that a person has given.
const OFFER_BYTES_MAX: usize = 100;

/// Whether `name` may be the name of a subprotocol: a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(name: &str) -> bool {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token_byte)
}

/// Whether a request announces a body (RFC 9112, section 6.3); a chunked body may still be empty.
pub(crate) fn has_body(headers: &HeaderMap) -> bool {
    let is_zero = |length: &[u8]| length.trim_ascii().iter().all(|&digit| digit == b'0');
    headers.contains_key(TRANSFER_ENCODING)
        || headers.get_all(CONTENT_LENGTH).iter().any(|length| !is_zero(length.as_bytes()))
}

/// Returns the value of a header; `None` unless it occurs exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).map(|value| value.as_bytes().trim_ascii())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|value| value.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether `key` is the base64 of 16 bytes. The unused bits of the last letter may have any value.
fn is_key(key: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.split_at_checked(22), Some((letters, b"==")) if letters.iter().all(is_letter))
}
