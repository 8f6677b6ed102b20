//! The open rooms of a program, by path.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{NoSeat, Room, host, lock::lock, member::Member, options::RoomOptions};
use crate::{
    admission::Permit, bus::handle::Bus, peer::Connection, record::track::Track, shutdown::Shutdown, worker::Worker,
};

/// The clients that share a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// None: each client has a room of its own. For programs that get events of their client.
    Alone,
    /// All clients (`--shared`).
    All,
    /// The clients of a path (`--shared=path`).
    Path,
}

/// The rooms of one program.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// The clients that share a worker.
    pub(crate) sharing: Sharing,
    pub(super) options: RoomOptions,
    pub(super) open: Mutex<HashMap<Arc<[u8]>, Arc<Room>>>,
    /// For each room that is being started, the lock of the client that starts it.
    starts: Mutex<HashMap<Arc<[u8]>, Weak<StartLock>>>,
    /// Whether a task keeps an `--eager` worker running.
    pub(super) is_kept: AtomicBool,
    /// Whether the settings have changed, so that no new client comes.
    pub(super) is_retired: AtomicBool,
    /// The bus to the rooms of other nodes (`--bus`).
    bus: Option<Bus>,
}

type StartLock = tokio::sync::Mutex<()>;

/// Why a client cannot join.
#[derive(Debug)]
pub(crate) enum NotJoined<E> {
    /// There are too many clients, or the worker has not read too many `open` and `close` events.
    Full,
    /// The worker is down; wsd will start it again.
    Down,
    /// wsd cannot start the worker.
    Launch(E),
    /// wsd could not start the worker; the log tells why.
    Unstarted,
    /// The bus of the rooms is away.
    Away,
}

impl Rooms {
    /// Returns a registry without rooms.
    pub(crate) fn new(sharing: Sharing, options: RoomOptions, bus: Option<Bus>) -> Arc<Self> {
        let (is_kept, is_retired) = (AtomicBool::new(false), AtomicBool::new(false));
        let (open, starts) = (Mutex::default(), Mutex::default());
        Arc::new(Self { sharing, options, open, starts, is_kept, is_retired, bus })
    }

    /// Returns the bus to the rooms of other nodes, if clients share the program.
    pub(crate) fn bus(&self) -> Option<&Bus> {
        self.bus.as_ref()
    }

    /// Joins a client to the room of `path`. If there is none, `launch` starts its worker.
    pub(crate) async fn join<'a, E>(
        self: &Arc<Self>,
        path: &[u8],
        client: String,
        variables: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        connection: &Connection,
        shutdown: &Shutdown,
        launch: impl Future<Output = Result<(Worker, Permit), E>>,
    ) -> Result<Member, NotJoined<E>> {
        let key = self.key(path);
        // One start of a room at a time, so that the second of two first clients finds the room of the first. Others start
        // meanwhile: `launch` may wait for a fork slot.
        let start = key.as_ref().filter(|key| !self.has_room(key)).map(|key| self.start_of(key));
        let _turn = match &start {
            Some(start) => Some(start.lock().await),
            None => None,
        };
        let open = key.as_ref().and_then(|key| lock(&self.open).get(key).cloned());
        match open.map(|room| Member::join(&room, client.clone(), connection.id, variables.clone())) {
            Some(Ok(member)) => return Ok(member),
            Some(Err(NoSeat::Full)) => return Err(NotJoined::Full),
            Some(Err(NoSeat::Over)) | None => {}
        }
        if self.options.linger.is_none() {
            return Err(NotJoined::Down);
        }
        let (worker, permit) = launch.await.map_err(NotJoined::Launch)?;
        let known = key.clone().filter(|key| **key == *path);
        let track = worker.tape.as_ref().map(|tape| tape.track());
        let room = Room::new(self.options.clone(), known.unwrap_or_else(|| path.into()), Some(permit), None);
        room.begin(worker.child.pid(), track);
        let member = Member::join(&room, client, connection.id, variables).map_err(|_| NotJoined::Full)?;
        if let Some(key) = &key {
            lock(&self.open).insert(Arc::clone(key), Arc::clone(&room));
        }
        let (rooms, connection, end) = (Arc::clone(self), connection.for_log(), shutdown.clone());
        shutdown.spawn(async move {
            host::run(Arc::clone(&room), worker, &connection, &end).await;
            if let Some(key) = &key {
                rooms.forget(key, &room);
            }
        });
        Ok(member)
    }

    /// Whether a room is open that a client could join.
    fn has_room(&self, key: &[u8]) -> bool {
        lock(&self.open).get(key).is_some_and(|room| !room.is_over())
    }

    /// Returns the lock of the client that starts the room of this key. Forgets the locks that nobody holds or waits for.
    fn start_of(&self, key: &Arc<[u8]>) -> Arc<StartLock> {
        let mut starts = lock(&self.starts);
        starts.retain(|_, start| start.strong_count() > 0);
        let known = starts.get(key).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let start = Arc::default();
            starts.insert(Arc::clone(key), Arc::downgrade(&start));
            start
        })
    }

    /// Notes that no new client comes: a worker that would stay without clients now ends when the last has left.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        for room in lock(&self.open).values() {
            room.release();
        }
    }

    /// Whether the worker that wsd keeps running does not run now (`--eager`).
    pub(crate) fn is_down(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed) && !self.is_retired.load(Ordering::Relaxed) && !self.has_room(&[])
    }

    /// Returns the key of the room that the clients of a path share; `None` if each has its own.
    pub(super) fn key(&self, path: &[u8]) -> Option<Arc<[u8]>> {
        match self.sharing {
            Sharing::Alone => None,
            Sharing::All => Some(Arc::default()),
            Sharing::Path => Some(path.into()),
        }
    }

    /// Opens a room for all clients. `path` is for the log.
    pub(super) fn open_shared(
        &self,
        path: &Arc<[u8]>,
        pid: i32,
        permit: Permit,
        track: Option<Arc<Track>>,
    ) -> Arc<Room> {
        let room = Room::new(self.options.clone(), Arc::clone(path), Some(permit), None);
        room.begin(pid, track);
        let mut open = lock(&self.open);
        open.insert(Arc::default(), Arc::clone(&room));
        // Under the lock: either this sees `is_retired`, or `retire` sees the room.
        if self.is_retired.load(Ordering::Relaxed) {
            room.release();
        }
        room
    }

    /// Forgets a room that is over, unless another has taken its place.
    pub(super) fn forget(&self, key: &[u8], room: &Arc<Room>) {
        let mut open = lock(&self.open);
        if open.get(key).is_some_and(|known| Arc::ptr_eq(known, room)) {
            open.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        admission::Admission, budget::Budget, framing::Framing, metrics::route::NamedRoute, room::options::Slow,
    };

    #[test]
    fn a_room_that_opens_when_nobody_comes_any_more_is_over() {
        let options = RoomOptions {
            framing: Framing::Lines,
            message_bytes_max: usize::MAX,
            slow: Slow::Close,
            history: 0,
            linger: None,
            is_for_one: false,
            patience: Duration::ZERO,
            slow_wait: Duration::ZERO,
            budget: Budget::new(None),
            route: NamedRoute::named("/"),
        };
        let rooms = Rooms::new(Sharing::All, options, None);
        let permit = || Admission::new(None).admit().expect("a slot");
        assert!(!rooms.open_shared(&Arc::default(), 0, permit(), None).is_over());

        rooms.retire();

        assert!(rooms.open_shared(&Arc::default(), 0, permit(), None).is_over());
    }
}
