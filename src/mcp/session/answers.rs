//! The messages of a session's process, each on its way to one stream.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        calls::{is_progress, number},
        fault::{McpFault, code},
        host::{HostEnd, ProgramHub},
        lock::lock,
        message::{Form, MessageParts, splice},
        stream::McpAnswerKind,
        wire::ProgramWire,
    },
    McpSession, SessionCall, SessionPhase, SessionState,
};
use crate::{event::Event, limits::mcp::MCP_LOOK_MAX, status::Status};

impl ProgramHub for McpSession {
    fn wire(&self) -> &ProgramWire {
        &self.wire
    }

    fn take(&self, line: &[u8], parts: &MessageParts) {
        let mut state = lock(&self.state);
        match parts.form {
            Form::Response => self.answer(&mut state, line, parts),
            _ if is_progress(parts) && self.progress(&mut state, line, parts) => {}
            Form::Request | Form::Notification => {
                state.loose(self.bytes(splice(line, Vec::new())), parts.id_text(line));
            }
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

    /// Takes a message that names no request: on the stream of the only request in flight, else on that of the client's GET,
    /// else it waits for one.
    fn loose(&mut self, data: Bytes, id: Option<&[u8]>) {
        let streams = self.calls.iter().filter_map(|(_, call)| match call.facts {
            SessionCall::Client { stream, is_cancelled: false, .. } => Some(stream),
            _ => None,
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
        let call = number(line, parts.id.as_ref()).and_then(|number| state.calls.end(number));
        let Some(call) = call else {
            Event::McpAnswerUnmatched { conn: self.wire.conn() }.emit();
            return;
        };
        let result = parts.result.clone().map(|place| &line[place]);
        state.idle_since = Instant::now();
        match call.facts {
            SessionCall::Replay(tell) => {
                if let Some(tell) = tell {
                    let result = result.map(Bytes::copy_from_slice);
                    let _ = tell.send(result.ok_or(parts.error.unwrap_or_default()));
                }
            }
            SessionCall::Client { stream, begins, .. } => {
                let answer = McpAnswerKind::of(parts);
                if begins && let Some(result) = result {
                    state.record.note_identity(result);
                }
                let data = self.bytes(call.answer(line, parts));
                state.streams.push(stream, data, Some(answer));
                if begins && result.is_none() {
                    state.finish();
                    self.wire.wake();
                }
            }
        }
    }

    /// Takes a notification about progress. Returns false if it belongs to no request.
    fn progress(&self, state: &mut SessionState, line: &[u8], parts: &MessageParts) -> bool {
        let call = number(line, parts.told_progress.as_ref()).and_then(|number| state.calls.get_mut(number));
        let Some((stream, data)) = call.and_then(|call| match call.facts {
            SessionCall::Client { stream, .. } => Some((stream, call.progress(line, parts)?)),
            SessionCall::Replay(_) => None,
        }) else {
            return false;
        };
        state.streams.push(stream, self.bytes(data), None);
        true
    }
}
