//! A room of a cluster, and what its worker needs.

use std::sync::Arc;

use crate::{
    admission::Admission,
    close::Close,
    partner::Verdict,
    peer::Connection,
    room::{Room, far::Far, kept::Kept, lock::lock},
    shutdown::Shutdown,
};

/// A room of a cluster, and what its worker needs.
pub(crate) struct Keeper {
    /// The room.
    pub(crate) room: Arc<Room>,
    /// The program.
    pub(crate) kept: Kept,
    /// The fork slots.
    pub(crate) admission: Admission,
    /// The connection that stands for the worker in the log.
    pub(crate) connection: Connection,
    /// The end of wsd.
    pub(crate) shutdown: Shutdown,
}

/// The next step of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It tries to take the lease.
    Acquire,
    /// It is over on this node.
    Over,
}

/// The end of the clients while Redis is away.
pub(super) fn away() -> Verdict {
    Verdict::Dismissed(Close::new(Close::TRY_LATER, "the rooms of other nodes are away"))
}

/// Gives back what waits for Redis, since the budget asks. Clients whose messages are dropped end.
pub(super) fn give_way(far: &Far, room: &Room) {
    if far.give_way() {
        lock(&room.hub).dismiss_all(&Verdict::Overload);
    }
}
