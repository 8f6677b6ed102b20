//! The requests of `--http`: a session over an event stream and POST, and a program that runs for one POST. Pure.
//!
//! The token of a session is taken out of the request, so that no program, log or answer shows it.

use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue},
    http::{request::Parts, uri::PathAndQuery},
};

use crate::http::{refusal::Refusal, sender::HasTokenHeader};

/// The header with the token of a session.
pub(super) const SESSION: HeaderName = HeaderName::from_static("wsd-session");

/// The header with the number of the first message in the body.
pub(super) const SEQ: HeaderName = HeaderName::from_static("wsd-seq");

/// The header of a client whose network withholds an answer until its end: the seconds that wsd waits for the first event. After the
/// first events, or without one after this time, it ends the answer.
pub(super) const POLL: HeaderName = HeaderName::from_static("wsd-poll");

/// The header in which a browser names the last event that it has.
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// The part of a query with the token of a session.
const QUERY: &str = "wsd-session=";

/// The purpose of a request of `--http`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `GET` for an event stream: begins a session, or returns to one.
    Stream,
    /// `POST` with a token: messages for the program of a session, or an acknowledgement.
    Input,
    /// `DELETE` with a token: the client leaves.
    Leave,
    /// `POST` without a token: the body is the program's standard input.
    OneShot,
    /// `OPTIONS`: a browser asks whether a page of another origin may send such a request.
    Preflight,
}

/// A request of `--http`.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Its purpose.
    pub(super) purpose: Purpose,
    /// The token of its session, as the client sent it.
    pub(super) session: Option<String>,
    /// The last event that the client has, without the token: a number, or `closed`.
    pub(super) last: Option<String>,
}

impl Transfer {
    /// Takes the tokens out of a request, and returns its purpose if it is one of `--http`.
    pub(super) fn take(request: &mut Parts) -> Option<Self> {
        let header = take_header(&mut request.headers, &SESSION);
        if header.is_some() {
            request.extensions.insert(HasTokenHeader);
        }
        let query = take_query(&mut request.uri);
        let event = take_header(&mut request.headers, &LAST_EVENT);
        let (token, last) = event.as_deref().and_then(|event| event.rsplit_once('.')).unzip();
        let session = header.or(query).or_else(|| token.map(str::to_owned));
        let purpose = match request.method {
            Method::GET if takes_events(&request.headers) => Purpose::Stream,
            Method::POST if session.is_some() => Purpose::Input,
            Method::POST => Purpose::OneShot,
            Method::DELETE if session.is_some() => Purpose::Leave,
            Method::OPTIONS if request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) => Purpose::Preflight,
            _ => return None,
        };
        Some(Self { purpose, session, last: last.map(str::to_owned) })
    }

    /// Whether it begins nothing: it is for a session that the client says it has, or asks what it may send.
    pub(super) fn is_of_session(&self) -> bool {
        match self.purpose {
            Purpose::Stream => self.session.is_some(),
            Purpose::Input | Purpose::Leave | Purpose::Preflight => true,
            Purpose::OneShot => false,
        }
    }
}

/// Returns the number in a header. Refuses another value, and a second one.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let only = Some(value).filter(|_| values.next().is_none());
    let text = only.and_then(|value| value.to_str().ok());
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).map(Some).ok_or_else(|| {
        Refusal::unlogged(StatusCode::BAD_REQUEST, "The headers `Wsd-Got`, `Wsd-Seq` and `Wsd-Poll` are numbers.")
    })
}

/// Whether the client asks for an event stream by its name: `*/*` is no wish for one.
pub(super) fn takes_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|list| list.split(',')).map(|range| range.split(';').next().unwrap_or_default());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/event-stream"))
}

fn take_header(headers: &mut HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.remove(name)?;
    Some(String::from_utf8_lossy(HeaderValue::as_bytes(&value)).into_owned())
}

/// Takes the token out of the query. Other parts of the query stay as they are.
fn take_query(uri: &mut Uri) -> Option<String> {
    let (found, left): (Vec<_>, Vec<_>) = uri.query()?.split('&').partition(|part| part.starts_with(QUERY));
    let token = found.first()?.strip_prefix(QUERY)?.to_owned();
    let rest = if left.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), left.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(rest).ok();
    *uri = Uri::from_parts(parts).ok()?;
    Some(token)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_purpose_follows_from_the_method_the_accept_header_and_the_token() {
        let events = ("accept", "text/html, Text/Event-Stream;q=0.9");
        let token = ("wsd-session", "T");
        let table: [(_, _, &[(&str, &str)], _); 11] = [
            ("GET", "/", &[events], Some((Purpose::Stream, None, None))),
            ("GET", "/", &[events, ("last-event-id", "T.7")], Some((Purpose::Stream, Some("T"), Some("7")))),
            ("GET", "/?wsd-session=T", &[events], Some((Purpose::Stream, Some("T"), None))),
            ("GET", "/", &[("accept", "*/*")], None),
            ("HEAD", "/", &[events], None),
            ("POST", "/", &[], Some((Purpose::OneShot, None, None))),
            ("POST", "/", &[token], Some((Purpose::Input, Some("T"), None))),
            ("DELETE", "/", &[token], Some((Purpose::Leave, Some("T"), None))),
            ("DELETE", "/", &[], None),
            ("OPTIONS", "/", &[("access-control-request-method", "POST")], Some((Purpose::Preflight, None, None))),
            ("OPTIONS", "/", &[], None),
        ];
        for (method, target, headers, want) in table {
            let transfer = Transfer::take(&mut parts(method, target, headers));
            let found = transfer.as_ref().map(|t| (t.purpose, t.session.as_deref(), t.last.as_deref()));
            assert_eq!(found, want, "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn a_token_is_taken_out_of_the_request() {
        let table = [
            ("/a?wsd-session=T", "/a"),
            ("/a?x=1&wsd-session=T&y=%41", "/a?x=1&y=%41"),
            ("/a?x=1", "/a?x=1"),
            ("/a?wsd-session=T&wsd-session=U", "/a"),
        ];
        for (target, want) in table {
            let mut request = parts("POST", target, &[("wsd-session", "T"), ("last-event-id", "T.1")]);
            Transfer::take(&mut request);
            assert_eq!(request.uri.to_string(), want);
            assert!(request.headers.is_empty(), "{:?}", request.headers);
        }
    }
}
