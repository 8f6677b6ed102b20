//! The requests that are for the gateway. Pure.

use hyper::{
    HeaderMap, Method, Request, Uri,
    body::Incoming,
    header::{ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue},
    http::{request::Parts, uri::PathAndQuery},
};

use super::{
    super::routes::Routes,
    requests::{SESSION, names_events},
};
use crate::http::{origin::Aim, path::decode};

/// The path in front of the path of a resource, at which clients find its description (RFC 9728, section 3.1).
pub(super) const METADATA: &str = "/.well-known/oauth-protected-resource";

/// The purpose of a request to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::answer) enum McpPurpose {
    /// `POST`: a message.
    Message,
    /// `GET`: a stream of a session.
    Stream,
    /// `DELETE`: the client leaves its session.
    Leave,
    /// `OPTIONS`: a browser asks whether a page of another origin may send such a request.
    Preflight,
    /// The description of the resource, for clients that need a token.
    Metadata,
    /// Another method.
    Other,
}

impl McpPurpose {
    /// Finds the purpose of a request at the path of a gateway; `None` if it is for one of wsd's pages, or for a browser's window.
    pub(in crate::answer) fn find(request: &Parts, has_metadata: bool, base: &str) -> Option<Self> {
        let headers = &request.headers;
        let own = request.uri.path().strip_prefix(base).unwrap_or_default();
        let is_preflight = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Some(match request.method {
            _ if own.starts_with("/.wsd/") => return None,
            Method::OPTIONS if is_preflight => Self::Preflight,
            Method::GET | Method::HEAD if has_metadata => Self::Metadata,
            _ if has_metadata => return None,
            Method::POST => Self::Message,
            Method::DELETE => Self::Leave,
            Method::GET if takes_pages(headers) => return None,
            Method::GET => Self::Stream,
            Method::HEAD => return None,
            _ => Self::Other,
        })
    }

    /// Whether a page may mean a file by such a request, such as its script: it names neither events nor a session.
    pub(in crate::answer) fn may_be_for_a_file(self, headers: &HeaderMap) -> bool {
        self == Self::Stream && !names_events(headers) && !headers.contains_key(SESSION)
    }

    /// Returns the aim for the gate.
    pub(in crate::answer) fn aim(self) -> Aim {
        if self == Self::Metadata { Aim::Metadata } else { Aim::Transfer }
    }
}

/// Whether a browser's window asks for a page.
fn takes_pages(headers: &HeaderMap) -> bool {
    let names_html = |value: &HeaderValue| value.to_str().is_ok_and(|kinds| kinds.contains("text/html"));
    headers.get_all(ACCEPT).iter().any(names_html) && !names_events(headers) && !headers.contains_key(SESSION)
}

/// Turns a request for the description of a gateway into one for the gateway, whose gate it passes. Returns whether it is one.
pub(in crate::answer) fn take_metadata_place(request: &mut Request<Incoming>, routes: &Routes) -> bool {
    let Some(path) = request.uri().path().strip_prefix(METADATA) else { return false };
    let path = if path.is_empty() { "/" } else { path };
    let Some(place) = PathAndQuery::try_from(path).ok().filter(|_| path.starts_with('/')) else { return false };
    let (site, _) = routes.find(&decode(path));
    let is_one = site.mcp.is_some() && site.gate.auth.is_some();
    if is_one {
        *request.uri_mut() = Uri::from(place);
    }
    is_one
}
