//! Authentication (`--auth`): a site's list of kinds of credentials, and its verdict on the client of a request.
//!
//! The kinds are asked in order. The first that knows the client admits it; an authentication server or a script decides in any
//! case. A client that none knows is refused.

mod asked;
mod asks;
mod attempt;
pub(crate) mod basic;
pub(crate) mod bearer;
mod cert;
pub(crate) mod check;
pub(crate) mod command;
mod cookie;
pub(crate) mod credentials;
mod expiring;
pub(crate) mod forward;
mod guesses;
mod hashing;
pub(crate) mod jwt;
pub(crate) mod open;
pub(crate) mod proof;
mod prove;
pub(crate) mod query;
mod refusals;
mod shared;
pub(crate) mod state;
pub(crate) mod ticket;
pub(crate) mod watched;

use std::{path::Path, sync::Arc};

use hyper::{Method, http::request::Parts};

use self::{
    check::Check,
    cookie::Signer,
    credentials::{Carriers, Credentials, remove_claims},
    proof::Proof,
    refusals::Schemes,
    state::{AuthState, KeyFile},
    ticket::Ticket,
};
use super::{origin::Aim, refusal::Refusal};
use crate::peer::{ClientSource, Connection};

/// The options of a site.
#[derive(Clone, Debug)]
pub(crate) struct AuthOptions {
    /// Where credentials may be.
    pub(crate) carriers: Carriers,
    /// Whether only sessions need them (`--auth-for=ws`).
    pub(crate) is_for_sessions: bool,
    /// Whether a session ends when its token expires.
    pub(crate) is_ended: bool,
    /// Identifies the list: a ticket is for sites with an equal one.
    pub(crate) list: u64,
}

/// The authentication of a site.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    checks: Vec<Arc<Check>>,
    options: AuthOptions,
    /// Signs its cookies (`--auth-key`); `None` is a key of the state.
    key: Option<KeyFile>,
    state: AuthState,
}

impl Auth {
    /// Returns the authentication of a site. `key` signs its cookies; otherwise a random one does.
    pub(crate) fn new(checks: Vec<Arc<Check>>, options: AuthOptions, key: Option<KeyFile>, state: &AuthState) -> Self {
        Self { checks, options, key, state: state.clone() }
    }

    /// Finds out who the client is, and removes its credentials from the request.
    pub(super) async fn admit(&self, connection: &Connection, request: &mut Parts, aim: Aim) -> Result<Proof, Refusal> {
        let mut credentials = Credentials::take(request, self.options.carriers, self.state.hides_query())?;
        remove_claims(&mut request.headers);
        // A browser shows no credentials when it asks whether a page of another origin may send a request.
        let is_preflight = aim == Aim::Transfer && request.method == Method::OPTIONS;
        let is_open = matches!(aim, Aim::Redirect | Aim::Metadata)
            || is_preflight
            || self.options.is_for_sessions && !aim.is_session();
        if is_open {
            return Ok(Proof::default());
        }
        let mut proof = match self.of_ticket(request, &mut credentials) {
            Some(proof) => proof,
            None => self.prove(connection, request, &credentials, aim).await?,
        };
        for (name, value) in &proof.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        if !self.options.is_ended {
            proof.expiry = None;
        }
        Ok(proof)
    }

    /// Returns the proof of a ticket: that of this request, or one that has come along with a local redirect of a script.
    fn of_ticket(&self, request: &mut Parts, credentials: &mut Credentials) -> Option<Proof> {
        let (list, path) = (self.options.list, request.uri.path());
        if request.extensions.get::<Ticket>().is_none() {
            let ticket = self.state.shared().tickets.redeem(list, path, credentials.token.as_deref()?)?;
            request.extensions.insert(ticket);
        }
        // It is used up. Where it proves nothing, it is no guess either.
        credentials.forget_ticket();
        request.extensions.get::<Ticket>()?.proof(list, path)
    }

    /// Returns the signer of cookies.
    async fn signer(&self) -> Signer {
        match &self.key {
            Some(KeyFile(file)) => (*file.current().await).clone(),
            None => self.state.shared().signer.clone(),
        }
    }

    fn schemes(&self) -> Schemes {
        let has = |is_kind: fn(&Check) -> bool| self.checks.iter().any(|check| is_kind(check));
        Schemes {
            has_basic: has(|check| matches!(check, Check::Basic(_))),
            has_bearer: has(|check| matches!(check, Check::Bearer(_) | Check::Jwt(_))),
        }
    }

    /// Whether the query may carry a token.
    pub(crate) fn takes_query(&self) -> bool {
        self.options.carriers.has_query
    }

    /// Issues a ticket for a client that was admitted at `path`; `None` if a ticket has admitted it.
    pub(crate) fn issue_ticket(&self, path: &str, proof: Proof, source: ClientSource) -> Option<String> {
        if proof.is_of_ticket {
            return None;
        }
        let depends = self.checks.iter().any(|check| check.depends_on_path());
        Some(self.state.shared().tickets.issue(self.options.list, depends.then(|| path.to_owned()), proof, source))
    }

    /// Lists the secret files of the list, each with the flag that names it.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let of_checks = self.checks.iter().filter_map(|check| check.secret_file());
        let key = self.key.as_ref().map(|KeyFile(file)| ("--auth-key", &*file.path));
        of_checks.map(|path| ("--auth", path)).chain(key)
    }
}
