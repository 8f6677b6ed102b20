//! The messages of the shared process, each on its way to the request that it belongs to.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        calls::{PendingCall, is_progress, number},
        fault::{McpFault, code},
        host::{HostEnd, ProgramHub},
        lock::lock,
        message::{Form, MessageParts, splice},
        session::{ended, too_long},
        stream::{McpAnswerKind, StreamMessage},
        wire::ProgramWire,
    },
    SharedCall, SharedCallKind, SharedPhase, SharedServer, SharedState,
};
use crate::{
    event::Event,
    limits::{
        READ_BYTES_WHEN_FULL, RESTART_MAX, RESTART_MIN,
        mcp::{MCP_LOOK_MAX, MCP_WAITING_MAX},
    },
    status::Status,
};

impl ProgramHub for SharedServer {
    fn wire(&self) -> &ProgramWire {
        &self.wire
    }

    fn take(&self, line: &[u8], parts: &MessageParts) {
        let mut state = lock(&self.state);
        match parts.form {
            Form::Response => self.answer(&mut state, line, parts),
            Form::Request => {
                let fault = McpFault::new(0, code::INVALID_REQUEST, "a server of this version sends no requests");
                self.wire.write(&[&*fault.message(parts.id_text(line)), b"\n"].concat());
                self.dropped("it is a request", parts);
            }
            Form::Notification => self.notification(&mut state, line, parts),
        }
    }

    fn lost(&self, number: u64) {
        let mut state = lock(&self.state);
        if let Some(mut call) = state.calls.end(number) {
            call.facts.meter.failed(true);
            state.idle_since = Instant::now();
            let fault = too_long();
            self.send(&call, fault.message(Some(&call.id)), Some(McpAnswerKind::Fault(fault.status)));
        }
    }

    fn is_blocked(&self) -> bool {
        // One client must not stop the others: a slow one loses its request.
        false
    }

    fn held(&self) -> usize {
        // For the same reason it does not end because of one.
        0
    }

    fn look(&self, now: Instant) -> Result<Instant, HostEnd> {
        let mut state = lock(&self.state);
        match state.phase {
            SharedPhase::Legacy(None) => return Err(HostEnd::Left),
            SharedPhase::Legacy(Some(until)) => return if until <= now { Err(HostEnd::Left) } else { Ok(until) },
            SharedPhase::Running if state.calls.len() == 0 => {}
            _ => return Ok(now + MCP_LOOK_MAX),
        }
        let until = state.idle_since + self.options.idle;
        if until <= now {
            // From here on requests wait for the next process.
            state.phase = SharedPhase::Busy(CancellationToken::new());
            return Err(HostEnd::Idle);
        }
        Ok(until)
    }

    fn wind_up(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_winding_up = true;
        let is_listen = |call: &SharedCall| matches!(call.kind, SharedCallKind::Listen { .. });
        let listens = state.calls.iter().filter(|(_, call)| is_listen(&call.facts)).map(|(number, _)| number);
        for number in listens.collect::<Vec<_>>() {
            self.complete(&mut state, number);
        }
        state.calls.len() > 0
    }

    fn ending(&self, end: HostEnd) {
        let mut state = lock(&self.state);
        if matches!(state.phase, SharedPhase::Running) {
            state.phase = SharedPhase::Busy(CancellationToken::new());
        }
        if end == HostEnd::Shutdown {
            // The program may end later than the connections of the clients.
            self.fail(&mut state, &ended(None, end));
        }
    }

    fn ended(&self, end: HostEnd, status: Status) {
        let mut state = lock(&self.state);
        self.fail(&mut state, &ended(Some(status), end));
        state.has_process = false;
        if matches!(state.phase, SharedPhase::Legacy(_)) {
            state.probe = None;
            return;
        }
        let before = state.phase.clone();
        state.phase = SharedPhase::Down;
        if end == HostEnd::Exit {
            if state.began.elapsed() > RESTART_MAX {
                state.pause = RESTART_MIN;
            }
            state.phase = SharedPhase::Failed(status, Instant::now() + state.pause);
            state.pause = (state.pause * 2).min(RESTART_MAX);
        }
        // The start that waits for an answer learns of the end.
        state.probe = None;
        if let SharedPhase::Busy(token) = before {
            token.cancel();
        }
    }
}

