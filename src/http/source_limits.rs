//! The limits of each source: its new sessions in a time, its programs and its requests at a time.

use std::{sync::Arc, time::Duration};

use hyper::StatusCode;
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::{
    peer::Peer,
    rate::FlowRate,
    sources::{SourceSlot, SourceTable, Used},
};

/// The limits of a site for each source. A client without an address, at a Unix socket, has none of them: all such clients
/// would be one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceLimits {
    /// The table that counts.
    pub(crate) table: SourceTable,
    /// The new sessions, CGI scripts and the like in a time (`--rate`).
    pub(crate) rate: Option<Scoped<FlowRate>>,
    /// The programs and the seats in rooms at a time, and apart from these the rooms that a source has started
    /// (`--maxforks-per-client`).
    pub(crate) programs: Option<Scoped<usize>>,
    /// The requests at a time that have no complete answer yet (`--requests-per-client`).
    pub(crate) requests: Option<Scoped<usize>>,
}

/// A limit, and the number of its counters in the table: all sites with one number count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scoped<T> {
    /// The limit.
    pub(crate) limit: T,
    /// The number: 0 for a limit at the top of the settings.
    pub(crate) scope: u32,
}

/// The proof that a client may start a program or join a room. As long as it is held, it counts as one of its source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass(Option<Arc<SourceSlot>>);

/// A request in flight. As long as it is held, it counts as one of its source.
#[derive(Clone, Debug)]
pub(crate) struct InFlight(#[expect(dead_code, reason = "dropping it counts")] Arc<SourceSlot>);

/// Marks a request that belongs to a session which its client says it has: the gate does not count it as a new one. If there is
/// no such session, [`SourceLimits::enter`] counts the new one later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfSession;

impl Pass {
    /// Returns the slot of the source; `None` without a limit.
    pub(crate) fn slot(&self) -> Option<Arc<SourceSlot>> {
        self.0.clone()
    }
}

impl SourceLimits {
    /// Counts a request, or refuses it.
    pub(super) fn begin(&self, peer: Peer) -> Result<Option<InFlight>, Refusal> {
        let Some((requests, _)) = self.requests.zip(peer.ip()) else { return Ok(None) };
        let taken = self.table.take((requests.scope, peer.source()), Used::Requests, requests.limit);
        let slot = taken.ok_or_else(|| {
            let text = "This address has too many requests at a time. Try again later.";
            refusal("requests-per-client", text, "raise --requests-per-client").with_retry()
        })?;
        Ok(Some(InFlight(Arc::new(slot))))
    }

    /// Counts a new session, a CGI script or the like, or refuses it.
    pub(crate) fn enter(&self, peer: Peer) -> Result<Pass, Refusal> {
        if peer.ip().is_none() {
            return Ok(Pass::default());
        }
        // First: without a slot left, the client may try again without waiting for the rate.
        let pass = self.take(peer, Used::Programs)?;
        if let Some(rate) = &self.rate {
            let come = self.table.come((rate.scope, peer.source()), &rate.limit, Instant::now());
            come.map_err(|wait| {
                let text = "This address starts programs too often. Try again later.";
                refusal("rate", text, "raise --rate").with_retry_in(seconds_up(wait))
            })?;
        }
        Ok(pass)
    }

    /// Counts the start of a room's program, or refuses it. It counts as long as the program runs: its seats count for the clients
    /// on them, but it may run without any.
    pub(crate) fn start_room(&self, peer: Peer) -> Result<Pass, Refusal> {
        if peer.ip().is_none() { Ok(Pass::default()) } else { self.take(peer, Used::Rooms) }
    }

    fn take(&self, peer: Peer, used: Used) -> Result<Pass, Refusal> {
        let Some(programs) = self.programs else { return Ok(Pass::default()) };
        let taken = self.table.take((programs.scope, peer.source()), used, programs.limit);
        let slot = taken.ok_or_else(|| {
            let text = "This address uses as many programs as it may at a time. Try again later.";
            refusal("maxforks-per-client", text, "raise --maxforks-per-client").with_retry()
        })?;
        Ok(Pass(Some(Arc::new(slot))))
    }
}

fn refusal(why: &'static str, text: &'static str, hint: &'static str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, why, text).with_hint(hint)
}

/// Returns whole seconds, so that a client which waits for them has waited long enough.
fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
