//! The doors through which clients return to their sessions, by token.
//!
//! A handshake first claims a door, before wsd sends the 101: a client whose session is not found gets a new one, whose program
//! starts before the 101, too. Then it delivers the connection, which the session's task takes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Context,
};

use futures_util::task::AtomicWaker;

pub(crate) use super::{
    arrival::{Arrival, Entrance},
    token::Token,
};
use super::{ended::Ended, lock::lock, mailbox::Mailbox};
use crate::peer::Connection;

/// The doors of all sessions. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Arc<DoorsState>);

#[derive(Debug, Default)]
struct DoorsState {
    /// The doors, by the first bytes of their tokens.
    open: Mutex<HashMap<u64, Arc<Door>>>,
    /// The sessions that have ended.
    ended: Ended<Door>,
    hasher: RandomState,
}

/// The door of one session.
#[derive(Debug)]
pub(super) struct Door {
    token: Token,
    binding: u64,
    /// Whether each line of a POST is a message.
    pub(super) has_lines: bool,
    /// The messages of the client that come by POST.
    pub(super) mailbox: Mailbox,
    /// Whether the session has ended, and the client is to be told.
    has_ended: AtomicBool,
    /// Whether the session must not wait for its client any more.
    is_given_up: AtomicBool,
    /// The last message that the client has acknowledged, and the last that wsd has sent.
    acked: AtomicU64,
    sent: AtomicU64,
    /// The clients that have passed and have not arrived.
    claims: AtomicUsize,
    /// The clients that have returned and that the session has not taken; `None` once it is over.
    arrivals: Mutex<Option<Vec<Arrival>>>,
    session: AtomicWaker,
}

/// The right of a client to return. While there is one, the session does not expire.
#[derive(Debug)]
pub(crate) struct Claim {
    door: Arc<Door>,
    got: u64,
}

/// The session's side of its door. Dropping it closes the door.
#[derive(Debug)]
pub(crate) struct OwnDoor {
    door: Arc<Door>,
    doors: Doors,
}

impl Doors {
    /// Returns a number for the facts that must be the same at a return: the path, the origin and the user.
    pub(crate) fn binding(&self, path: &[u8], origin: Option<&str>, user: &str) -> u64 {
        self.0.hasher.hash_one((path, origin, user))
    }

    /// Opens a door for a new session. `has_lines` is whether each line of a POST is a message.
    pub(crate) fn open(&self, binding: u64, has_lines: bool) -> OwnDoor {
        let door = Arc::new(Door {
            token: Token::random(),
            binding,
            has_lines,
            mailbox: Mailbox::default(),
            has_ended: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            acked: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            claims: AtomicUsize::new(0),
            arrivals: Mutex::new(Some(Vec::new())),
            session: AtomicWaker::new(),
        });
        lock(&self.0.open).insert(door.token.key(), Arc::clone(&door));
        OwnDoor { door, doors: self.clone() }
    }

    /// Claims the door of a token for a client that has `got` messages, or as few as it can have. `None` if there is no such
    /// session, if it is bound to other facts, or if its client cannot have this number of messages.
    pub(crate) fn claim(&self, token: &Token, binding: u64, got: Option<u64>) -> Option<Claim> {
        let open = lock(&self.0.open);
        let door = open.get(&token.key()).filter(|door| door.token == *token && door.binding == binding)?;
        let acked = door.acked.load(Ordering::Relaxed);
        let got = got.unwrap_or(acked);
        (acked..=door.sent()).contains(&got).then(|| {
            door.claims.fetch_add(1, Ordering::Relaxed);
            Claim { door: Arc::clone(door), got }
        })
    }

    /// Finds the door of a token. `None` if there is no such session, or if it is bound to other facts.
    pub(super) fn find(&self, token: &Token, binding: u64) -> Option<Arc<Door>> {
        let open = lock(&self.0.open);
        open.get(&token.key()).filter(|door| door.token == *token && door.binding == binding).cloned()
    }

    /// Closes a door: no client finds it any more.
    pub(super) fn remove(&self, door: &Door) {
        lock(&self.0.open).remove(&door.token.key());
    }
}

impl Door {
    /// Returns the number of the last message that wsd has sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the session has ended, and the client is to be told.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Notes that the session must not wait for its client any more.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Wakes the session.
    pub(super) fn wake(&self) {
        self.session.wake();
    }
}

