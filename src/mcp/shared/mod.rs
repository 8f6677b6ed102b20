//! The process for all modern clients of a route: they have no sessions, so any process may answer any request.

mod answers;
mod start;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    calls::Calls,
    fault::{McpFault, code},
    headers::{self, HeaderLookup},
    host::HostEnd,
    load::LoadSlot,
    lock::lock,
    message::{Form, MessageParts, splice},
    meter::{LISTEN, RequestMeter},
    session::ended,
    stream::{self, StreamReader, StreamSender},
    terms::{Launching, McpEras, McpOptions, Trouble},
    tool_headers::ToolHeaders,
    wire::ProgramWire,
};
use crate::{admission::Permit, limits::RESTART_MIN, status::Status, worker::Worker};

/// The shared process, if it runs.
#[derive(Debug)]
pub(crate) struct SharedServer {
    options: Arc<McpOptions>,
    wire: ProgramWire,
    state: Mutex<SharedState>,
}

#[derive(Debug)]
struct SharedState {
    phase: SharedPhase,
    calls: Calls<SharedCall>,
    tools: ToolHeaders,
    idle_since: Instant,
    /// The time at which the process began to run.
    began: Instant,
    /// The pause before the next start after a process that has ended by itself.
    pause: Duration,
    probe: Option<Probe>,
    /// Whether a process runs, or ends.
    has_process: bool,
    is_winding_up: bool,
}

/// wsd's own first request to a process.
#[derive(Debug)]
struct Probe {
    /// Its number.
    number: u64,
    /// Takes the code of an error, or `None` for a result.
    tell: oneshot::Sender<Option<i64>>,
}

/// The state of the process.
#[derive(Clone, Debug)]
enum SharedPhase {
    /// There is none.
    Down,
    /// The last one has ended by itself: how, and when the next may start.
    Failed(Status, Instant),
    /// It starts or ends; cancelled when that is over.
    Busy(CancellationToken),
    /// It takes requests.
    Running,
    /// The program speaks an older version. wsd knows that for good, unless the program is only silent: then until that time.
    Legacy(Option<Instant>),
}

/// The next step of a request.
enum SharedStep<T> {
    /// The process has it.
    Done(T),
    /// The process starts or ends; cancelled when that is over.
    Wait(CancellationToken),
    /// The next process may start then.
    Pause(Instant),
    /// The request starts one, and cancels this.
    Start(CancellationToken),
}

/// A request in flight.
#[derive(Debug)]
struct SharedCall {
    sender: StreamSender,
    kind: SharedCallKind,
    has_log_level: bool,
    meter: RequestMeter,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SharedCallKind {
    /// A subscription, and whether the program has acknowledged it.
    Listen { is_acknowledged: bool },
    /// A list of tools, from which wsd learns.
    Tools,
    /// Any other.
    Other,
}

impl SharedServer {
    /// Returns a shared process that does not run.
    pub(super) fn new(options: Arc<McpOptions>) -> Self {
        let now = Instant::now();
        let state = SharedState {
            phase: if options.eras == McpEras::Session { SharedPhase::Legacy(None) } else { SharedPhase::Down },
            calls: Calls::default(),
            tools: ToolHeaders::default(),
            idle_since: now,
            began: now,
            pause: RESTART_MIN,
            probe: None,
            has_process: false,
            is_winding_up: false,
        };
        Self { options, wire: ProgramWire::default(), state: Mutex::new(state) }
    }

    /// Whether wsd knows that the program speaks a modern version: it has run as the shared process.
    pub(crate) fn is_modern(&self) -> bool {
        self.options.eras == McpEras::Shared || matches!(lock(&self.state).phase, SharedPhase::Running)
    }

    /// Checks the headers of a message, if the program may be a modern one.
    pub(crate) fn check(&self, text: &[u8], parts: &MessageParts, get: &HeaderLookup<'_>) -> Result<(), McpFault> {
        let state = lock(&self.state);
        if state.is_legacy() {
            return Err(older());
        }
        headers::check(text, parts, get, &state.tools)
    }

    /// Hands a request to the process. Starts one if there is none.
    pub(crate) async fn ask<E, F>(
        self: &Arc<Self>,
        (text, parts): (&[u8], &MessageParts),
        slot: LoadSlot,
        launching: Launching<F>,
    ) -> Result<StreamReader, Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        self.wire.room().await;
        self.wake(launching, |state| self.begin(state, text, parts, slot)).await
    }

