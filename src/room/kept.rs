//! A program that wsd starts without a request: before any client (`--eager`), or in place of another node (`--bus`).

use std::{fmt, time::Instant};

use tracing::Span;

use crate::{
    admission::{Admission, Permit},
    event::Event,
    metrics::route::RouteName,
    record::{options::Recorded, tape::Tape},
    worker::{
        Worker,
        program::Program,
        spawn::{Confining, spawn, spawn_aside},
        variable::Variable,
    },
};

/// A worker that wsd starts without a request.
#[derive(Clone, Debug)]
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

impl Kept {
    /// Starts it at once, for a route. `None` if that fails, which the log tells.
    pub(super) fn start(&self, admission: &Admission, route: &RouteName) -> Option<(Worker, Permit)> {
        let Some(permit) = admission.admit() else {
            self.no_slot();
            return None;
        };
        let began = Instant::now();
        match spawn(&self.program, &self.confining, self.environment.clone()) {
            Ok(worker) => Some((self.started(worker, route, began), permit)),
            Err(cause) => {
                self.not_started(&cause, cause.hint(&self.program.path, self.confining.as_deref()).as_deref());
                None
            }
        }
    }

    /// Starts it once there is a fork slot, for a route. `None` if that fails, which the log tells.
    pub(super) async fn start_aside(&self, admission: &Admission, route: &RouteName) -> Option<(Worker, Permit)> {
        let Some(permit) = admission.claim().await else {
            self.no_slot();
            return None;
        };
        let began = Instant::now();
        match spawn_aside(&self.program, &self.confining, self.environment.clone(), permit).await {
            Ok((worker, permit)) => Some((self.started(worker, route, began), permit)),
            Err(cause) => {
                self.not_started(&cause, cause.hint(&self.program.path, self.confining.as_deref()).as_deref());
                None
            }
        }
    }

    fn started(&self, mut worker: Worker, route: &RouteName, began: Instant) -> Worker {
        worker.child.count_for(route, began.elapsed());
        if let Some(recorded) = &self.recorded {
            worker.record(Tape::begin(recorded, 0, Span::none()));
        }
        worker
    }

    fn no_slot(&self) {
        self.not_started(&"the limit of programs is reached", Some("raise --maxforks"));
    }

    fn not_started(&self, cause: &dyn fmt::Display, hint: Option<&str>) {
        Event::WorkerNotStarted { peer: None, program: &self.program.path.display(), cause, hint }.emit();
    }
}
