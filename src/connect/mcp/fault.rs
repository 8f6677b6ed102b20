//! Errors of HTTP as errors of JSON-RPC, since every request gets an answer.

use hyper::header::LOCATION;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::wire::StreamableReply;
use crate::{connect::error::ConnectError, limits::CONNECT_MCP_ERROR_BYTES_MAX};

/// The code for a failure of the way to the server, as the SDKs use it.
const UNREACHED: i64 = -32000;
/// The code for a text that is no JSON.
pub(super) const PARSE_ERROR: i64 = -32700;
/// The code for JSON that is no message.
pub(super) const INVALID_REQUEST: i64 = -32600;

/// Characters of the server's text in an error.
const TEXT_CHARS_MAX: usize = 300;

/// Why a message gets no answer of the server.
#[derive(Debug)]
pub(super) struct BridgeFault {
    /// The error of JSON-RPC, as JSON.
    error: String,
    /// The reason for standard error; `None` for an error of the server's program, which is the client's business.
    pub(super) told: Option<ConnectError>,
    /// Whether the server does not know the session.
    pub(super) is_lost_session: bool,
}

impl From<ConnectError> for BridgeFault {
    fn from(error: ConnectError) -> Self {
        let told = json!({ "code": UNREACHED, "message": error.message() });
        Self { error: told.to_string(), told: Some(error), is_lost_session: false }
    }
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

/// The keys that every error of JSON-RPC has.
#[derive(Deserialize)]
struct ErrorParts {
    #[serde(rename = "code")]
    _code: i64,
    message: String,
}

impl BridgeFault {
    /// Returns the error within a text of JSON-RPC, with whatever id.
    pub(super) fn within(body: &[u8]) -> Option<Self> {
        let error = serde_json::from_slice::<ErrorBody<'_>>(body).ok()?.error.get();
        let ErrorParts { message, .. } = serde_json::from_str(error).ok()?;
        let is_lost_session = message.to_ascii_lowercase().contains("session");
        Some(Self { error: error.to_owned(), told: None, is_lost_session })
    }

    /// Reads an answer that is an error of HTTP.
    pub(super) async fn of(mut answer: StreamableReply, place: &str) -> Self {
        let status = answer.head.status;
        let body = answer.read_all(CONNECT_MCP_ERROR_BYTES_MAX).await.ok().flatten().unwrap_or_default();
        let is_missing = status.as_u16() == 404;
        if let Some(fault) = Self::within(&body) {
            let is_lost_session = is_missing || status.as_u16() == 400 && fault.is_lost_session;
            answer.finish();
            return Self { is_lost_session, ..fault };
        }
        let is_text = answer.kind().is_some_and(|kind| kind.starts_with("text/plain") || kind.contains("json"));
        let body = if is_text { String::from_utf8_lossy(&body) } else { "".into() };
        // The body of many servers begins with the status.
        let lines = body.lines().map(str::trim).filter(|line| *line != status.to_string());
        let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
        let text: String = words.join(" ").chars().take(TEXT_CHARS_MAX).filter(|c| !c.is_control()).collect();
        let text = if text.is_empty() { text } else { format!(": {text}") };
        let error = ConnectError::new(format!("cannot get an answer of {place}: the server answered {status}{text}"));
        let location = answer.head.headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let error = match (status.as_u16(), location) {
            (300..=399, Some(place)) => error.hint(format!("use the URL to which it redirects: {place}")),
            (401, _) => error.hint("add --header='Authorization: Bearer ...'"),
            (403, _) => error.hint("set --origin to an origin that the server admits, or ask for the right"),
            (404 | 405 | 426 | 501, _) => {
                error.hint("check the path of the URL, such as /mcp; if wsd is there, start it with --mcp")
            }
            (429 | 502..=504, _) => error.hint("try again later"),
            _ => error,
        };
        Self { is_lost_session: is_missing, ..error.into() }
    }

    /// Returns the answer to a request, as a line without its end.
    pub(super) fn line(&self, id: &[u8]) -> Vec<u8> {
        let error = self.error.replace(['\n', '\r'], " ");
        [br#"{"jsonrpc":"2.0","id":"#, id, br#","error":"#, error.as_bytes(), b"}"].concat()
    }

    /// Returns the answer to a line that is no message.
    pub(super) fn of_line(code: i64, message: &str) -> Self {
        let error = json!({ "code": code, "message": message }).to_string();
        Self { error, told: None, is_lost_session: false }
    }
}
