//! The refusals of clients that are not known.

use std::time::Duration;

use hyper::{
    HeaderMap, StatusCode,
    header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::credentials::Credentials;
use crate::http::{origin::Aim, refusal::Refusal};

/// The schemes that a client may use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schemes {
    /// Whether a password may help.
    pub(super) has_basic: bool,
    /// Whether a token may help.
    pub(super) has_bearer: bool,
}

/// Returns the refusal of a client that is not known, with a challenge for each scheme (RFC 9110, section 11.6.1). Only the log
/// tells the cause.
pub(super) fn unauthorized(
    schemes: Schemes,
    headers: &HeaderMap,
    credentials: &Credentials,
    (aim, cause): (Aim, Option<&'static str>),
) -> Refusal {
    let text = "The server does not know you. Show a password, a token or a certificate that this server knows.";
    let mut refusal = Refusal::unlogged(StatusCode::UNAUTHORIZED, text);
    if credentials.are_shown() || aim.is_session() {
        let of_shown = cause.unwrap_or("its credentials are wrong");
        let hint = if credentials.are_shown() { of_shown } else { "it has shown no credentials" };
        refusal = Refusal { why: Some("auth"), ..refusal }.with_hint(hint);
    }
    let challenge = |refusal: Refusal, text| refusal.with_header(WWW_AUTHENTICATE, HeaderValue::from_static(text));
    if schemes.has_basic {
        let is_of_script = is_of_script(headers);
        let text = if is_of_script { "X-Basic realm=\"wsd\"" } else { "Basic realm=\"wsd\", charset=\"UTF-8\"" };
        refusal = challenge(refusal, text);
    }
    if schemes.has_bearer || !schemes.has_basic {
        let is_shown = credentials.token.is_some();
        let text = if is_shown { "Bearer realm=\"wsd\", error=\"invalid_token\"" } else { "Bearer realm=\"wsd\"" };
        refusal = challenge(refusal, text);
    }
    refusal
}

/// Whether a script of a page sent the request. A browser would ask the user for a password at its 401, although the page may
/// have a form of its own.
fn is_of_script(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| headers.get(name).is_some_and(|said| said == value);
    says("sec-fetch-dest", "empty") && !says("sec-fetch-mode", "navigate") && !says("sec-fetch-mode", "websocket")
}

/// Returns the refusal of a source that has guessed too often, for this time.
pub(super) fn too_many(wait: Duration) -> Refusal {
    let text = "Too many wrong credentials came from this address. Try again later.";
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "guesses", text).with_header(RETRY_AFTER, secs.max(1))
}

/// Returns the refusal of a source about which too many questions wait.
pub(super) fn too_many_asks() -> Refusal {
    let text = "Too many requests of this address wait for a server that checks who they are. Try again later.";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "auth-unavailable", text).with_retry()
}

/// Returns the refusal of a client whose credentials cannot be checked now.
pub(super) fn unavailable() -> Refusal {
    let text = "Who you are cannot be checked now. Try again later.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "auth-unavailable", text).with_retry()
}
