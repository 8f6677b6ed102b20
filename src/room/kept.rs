//! A program that wsd starts without a request: before any client (`--eager`), or in place of another node (`--bus`).

use std::fmt;

use crate::{
    admission::{Admission, Permit},
    event::Event,
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
}

impl Kept {
    /// Starts it at once. `None` if that fails, which the log tells.
    pub(super) fn start(&self, admission: &Admission) -> Option<(Worker, Permit)> {
        let Some(permit) = admission.admit() else {
            self.no_slot();
            return None;
        };
        match spawn(&self.program, &self.confining, self.environment.clone()) {
            Ok(worker) => Some((worker, permit)),
            Err(cause) => {
                self.not_started(&cause, cause.hint(&self.program.path, self.confining.as_deref()).as_deref());
                None
            }
        }
    }

    /// Starts it once there is a fork slot. `None` if that fails, which the log tells.
    pub(super) async fn start_aside(&self, admission: &Admission) -> Option<(Worker, Permit)> {
        let Some(permit) = admission.claim().await else {
            self.no_slot();
            return None;
        };
        match spawn_aside(&self.program, &self.confining, self.environment.clone(), permit).await {
            Ok(started) => Some(started),
            Err(cause) => {
                self.not_started(&cause, cause.hint(&self.program.path, self.confining.as_deref()).as_deref());
                None
            }
        }
    }

    fn no_slot(&self) {
        self.not_started(&"the limit of programs is reached", Some("raise --maxforks"));
    }

    fn not_started(&self, cause: &dyn fmt::Display, hint: Option<&str>) {
        Event::WorkerNotStarted { peer: None, program: &self.program.path.display(), cause, hint }.emit();
    }
}
