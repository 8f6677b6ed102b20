//! The worker that runs before any client comes, and again whenever it has ended (`--eager`).

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{host, kept::Kept, registry::Rooms};
use crate::{
    admission::Admission,
    event::Event,
    limits::{RESTART_MAX, RESTART_MIN},
    peer::Connection,
    shutdown::Shutdown,
};

impl Rooms {
    /// Starts the worker that all clients share, and again whenever it has ended (`--eager`). `path` is for the log.
    pub(crate) fn keep(self: &Arc<Self>, kept: Kept, path: &str, admission: Admission, shutdown: &Shutdown) {
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (rooms, path, end) = (Arc::clone(self), Arc::<[u8]>::from(path.as_bytes()), shutdown.clone());
        let name = kept.program.path.display().to_string();
        let opener = Arc::clone(self);
        let launch = move || {
            let (worker, permit) = kept.start(&admission, &opener.options.route)?;
            let track = worker.tape.as_ref().map(|tape| tape.track());
            let pid = worker.child.pid();
            Some((worker, opener.open_shared(&path, pid, permit, track)))
        };
        // The first worker starts before wsd accepts clients.
        let mut first = launch();
        shutdown.spawn(async move {
            let is_over = || rooms.is_retired.load(Ordering::Relaxed) || end.has_begun();
            let mut pause = None;
            while !is_over() {
                let mut ran = None;
                if let Some((worker, room)) = first.take().or_else(&launch) {
                    let began = Instant::now();
                    host::run(Arc::clone(&room), worker, &Connection::none(), &end).await;
                    rooms.forget(&[], &room);
                    if is_over() {
                        return;
                    }
                    ran = Some(began.elapsed());
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
        });
    }
}

/// Returns the pause after a worker that ran for `ran`; `before` is the pause before it, if it was not the first.
pub(super) fn pause_after(ran: Duration, before: Option<Duration>) -> Duration {
    match before {
        Some(before) if ran <= RESTART_MAX => (before * 2).min(RESTART_MAX),
        _ => RESTART_MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_keeps_ending_is_started_less_and_less_often() {
        let mut pause = None;
        // The seconds that each worker ran, and the pause after it.
        let table = [(0, 1), (0, 2), (1, 4), (0, 8), (0, 16), (30, 30), (0, 30), (31, 1), (0, 2)];
        for (index, (ran, want)) in table.into_iter().enumerate() {
            pause = Some(pause_after(Duration::from_secs(ran), pause));
            assert_eq!(pause, Some(Duration::from_secs(want)), "row {index}");
        }
    }
}
