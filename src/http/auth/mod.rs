//! Authentication (`--auth`): a site's list of kinds of credentials, and its verdict on the client of a request.
//!
//! The kinds are asked in order. The first that knows the client admits it; an authentication server or a script decides in any
//! case. A client that none knows is refused.

mod asked;
pub(crate) mod basic;
pub(crate) mod bearer;
mod cert;
pub(crate) mod command;
mod cookie;
pub(crate) mod credentials;
mod expiring;
pub(crate) mod forward;
mod guesses;
mod hashing;
pub(crate) mod jwt;
pub(crate) mod proof;
mod prove;
mod refusals;
pub(crate) mod ticket;
pub(crate) mod watched;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use hyper::{Method, http::request::Parts};

use self::{
    basic::Basic,
    bearer::Bearer,
    command::AuthScript,
    cookie::Signer,
    credentials::{Carriers, Credentials},
    forward::Forward,
    guesses::Guesses,
    hashing::Hashing,
    jwt::Jwt,
    proof::Proof,
    refusals::Schemes,
    ticket::Tickets,
};
use super::{origin::Aim, refusal::Refusal};
use crate::peer::Connection;

/// A kind of credentials that a site accepts.
#[derive(Debug)]
pub(crate) enum Check {
    /// `basic:FILE`.
    Basic(Basic),
    /// `bearer:FILE`.
    Bearer(Bearer),
    /// `jwt:FILE`.
    Jwt(Jwt),
    /// `cert`.
    Cert,
    /// `url:URL`.
    Forward(Forward),
    /// `command:PROG`.
    Script(Box<AuthScript>),
}

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
    /// The file of `--auth-key`.
    pub(crate) key_file: Option<PathBuf>,
}

/// The authentication of a site.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    checks: Vec<Arc<Check>>,
    options: AuthOptions,
    signer: Signer,
    state: AuthState,
}

/// The state that all sites share, and that stays when settings change. Clones share it.
///
/// The first site with authentication makes it: its keys take a tenth of the memory of a server without any.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthState(Arc<OnceLock<Shared>>);

#[derive(Debug)]
struct Shared {
    guesses: Guesses,
    hashing: Hashing,
    tickets: Tickets,
    signer: Signer,
    /// The checks of all sites, by their settings: sites with the same file have one check.
    checks: Mutex<HashMap<String, Weak<Check>>>,
}

impl Shared {
    fn new() -> Self {
        let (guesses, hashing, tickets) = (Guesses::new(), Hashing::new(), Tickets::new());
        Self { guesses, hashing, tickets, signer: Signer::random(), checks: Mutex::default() }
    }
}

impl AuthState {
    /// Returns the check with these settings: that of another site, or the one that `open` returns.
    pub(crate) fn check<E>(&self, settings: &str, open: impl FnOnce() -> Result<Check, E>) -> Result<Arc<Check>, E> {
        if let Some(known) = self.checks().get(settings).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let check = Arc::new(open()?);
        let mut checks = self.checks();
        checks.retain(|_, known| known.strong_count() > 0);
        checks.insert(settings.to_owned(), Arc::downgrade(&check));
        Ok(check)
    }

    fn checks(&self) -> MutexGuard<'_, HashMap<String, Weak<Check>>> {
        self.shared().checks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> &Shared {
        self.0.get_or_init(Shared::new)
    }
}

impl Auth {
    /// Returns the authentication of a site. `key` signs its cookies (`--auth-key`); otherwise a random one does.
    pub(crate) fn new(checks: Vec<Arc<Check>>, options: AuthOptions, key: Option<&[u8]>, state: &AuthState) -> Self {
        let signer = key.map_or_else(|| state.shared().signer.clone(), Signer::new);
        Self { checks, options, signer, state: state.clone() }
    }

    /// Finds out who the client is, and removes its credentials from the request.
    pub(super) async fn admit(&self, connection: &Connection, request: &mut Parts, aim: Aim) -> Result<Proof, Refusal> {
        let credentials = Credentials::take(request, self.options.carriers)?;
        // A browser shows no credentials when it asks whether a page of another origin may send a request.
        let is_preflight = aim == Aim::Transfer && request.method == Method::OPTIONS;
        let is_open = aim == Aim::Redirect || is_preflight || self.options.is_for_sessions && !aim.is_session();
        if is_open {
            return Ok(Proof::default());
        }
        let mut proof = self.prove(connection, request, &credentials, aim).await?;
        for (name, value) in &proof.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        if !self.options.is_ended {
            proof.expiry = None;
        }
        Ok(proof)
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

    /// Issues a ticket for a client that was admitted at `path`.
    pub(crate) fn issue_ticket(&self, path: &str, proof: Proof) -> String {
        let depends = self.checks.iter().any(|check| matches!(**check, Check::Forward(_) | Check::Script(_)));
        self.state.shared().tickets.issue(self.options.list, depends.then(|| path.to_owned()), proof)
    }

    /// Reads the files of all sites again. Blocks.
    pub(crate) fn reload_all(&self) {
        let checks: Vec<_> = self.state.checks().values().filter_map(Weak::upgrade).collect();
        for check in checks {
            match &*check {
                Check::Basic(basic) => basic.0.reload(),
                Check::Bearer(bearer) => bearer.0.reload(),
                Check::Jwt(jwt) => jwt.file.reload(),
                Check::Cert | Check::Forward(_) | Check::Script(_) => {}
            }
        }
    }

    /// Lists the secret files of the list, each with the flag that names it.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let of_checks = self.checks.iter().filter_map(|check| match &**check {
            Check::Basic(basic) => Some(&*basic.0.path),
            Check::Bearer(bearer) => Some(&*bearer.0.path),
            Check::Jwt(jwt) => jwt.is_secret().then_some(&*jwt.file.path),
            Check::Cert | Check::Forward(_) | Check::Script(_) => None,
        });
        let key = self.options.key_file.as_deref().map(|path| ("--auth-key", path));
        of_checks.map(|path| ("--auth", path)).chain(key)
    }
}
