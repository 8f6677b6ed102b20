//! Runs a program of the gateway: carries lines to it and from it, and stops it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use memchr::memchr_iter;
use tokio::time::{Instant, sleep_until};

use super::{
    ending,
    message::MessageParts,
    part::{PartLine, SKIPPED_CHARS},
    telling::{self, HostTerms},
    wire::ProgramWire,
};
use crate::{
    admission::Permit,
    budget::{Owner, OwnerKind, Share},
    buffers,
    event::Event,
    framing::{Decoded, Decoder, Framing},
    limits::{
        PIPE_BYTES, READ_BYTES_WHEN_FULL, READS_PER_TURN,
        mcp::{MCP_LOOK_MAX, MCP_STOP_WAIT},
    },
    metrics::live::{LiveSession, Traffic},
    peer::Connection,
    shutdown::Shutdown,
    status::Status,
    turn,
    worker::{
        Worker,
        input::Input,
        outputs::{Outputs, Read, Source},
    },
};

/// The owner of a program: a session, or the one for all modern clients.
pub(super) trait ProgramHub: Send + Sync {
    /// Returns the program's input.
    fn wire(&self) -> &ProgramWire;

    /// Takes a message of the program.
    fn take(&self, line: &[u8], parts: &MessageParts);

    /// Notes that the answer to a request was too long.
    fn lost(&self, number: u64);

    /// Whether a client has too much before it, so that the program waits.
    fn is_blocked(&self) -> bool;

    /// Returns the bytes for clients, which count elsewhere, that the end of the program gives back.
    fn held(&self) -> usize;

    /// Does all that is due. Returns the time of the next look, or why the program ends.
    fn look(&self, now: Instant) -> Result<Instant, HostEnd>;

    /// Notes that wsd stops: no request comes any more. Returns whether requests are in flight.
    fn wind_up(&self) -> bool;

    /// Notes that the program ends: no line is taken any more.
    fn ending(&self, end: HostEnd);

    /// Notes the end of the program.
    fn ended(&self, end: HostEnd, status: Status);
}

/// Why a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostEnd {
    /// It has ended by itself.
    Exit,
    /// Nobody has used it for long enough.
    Idle,
    /// Its client has left, or it is of no use.
    Left,
    /// It or its client held too much of `--maxbuffer`.
    Overload,
    /// The administrator ends it.
    Admin,
    /// wsd itself ends.
    Shutdown,
}

impl HostEnd {
    /// Returns the word for the log.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Idle => "idle",
            Self::Left => "left",
            Self::Overload => "overload",
            Self::Admin => "admin",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Runs the program to its end.
pub(super) async fn run(hub: Arc<impl ProgramHub>, worker: Worker, permit: Permit, terms: HostTerms) {
    let Worker { child, input, output, stderr, silence, tape: _ } = worker;
    let session = telling::started(&terms, child.pid());
    let HostTerms { connection, process, shutdown, .. } = terms;
    let owner = Owner::new(&process.budget, OwnerKind::Client);
    let mut host = ProgramHost {
        hub: &*hub,
        connection: connection.for_log(),
        input,
        outputs: Outputs::new(&child, output, stderr, silence, false),
        decoder: Framing::JsonRpc.decoder(usize::MAX),
        part: PartLine::default(),
        share: owner.share(),
        owner,
        session: &session,
        has_hinted: false,
    };
    let end = host.carry(&shutdown).await;
    hub.ending(end);
    hub.wire().clear();
    let ProgramHost { input, outputs, connection, share, .. } = host;
    drop(share);
    let (status, usage) = ending::end((child, input, outputs), &connection, process.patience).await;
    drop(permit);
    telling::ended(&session, end.word(), status, usage);
    hub.ended(end, status);
}

struct ProgramHost<'a, H> {
    hub: &'a H,
    connection: Connection,
    input: Input,
    outputs: Outputs,
    decoder: Decoder,
    part: PartLine,
    /// The bytes that wait for the program, and those of an unfinished line.
    share: Share,
    owner: Owner,
    /// Counts the messages.
    session: &'a LiveSession,
    has_hinted: bool,
}

