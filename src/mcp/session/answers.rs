//! The messages of a session's process, each on its way to one stream.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        calls::{PendingCall, is_progress, number},
        fault::{McpFault, code},
        host::{HostEnd, ProgramHub},
        lock::lock,
        message::{Form, MessageParts, splice},
        stream::McpAnswerKind,
        wire::ProgramWire,
    },
    McpSession, SessionCall, SessionPhase, SessionState, asked, ended, too_long,
};
use crate::{
    event::Event,
    limits::mcp::{MCP_LOOK_MAX, MCP_REPLAY_WAIT},
    status::Status,
};

impl ProgramHub for McpSession {
    fn wire(&self) -> &ProgramWire {
        &self.wire
    }

    fn take(&self, line: &[u8], parts: &MessageParts) {
        let mut state = lock(&self.state);
        match parts.form {
            Form::Response => self.answer(&mut state, line, parts),
            _ if is_progress(parts) => self.progress(&mut state, line, parts),
            Form::Request | Form::Notification => {
                let data = self.bytes(state.shown(line, parts));
                state.loose(data, parts.id_text(line));
            }
        }
    }

    fn lost(&self, number: u64) {
        let mut state = lock(&self.state);
        let is_fit = |call: &SessionCall| matches!(call, SessionCall::Client { begins: false, .. });
        if state.calls.get_mut(number).is_some_and(|call| is_fit(&call.facts))
            && let Some(mut call) = state.calls.end(number)
        {
            if let SessionCall::Client { meter, .. } = &mut call.facts {
                meter.failed(true);
            }
            state.idle_since = Instant::now();
            state.refuse(&call, &too_long());
        }
    }

    fn is_blocked(&self) -> bool {
        let is_blocked = lock(&self.state).streams.waiting() > self.options.replay_bytes_max;
        if is_blocked {
            self.is_blocked.store(true, Ordering::Relaxed);
            // The client may have taken all before it could see the flag.
            if lock(&self.state).streams.waiting() <= self.options.replay_bytes_max {
                self.is_blocked.store(false, Ordering::Relaxed);
                return false;
            }
        }
        is_blocked
    }

    fn held(&self) -> usize {
        lock(&self.state).streams.held()
    }

    fn look(&self, now: Instant) -> Result<Instant, HostEnd> {
        let mut state = lock(&self.state);
        if matches!(state.phase, SessionPhase::Over) {
            return Err(HostEnd::Left);
        }
        for id in state.kept.expire(now) {
            let fault = McpFault::new(0, code::NO_SESSION, "no client stream");
            self.wire.write(&[&*fault.message(Some(&id)), b"\n"].concat());
        }
        if matches!(state.phase, SessionPhase::Busy(_)) {
            // Perhaps nobody waits any more until the new process answers `initialize`.
            let late = state.idle_since + self.options.idle.max(MCP_REPLAY_WAIT);
            return if late <= now { Err(HostEnd::Idle) } else { Ok(late) };
        }
        let idle = state.idle_until(self.options.idle);
        if idle.is_some_and(|idle| idle <= now) && matches!(state.phase, SessionPhase::Running) {
            // From here on requests wait for the next process.
            state.phase = SessionPhase::Busy(CancellationToken::new());
            return Err(HostEnd::Idle);
        }
        let next = [idle, state.kept.next_look()].into_iter().flatten().min();
        Ok(next.unwrap_or(now + MCP_LOOK_MAX).max(now))
    }

    fn wind_up(&self) -> bool {
        let mut state = lock(&self.state);
        if let Some(get) = state.streams.get() {
            state.streams.close(get);
        }
        state.calls.len() > 0
    }

    fn ending(&self, end: HostEnd) {
        let mut state = lock(&self.state);
        if matches!(state.phase, SessionPhase::Running) {
            state.phase = SessionPhase::Busy(CancellationToken::new());
        }
        if matches!(end, HostEnd::Overload | HostEnd::Idle) {
            state.streams.clear();
        }
        if end == HostEnd::Shutdown {
            // The program may end later than the connections of the clients.
            state.fail(end);
        }
    }

    fn ended(&self, end: HostEnd, status: Status) {
        let mut state = lock(&self.state);
        state.status = Some(status);
        let can_return = state.record.is_complete();
        state.fail(end);
        if matches!(end, HostEnd::Admin | HostEnd::Shutdown) || !can_return {
            state.finish();
        } else if let SessionPhase::Busy(token) = &state.phase {
            token.cancel();
            state.phase = SessionPhase::Asleep(Instant::now());
            // It may sleep for a day, beside thousands of others.
            state.calls.shrink();
            state.streams.shrink();
        }
    }
}

impl SessionState {
    /// Returns the time at which the process has been idle for `idle`; `None` while somebody waits for it. A client that has left
    /// a request without an answer does not.
    fn idle_until(&self, idle: Duration) -> Option<Instant> {
        (!self.streams.are_read()).then(|| self.idle_since + idle)
    }

    /// Notes that the session is over.
    pub(super) fn finish(&mut self) {
        if let SessionPhase::Busy(token) = std::mem::replace(&mut self.phase, SessionPhase::Over) {
            token.cancel();
        }
        self.streams.close_all();
        self.streams.clear();
    }

    /// Ends the requests in flight of a process that has ended.
    fn fail(&mut self, end: HostEnd) {
        let fault = ended(self.status, end);
        // The next process would take the answers to its requests for answers to its own.
        self.kept.take();
        for mut call in self.calls.end_all() {
            if let SessionCall::Client { meter, .. } = &mut call.facts {
                // Nobody waits for the answer after the end of the session.
                meter.failed(end != HostEnd::Left);
            }
            self.refuse(&call, &fault);
        }
    }

