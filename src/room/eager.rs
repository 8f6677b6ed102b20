//! The worker that runs before any client comes, and again whenever it has ended (`--eager`).

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tracing::Span;

use super::{host, registry::Rooms};
use crate::{
    admission::Admission,
    event::Event,
    limits::{RESTART_MAX, RESTART_MIN},
    peer::Connection,
    record::{options::Recorded, tape::Tape},
    shutdown::Shutdown,
    worker::{
        program::Program,
        spawn::{Confining, spawn},
        variable::Variable,
    },
};

/// A worker that wsd starts before any client (`--eager`).
#[derive(Debug)]
pub(crate) struct Kept {
    /// The program.
    pub(crate) program: Program,
    /// The limits of its worker.
    pub(crate) confining: Confining,
    /// Its variables.
    pub(crate) environment: Vec<Variable>,
    /// Its recording, if there is to be one.
    pub(crate) recorded: Option<Recorded>,
}

impl Rooms {
    /// Starts the worker that all clients share, and again whenever it has ended (`--eager`). `path` is for the log.
    pub(crate) fn keep(self: &Arc<Self>, kept: Kept, path: &str, admission: Admission, shutdown: &Shutdown) {
        if self.is_kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let (rooms, path, end) = (Arc::clone(self), Arc::<[u8]>::from(path.as_bytes()), shutdown.clone());
        let Kept { program, confining, environment, recorded } = kept;
        let name = program.path.display().to_string();
        let opener = Arc::clone(self);
        let launch = move || {
            let began = Instant::now();
            let launched = admission.admit().map(|permit| (permit, spawn(&program, &confining, environment.clone())));
            match launched {
                Some((permit, Ok(mut worker))) => {
                    worker.child.count_for(&opener.options.route, began.elapsed());
                    if let Some(recorded) = &recorded {
                        worker.record(Tape::begin(recorded, 0, Span::none()));
                    }
                    let track = worker.tape.as_ref().map(|tape| tape.track());
                    let pid = worker.child.pid();
                    return Some((worker, opener.open_shared(&path, pid, permit, track)));
                }
                Some((_, Err(cause))) => {
                    not_started(&program, &cause, cause.hint(&program.path, confining.as_deref()).as_deref());
                }
                None => not_started(&program, &"the limit of programs is reached", Some("raise --maxforks")),
            }
            None
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

fn not_started(program: &Program, cause: &dyn fmt::Display, hint: Option<&str>) {
    Event::WorkerNotStarted { peer: None, program: &program.path.display(), cause, hint }.emit();
}

/// Returns the pause after a worker that ran for `ran`; `before` is the pause before it, if it was not the first.
fn pause_after(ran: Duration, before: Option<Duration>) -> Duration {
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
