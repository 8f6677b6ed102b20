//! Tells which page sent a request that has no `Origin`: by `Sec-Fetch-*`, or by `Referer` where a browser sends no such headers.
//! Pure.

use std::borrow::Cow;

use hyper::{
    HeaderMap, Method,
    header::{HOST, HeaderName, ORIGIN, REFERER, USER_AGENT},
    http::request::Parts,
};

use super::origin::is_same;

/// The header with the number of messages that the client has. A page of another origin needs the server's leave to send it.
pub(crate) const GOT: HeaderName = HeaderName::from_static("wsd-got");

/// Marks a request that had a token in a header, which a page of another origin needs the server's leave to send, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HasTokenHeader;

/// The header in which a browser tells whether a page of the same origin sent the request. It sends it only over TLS or to
/// loopback.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The page that sent a request without an `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this server, or no page.
    Own,
    /// A page of another origin.
    Other,
    /// A page, for all that is known: a browser sent it, and does not tell for whom.
    Unknown,
}

impl Sender {
    /// Finds the sender of a request for a program. If there is an `Origin`, the policy decides.
    ///
    /// Over plain HTTP to another machine a browser sends no `Sec-Fetch-*`, and no `Origin` with a GET in the mode `no-cors`.
    pub(super) fn find(request: &Parts) -> Self {
        let headers = &request.headers;
        if headers.contains_key(ORIGIN) {
            return Self::Own;
        }
        match joined(headers, &SITE).as_deref() {
            Some("same-origin" | "none") => return Self::Own,
            Some(_) => return Self::Other,
            None => {}
        }
        let has_leave = headers.contains_key(GOT) || request.extensions.get::<HasTokenHeader>().is_some();
        let is_of_browser = headers.get_all(USER_AGENT).iter().any(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
        if request.method != Method::GET || has_leave || !is_of_browser {
            return Self::Own;
        }
        match referrer(headers) {
            None => Self::Unknown,
            Some(page) if is_same(Some(&page), joined(headers, &HOST).as_deref()) => Self::Own,
            Some(_) => Self::Other,
        }
    }
}

/// Whether a page of another site made the browser send this request, without an `Origin`: for an image, a frame or a
/// script. `Sec-Fetch-*` (Fetch Metadata) tells it; if there is an `Origin`, the policy decides.
///
/// A user may follow a link from another site: a GET or HEAD for a window of its own is allowed.
pub(super) fn is_of_other_site(request: &Parts) -> bool {
    let says = |name: &str, value: &str| request.headers.get_all(name).iter().any(|said| said == value);
    let is_link = matches!(request.method, Method::GET | Method::HEAD)
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document");
    says("sec-fetch-site", "cross-site") && !request.headers.contains_key(ORIGIN) && !is_link
}

/// Whether the browser tells that a page of the same origin sent the request.
pub(super) fn is_of_same_origin(headers: &HeaderMap) -> bool {
    joined(headers, &SITE).is_some_and(|site| site == "same-origin")
}

/// Returns the origin of the page in `Referer`.
pub(super) fn referrer(headers: &HeaderMap) -> Option<String> {
    let page = joined(headers, &REFERER)?;
    let (scheme, rest) = page.split_once("://")?;
    let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some(format!("{scheme}://{server}"))
}

/// Joins the values of a header; several values match no rule, on purpose.
pub(super) fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, str>> {
    let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |joined, value| joined + ", " + value))
}
