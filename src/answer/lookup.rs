//! `--reverselookup`: finds a client's host name within a time limit.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::{
    limits::{LOOKUP_TIME_MAX, LOOKUPS_MAX},
    peer::Peer,
};

/// Finds the names of clients with the system's resolver.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    slots: Arc<Semaphore>,
}

impl Lookup {
    /// Returns the look-up for all clients: at most [`LOOKUPS_MAX`] run at a time.
    pub(crate) fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// Returns the client's name; `None` if it has none or the look-up takes longer than [`LOOKUP_TIME_MAX`]. A slow resolver
    /// holds a limited number of threads.
    pub(super) async fn name(&self, peer: Peer) -> Option<String> {
        let ip = peer.ip()?;
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let look = spawn_blocking(move || {
            let name = dns_lookup::lookup_addr(&ip).ok();
            drop(slot);
            name
        });
        let name = timeout(LOOKUP_TIME_MAX, look).await.ok()?.ok()??;
        // The owner of the address chooses the name, which may contain anything.
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        Some(name).filter(|name| !name.is_empty() && name.bytes().all(is_name))
    }
}
