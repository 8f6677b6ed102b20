//! The session of a legacy client: its process, its streams, and the record by which a new process can take over.
//!
//! A session outlives its process: when nobody has used it for a while, or when the process has ended, the next request starts
//! another one and replays the client's `initialize` ([`revive`]). Clients do not begin anew after a 404, so wsd avoids it.

mod answers;
mod asked;
mod kept;
mod listen;
mod record;
mod revive;
mod streams;

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    calls::Calls,
    fault::{McpFault, code},
    host::HostEnd,
    load::LoadSlot,
    lock::lock,
    message::{Form, MessageParts, splice},
    meter::RequestMeter,
    stream::StreamReader,
    terms::{Launching, McpOptions, Trouble},
    wire::ProgramWire,
};
use crate::{
    admission::Permit,
    budget::payload::Counted,
    metrics::mcp::McpSessionCount,
    status::Status,
    worker::{Worker, variable::Variable},
};
use kept::KeptMessages;
use record::SessionRecord;
use streams::SessionStreams;

/// A session.
#[derive(Debug)]
pub(crate) struct McpSession {
    /// Its name: 256 random bits, which nobody can guess.
    pub(crate) id: String,
    /// The user that began it; no other one has it.
    pub(super) user: String,
    /// The environment of its processes: that of the request which began it.
    pub(crate) environment: Vec<Variable>,
    /// Counts the bytes of the environment, which stay as long as the record, and the session.
    _counted: (Counted, McpSessionCount),
    options: Arc<McpOptions>,
    wire: ProgramWire,
    state: Mutex<SessionState>,
    /// Whether the process waits until the client takes more.
    is_blocked: AtomicBool,
}

#[derive(Debug)]
struct SessionState {
    phase: SessionPhase,
    calls: Calls<SessionCall>,
    streams: SessionStreams,
    kept: KeptMessages,
    record: SessionRecord,
    /// The number of processes before this one.
    processes: u64,
    /// The time since which nobody has used the process.
    idle_since: Instant,
    /// How the last process ended.
    status: Option<Status>,
}

/// The state of the process.
#[derive(Clone, Debug)]
enum SessionPhase {
    /// It takes requests.
    Running,
    /// It starts or ends; cancelled when that is over.
    Busy(CancellationToken),
    /// There is none, since then.
    Asleep(Instant),
    /// The session is over.
    Over,
}

/// The result of a request of wsd's own, or the code of its error.
type ReplayAnswer = Result<Bytes, i64>;

/// A request in flight.
#[derive(Debug)]
enum SessionCall {
    /// The client's.
    Client { stream: u64, begins: bool, meter: RequestMeter },
    /// wsd's own, to a new process.
    Replay(Option<oneshot::Sender<ReplayAnswer>>),
}

/// A stream for a client.
#[derive(Debug)]
pub(crate) struct OpenStream {
    /// The messages.
    pub(crate) reader: StreamReader,
    /// Its number.
    pub(crate) stream: u64,
    /// Whether the client takes an event without data, which tells the number.
    pub(crate) is_primed: bool,
}

/// The result of a POST.
#[derive(Debug)]
pub(crate) enum Posted {
    /// The program has it; there is no answer.
    Taken,
    /// The answer follows.
    Stream(OpenStream),
}

impl McpSession {
    /// Returns a session of a user, whose processes have this environment.
    pub(super) fn new(user: String, environment: Vec<Variable>, options: Arc<McpOptions>) -> Arc<Self> {
        let mut id = [0; 32];
        getrandom::fill(&mut id).expect("the system has random numbers");
        let streams = SessionStreams::new(options.replay_bytes_max);
        let bytes = environment.iter().map(|variable| variable.name().len() + variable.value().len() + 2).sum();
        Arc::new(Self {
            id: BASE64URL_NOPAD.encode(&id),
            user,
            environment,
            _counted: (options.process.budget.hold(bytes), McpSessionCount::of(&options.process.route)),
            options,
            wire: ProgramWire::default(),
            state: Mutex::new(SessionState {
                phase: SessionPhase::Running,
                calls: Calls::default(),
                streams,
                kept: KeptMessages::default(),
                record: SessionRecord::default(),
                processes: 0,
                idle_since: Instant::now(),
                status: None,
            }),
            is_blocked: AtomicBool::new(false),
        })
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        matches!(lock(&self.state).phase, SessionPhase::Over)
    }

    /// Returns the time since which it has no process.
    pub(super) fn asleep_since(&self) -> Option<Instant> {
        if let SessionPhase::Asleep(since) = lock(&self.state).phase { Some(since) } else { None }
    }

