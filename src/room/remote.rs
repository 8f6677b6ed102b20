//! Joins clients to rooms of a cluster (`--bus`), and keeps `--eager` rooms of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use tokio::time::{sleep, timeout};

use super::{
    NoSeat, Room,
    eager::pause_after,
    far::{Far, RoomReadiness},
    keeper::task::Keeper,
    kept::Kept,
    lock::lock,
    member::Member,
    registry::{NotJoined, Rooms},
};
use crate::{
    admission::Admission, bus::place::RoomKeys, event::Event, limits::BUS_JOIN, peer::Connection, shutdown::Shutdown,
    sources::SourceSlot,
};

/// A client in line for a room that may still be opened. The room counts it meanwhile.
struct InLine(Arc<Room>);

impl InLine {
    fn new(room: Arc<Room>) -> Option<Self> {
        let mut hub = lock(&room.hub);
        if hub.is_over {
            return None;
        }
        hub.add_other();
        drop(hub);
        Some(Self(room))
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        lock(&self.0.hub).remove_others(1);
        self.0.pressure.host.wake();
        if let Some(far) = &self.0.far {
            far.emptied.notify_one();
        }
    }
}

/// The program and the limits of a room's worker, should this node run it.
pub(crate) struct Starting {
    /// The program.
    pub(crate) kept: Kept,
    /// The fork slots.
    pub(crate) admission: Admission,
    /// The route of the room. With the path it names the room in the whole cluster.
    pub(crate) route: Vec<u8>,
    /// The slot of the source that opens the room on this node.
    pub(crate) slot: Option<Arc<SourceSlot>>,
}

impl Rooms {
    /// Joins a client to the room of `path` in the cluster.
    pub(crate) async fn join_far<'a, E>(
        self: &Arc<Self>,
        path: &[u8],
        client: String,
        variables: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        connection: &Connection,
        shutdown: &Shutdown,
        starting: impl Fn() -> Result<Starting, E>,
    ) -> Result<Member, NotJoined<E>> {
        // A room that ends is forgotten once Redis knows; the client waits for the next one.
        let end = Instant::now() + BUS_JOIN;
        let mut is_away = false;
        while Instant::now() < end {
            let opened = self.far_room(path, connection, shutdown, &starting).map_err(NotJoined::Launch)?;
            let Some(room) = opened else { return Err(NotJoined::Down) };
            is_away = room.far.as_deref().is_some_and(Far::is_cut_off);
            let Some(line) = InLine::new(Arc::clone(&room)) else {
                sleep(crate::limits::BUS_RETRY / 10).await;
                continue;
            };
            let Some(far) = room.far.as_deref() else { return Err(NotJoined::Down) };
            match timeout(BUS_JOIN, far.ready()).await {
                Ok(RoomReadiness::Ready) => {}
                Ok(RoomReadiness::Over) => continue,
                Ok(RoomReadiness::Unstarted) => return Err(NotJoined::Unstarted),
                Ok(RoomReadiness::Away | RoomReadiness::Opening) | Err(_) => return Err(NotJoined::Away),
            }
            match Member::join(&room, client.clone(), connection.id, variables.clone()) {
                Ok(member) => return Ok(member),
                Err(NoSeat::Full) => return Err(NotJoined::Full),
                Err(NoSeat::Over) => drop(line),
            }
        }
        Err(if is_away { NotJoined::Away } else { NotJoined::Down })
    }

    /// Returns the room of a path, and opens it if there is none. `None` if only a task opens it (`--eager`).
    fn far_room<E>(
        self: &Arc<Self>,
        path: &[u8],
        connection: &Connection,
        shutdown: &Shutdown,
        starting: &impl Fn() -> Result<Starting, E>,
    ) -> Result<Option<Arc<Room>>, E> {
        let (Some(key), Some(bus)) = (self.key(path), self.bus()) else { return Ok(None) };
        let mut open = lock(&self.open);
        if let Some(room) = open.get(&key) {
            return Ok(Some(Arc::clone(room)));
        }
        if self.options.linger.is_none() {
            return Ok(None);
        }
        let Starting { kept, admission, route, slot } = starting()?;
        let known = if *key == *path { Arc::clone(&key) } else { path.into() };
        let far = Far::new(RoomKeys::new(bus.clone(), &route, &key), &self.options.budget);
        let room = Room::new(self.options.clone(), known, None, Some(far));
        open.insert(Arc::clone(&key), Arc::clone(&room));
        drop(open);
        let (rooms, kept_room) = (Arc::clone(self), Arc::clone(&room));
        let (connection, end) = (connection.for_log(), shutdown.clone());
        shutdown.spawn(async move {
            Keeper { room: Arc::clone(&kept_room), kept, admission, connection, shutdown: end }.run().await;
            rooms.forget(&key, &kept_room);
            drop(slot);
        });
        Ok(Some(room))
    }

    /// Keeps the room that all clients share open, on this node or another (`--eager`).
    pub(crate) fn keep_far(self: &Arc<Self>, starting: Starting, path: &str, shutdown: &Shutdown) {
        let Some(bus) = self.bus().cloned() else { return };
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (rooms, path, end) = (Arc::clone(self), Arc::<[u8]>::from(path.as_bytes()), shutdown.clone());
        shutdown.spawn(async move {
            let is_over = || rooms.is_retired.load(Ordering::Relaxed) || end.has_begun();
            let mut pause = None;
            while !is_over() {
                let Starting { kept, admission, route, .. } = &starting;
                let far = Far::new(RoomKeys::new(bus.clone(), route, b""), &rooms.options.budget);
                let room = Room::new(rooms.options.clone(), Arc::clone(&path), None, Some(far));
                lock(&rooms.open).insert(Arc::default(), Arc::clone(&room));
                let began = Instant::now();
                let (kept, admission, shutdown) = (kept.clone(), admission.clone(), end.clone());
                let name = kept.program.path.display().to_string();
                Keeper { room: Arc::clone(&room), kept, admission, connection: Connection::none(), shutdown }
                    .run()
                    .await;
                rooms.forget(&[], &room);
                if is_over() {
                    return;
                }
                if let Some(far) = room.far.as_deref().filter(|far| far.is_cut_off()) {
                    // The program has not ended: the room is away with Redis, and comes back with it.
                    tokio::select! { () = far.place.loss().over() => {}, () = end.begun() => return }
                    pause = None;
                    continue;
                }
                let next = pause_after(began.elapsed(), pause);
                Event::WorkerRestarts { program: &name, secs: next.as_secs() }.emit();
                tokio::select! { () = sleep(next) => {}, () = end.begun() => return }
                pause = Some(next);
            }
        });
    }
}
