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
    /// More facts for the log.
    pub(crate) detail: Option<Box<Detail>>,
}

/// More facts of a refusal, for the log.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    /// The `Origin` header.
    pub(crate) origin: Option<String>,
    /// The `Host` header.
    pub(crate) host: Option<String>,
    /// The flag that would allow the request.
    pub(crate) hint: String,
}

impl Refusal {
    /// Returns a refusal that [`Refusal::log`] logs.
    pub(crate) fn new(status: StatusCode, why: &'static str, text: &'static str) -> Self {
        Self { status, text, why: Some(why), detail: None }
    }

    /// Returns a refusal that is not logged, or that another event has logged.
    pub(crate) fn unlogged(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, why: None, detail: None }
    }

    /// Adds the flag that would allow the request.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        self.with(Detail { hint: hint.to_owned(), ..Detail::default() })
    }

    /// Adds more facts for the log.
    pub(crate) fn with(self, detail: Detail) -> Self {
        Self { detail: Some(Box::new(detail)), ..self }
    }

    /// Logs the refusal, if it has a `why`.
    pub(crate) fn log(&self, peer: Peer) {
        let Some(why) = self.why else { return };
        let detail = self.detail.as_deref();
        let (origin, host) =
            (detail.and_then(|detail| detail.origin.as_deref()), detail.and_then(|detail| detail.host.as_deref()));
        Event::SessionRefused { peer, why, origin, host, hint: detail.map(|detail| &*detail.hint) }.emit();
    }
}