    /// Begins with the client's `initialize`: the program has started.
    pub(super) fn open(
        self: &Arc<Self>,
        (text, parts): (&[u8], &MessageParts),
        slot: LoadSlot,
        (worker, permit): (Worker, Permit),
        launching: Launching<()>,
    ) -> OpenStream {
        let mut state = lock(&self.state);
        state.record.note(text, parts, &self.options.process.budget);
        let stream = self.begin(&mut state, text, parts, slot);
        drop(state);
        self.host(worker, permit, launching);
        stream
    }

    /// Takes a message of the client, with the slot of a request. Starts a process if there is none.
    pub(crate) async fn post<E, F>(
        self: &Arc<Self>,
        (text, parts): (&[u8], &MessageParts),
        mut slot: Option<LoadSlot>,
        launching: Launching<F>,
    ) -> Result<Posted, Trouble<E>>
    where
        E: Send + 'static,
        F: Future<Output = Result<(Worker, Permit), E>> + Send + 'static,
    {
        if parts.form == Form::Request && parts.method == "initialize" {
            let text = "this session has begun: send initialize without Mcp-Session-Id";
            return Err(McpFault::new(400, code::INVALID_REQUEST, text).into());
        }
        if parts.form == Form::Response && self.asleep_since().is_some() {
            // The process that asked has ended.
            return Ok(Posted::Taken);
        }
        // The process need not read a cancellation: wsd itself ends the request.
        if parts.method != "notifications/cancelled" {
            self.wire.room().await;
        }
        let mut launching = Some(launching);
        loop {
            self.wake(&mut launching).await?;
            let mut state = lock(&self.state);
            // It may have ended meanwhile.
            if matches!(state.phase, SessionPhase::Running) {
                return Ok(self.write(&mut state, text, parts, slot.take()));
            }
            if launching.is_none() {
                return Err(ended(state.status, HostEnd::Exit).into());
            }
        }
    }

    /// Writes a message to the process that runs.
    fn write(
        self: &Arc<Self>,
        state: &mut SessionState,
        text: &[u8],
        parts: &MessageParts,
        slot: Option<LoadSlot>,
    ) -> Posted {
        state.idle_since = Instant::now();
        state.record.note(text, parts, &self.options.process.budget);
        if let Some(slot) = slot {
            return Posted::Stream(self.begin(state, text, parts, slot));
        }
        let mut changes = Vec::new();
        let (number, own);
        if let (Form::Response, Some(place)) = (parts.form, parts.id.clone()) {
            let Some(id) = asked::own(&text[place.clone()], state.processes) else { return Posted::Taken };
            own = id;
            changes.push((place, &*own));
        }
        if parts.method == "notifications/cancelled"
            && let Some(place) = parts.cancelled.clone()
        {
            // The answer has left, or the request is not this client's.
            let Some(found) = state.cancel(&text[place.clone()]) else { return Posted::Taken };
            number = found.to_string();
            changes.push((place, number.as_bytes()));
        }
        let mut line = splice(text, changes);
        line.push(b'\n');
        self.wire.write(&line);
        Posted::Taken
    }

    /// Opens a stream for a request, and writes it.
    fn begin(
        self: &Arc<Self>,
        state: &mut SessionState,
        text: &[u8],
        parts: &MessageParts,
        slot: LoadSlot,
    ) -> OpenStream {
        let attachment = state.streams.next();
        let (sender, reader) = self.pair(attachment);
        state.streams.open(sender);
        let (stream, begins) = (attachment.stream, parts.method == "initialize");
        let meter = RequestMeter::new(&self.options.process.route, parts, slot);
        let facts = SessionCall::Client { stream, begins, meter };
        self.wire.write(&state.calls.begin(text, parts, facts));
        OpenStream { reader, stream, is_primed: state.record.is_primed() }
    }

    /// Ends the session.
    pub(crate) fn end(&self) {
        lock(&self.state).finish();
        self.wire.wake();
    }
}

/// Returns the fault of a request whose process has ended.
pub(super) fn ended(status: Option<Status>, end: HostEnd) -> McpFault {
    match (end, status) {
        (HostEnd::Shutdown, _) => McpFault::new(503, code::INTERNAL, "the server is stopping"),
        (HostEnd::Overload, _) => McpFault::new(503, code::INTERNAL, "the server is out of buffers"),
        (HostEnd::Admin, _) => McpFault::new(503, code::INTERNAL, "the administrator has ended the server"),
        (_, Some(status)) => McpFault::new(502, code::INTERNAL, format!("the server ended: {status}")),
        (_, None) => McpFault::new(502, code::INTERNAL, "the server ended"),
    }
}

/// Returns the fault of a request whose answer is longer than wsd takes.
pub(super) fn too_long() -> McpFault {
    McpFault::new(502, code::INTERNAL, "the server's answer has more than 4 MiB")
}

/// Returns the fault of a session that wsd does not know.
pub(crate) fn unknown() -> McpFault {
    McpFault::new(404, code::NO_SESSION, "Session not found")
}
