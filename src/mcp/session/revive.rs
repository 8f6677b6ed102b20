//! Starts a process for a session that has none, and replays the client's first messages to it.

use std::sync::Arc;

use tokio::{
    sync::oneshot::{self, error::RecvError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
use super::super::terms::McpOptions;
use super::{
    super::{
        fault::McpFault,
        host::{self, HostEnd},
        lock::lock,
        message::MessageParts,
        telling::HostTerms,
        terms::{Launching, Trouble},
    },
    McpSession, ReplayAnswer, SessionCall, SessionPhase, SessionState, ended, unknown,
};
use crate::{admission::Permit, worker::Worker};

/// The next step of a request.
enum SessionStep {
    /// The process runs.
    Runs,
    /// It starts or ends; cancelled when that is over.
    Wait(CancellationToken),
    /// The request starts one, and cancels this.
    Start(CancellationToken),
}

/// The notification after `initialize`.
const INITIALIZED: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

impl McpSession {
    /// Waits until the session has a process; starts one with `launching`, which it takes, if there is none.
    pub(super) async fn wake<E, F>(self: &Arc<Self>, launching: &mut Option<Launching<F>>) -> Result<(), Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        loop {
            let (token, is_own) = match self.next_step(launching.is_some())? {
                SessionStep::Runs => return Ok(()),
                SessionStep::Wait(token) => (token, false),
                SessionStep::Start(token) => (token, true),
            };
            match launching.take_if(|_| is_own) {
                Some(launching) => return self.revive(launching, token).await,
                None => token.cancelled().await,
            }
        }
    }

    /// Returns what a request needs; `can_start` is whether it can start a process.
    fn next_step(&self, can_start: bool) -> Result<SessionStep, McpFault> {
        let mut state = lock(&self.state);
        match &state.phase {
            SessionPhase::Running => Ok(SessionStep::Runs),
            SessionPhase::Over => Err(unknown()),
            SessionPhase::Busy(token) => Ok(SessionStep::Wait(token.clone())),
            SessionPhase::Asleep(_) if can_start => {
                let token = CancellationToken::new();
                state.phase = SessionPhase::Busy(token.clone());
                Ok(SessionStep::Start(token))
            }
            SessionPhase::Asleep(_) => Err(ended(state.status, HostEnd::Exit)),
        }
    }

    /// Starts a process, in a task of its own: the client may leave meanwhile.
    async fn revive<E, F>(self: &Arc<Self>, launching: Launching<F>, token: CancellationToken) -> Result<(), Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        let Launching { start, connection, path, shutdown } = launching;
        let (tell, told) = oneshot::channel();
        let (session, tasks) = (Arc::clone(self), shutdown.clone());
        tasks.spawn(async move {
            let revived = match start.await {
                Ok((worker, permit)) => {
                    session.host(worker, permit, Launching { start: (), connection, path, shutdown });
                    session.replay(&token).await.map_err(Trouble::Fault)
                }
                Err(refused) => {
                    session.give_up(&token);
                    Err(Trouble::Refused(refused))
                }
            };
            token.cancel();
            let _ = tell.send(revived);
        });
        told.await.unwrap_or_else(|_| Err(ended(None, HostEnd::Shutdown).into()))
    }

    /// Notes that no process could start.
    fn give_up(&self, token: &CancellationToken) {
        let mut state = lock(&self.state);
        if matches!(&state.phase, SessionPhase::Busy(own) if own == token) {
            state.phase = SessionPhase::Asleep(Instant::now());
        }
    }

    /// Spawns the task of a process that has started.
    pub(super) fn host(self: &Arc<Self>, worker: Worker, permit: Permit, launching: Launching<()>) {
        let Launching { connection, path, shutdown, .. } = launching;
        let connection = connection.renumbered().for_log();
        self.wire.set_conn(connection.id);
        lock(&self.state).idle_since = Instant::now();
        let (user, process) = (self.user.clone(), self.options.process.clone());
        let terms = HostTerms { connection, path, user, kind: "session", process, shutdown: shutdown.clone() };
        shutdown.spawn(host::run(Arc::clone(self), worker, permit, terms));
    }

    /// Replays the first messages, and swallows the answers. Fails if the server is another one now: its client must know.
    async fn replay(&self, token: &CancellationToken) -> Result<(), McpFault> {
        let (tell, told) = oneshot::channel();
        self.ask_first(tell);
        let answer = told.await;
        self.restore(token, answer)
    }

    fn ask_first(&self, tell: oneshot::Sender<ReplayAnswer>) {
        let mut state = lock(&self.state);
        state.processes += 1;
        let initialize = state.record.initialize.clone();
        self.ask_again(&mut state, &initialize, Some(tell));
    }

    /// Compares the answer of the new process, and restores the client's settings.
    fn restore(&self, token: &CancellationToken, answer: Result<ReplayAnswer, RecvError>) -> Result<(), McpFault> {
        let mut state = lock(&self.state);
        let Ok(answer) = answer else { return Err(ended(state.status, HostEnd::Exit)) };
        // The process may have ended, or the client may have left.
        if !matches!(&state.phase, SessionPhase::Busy(own) if own == token) {
            return Err(unknown());
        }
        if !answer.is_ok_and(|result| state.record.note_identity(&result)) {
            state.finish();
            self.wire.wake();
            return Err(unknown());
        }
        if state.record.is_initialized {
            self.wire.write(INITIALIZED);
        }
        let settings: Vec<_> = state.record.settings().cloned().collect();
        for request in settings {
            self.ask_again(&mut state, &request, None);
        }
        state.phase = SessionPhase::Running;
        state.idle_since = Instant::now();
        Ok(())
    }

    /// Returns a session without a process, which somebody left now.
    #[cfg(test)]
    pub(in crate::mcp) fn asleep(options: &Arc<McpOptions>) -> Arc<Self> {
        let session = Self::new(String::new(), Vec::new(), Arc::clone(options));
        lock(&session.state).phase = SessionPhase::Asleep(Instant::now());
        session
    }

    /// Writes an earlier request of the client once more.
    fn ask_again(&self, state: &mut SessionState, text: &[u8], tell: Option<oneshot::Sender<ReplayAnswer>>) {
        if let Ok(parts) = MessageParts::of(text) {
            self.wire.write(&state.calls.begin(text, &parts, SessionCall::Replay(tell)));
        }
    }
}