impl<H: ProgramHub> ProgramHost<'_, H> {
    /// Carries lines until the program ends, or must end.
    async fn carry(&mut self, shutdown: &Shutdown) -> HostEnd {
        let session = self.session;
        loop {
            let look = match self.hub.look(Instant::now()) {
                Ok(look) => look,
                Err(end) => return end,
            };
            tokio::select! {
                biased;
                end = poll_fn(|cx| self.poll(cx, look)) => if let Some(end) = end { return end },
                () = sleep_until(look.min(Instant::now() + MCP_LOOK_MAX)) => {}
                () = session.dismissed() => return HostEnd::Admin,
                () = shutdown.begun() => return self.wind_up().await,
            }
        }
    }

    /// Lets the program answer the requests in flight while wsd ends, for a short time.
    async fn wind_up(&mut self) -> HostEnd {
        let until = Instant::now() + MCP_STOP_WAIT;
        let answers = poll_fn(|cx| {
            let polled = self.poll(cx, until);
            if self.hub.wind_up() && !matches!(polled, Poll::Ready(Some(_))) { Poll::Pending } else { Poll::Ready(()) }
        });
        tokio::select! { () = answers => {}, () = sleep_until(until) => {} }
        HostEnd::Shutdown
    }

    /// Ready with the reason when the program ends; ready with `None` when something is due before `look`.
    fn poll(&mut self, cx: &mut Context<'_>, look: Instant) -> Poll<Option<HostEnd>> {
        if self.owner.is_asked(cx) {
            return Poll::Ready(Some(HostEnd::Overload));
        }
        buffers::with_read(|buffer| self.outputs.log(cx, buffer, &self.connection));
        self.poll_input(cx);
        let polled = self.poll_output(cx);
        self.outputs.tidy();
        self.share.set(self.input.held() + self.decoder.held() + self.part.held(), self.hub.held());
        if polled.is_ready() {
            return Poll::Ready(Some(HostEnd::Exit));
        }
        match self.hub.look(Instant::now()) {
            Err(end) => Poll::Ready(Some(end)),
            Ok(next) if next < look => Poll::Ready(None),
            Ok(_) => Poll::Pending,
        }
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) {
        let more = self.hub.wire().take(cx.waker());
        if !more.is_empty() {
            self.outputs.expect_output();
            let lines = memchr_iter(b'\n', &more).count() as u64;
            self.session.input.add(Traffic { messages: lines, bytes: more.len() as u64 - lines });
            self.input.buffer().extend_from_slice(&more);
        }
        self.input.send(cx);
        self.hub.wire().note_held(self.input.held());
        self.outputs.watch_silence(cx, &self.connection);
    }

    /// Ready at the end of the program, of its output or of its input: without output a server answers nobody, and without input it
    /// learns of no request.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            if self.hub.is_blocked() {
                return Poll::Pending;
            }
            match buffers::with_read(|buffer| self.poll_output_once(cx, buffer)) {
                Poll::Pending if !self.input.is_closed() => return Poll::Pending,
                Poll::Pending | Poll::Ready(0) => return Poll::Ready(()),
                Poll::Ready(PIPE_BYTES..) => break,
                Poll::Ready(_) => {}
            }
        }
        turn::yield_turn(cx)
    }

    fn poll_output_once(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let portion = if self.owner.budget().is_full() { READ_BYTES_WHEN_FULL } else { PIPE_BYTES };
        let read = ready!(self.outputs.poll_read(cx, &mut buffer[..portion], &self.connection));
        let Self { hub, connection, decoder, part, session, has_hinted, .. } = self;
        let take = |line: &[u8]| match MessageParts::of(line) {
            Ok(parts) => {
                hub.take(line, &parts);
                session.output.add(Traffic { messages: 1, bytes: line.len() as u64 });
                true
            }
            Err(_) => false,
        };
        let mut emit = |decoded: Decoded<'_>| match decoded {
            Decoded::Piece(piece) => {
                let skip = |line: &[u8], why| skipped(connection, line, why, has_hinted);
                if let Some(number) = part.take(piece, take, skip) {
                    hub.lost(number);
                }
            }
            Decoded::Junk(line) => skipped(connection, line, "it is not JSON", has_hinted),
        };
        // This framing takes any bytes.
        let _ = match read {
            Read::Bytes(Source::Output, count) => decoder.decode(&buffer[..count], &mut emit),
            Read::Bytes(Source::Stderr, _) => Ok(()),
            Read::Closed | Read::Over => decoder.finish(&mut emit),
        };
        Poll::Ready(if let Read::Bytes(_, count) = read { count } else { 0 })
    }
}

/// Logs a line that wsd skips.
fn skipped(connection: &Connection, line: &[u8], why: &str, has_hinted: &mut bool) {
    let line = line.trim_ascii();
    if line.is_empty() {
        return;
    }
    let text: String = String::from_utf8_lossy(line).chars().take(SKIPPED_CHARS).collect();
    Event::LineSkipped { conn: connection.id, line: &text, why }.emit();
    if !std::mem::replace(has_hinted, true) {
        let hint = "an MCP server writes one message of JSON a line to stdout, and all other text to stderr";
        Event::McpOutputUnclean { conn: connection.id, hint }.emit();
    }
}