    /// Answers a request with an error of wsd's own.
    fn refuse(&mut self, call: &PendingCall<SessionCall>, fault: &McpFault) {
        if let SessionCall::Client { stream, .. } = call.facts {
            let data = fault.message(Some(&call.id)).into();
            self.streams.push(stream, data, Some(McpAnswerKind::Fault(fault.status)));
        }
    }

    /// Ends a request that its client cancels, since few servers answer it then. Returns its number.
    pub(super) fn cancel(&mut self, id: &[u8]) -> Option<u64> {
        let is_fit = |call: &SessionCall| matches!(call, SessionCall::Client { begins: false, .. });
        let number = self.calls.find(id, is_fit)?;
        let call = self.calls.end(number)?;
        self.refuse(&call, &McpFault::new(200, code::REFUSED, "the client has cancelled the request"));
        Some(number)
    }

    /// Returns a message of the server with the id of its own request as the client knows it.
    fn shown(&self, line: &[u8], parts: &MessageParts) -> Vec<u8> {
        let cancelled = parts.cancelled.as_ref().filter(|_| parts.method == "notifications/cancelled");
        let place = parts.id.as_ref().or(cancelled).filter(|_| self.processes > 0);
        let id = place.map(|place| asked::shown(&line[place.clone()], self.processes)).unwrap_or_default();
        splice(line, place.map(|place| (place.clone(), &*id)).into_iter().collect())
    }

    /// Takes a message that names no request: on the stream of the only request in flight, else on that of the client's GET,
    /// else it waits for one.
    fn loose(&mut self, data: Bytes, id: Option<&[u8]>) {
        let streams = self.calls.iter().filter_map(|(_, call)| match call.facts {
            SessionCall::Client { stream, .. } => Some(stream),
            SessionCall::Replay(_) => None,
        });
        let streams: Vec<_> = streams.take(2).collect();
        let only = if let [only] = *streams { Some(only) } else { None };
        let read = only.filter(|stream| self.streams.is_read(*stream));
        let awaited = only.filter(|stream| self.streams.is_awaited(*stream));
        match read.or_else(|| self.streams.get()).or(awaited) {
            Some(stream) => self.streams.push(stream, data, None),
            None => self.kept.add(data, id, Instant::now()),
        }
    }
}

impl McpSession {
    fn bytes(&self, data: Vec<u8>) -> Bytes {
        self.options.process.budget.bytes(data)
    }

    /// Takes an answer to a request of the client, or of wsd.
    fn answer(&self, state: &mut SessionState, line: &[u8], parts: &MessageParts) {
        let number = number(line, parts.id.as_ref());
        let Some((number, call)) = number.and_then(|number| Some((number, state.calls.end(number)?))) else {
            Event::McpAnswerUnmatched { conn: self.wire.conn() }.emit();
            return;
        };
        if parts.task.is_some() {
            state.calls.note_task(number, &call);
        }
        let (result, data) = (parts.result.clone().map(|place| &line[place]), call.answer(line, parts));
        state.idle_since = Instant::now();
        match call.facts {
            SessionCall::Replay(tell) => {
                if let Some(tell) = tell {
                    let result = result.map(Bytes::copy_from_slice);
                    let _ = tell.send(result.ok_or(parts.error.unwrap_or_default()));
                }
            }
            SessionCall::Client { stream, begins, mut meter, .. } => {
                meter.answered(line, parts);
                let answer = McpAnswerKind::of(parts);
                if begins && let Some(result) = result {
                    state.record.note_identity(result);
                }
                let data = self.bytes(data);
                state.streams.push(stream, data, Some(answer));
                if begins && result.is_none() {
                    state.finish();
                    self.wire.wake();
                }
            }
        }
    }

    /// Takes a notification about progress. Its token is a number of wsd's own: where no request has it, it may be another
    /// request's token to the client.
    fn progress(&self, state: &mut SessionState, line: &[u8], parts: &MessageParts) {
        let number = number(line, parts.told_progress.as_ref()).unwrap_or_default();
        let told = state.calls.get_mut(number).and_then(|call| match call.facts {
            SessionCall::Client { stream, .. } => Some((stream, call.progress(line, parts)?)),
            SessionCall::Replay(_) => None,
        });
        if let Some((stream, data)) = told {
            state.streams.push(stream, self.bytes(data), None);
        } else if let Some(data) = state.calls.task_progress(number, line, parts) {
            state.loose(self.bytes(data), None);
        } else {
            let (conn, why) = (self.wire.conn(), "it belongs to no request");
            Event::McpMessageDropped { conn, method: &parts.method, why }.emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{super::super::terms::McpOptions, *};

    #[tokio::test(start_paused = true)]
    async fn a_new_process_that_does_not_answer_initialize_is_ended() {
        let session = McpSession::new(String::new(), Vec::new(), McpOptions::plain());
        lock(&session.state).phase = SessionPhase::Busy(CancellationToken::new());

        advance(MCP_REPLAY_WAIT.saturating_sub(Duration::from_secs(1))).await;
        let left = session.look(Instant::now()).map(|next| next.duration_since(Instant::now()));
        assert_eq!(left, Ok(Duration::from_secs(1)));
        advance(Duration::from_secs(1)).await;

        assert_eq!(session.look(Instant::now()), Err(HostEnd::Idle));
    }
}