    /// Hands a notification to the process. That of a cancelled request is dropped: a modern client closes its stream.
    pub(crate) async fn tell<E, F>(
        self: &Arc<Self>,
        (text, parts): (&[u8], &MessageParts),
        launching: Launching<F>,
    ) -> Result<(), Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        if parts.form != Form::Notification || parts.method == "notifications/cancelled" {
            return Ok(());
        }
        let mut line = splice(text, Vec::new());
        line.push(b'\n');
        self.wire.room().await;
        self.wake(launching, |_| self.wire.write(&line)).await
    }

    /// Calls `then` while the process runs. Starts one if there is none.
    async fn wake<T, E, F>(
        self: &Arc<Self>,
        launching: Launching<F>,
        then: impl FnOnce(&mut SharedState) -> T,
    ) -> Result<T, Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        let (mut launching, mut then, mut has_waited) = (Some(launching), Some(then), false);
        loop {
            match self.next_step(&mut then, has_waited, launching.is_some())? {
                SharedStep::Done(done) => return Ok(done),
                SharedStep::Wait(token) => token.cancelled().await,
                SharedStep::Pause(until) => sleep_until(until).await,
                SharedStep::Start(token) => {
                    if let Some(launching) = launching.take() {
                        self.start(launching, token).await?;
                    }
                }
            }
            has_waited = true;
        }
    }

    /// Takes the next step of a request. A process that fails again and again is started again after a pause, and requests
    /// meanwhile learn at once how it ended.
    fn next_step<T>(
        &self,
        then: &mut Option<impl FnOnce(&mut SharedState) -> T>,
        has_waited: bool,
        can_start: bool,
    ) -> Result<SharedStep<T>, McpFault> {
        let mut state = lock(&self.state);
        if state.is_winding_up {
            return Err(ended(None, HostEnd::Shutdown));
        }
        match state.phase.clone() {
            SharedPhase::Running => {
                then.take().map(|then| SharedStep::Done(then(&mut state))).ok_or_else(|| ended(None, HostEnd::Exit))
            }
            SharedPhase::Busy(token) => Ok(SharedStep::Wait(token)),
            SharedPhase::Legacy(_) if state.is_legacy() => Err(older()),
            SharedPhase::Failed(status, next) if Instant::now() < next => {
                let is_first = state.pause <= RESTART_MIN * 2;
                let left = next.saturating_duration_since(Instant::now());
                let fault = || ended(Some(status), HostEnd::Exit).with_retry(left);
                if has_waited || !is_first { Err(fault()) } else { Ok(SharedStep::Pause(next)) }
            }
            _ if !can_start => Err(ended(None, HostEnd::Exit)),
            SharedPhase::Down | SharedPhase::Legacy(_) | SharedPhase::Failed(..) => {
                let token = CancellationToken::new();
                state.phase = SharedPhase::Busy(token.clone());
                Ok(SharedStep::Start(token))
            }
        }
    }

    fn begin(
        self: &Arc<Self>,
        state: &mut SharedState,
        text: &[u8],
        parts: &MessageParts,
        slot: LoadSlot,
    ) -> StreamReader {
        let (number, me) = (state.calls.next(), Arc::clone(self));
        let (sender, reader) = stream::pair(|| {}, move || me.left(number));
        let kind = match &*parts.method {
            LISTEN => SharedCallKind::Listen { is_acknowledged: false },
            "tools/list" => SharedCallKind::Tools,
            _ => SharedCallKind::Other,
        };
        let meter = RequestMeter::new(&self.options.process.route, parts, slot);
        let call = SharedCall { sender, kind, has_log_level: parts.has_log_level, meter };
        self.wire.write(&state.calls.begin(text, parts, call));
        reader
    }

    /// Notes that a client has left an answer: if it was not complete, its request is cancelled.
    fn left(&self, number: u64) {
        let mut state = lock(&self.state);
        if state.calls.end(number).is_some() {
            state.idle_since = Instant::now();
            self.cancel(number);
        }
    }

    /// Tells the program that nobody waits for an answer.
    fn cancel(&self, number: u64) {
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\"reason\":\"client disconnected\"}}}}\n"
        );
        self.wire.write(line.as_bytes());
    }
}

impl SharedPhase {
    /// Returns the phase after the answer to the probe: `error` is its code.
    fn after(error: Option<i64>) -> Self {
        match error {
            None | Some(code::UNSUPPORTED_VERSION) => Self::Running,
            Some(_) => Self::Legacy(None),
        }
    }
}

impl SharedState {
    fn is_legacy(&self) -> bool {
        let is_known = |until: Option<Instant>| until.is_none_or(|until| self.has_process || Instant::now() < until);
        matches!(self.phase, SharedPhase::Legacy(until) if is_known(until))
    }
}

/// Returns the fault of a modern request to an older program. Its code is not a modern one, so that clients try `initialize`.
fn older() -> McpFault {
    McpFault::new(400, code::REFUSED, "this server speaks MCP 2025-11-25 and earlier; send initialize")
}
