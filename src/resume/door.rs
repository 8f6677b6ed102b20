//! The doors through which clients return to their sessions, by token.
//!
//! A handshake first claims a door, before wsd sends the 101: a client whose session is not found gets a new one, whose program
//! starts before the 101, too. Then it delivers the connection, which the session's task takes.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use data_encoding::BASE64URL_NOPAD;
use futures_util::task::AtomicWaker;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{peer::Connection, socket::stream::Stream};

/// 256 random bits by which a client finds its session. Nobody else can guess them, and no log shows them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token([u8; 32]);

/// The doors of all sessions. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Arc<DoorsState>);

#[derive(Debug, Default)]
struct DoorsState {
    /// The doors, by the first bytes of their tokens.
    open: Mutex<HashMap<u64, Arc<Door>>>,
    hasher: RandomState,
}

/// The door of one session.
#[derive(Debug)]
pub(super) struct Door {
    token: Token,
    binding: u64,
    /// The last message that the client has acknowledged, and the last that wsd has sent.
    acked: AtomicU64,
    sent: AtomicU64,
    /// The clients that have passed and have not arrived.
    claims: AtomicUsize,
    arrival: Mutex<Option<Box<Arrival>>>,
    session: AtomicWaker,
}

/// A client that has returned, with its new connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The number of messages that it has.
    pub(crate) got: u64,
    /// The stream of its connection.
    pub(crate) stream: Stream,
    /// Bytes that came with the handshake.
    pub(crate) early: Vec<u8>,
    /// The connection.
    pub(crate) connection: Connection,
}

/// The right of a client to return. While there is one, the session does not expire.
#[derive(Debug)]
pub(crate) struct Claim(Arc<Door>);

/// The session's side of its door. Dropping it closes the door.
#[derive(Debug)]
pub(crate) struct OwnDoor {
    door: Arc<Door>,
    doors: Doors,
}

impl Token {
    /// Returns a new token.
    fn random() -> Self {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        Self(bytes)
    }

    /// Reads 43 characters of base64url.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        BASE64URL_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }

    fn key(&self) -> u64 {
        self.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("it is no token"))
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Doors {
    /// Returns a number for the facts that must be the same at a return: the path, the origin and the user.
    pub(crate) fn binding(&self, path: &[u8], origin: Option<&[u8]>, user: &str) -> u64 {
        self.0.hasher.hash_one((path, origin, user))
    }

    /// Opens a door for a new session.
    pub(crate) fn open(&self, binding: u64) -> OwnDoor {
        let door = Arc::new(Door {
            token: Token::random(),
            binding,
            acked: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            claims: AtomicUsize::new(0),
            arrival: Mutex::default(),
            session: AtomicWaker::new(),
        });
        lock(&self.0.open).insert(door.token.key(), Arc::clone(&door));
        OwnDoor { door, doors: self.clone() }
    }

    /// Claims the door of a token for a client that has `got` messages. `None` if there is no such session, if it is bound to
    /// other facts, or if its client cannot have this number of messages.
    pub(crate) fn claim(&self, token: &Token, binding: u64, got: u64) -> Option<Claim> {
        let open = lock(&self.0.open);
        let door = open.get(&token.key()).filter(|door| door.token == *token && door.binding == binding)?;
        let is_possible = (door.acked.load(Ordering::Relaxed)..=door.sent.load(Ordering::Relaxed)).contains(&got);
        is_possible.then(|| {
            door.claims.fetch_add(1, Ordering::Relaxed);
            Claim(Arc::clone(door))
        })
    }
}

impl Claim {
    /// Hands the client's connection to the session.
    pub(crate) fn deliver(self, arrival: Arrival) {
        *lock(&self.0.arrival) = Some(Box::new(arrival));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.claims.fetch_sub(1, Ordering::Relaxed);
        self.0.session.wake();
    }
}

impl OwnDoor {
    /// Returns the token.
    pub(super) fn token(&self) -> &Token {
        &self.door.token
    }

    /// Notes the numbers of the last acknowledged and the last sent message.
    pub(super) fn note(&self, (acked, sent): (u64, u64)) {
        self.door.acked.store(acked, Ordering::Relaxed);
        self.door.sent.store(sent, Ordering::Relaxed);
    }

    /// Ready with a client that has returned.
    pub(super) fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<Box<Arrival>> {
        self.door.session.register(cx.waker());
        lock(&self.door.arrival).take().map_or(Poll::Pending, Poll::Ready)
    }

    /// Closes the door, unless a client is about to come. Returns whether it is closed.
    pub(super) fn close(&self) -> bool {
        let mut open = lock(&self.doors.0.open);
        // Under the lock: no client gets a claim meanwhile.
        let is_closed = self.door.claims.load(Ordering::Relaxed) == 0 && lock(&self.door.arrival).is_none();
        if is_closed {
            open.remove(&self.door.token.key());
        }
        is_closed
    }

    /// Closes the door, although a client may be about to come.
    pub(super) fn shut(&self) {
        lock(&self.doors.0.open).remove(&self.door.token.key());
    }
}

impl Drop for OwnDoor {
    fn drop(&mut self) {
        self.shut();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_opens_for_its_token_its_facts_and_a_possible_number_only() {
        let doors = Doors::default();
        let binding = doors.binding(b"/a", Some(b"http://h"), "");
        let own = doors.open(binding);
        own.note((3, 5));
        let (token, other) = (own.token().clone(), Token::random());
        let table = [
            (&token, binding, 2, false),
            (&token, binding, 3, true),
            (&token, binding, 5, true),
            (&token, binding, 6, false),
            (&other, binding, 4, false),
            (&token, doors.binding(b"/b", Some(b"http://h"), ""), 4, false),
            (&token, doors.binding(b"/a", None, ""), 4, false),
            (&token, doors.binding(b"/a", Some(b"http://h"), "u"), 4, false),
        ];
        for (row, (token, binding, got, want)) in table.into_iter().enumerate() {
            assert_eq!(doors.claim(token, binding, got).is_some(), want, "row {row}");
        }
        let claim = doors.claim(&token, binding, 4);
        assert!(!own.close(), "a client is about to come");
        drop(claim);
        assert!(own.close());
        assert!(doors.claim(&token, binding, 4).is_none());
    }
}
