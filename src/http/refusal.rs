//! The refusal of a request: a text for the client, and facts for the log. `page` renders it.

use hyper::StatusCode;

use crate::{event::Event, peer::Peer};

/// The reason that wsd does not do what a request asks for.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// A sentence or two for the client: what is wrong, and what to do.
    pub(crate) text: &'static str,
    /// `why` in the log; wsd does not log `None`.
    pub(crate) why: Option<&'static str>,
    /// The `Origin` header, for the log.
    pub(crate) origin: Option<String>,
    /// The `Host` header, for the log.
    pub(crate) host: Option<String>,
    /// The flag that would allow the request, for the log.
    pub(crate) hint: Option<String>,
}

impl Refusal {
    /// Returns a refusal that [`Refusal::log`] logs.
    pub(crate) fn new(status: StatusCode, why: &'static str, text: &'static str) -> Self {
        Self { why: Some(why), ..Self::unlogged(status, text) }
    }

    /// Returns a refusal that is not logged, or that another event has logged.
    pub(crate) fn unlogged(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, why: None, origin: None, host: None, hint: None }
    }

    /// Adds the flag that would allow the request.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Logs the refusal, if it has a `why`.
    pub(crate) fn log(&self, peer: Peer) {
        let Some(why) = self.why else { return };
        let (origin, host, hint) = (self.origin.as_deref(), self.host.as_deref(), self.hint.as_deref());
        Event::SessionRefused { peer, why, origin, host, hint }.emit();
    }
}
