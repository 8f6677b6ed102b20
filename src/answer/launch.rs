//! Starts the program for a request: takes a fork slot, builds the environment, starts the process. A refusal says why not.

use hyper::{StatusCode, Version, http::request::Parts};

use super::{lookup::Lookup, scripts::Script};
use crate::{
    admission::{Admission, Permit},
    event::Event,
    http::refusal::Refusal,
    peer::{Connection, Peer},
    worker::{
        Worker,
        environ::{Content, EnvironOptions, Facts, variables},
        process::ProcessOptions,
        program::Program,
        spawn::spawn_aside,
        variable::Variable,
    },
};

/// Starts the programs of a site.
#[derive(Debug)]
pub(crate) struct Launcher {
    /// Limits the number of workers.
    pub(crate) admission: Admission,
    /// The options of processes.
    pub(crate) process: ProcessOptions,
    /// The part of wsd's environment that workers inherit, and `SERVER_SOFTWARE`.
    pub(crate) environ: EnvironOptions,
    /// Finds the names of clients; `None` without `--reverselookup`.
    pub(crate) lookup: Option<Lookup>,
}

/// A client's request for a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launch<'a> {
    pub(super) connection: &'a Connection,
    pub(super) request: &'a Parts,
    pub(super) script: &'a Script<'a>,
    /// The path, decoded.
    pub(super) path: &'a [u8],
    /// `UNIQUE_ID`.
    pub(super) id: &'a str,
    /// The body that a CGI script reads.
    pub(super) content: Content<'a>,
    pub(super) subprotocol: Option<&'a str>,
}

impl Launcher {
    /// Refuses one more program or client while `--maxbuffer` is nearly used up.
    pub(super) fn check_budget(&self) -> Result<(), Refusal> {
        if !self.process.budget.is_full() {
            return Ok(());
        }
        let text = "The server is out of buffers. Try again later.";
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "maxbuffer", text).with_hint("raise --maxbuffer"))
    }

    /// Takes a fork slot, or refuses if all are in use.
    pub(super) async fn admit(&self) -> Result<Permit, Refusal> {
        self.check_budget()?;
        self.admission.claim().await.ok_or_else(|| {
            let text = "As many programs are running as are allowed. Try again later.";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "maxforks", text).with_hint("raise --maxforks")
        })
    }

    /// Returns the environment of a program.
    pub(super) async fn environment(&self, launch: Launch<'_>) -> Vec<Variable> {
        let Launch { connection, request, script, path, id, content, subprotocol } = launch;
        let remote_host = match &self.lookup {
            Some(lookup) => lookup.name(connection.peer).await,
            None => connection.peer.address(),
        };
        let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let facts = Facts {
            id,
            connection,
            remote_host: &remote_host,
            protocol: if request.version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" },
            method: request.method.as_str(),
            target: request.uri.path_and_query().map_or("/", |target| target.as_str()),
            script_name: script.name,
            path_info: script.path_info,
            path,
            query: request.uri.query().unwrap_or_default(),
            headers: &headers,
            subprotocol,
            content,
        };
        variables(&self.environ, &facts)
    }

    /// Starts a program in its fork slot.
    pub(super) async fn start(
        &self,
        peer: Peer,
        program: &Program,
        environment: Vec<Variable>,
        permit: Permit,
    ) -> Result<(Worker, Permit), Refusal> {
        let started = spawn_aside(program, environment, permit).await;
        started.map_err(|cause| {
            let (hint, name) = (cause.hint(program), program.path.display());
            Event::WorkerNotStarted { peer: Some(peer), program: &name, cause: &cause, hint }.emit();
            if cause.is_shortage() {
                let text = "The server is out of processes, memory or descriptors. Try again later.";
                Refusal::unlogged(StatusCode::SERVICE_UNAVAILABLE, text)
            } else {
                let text = "The program cannot be started. The server's log tells why.";
                Refusal::unlogged(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        })
    }
}