impl Claim {
    /// Hands the client's connection to the session.
    pub(crate) fn deliver(self, entrance: Entrance, connection: Connection) {
        let arrival = Arrival { got: self.got, entrance, connection };
        if let Some(arrivals) = &mut *lock(&self.door.arrivals) {
            arrivals.push(arrival);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.door.claims.fetch_sub(1, Ordering::Relaxed);
        self.door.wake();
    }
}

impl OwnDoor {
    /// Returns the token.
    pub(crate) fn token(&self) -> &Token {
        &self.door.token
    }

    /// Notes the numbers of the last acknowledged and the last sent message.
    pub(super) fn note(&self, (acked, sent): (u64, u64)) {
        self.door.acked.store(acked, Ordering::Relaxed);
        self.door.sent.store(sent, Ordering::Relaxed);
    }

    /// Whether each line of a POST is a message.
    pub(super) fn has_lines(&self) -> bool {
        self.door.has_lines
    }

    /// Returns the messages that come by POST.
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.door.mailbox
    }

    /// Notes that the session has ended, and the client is to be told.
    pub(super) fn note_end(&self) {
        self.door.has_ended.store(true, Ordering::Relaxed);
    }

    /// Counts the session among those that have ended and whose clients are away. Returns its number there.
    pub(super) fn begin_waiting(&self) -> u64 {
        let (number, oldest) = self.doors.0.ended.add(&self.door);
        if let Some(oldest) = oldest {
            oldest.give_up();
        }
        number
    }

    /// Counts it no more. Returns whether the memory of those that have gone is worth giving back.
    pub(super) fn end_waiting(&self, number: u64) -> bool {
        self.doors.0.ended.remove(number)
    }

    /// Whether the session must not wait for its client any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.door.is_given_up.load(Ordering::Relaxed)
    }

    /// Lets news of the client wake the task of `cx`.
    pub(super) fn register(&self, cx: &mut Context<'_>) {
        self.door.session.register(cx.waker());
    }

    /// Returns the connections over which the client has returned; the last one is the newest.
    pub(super) fn arrivals(&self, cx: &mut Context<'_>) -> Vec<Arrival> {
        self.register(cx);
        lock(&self.door.arrivals).as_mut().map(mem::take).unwrap_or_default()
    }

    /// Closes the door, unless a client is about to come. Returns whether it is closed.
    pub(super) fn close(&self) -> bool {
        let mut open = lock(&self.doors.0.open);
        // Under the lock: no client gets a claim meanwhile.
        let is_closed = self.door.claims.load(Ordering::Relaxed) == 0
            && lock(&self.door.arrivals).as_ref().is_none_or(Vec::is_empty);
        if is_closed {
            open.remove(&self.door.token.key());
        }
        is_closed
    }

    /// Lets no more client return, except those that are about to.
    pub(super) fn hide(&self) {
        self.doors.remove(&self.door);
    }

    /// Closes the door, although a client may be about to come.
    pub(super) fn shut(&self) {
        self.doors.remove(&self.door);
        self.door.mailbox.close();
    }
}

impl Drop for OwnDoor {
    fn drop(&mut self) {
        self.shut();
        // A POST under way may hold the door for long: the clients must not wait.
        *lock(&self.door.arrivals) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_opens_for_its_token_its_facts_and_a_possible_number_only() {
        let doors = Doors::default();
        let binding = doors.binding(b"/a", Some("http://h"), "");
        let own = doors.open(binding, true);
        own.note((3, 5));
        let (token, other) = (own.token().clone(), Token::random());
        let table = [
            (&token, binding, 2, false),
            (&token, binding, 3, true),
            (&token, binding, 5, true),
            (&token, binding, 6, false),
            (&other, binding, 4, false),
            (&token, doors.binding(b"/b", Some("http://h"), ""), 4, false),
            (&token, doors.binding(b"/a", None, ""), 4, false),
            (&token, doors.binding(b"/a", Some("http://h"), "u"), 4, false),
        ];
        for (row, (token, binding, got, want)) in table.into_iter().enumerate() {
            assert_eq!(doors.claim(token, binding, Some(got)).is_some(), want, "row {row}");
        }
        assert_eq!(doors.claim(&token, binding, None).map(|claim| claim.got), Some(3), "as few as it can have");
        let claim = doors.claim(&token, binding, Some(4));
        assert!(!own.close(), "a client is about to come");
        drop(claim);
        assert!(own.close());
        assert!(doors.claim(&token, binding, Some(4)).is_none());
    }
}
