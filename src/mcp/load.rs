//! The limits of requests in flight: of a client's address, and of a route.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    fault::{McpFault, code},
    lock::lock,
};
use crate::{
    limits::mcp::{MCP_CALLS_MAX, MCP_CALLS_OF_CLIENT_MAX, MCP_LISTENS_OF_CLIENT_MAX},
    peer::{ClientSource, Peer},
};

/// The requests in flight of a route.
#[derive(Debug, Default)]
pub(crate) struct Load(Mutex<LoadCounts>);

#[derive(Debug, Default)]
struct LoadCounts {
    all: usize,
    of_clients: HashMap<ClientSource, (usize, usize)>,
}

/// A request in flight. As long as it is held, it counts.
#[derive(Debug)]
pub(crate) struct LoadSlot {
    load: Arc<Load>,
    source: Option<ClientSource>,
    is_listen: bool,
}

impl Load {
    /// Counts a request, or one for a subscription, or refuses it. Clients of a Unix socket have no address.
    pub(crate) fn enter(self: &Arc<Self>, peer: Peer, is_listen: bool) -> Result<LoadSlot, McpFault> {
        let source = peer.ip().map(|_| peer.source());
        let mut counts = lock(&self.0);
        let (calls, listens) = source.and_then(|source| counts.of_clients.get(&source).copied()).unwrap_or_default();
        let refused = match () {
            () if counts.all >= MCP_CALLS_MAX => "this server has too many requests at a time",
            () if is_listen && listens >= MCP_LISTENS_OF_CLIENT_MAX => {
                "this address has too many subscriptions at a time"
            }
            () if !is_listen && calls >= MCP_CALLS_OF_CLIENT_MAX => "this address has too many requests at a time",
            () => {
                counts.all += 1;
                if let Some(source) = source {
                    let (calls, listens) = counts.of_clients.entry(source).or_default();
                    *if is_listen { listens } else { calls } += 1;
                }
                return Ok(LoadSlot { load: Arc::clone(self), source, is_listen });
            }
        };
        Err(McpFault::new(429, code::REFUSED, refused).with_retry(Duration::from_secs(1)))
    }
}

impl Drop for LoadSlot {
    fn drop(&mut self) {
        let mut counts = lock(&self.load.0);
        counts.all -= 1;
        let Some(source) = self.source else { return };
        if let Some((calls, listens)) = counts.of_clients.get_mut(&source) {
            *if self.is_listen { &mut *listens } else { &mut *calls } -= 1;
            if (*calls, *listens) == (0, 0) {
                counts.of_clients.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn a_route_has_1024_requests_in_flight_whatever_their_addresses() {
        let load = Arc::<Load>::default();
        let peer = |number: usize| {
            let number = u32::try_from(number / MCP_CALLS_OF_CLIENT_MAX).expect("it is small");
            Peer::Portless(IpAddr::V4(Ipv4Addr::from_bits(number)))
        };
        let mut held: Vec<_> = (0..MCP_CALLS_MAX).map(|at| load.enter(peer(at), false).expect("a slot")).collect();

        let refused = load.enter(peer(MCP_CALLS_MAX), false).expect_err("one more");
        assert_eq!((refused.status, refused.retry), (429, Some(Duration::from_secs(1))));
        assert_eq!(load.enter(Peer::Unix, true).expect_err("a subscription").status, 429);

        held.pop();
        assert!(load.enter(Peer::Unix, false).is_ok());
        held.clear();
        let counts = lock(&load.0);
        assert!(counts.all == 0 && counts.of_clients.is_empty(), "{counts:?}");
    }
}
