//! The rooms there are, by path.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{NoSeat, Room, host, lock::lock, member::Member, options::RoomOptions};
use crate::{
    admission::{Admission, Permit},
    event::Event,
    limits::{RESTART_MAX, RESTART_MIN},
    peer::Connection,
    shutdown::Shutdown,
    worker::{Worker, program::Program, spawn::spawn, variable::Variable},
};

/// Who shares a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nobody: each client has a room of its own. For programs that want to be told of clients.
    Alone,
    /// All clients (`--shared`).
    All,
    /// The clients of a path (`--shared=path`).
    Path,
}

/// The rooms of one program.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// Who shares a worker.
    pub(crate) sharing: Sharing,
    options: RoomOptions,
    open: Mutex<HashMap<Vec<u8>, Arc<Room>>>,
    /// Held by the client whose room is being started.
    starts: tokio::sync::Mutex<()>,
    /// An `--eager` worker is being kept.
    is_kept: AtomicBool,
    /// The settings have changed: nobody comes any more.
    is_retired: AtomicBool,
}

/// Why a client cannot be let in.
#[derive(Debug)]
pub(crate) enum NotJoined<E> {
    /// Too many clients, or too many that the worker has not read of.
    Full,
    /// The worker is down, and will be started again.
    Down,
    /// The worker cannot be started.
    Launch(E),
}

impl Rooms {
    /// No rooms yet.
    pub(crate) fn new(sharing: Sharing, options: RoomOptions) -> Arc<Self> {
        let (is_kept, is_retired) = (AtomicBool::new(false), AtomicBool::new(false));
        let starts = tokio::sync::Mutex::new(());
        Arc::new(Self { sharing, options, open: Mutex::default(), starts, is_kept, is_retired })
    }

