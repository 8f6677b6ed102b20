//! Tickets: single-use tokens for clients that cannot send their credentials with the request for a WebSocket.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use data_encoding::BASE64URL_NOPAD;
use hyper::{Uri, http::uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{cookie::random, expiring::Expiring, proof::Proof};
use crate::http::path::decode;
use crate::limits::auth::{TICKET_TIME, TICKETS_MAX};

/// The path at which wsd issues tickets.
const PATH: &str = "/.wsd/ticket";

/// Returns the target that a ticket shall be for: `?path=/chat`, or `/` below `base`. `None` if a request for `target` asks for no
/// ticket.
pub(crate) fn place(target: &Uri, base: &str) -> Option<Uri> {
    target.path().strip_prefix(base).filter(|path| *path == PATH)?;
    let value = target.query().unwrap_or_default().split('&').find_map(|part| part.strip_prefix("path="));
    let path = value.map_or_else(|| format!("{base}/").into_bytes(), |value| decode(value).into_owned());
    let path = percent_encode(&path, BESIDE_PATHS).to_string();
    PathAndQuery::try_from(path).ok().map(Uri::from).filter(|uri| uri.path().starts_with('/'))
}

/// The characters that a path has percent-encoded.
const BESIDE_PATHS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The front of a ticket, by which it is known among tokens.
const FRONT: &str = "wsd-ticket-";

/// The tickets that nobody has used.
#[derive(Debug)]
pub(super) struct Tickets(Mutex<Expiring<[u8; 32], Ticket>>);

/// The content of a ticket: the proof of the client that asked for it, and the list that checked it.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    list: u64,
    /// The path that a server or script was asked about; it may admit the client there only.
    path: Option<String>,
    proof: Proof,
}

/// Whether a token is a ticket.
pub(super) fn is_ticket(token: &str) -> bool {
    token.starts_with(FRONT)
}

impl Ticket {
    /// Returns its proof, if it is for a list and a path.
    pub(super) fn proof(&self, list: u64, path: &str) -> Option<Proof> {
        let is_valid = self.list == list && self.path.as_ref().is_none_or(|own| own == path);
        is_valid.then(|| self.proof.clone())
    }
}

impl Tickets {
    /// Returns a table without tickets.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Expiring::new(TICKETS_MAX, TICKET_TIME)))
    }

    /// Issues a ticket for a client with this proof, for sites with the same list, and for this path if there is one. It buys
    /// neither a cookie nor another ticket.
    pub(super) fn issue(&self, list: u64, path: Option<String>, proof: Proof) -> String {
        let (bits, proof) = (random(), Proof { cookie: None, is_of_ticket: true, ..proof });
        self.lock().insert(bits, Ticket { list, path, proof }, Instant::now());
        format!("{FRONT}{}", BASE64URL_NOPAD.encode(&bits))
    }

    /// Uses a ticket up; `None` if the token is none, or one of another list or path.
    pub(super) fn redeem(&self, list: u64, path: &str, token: &str) -> Option<Ticket> {
        let bits = BASE64URL_NOPAD.decode(token.strip_prefix(FRONT)?.as_bytes()).ok()?.try_into().ok()?;
        self.lock().remove(&bits, Instant::now()).filter(|ticket| ticket.proof(list, path).is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Expiring<[u8; 32], Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
