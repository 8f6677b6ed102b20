//! The refusal of a request: a text for the client, and facts for the log. `page` renders it.

use std::io;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::{
    Response, StatusCode,
    header::{HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{event::Event, metrics::route::RouteName, peer::Peer};

/// Seconds in the Retry-After of [`Refusal::with_retry`].
const RETRY_AFTER_SECS: u64 = 1;

/// A response that wsd passes on.
pub(crate) type ForeignResponse = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// The reason that wsd does not do what a request asks for.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// A sentence or two for the client: what is wrong, and what to do.
    pub(crate) text: &'static str,
    /// The headers that the page needs, such as `Allow`.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// `why` in the log; wsd does not log `None`.
    pub(crate) why: Option<&'static str>,
    /// The `Origin` header, for the log.
    pub(crate) origin: Option<Box<str>>,
    /// The `Host` header, for the log.
    pub(crate) host: Option<Box<str>>,
    /// The flag that would allow the request, or how to ask, for the log.
    pub(crate) hint: Option<Box<str>>,
    /// The response of the server or script that refuses, in place of the page.
    pub(crate) response: Option<Box<ForeignResponse>>,
}

impl Refusal {
    /// Returns a refusal that [`Refusal::log`] logs.
    pub(crate) fn new(status: StatusCode, why: &'static str, text: &'static str) -> Self {
        Self { why: Some(why), ..Self::unlogged(status, text) }
    }

    /// Returns a refusal that is not logged, or that another event has logged.
    pub(crate) fn unlogged(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, headers: Vec::new(), why: None, origin: None, host: None, hint: None, response: None }
    }

    /// Returns a refusal with a response of its own. It is not logged.
    pub(crate) fn with_response(response: ForeignResponse) -> Self {
        let status = response.status();
        Self { response: Some(Box::new(response)), ..Self::unlogged(status, "") }
    }

    /// Adds the flag that would allow the request, or how to ask.
    pub(crate) fn with_hint(self, hint: impl Into<Box<str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds a header to the page.
    pub(crate) fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says that the client may try again soon.
    pub(crate) fn with_retry(self) -> Self {
        self.with_retry_in(RETRY_AFTER_SECS)
    }

    /// Says that the client may try again after so many seconds.
    pub(crate) fn with_retry_in(self, secs: u64) -> Self {
        self.with_header(RETRY_AFTER, secs)
    }

    /// Logs the refusal of a request for a path on a route, if it has a `why`.
    pub(crate) fn log(&self, peer: Peer, path: &str, route: &RouteName) {
        let Some(why) = self.why else { return };
        let (origin, host, hint) = (self.origin.as_deref(), self.host.as_deref(), self.hint.as_deref());
        Event::SessionRefused { peer, path, why, origin, host, hint, route }.emit();
    }
}
