//! Tickets: single-use tokens for clients that cannot send their credentials with the request for a WebSocket.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use data_encoding::BASE64URL_NOPAD;
use hyper::Uri;

use super::{cookie::random, expiring::Expiring, proof::Proof};
use crate::http::path::decode;
use crate::limits::auth::{TICKET_TIME, TICKETS_MAX};

/// The path at which wsd issues tickets.
const PATH: &str = "/.wsd/ticket";

/// Whether a request for this target is one for a ticket; everything is below `base`.
pub(crate) fn is_wanted(target: &Uri, base: &str) -> bool {
    target.path().strip_prefix(base) == Some(PATH)
}

/// Returns the path that a ticket shall be for: `?path=/chat`, or `/` below `base`. `None` if the request is not one for a ticket.
pub(crate) fn place(target: &Uri, base: &str) -> Option<Vec<u8>> {
    let value = target.query().unwrap_or_default().split('&').find_map(|part| part.strip_prefix("path="));
    is_wanted(target, base).then(|| value.map_or_else(|| format!("{base}/").into(), |value| decode(value).into_owned()))
}

/// The front of a ticket, by which it is known among tokens.
const FRONT: &str = "wsd-ticket-";

/// The tickets that nobody has used.
#[derive(Debug)]
pub(super) struct Tickets(Mutex<Expiring<[u8; 32], Issued>>);

/// The content of a ticket: the proof of the client that asked for it, and the list that checked it.
#[derive(Debug)]
struct Issued {
    list: u64,
    proof: Proof,
}

impl Tickets {
    /// Returns a table without tickets.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Expiring::new(TICKETS_MAX, TICKET_TIME)))
    }

    /// Issues a ticket for a client with this proof, for sites with the same list.
    pub(super) fn issue(&self, list: u64, proof: Proof) -> String {
        let bits = random();
        self.lock().insert(bits, Issued { list, proof }, Instant::now());
        format!("{FRONT}{}", BASE64URL_NOPAD.encode(&bits))
    }

    /// Uses a ticket up; `None` if the token is none, or one of another list.
    pub(super) fn redeem(&self, list: u64, token: &str) -> Option<Proof> {
        let bits = BASE64URL_NOPAD.decode(token.strip_prefix(FRONT)?.as_bytes()).ok()?.try_into().ok()?;
        self.lock().remove(&bits, Instant::now()).filter(|issued| issued.list == list).map(|issued| issued.proof)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Expiring<[u8; 32], Issued>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
