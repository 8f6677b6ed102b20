//! `--reverselookup`: a client's name, if it can be had soon.

use std::{net::IpAddr, sync::Arc};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{
    limits::{LOOKUP_TIME_MAX, LOOKUPS_MAX},
    peer::Peer,
};

/// Finds the names of clients in the system's resolver.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    slots: Arc<Semaphore>,
}

impl Lookup {
    /// Look-ups for all clients.
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The client's name, or its address if there is none or it takes too long. A slow resolver delays nobody by more
    /// than [`LOOKUP_TIME_MAX`], and holds a limited number of threads.
    pub(super) async fn name(&self, peer: Peer) -> String {
        match peer.ip() {
            None => peer.address(),
            Some(ip) => self.find(ip).await.unwrap_or_else(|| peer.address()),
        }
    }

    async fn find(&self, ip: IpAddr) -> Option<String> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let look = spawn_blocking(move || {
            let name = dns_lookup::lookup_addr(&ip).ok();
            drop(slot);
            name
        });
        let name = timeout(LOOKUP_TIME_MAX, look).await.ok()?.ok()??;
        // The name is what the owner of the address says: it may be anything.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        Some(name).filter(|name| !name.is_empty() && name.bytes().all(is_name))
    }
}
