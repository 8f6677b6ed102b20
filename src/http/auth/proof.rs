//! The proof of who a client is, and the verdict of one kind of credentials.

use std::{fmt, sync::Arc};

use hyper::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::{http::refusal::Refusal, worker::variable::Variable};

/// The proof of who a client is.
#[derive(Clone, Default)]
pub(crate) struct Proof {
    /// `REMOTE_USER`.
    pub(crate) user: String,
    /// `AUTH_TYPE`.
    pub(crate) auth_type: &'static str,
    /// The time at which it expires.
    pub(crate) expiry: Option<Instant>,
    /// Further variables for programs.
    pub(crate) variables: Vec<Variable>,
    /// Further headers of the request, for programs.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Makes the cookie for a page; `None` if it gets none.
    pub(super) cookie: Option<Arc<MakeCookie>>,
    /// Whether it is that of a ticket, which is for one request.
    pub(super) is_of_ticket: bool,
}

/// Makes the value of `Set-Cookie`, for a connection with TLS or without.
pub(super) type MakeCookie = dyn Fn(bool) -> Option<HeaderValue> + Send + Sync;

/// The verdict of one kind of credentials.
#[derive(Debug)]
pub(super) enum AuthOutcome {
    /// It knows the client.
    Proved(Proof),
    /// The client has shown nothing of this kind.
    NotMine,
    /// The client has shown something wrong.
    Wrong,
    /// The client has shown a wrong token; why it is wrong, for the log.
    WrongToken(&'static str),
    /// The client has shown a token that was right until it expired.
    Expired,
    /// It refuses the client, whatever other kinds know.
    Refused(Box<Refusal>),
}

impl AuthOutcome {
    /// Returns the verdict that refuses a client.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({} {})", self.auth_type, self.user)
    }
}

impl Proof {
    /// Returns the proof of a user.
    pub(super) fn new(user: &str, auth_type: &'static str) -> Self {
        Self { user: user.to_owned(), auth_type, ..Self::default() }
    }

    /// Returns the value of `Set-Cookie` for a page, if it gets one.
    pub(crate) fn cookie(&self, is_secure: bool) -> Option<HeaderValue> {
        self.cookie.as_ref().and_then(|make| make(is_secure))
    }
}