    /// Lets a client into the room of `path`. If there is none, `launch` starts its worker.
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
        // One start at a time: of two first clients the second finds the room of the first.
        let _turn = match &key {
            Some(key) if !self.has_room(key) => Some(self.starts.lock().await),
            _ => None,
        };
        match self.join_open(key.as_deref(), client.clone(), variables.clone(), connection.id) {
            Some(Ok(member)) => return Ok(member),
            Some(Err(NoSeat::Full)) => return Err(NotJoined::Full),
            Some(Err(NoSeat::Over)) | None => {}
        }
        if self.options.stays {
            return Err(NotJoined::Down);
        }
        let (worker, permit) = launch.await.map_err(NotJoined::Launch)?;
        let room = Room::new(self.options.clone());
        let member = Member::join(&room, client, connection.id, variables).map_err(|_| NotJoined::Full)?;
        if let Some(key) = &key {
            lock(&self.open).insert(key.clone(), Arc::clone(&room));
        }
        let (rooms, connection, end) = (Arc::clone(self), connection.clone(), shutdown.clone());
        let path = String::from_utf8_lossy(path).into_owned();
        shutdown.spawn(async move {
            host::run(Arc::clone(&room), worker, permit, &connection, &path, &end).await;
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

    /// Lets a client into a room that is open.
    fn join_open<'a>(
        &self,
        key: Option<&[u8]>,
        client: String,
        variables: impl Iterator<Item = (&'a str, &'a str)>,
        conn: u64,
    ) -> Option<Result<Member, NoSeat>> {
        let open = lock(&self.open);
        Some(Member::join(open.get(key?)?, client, conn, variables))
    }

    /// Waits for the end of a room that is over, if there is one: its worker has a fork slot until then. Who finds a room
    /// at `path` to join needs none.
    pub(crate) async fn ended(&self, path: &[u8]) {
        let ending = {
            let open = lock(&self.open);
            let wanted = self.key(path).and_then(|key| open.get(&key));
            match wanted {
                Some(room) if !room.is_over() => None,
                _ => open.values().find(|room| room.is_over()).map(|room| room.ended.clone()),
            }
        };
        if let Some(ended) = ending {
            ended.cancelled().await;
        }
    }

    /// Starts the worker that all share, and again whenever it has ended (`--eager`); `path` is theirs in the log.
    pub(crate) fn keep(
        self: &Arc<Self>,
        program: Program,
        path: &str,
        environment: Vec<Variable>,
        admission: Admission,
        shutdown: &Shutdown,
    ) {
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (rooms, path, end) = (Arc::clone(self), path.to_owned(), shutdown.clone());
        let name = program.path.display().to_string();
        // The first is started before anybody is let in.
        let launch = move || {
            let launch = |permit| spawn(&program, environment.clone()).map(|worker| (permit, worker));
            let launched = admission.admit().map(launch);
            match launched {
                Some(Ok(launched)) => return Some(launched),
                Some(Err(cause)) => not_started(&program, &cause, cause.hint(&program)),
                None => not_started(&program, &"as many programs run as are allowed", Some("raise --maxforks")),
            }
            None
        };
        let first = launch().map(|(permit, worker)| (permit, worker, self.open_shared()));
        let keep = async move {
            let (mut first, mut pause) = (first, None);
            while !rooms.is_retired.load(Ordering::Relaxed) && !end.has_begun() {
                let mut ran = None;
                let next =
                    first.take().or_else(|| launch().map(|(permit, worker)| (permit, worker, rooms.open_shared())));
                if let Some((permit, worker, room)) = next {
                    let began = Instant::now();
                    host::run(Arc::clone(&room), worker, permit, &Connection::none(), &path, &end).await;
                    rooms.forget(&[], &room);
                    ran = Some(began.elapsed());
                    if rooms.is_retired.load(Ordering::Relaxed) || end.has_begun() {
                        return;
                    }
                }
                let next_pause = pause_after(ran.unwrap_or_default(), pause);
                if ran.is_some() {
                    Event::WorkerRestarts { program: &name, secs: next_pause.as_secs() }.emit();
                }
                tokio::select! {
                    () = sleep(next_pause) => {}
                    () = end.begun() => return,
                }
                pause = Some(next_pause);
            }
        };
        shutdown.spawn(keep);
    }

    /// Nobody comes any more: a worker that stays without clients ends when the last has left.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        for room in lock(&self.open).values() {
            room.release();
        }
    }

    /// Which room the clients of a path share, if they share one.
    fn key(&self, path: &[u8]) -> Option<Vec<u8>> {
        match self.sharing {
            Sharing::Alone => None,
            Sharing::All => Some(Vec::new()),
            Sharing::Path => Some(path.to_vec()),
        }
    }

    /// A room for all, open from now on.
    fn open_shared(&self) -> Arc<Room> {
        let room = Room::new(self.options.clone());
        let mut open = lock(&self.open);
        open.insert(Vec::new(), Arc::clone(&room));
        // Under the lock: either this sees that nobody comes any more, or `retire` sees the room.
        if self.is_retired.load(Ordering::Relaxed) {
            room.release();
        }
        room
    }

    /// Forgets a room that is over, unless another has taken its place.
    fn forget(&self, key: &[u8], room: &Arc<Room>) {
        let mut open = lock(&self.open);
        if open.get(key).is_some_and(|known| Arc::ptr_eq(known, room)) {
            open.remove(key);
        }
    }
}

fn not_started(program: &Program, cause: &dyn fmt::Display, hint: Option<&str>) {
    Event::WorkerNotStarted { peer: None, program: &program.path.display(), cause, hint }.emit();
}

/// The pause after a worker that ran for this long and had this pause before it, if it was not the first.
fn pause_after(ran: Duration, before: Option<Duration>) -> Duration {
    match before {
        Some(before) if ran <= RESTART_MAX => (before * 2).min(RESTART_MAX),
        _ => RESTART_MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Budget, framing::Framing, room::options::Slow};

    #[test]
    fn a_worker_that_keeps_ending_is_started_less_and_less_often() {
        let mut pause = None;
        // Each ran for so many seconds.
        let table = [(0, 1), (0, 2), (1, 4), (0, 8), (0, 16), (30, 30), (0, 30), (31, 1), (0, 2)];
        for (index, (ran, want)) in table.into_iter().enumerate() {
            pause = Some(pause_after(Duration::from_secs(ran), pause));
            assert_eq!(pause, Some(Duration::from_secs(want)), "row {index}");
        }
    }

    #[test]
    fn a_room_that_opens_when_nobody_comes_any_more_is_over() {
        let options = RoomOptions {
            framing: Framing::Lines,
            slow: Slow::Close,
            history: 0,
            stays: true,
            is_for_one: false,
            patience: Duration::ZERO,
            slow_wait: Duration::ZERO,
            budget: Budget::new(None),
        };
        let rooms = Rooms::new(Sharing::All, options);
        assert!(!rooms.open_shared().is_over());

        rooms.retire();

        assert!(rooms.open_shared().is_over());
    }
}
