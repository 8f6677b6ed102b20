//! Starts the program for a request: takes a fork slot, starts the process. A refusal says why not.

use std::time::Instant;

use hyper::StatusCode;

use super::lookup::Lookup;
use crate::{
    admission::{Admission, Permit},
    event::Event,
    framing::Framing,
    http::{
        gate::Visitor,
        refusal::Refusal,
        source_limits::{Pass, SourceLimits},
    },
    peer::Peer,
    record::options::{RecordOptions, Recorded},
    worker::{
        Worker,
        environ::EnvironOptions,
        process::ProcessOptions,
        program::Program,
        spawn::{Confining, spawn_aside},
        stdio::Stdio,
        variable::Variable,
    },
};

/// Starts the programs of a site.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// Limits the number of workers.
    pub(crate) admission: Admission,
    /// Limits the programs of each source.
    pub(crate) sources: SourceLimits,
    /// The options of processes.
    pub(crate) process: ProcessOptions,
    /// The part of wsd's environment that workers inherit, and `SERVER_SOFTWARE`.
    pub(crate) environ: EnvironOptions,
    /// The bounds of the programs.
    pub(crate) confining: Confining,
    /// Finds the names of clients; `None` without `--reverselookup`.
    pub(crate) lookup: Option<Lookup>,
    /// The settings of recordings; `None` without `--record`.
    pub(crate) record: Option<RecordOptions>,
}

impl Launcher {
    /// Refuses one more program or client while `--maxbuffer` is nearly used up.
    pub(super) fn check_budget(&self) -> Result<(), Refusal> {
        if !self.process.budget.is_full() {
            return Ok(());
        }
        let text = "The server is out of buffers. Try again later.";
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "maxbuffer", text)
            .with_hint("raise --maxbuffer")
            .with_retry())
    }

    /// Returns the right of a client to start a program or to join a room, or refuses it. The gate has given it, unless the
    /// client said that it has a session.
    pub(super) fn pass(&self, visitor: &Visitor) -> Result<Pass, Refusal> {
        visitor.pass.clone().map_or_else(|| self.sources.enter(visitor.connection.peer), Ok)
    }

    /// Takes a fork slot, or refuses if all are in use. The program counts as one of the client with this right.
    pub(super) async fn admit(&self, pass: &Pass) -> Result<Permit, Refusal> {
        self.check_budget()?;
        let mut permit = self.admission.claim().await.ok_or_else(|| {
            let text = "The limit of programs is reached. Try again later.";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "maxforks", text).with_hint("raise --maxforks").with_retry()
        })?;
        permit.hold(pass.slot());
        Ok(permit)
    }

    /// Returns the recording for a program of the site, if there is to be one. `name` is `SCRIPT_NAME`.
    pub(super) fn recorded(&self, program: &Program, name: &[u8], framing: Framing) -> Option<Recorded> {
        Some(Recorded {
            options: self.record.clone()?,
            route: String::from_utf8_lossy(name).into_owned(),
            program: program.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            framing,
            is_unbuffered: program.stdio == Stdio::Unbuffered,
        })
    }

    /// Starts a program in its fork slot.
    pub(super) async fn start(
        &self,
        peer: Peer,
        program: &Program,
        environment: Vec<Variable>,
        permit: Permit,
    ) -> Result<(Worker, Permit), Refusal> {
        let began = Instant::now();
        let started = spawn_aside(program, &self.confining, environment, permit).await;
        let counted = started.map(|(mut worker, permit)| {
            worker.child.count_for(&self.process.route, began.elapsed());
            (worker, permit)
        });
        counted.map_err(|cause| {
            let (hint, name) = (cause.hint(&program.path, self.confining.as_deref()), program.path.display());
            Event::WorkerNotStarted { peer: Some(peer), program: &name, cause: &cause, hint: hint.as_deref() }.emit();
            if cause.is_shortage() {
                let text = "The server is out of processes, memory, descriptors or pseudo-terminals. Try again later.";
                Refusal::unlogged(StatusCode::SERVICE_UNAVAILABLE, text).with_retry()
            } else {
                let text = "The program cannot be started. The server's log tells why.";
                Refusal::unlogged(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        })
    }
}
