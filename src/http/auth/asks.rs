//! Bounds the questions to an authentication server or script that have no answer yet: in all, and of each source.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{asked::failed, refusals::too_many_asks};
use crate::{
    http::refusal::Refusal,
    limits::auth::{AUTH_ASKS_MAX, AUTH_ASKS_OF_SOURCE_MAX},
    peer::Connection,
    sources::{SourceSlot, SourceTable, Used},
};

/// The places of the questions to one server or script.
#[derive(Debug)]
pub(super) struct Asks {
    places: Arc<Semaphore>,
    sources: SourceTable,
}

/// The place of a question. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct AskPlace {
    _place: OwnedSemaphorePermit,
    _of_source: Option<SourceSlot>,
}

impl Asks {
    /// Returns places of which none is taken.
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AUTH_ASKS_MAX)), sources: SourceTable::default() }
    }

    /// Takes a place for a question to `asked`, or refuses the client. Clients without an address have only the places of all,
    /// since all of them would be one source.
    pub(super) fn take(&self, connection: &Connection, asked: &str) -> Result<AskPlace, Refusal> {
        let key = (0, connection.peer.source());
        let take = || self.sources.take(key, Used::Requests, AUTH_ASKS_OF_SOURCE_MAX);
        let of_source = connection.peer.ip().map(|_| take().ok_or_else(too_many_asks)).transpose()?;
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Ok(AskPlace { _place: place, _of_source: of_source }),
            Err(_) => Err(failed(connection, asked, &"too many requests wait for its answer")),
        }
    }
}