impl SharedServer {
    fn answer(&self, state: &mut SharedState, line: &[u8], parts: &MessageParts) {
        let number = number(line, parts.id.as_ref());
        if let Some(probe) = state.probe.take_if(|probe| number == Some(probe.number)) {
            let error = parts.result.is_none().then(|| parts.error.unwrap_or_default());
            if probe.tell.send(error).is_err() && matches!(state.phase, SharedPhase::Legacy(Some(_))) {
                (state.phase, state.idle_since) = (SharedPhase::after(error), Instant::now());
            }
            return;
        }
        let Some(mut call) = number.and_then(|number| state.calls.end(number)) else {
            Event::McpAnswerUnmatched { conn: self.wire.conn() }.emit();
            return;
        };
        state.idle_since = Instant::now();
        if let (SharedCallKind::Tools, Some(result)) = (call.facts.kind, parts.result.clone()) {
            state.tools.learn(&line[result]);
        }
        call.facts.meter.answered(line, parts);
        self.send(&call, call.answer(line, parts), Some(McpAnswerKind::of(parts)));
    }

    fn notification(&self, state: &mut SharedState, line: &[u8], parts: &MessageParts) {
        let found = if is_progress(parts) {
            number(line, parts.told_progress.as_ref())
        } else if parts.subscription.is_some() {
            number(line, parts.subscription.as_ref())
        } else if parts.method == "notifications/cancelled" {
            if let Some(number) = number(line, parts.cancelled.as_ref()) {
                self.complete(state, number);
            }
            return;
        } else if parts.method == "notifications/message" {
            let mut wanting = state.calls.iter().filter(|(_, call)| call.facts.has_log_level);
            let first = wanting.next().map(|(number, _)| number);
            first.filter(|_| wanting.next().is_none())
        } else {
            None
        };
        let Some((number, call)) = found.and_then(|number| Some((number, state.calls.get_mut(number)?))) else {
            return self.dropped("it belongs to no request", parts);
        };
        let data = match &mut call.facts.kind {
            _ if is_progress(parts) => call.progress(line, parts),
            SharedCallKind::Listen { is_acknowledged } if parts.subscription.is_some() => {
                *is_acknowledged |= parts.method == "notifications/subscriptions/acknowledged";
                is_acknowledged.then(|| call.of_subscription(line, parts))
            }
            _ if parts.subscription.is_some() => None,
            _ => Some(splice(line, Vec::new())),
        };
        let Some(data) = data else { return self.dropped("it belongs to no request", parts) };
        // Many slow clients must not fill the memory together.
        let is_full = self.options.process.budget.is_full();
        let most = if is_full { READ_BYTES_WHEN_FULL } else { MCP_WAITING_MAX };
        if self.send(call, data, None) > most && state.calls.end(number).is_some() {
            self.dropped("its client reads nothing", parts);
            self.cancel(number);
        }
    }

    /// Ends a subscription as a server does that stops.
    fn complete(&self, state: &mut SharedState, number: u64) {
        let is_listen =
            state.calls.get_mut(number).is_some_and(|call| matches!(call.facts.kind, SharedCallKind::Listen { .. }));
        let Some(mut call) = is_listen.then(|| state.calls.end(number)).flatten() else { return };
        call.facts.meter.completed();
        state.idle_since = Instant::now();
        let id = String::from_utf8_lossy(&call.id);
        let result =
            format!("{{\"resultType\":\"complete\",\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":{id}}}}}");
        let data = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}").into_bytes();
        self.send(&call, data, Some(McpAnswerKind::Result));
    }

    /// Answers the requests in flight with an error.
    fn fail(&self, state: &mut SharedState, fault: &McpFault) {
        for mut call in state.calls.end_all() {
            call.facts.meter.failed(true);
            self.send(&call, fault.message(Some(&call.id)), Some(McpAnswerKind::Fault(fault.status)));
        }
    }

    /// Sends a message. Returns the bytes that wait for the client.
    fn send(&self, call: &PendingCall<SharedCall>, data: Vec<u8>, answer: Option<McpAnswerKind>) -> usize {
        let data = self.options.process.budget.bytes(data);
        call.facts.sender.send(StreamMessage { number: None, data, answer });
        call.facts.sender.waiting()
    }

    fn dropped(&self, why: &str, parts: &MessageParts) {
        Event::McpMessageDropped { conn: self.wire.conn(), method: &parts.method, why }.emit();
    }
}
