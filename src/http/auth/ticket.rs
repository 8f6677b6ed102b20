//! Tickets: single-use tokens for clients that cannot send their credentials with the request for a WebSocket.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use data_encoding::BASE64URL_NOPAD;
use hyper::{Uri, http::uri::PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{cookie::random, expiring::Expiring, proof::Proof};
use crate::{
    http::path::decode,
    limits::auth::{TICKET_TIME, TICKETS_MAX, TICKETS_OF_USER_MAX},
    peer::ClientSource,
};

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
pub(super) struct Tickets(Mutex<TicketTable>);

/// The tickets, and those of each owner, the oldest first: no owner can let wsd forget the tickets of another.
#[derive(Debug)]
struct TicketTable {
    tickets: Expiring<[u8; 32], Ticket>,
    of_owners: Expiring<TicketOwner, VecDeque<[u8; 32]>>,
}

/// A client that asks for tickets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum TicketOwner {
    /// A user of a list.
    User(u64, String),
    /// A source, if the list does not name its users.
    Source(ClientSource),
}

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
        let (tickets, of_owners) = (Expiring::new(TICKETS_MAX, TICKET_TIME), Expiring::new(TICKETS_MAX, TICKET_TIME));
        Self(Mutex::new(TicketTable { tickets, of_owners }))
    }

    /// Issues a ticket for a client with this proof, for sites with the same list, and for this path if there is one. It buys
    /// neither a cookie nor another ticket.
    pub(super) fn issue(&self, list: u64, path: Option<String>, proof: Proof, source: ClientSource) -> String {
        let (bits, proof) = (random(), Proof { cookie: None, is_of_ticket: true, ..proof });
        let owner = match &*proof.user {
            "" => TicketOwner::Source(source),
            user => TicketOwner::User(list, user.to_owned()),
        };
        self.lock().insert(owner, bits, Ticket { list, path, proof }, Instant::now());
        format!("{FRONT}{}", BASE64URL_NOPAD.encode(&bits))
    }

    /// Uses a ticket up; `None` if the token is none, or one of another list or path.
    pub(super) fn redeem(&self, list: u64, path: &str, token: &str) -> Option<Ticket> {
        let bits = BASE64URL_NOPAD.decode(token.strip_prefix(FRONT)?.as_bytes()).ok()?.try_into().ok()?;
        self.lock().tickets.remove(&bits, Instant::now()).filter(|ticket| ticket.proof(list, path).is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, TicketTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TicketTable {
    /// Adds a ticket. An owner of too many loses its oldest.
    fn insert(&mut self, owner: TicketOwner, bits: [u8; 32], ticket: Ticket, now: Instant) {
        let mut own = self.of_owners.remove(&owner, now).unwrap_or_default();
        while let Some(oldest) = own.front()
            && (own.len() >= TICKETS_OF_USER_MAX || self.tickets.get(oldest, now).is_none())
        {
            self.tickets.remove(oldest, now);
            own.pop_front();
        }
        own.push_back(bits);
        self.tickets.insert(bits, ticket, now);
        self.of_owners.insert(owner, own, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    #[test]
    fn a_client_that_asks_for_many_tickets_voids_only_its_own() {
        let tickets = Tickets::new();
        let source = |last| Peer::Portless(std::net::Ipv4Addr::new(192, 0, 2, last).into()).source();
        let issue = |user: &str, last| tickets.issue(1, None, Proof::new(user, "Basic"), source(last));
        let redeem = |ticket: &str| tickets.redeem(1, "/", ticket).is_some();
        for user in ["eve", ""] {
            let of_others = [issue("ada", 1), issue("", 1)];
            let first = issue(user, 2);

            let flood: Vec<_> = (0..TICKETS_MAX).map(|_| issue(user, 2)).collect();

            assert!(of_others.iter().all(|ticket| redeem(ticket)), "{user}");
            assert!(!redeem(&first) && redeem(&flood[TICKETS_MAX - 1]), "{user}");
        }
    }
}
