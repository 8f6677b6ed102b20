//! The addresses that may send requests: `--allow` and `--deny`.

use std::sync::{Arc, PoisonError, RwLock};

use hyper::StatusCode;

use super::{peers::PeerSet, refusal::Refusal};
use crate::peer::Peer;

/// The lists of a site, which a reload of the settings replaces. Its copies have the same lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct AddressRules(Arc<RwLock<AccessLists>>);

/// The lists. `deny` comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccessLists {
    /// The only peers that may send requests; `None` is all.
    pub(crate) allow: Option<PeerSet>,
    /// The peers that may send none.
    pub(crate) deny: PeerSet,
}

impl AddressRules {
    /// Replaces the lists. Requests and sessions that the gate has admitted go on.
    pub(crate) fn set(&self, lists: AccessLists) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = lists;
    }

    /// Whether the lists are without doubt those of nobody: that of `allow` is empty, or that of `deny` as well.
    pub(crate) fn admit_nobody(&self) -> bool {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lists.allow.as_ref().is_some_and(|allow| allow.is_empty() || *allow == lists.deny)
    }

    /// Refuses a peer that is denied, or not allowed.
    pub(super) fn check(&self, peer: Peer) -> Result<(), Refusal> {
        let lists = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (why, hint) = if lists.deny.has(peer) {
            ("deny", "remove it from --deny if it may connect".to_owned())
        } else if lists.allow.as_ref().is_some_and(|allow| !allow.has(peer)) {
            let own = peer.ip().map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
            ("allow", format!("add {own} to --allow if it may connect"))
        } else {
            return Ok(());
        };
        Err(Refusal::new(StatusCode::FORBIDDEN, why, "This address may not connect.").with_hint(hint))
    }
}
