//! Why a request is refused: what the log is told, and what the client is told. A refusal does not render itself.

use hyper::StatusCode;

use crate::{event::Event, peer::Peer};

/// A request that is not answered as it was meant.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// A sentence or two for the client: what is wrong, and what to do.
    pub(crate) text: &'static str,
    /// `why` in the log; `None` is not logged.
    pub(crate) why: Option<&'static str>,
    /// More for the log.
    pub(crate) detail: Option<Box<Detail>>,
}

/// What the log says of a refusal besides.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    /// The `Origin` header.
    pub(crate) origin: Option<String>,
    /// The `Host` header.
    pub(crate) host: Option<String>,
    /// The flag that would allow it.
    pub(crate) hint: String,
}

impl Refusal {
    /// A refusal that is logged.
    pub(crate) fn new(status: StatusCode, why: &'static str, text: &'static str) -> Self {
        Self { status, text, why: Some(why), detail: None }
    }

    /// A refusal that is not logged, or was logged by another event.
    pub(crate) fn unlogged(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, why: None, detail: None }
    }

    /// Adds the flag that would allow it.
    pub(crate) fn with_hint(self, hint: &str) -> Self {
        self.with(Detail { hint: hint.to_owned(), ..Detail::default() })
    }

    /// Adds more for the log.
    pub(crate) fn with(self, detail: Detail) -> Self {
        Self { detail: Some(Box::new(detail)), ..self }
    }

    /// Tells the log.
    pub(crate) fn log(&self, peer: Peer) {
        let Some(why) = self.why else { return };
        let detail = self.detail.as_deref();
        let (origin, host) =
            (detail.and_then(|detail| detail.origin.as_deref()), detail.and_then(|detail| detail.host.as_deref()));
        Event::SessionRefused { peer, why, origin, host, hint: detail.map(|detail| &*detail.hint) }.emit();
    }
}
