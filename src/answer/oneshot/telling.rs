//! The beginning and the end of a program that answers one POST, in the log.

use std::sync::{Arc, atomic::Ordering};

use super::super::{ask::Ask, carried::Carried};
use crate::{
    event::{self, Event},
    http::gate::Visitor,
    metrics::live::{LiveSession, SessionFacts, Traffic, Transport},
    peer::Connection,
    status::Status,
    sys::ResourceUsage,
};

/// Logs that a program answers a POST, and lists it as a session.
pub(super) fn started(ask: &Ask, visitor: &Visitor, connection: &Connection, pid: i32) -> Arc<LiveSession> {
    let (conn, peer) = (connection.id, connection.peer);
    let route = Arc::clone(&ask.site.launcher.process.route);
    let facts = SessionFacts { conn, peer, user: visitor.user.as_str().into(), route, transport: Transport::OneShot };
    let session = LiveSession::new(facts, Some(pid), None);
    Event::PostStarted { conn, peer, pid, path: ask.request.uri.path(), session: &session }.emit();
    session
}

/// Logs how it has ended. A body counts as one message.
pub(super) fn ended(
    session: &LiveSession,
    end: &'static str,
    status: Status,
    carried: &Carried,
    usage: Option<ResourceUsage>,
) {
    let (input, output) = (carried.input.load(Ordering::Relaxed), carried.output.load(Ordering::Relaxed));
    for (meter, bytes) in [(&session.input, input), (&session.output, output)] {
        meter.add(Traffic { messages: u64::from(bytes > 0), bytes });
    }
    Event::PostEnded {
        conn: session.facts.conn,
        end,
        status: status.shell(),
        secs: event::seconds(session.began.elapsed()),
        input,
        output,
        cpu: usage.map(|usage| event::processor_seconds(usage.cpu)),
        memory: usage.map(|usage| usage.memory),
        session,
    }
    .emit();
}
