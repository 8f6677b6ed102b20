//! The state of authentication that all sites of a server share.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    check::Check,
    cookie::{Signer, open_key},
    guesses::Guesses,
    hashing::Hashing,
    shared::ByName,
    ticket::Tickets,
    watched::{FileFault, Watched},
};

/// The state that all sites share, and that stays when settings change. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuthState(Arc<AuthUse>);

/// The use that sites make of it.
#[derive(Debug, Default)]
struct AuthUse {
    /// The first site with authentication makes it: its keys take a tenth of the memory of a server without any.
    shared: OnceLock<Shared>,
    /// Whether a site asks for credentials.
    is_used: AtomicBool,
    /// Whether a site takes a token from the query.
    has_query: AtomicBool,
}

/// The state itself.
#[derive(Debug)]
pub(super) struct Shared {
    /// The failures of sources.
    pub(super) guesses: Guesses,
    /// Checks passwords.
    pub(super) hashing: Hashing,
    /// The tickets in use.
    pub(super) tickets: Tickets,
    /// Signs the cookies of sites without a key of their own.
    pub(super) signer: Signer,
    /// The checks of all sites, by their settings: sites with the same file have one check.
    checks: ByName<Check>,
    /// The files of keys, by their paths.
    keys: ByName<Watched<Signer>>,
}

impl Shared {
    fn new() -> Self {
        Self {
            guesses: Guesses::new(),
            hashing: Hashing::new(),
            tickets: Tickets::new(),
            signer: Signer::random(),
            checks: ByName::default(),
            keys: ByName::default(),
        }
    }
}

impl AuthState {
    /// Returns the check with these settings: that of another site, or the one that `open` returns.
    pub(crate) fn check<E>(&self, settings: &str, open: impl FnOnce() -> Result<Check, E>) -> Result<Arc<Check>, E> {
        self.shared().checks.get_or_open(settings.as_bytes(), || open().map(Arc::new))
    }

    /// Returns the key in a file.
    pub(crate) fn key(&self, path: &Path) -> Result<KeyFile, FileFault> {
        self.shared().keys.get_or_open(path.as_os_str().as_encoded_bytes(), || open_key(path)).map(KeyFile)
    }

    /// Notes whether a site asks for credentials, and whether one takes a token from the query. Each site hides from its programs
    /// what another one asks for.
    pub(crate) fn set_use(&self, is_used: bool, has_query: bool) {
        self.0.is_used.store(is_used, Ordering::Relaxed);
        self.0.has_query.store(has_query, Ordering::Relaxed);
    }

    /// Reads the files of all sites again. Blocks.
    pub(crate) fn reload(&self) {
        let Some(shared) = self.0.shared.get() else { return };
        shared.checks.all().iter().for_each(|check| check.reload());
        shared.keys.all().iter().for_each(|key| key.reload());
    }

    /// Returns the state itself.
    pub(super) fn shared(&self) -> &Shared {
        self.0.shared.get_or_init(Shared::new)
    }

    /// Whether a site asks for credentials.
    pub(super) fn is_used(&self) -> bool {
        self.0.is_used.load(Ordering::Relaxed)
    }

    /// Whether a site takes a token from the query.
    pub(super) fn hides_query(&self) -> bool {
        self.0.has_query.load(Ordering::Relaxed)
    }
}

/// The file of the key that signs cookies.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile(pub(super) Arc<Watched<Signer>>);
