//! The beginning and the end of a server, in the log: it counts as a session.

use std::sync::Arc;

use crate::{
    event::{self, Event},
    metrics::live::{LiveSession, SessionFacts, Transport},
    peer::Connection,
    shutdown::Shutdown,
    status::Status,
    sys::ResourceUsage,
    worker::process::ProcessOptions,
};

/// The facts for the log, and the way to stop.
pub(super) struct HostTerms {
    /// The connection that stands for the program in the log.
    pub(super) connection: Connection,
    /// The path of the route.
    pub(super) path: String,
    /// The user of the session; empty without one.
    pub(super) user: String,
    /// `session` or `shared`.
    pub(super) kind: &'static str,
    /// The settings of the process.
    pub(super) process: ProcessOptions,
    /// The end of wsd.
    pub(super) shutdown: Shutdown,
}

/// Logs that a server has started, and lists it as a session.
pub(super) fn started(terms: &HostTerms, pid: i32) -> Arc<LiveSession> {
    let (conn, peer) = (terms.connection.id, terms.connection.peer);
    let (user, route) = (terms.user.as_str().into(), Arc::clone(&terms.process.route));
    let facts = SessionFacts { conn, peer, user, route, transport: Transport::Mcp };
    let session = LiveSession::new(facts, Some(pid), None);
    Event::McpStarted { conn, peer, pid, path: &terms.path, kind: terms.kind, session: &session }.emit();
    session
}

/// Logs how it has ended, and what it has cost.
pub(super) fn ended(session: &LiveSession, end: &'static str, status: Status, usage: Option<ResourceUsage>) {
    let (input, output) = (session.input.sum(), session.output.sum());
    Event::McpEnded {
        conn: session.facts.conn,
        pid: session.pid.unwrap_or_default(),
        end,
        status: status.shell(),
        limit: status.limit(),
        secs: event::seconds(session.began.elapsed()),
        input: input.messages,
        output: output.messages,
        in_bytes: input.bytes,
        out_bytes: output.bytes,
        cpu: usage.map(|usage| event::processor_seconds(usage.cpu)),
        memory: usage.map(|usage| usage.memory),
        session,
    }
    .emit();
}
