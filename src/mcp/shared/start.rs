//! Starts the shared process, and finds out which version it speaks.

use std::sync::Arc;

use tokio::{
    sync::oneshot::{self, error::RecvError},
    time::{Instant, error::Elapsed, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        headers::MODERN,
        host::{self, HostEnd},
        lock::lock,
        session::ended,
        telling::HostTerms,
        terms::{Launching, McpEras, Trouble},
    },
    Probe, SharedPhase, SharedServer,
};
use crate::{
    admission::Permit,
    limits::mcp::{MCP_PROBE_WAIT, MCP_SILENT_KNOWN},
    worker::Worker,
};

impl SharedServer {
    /// Starts a process, in a task of its own: the client may leave meanwhile. Resolves when it takes requests, or speaks an
    /// older version.
    pub(super) async fn start<E, F>(
        self: &Arc<Self>,
        launching: Launching<F>,
        token: CancellationToken,
    ) -> Result<(), Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        let Launching { start, connection, path, shutdown } = launching;
        let (tell, told) = oneshot::channel();
        let (shared, tasks) = (Arc::clone(self), shutdown.clone());
        tasks.spawn(async move {
            let started = match start.await {
                Ok((worker, permit)) => {
                    let launched = Launching { start: (), connection, path, shutdown };
                    shared.probe(worker, permit, launched).await
                }
                Err(refused) => {
                    lock(&shared.state).phase = SharedPhase::Down;
                    Err(Trouble::Refused(refused))
                }
            };
            token.cancel();
            let _ = tell.send(started);
        });
        told.await.unwrap_or_else(|_| Err(ended(None, HostEnd::Shutdown).into()))
    }

    async fn probe<E>(
        self: &Arc<Self>,
        worker: Worker,
        permit: Permit,
        launching: Launching<()>,
    ) -> Result<(), Trouble<E>> {
        let Launching { connection, path, shutdown, .. } = launching;
        let connection = connection.renumbered().for_log();
        let (tell, told) = oneshot::channel();
        let number = self.note_start(tell);
        self.wire.clear();
        self.wire.set_conn(connection.id);
        self.wire.write(discover(number).as_bytes());
        let (user, process) = (String::new(), self.options.process.clone());
        let terms = HostTerms { connection, path, user, kind: "shared", process, shutdown: shutdown.clone() };
        shutdown.spawn(host::run(Arc::clone(self), worker, permit, terms));
        let answer = timeout(MCP_PROBE_WAIT, told).await;
        self.settle(&answer)?;
        self.wire.wake();
        Ok(())
    }

    fn note_start(&self, tell: oneshot::Sender<Option<i64>>) -> u64 {
        let mut state = lock(&self.state);
        let number = state.calls.reserve();
        state.probe = Some(Probe { number, tell });
        state.began = Instant::now();
        state.idle_since = state.began;
        state.has_process = true;
        number
    }

    /// Notes which version the program speaks, by its answer.
    fn settle<E>(&self, answer: &Result<Result<Option<i64>, RecvError>, Elapsed>) -> Result<(), Trouble<E>> {
        let mut state = lock(&self.state);
        state.phase = match answer {
            Ok(Ok(error)) => SharedPhase::after(*error),
            Ok(Err(_)) => {
                // It has ended. `ProgramHub::ended` knows how.
                let fault = match state.phase {
                    SharedPhase::Failed(status, next) => {
                        ended(Some(status), HostEnd::Exit).with_retry(next.saturating_duration_since(Instant::now()))
                    }
                    _ => ended(None, HostEnd::Shutdown),
                };
                return Err(fault.into());
            }
            Err(_) if self.options.eras == McpEras::Shared => SharedPhase::Running,
            // It may only start slowly: its answer still counts when it comes.
            Err(_) => SharedPhase::Legacy(Some(Instant::now() + MCP_SILENT_KNOWN)),
        };
        state.idle_since = Instant::now();
        Ok(())
    }
}

/// Returns the line that asks a program which versions it speaks.
fn discover(number: u64) -> String {
    let client = concat!("{\"name\":\"wsd\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}");
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"method\":\"server/discover\",\"params\":{{\"_meta\":{{\
         \"io.modelcontextprotocol/protocolVersion\":\"{MODERN}\",\"io.modelcontextprotocol/clientInfo\":{client},\
         \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}\n"
    )
}
