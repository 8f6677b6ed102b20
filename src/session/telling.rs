//! The end of a session, in the log.

use crate::{
    deflate::BothTraffic,
    event::{self, Event},
    metrics::live::{LiveSession, Stopwatch},
    status::Status,
    sys::ResourceUsage,
};

/// Logs how a session has ended: its word, its close code, the status of its process, and what it has carried, used and waited
/// for.
pub(super) fn ended(
    live: &LiveSession,
    end: &'static str,
    code: u16,
    status: Option<Status>,
    usage: Option<ResourceUsage>,
    packed: Option<BothTraffic>,
) {
    let (input, output) = (live.input.sum(), live.output.sum());
    let wait = |wait: &Stopwatch| Some(event::seconds(wait.sum())).filter(|&secs| secs > 0.0);
    Event::SessionEnded {
        conn: live.facts.conn,
        end,
        status: status.map(Status::shell),
        limit: status.and_then(Status::limit),
        code,
        secs: event::seconds(live.began.elapsed()),
        input: input.messages,
        output: output.messages,
        in_bytes: input.bytes,
        out_bytes: output.bytes,
        packed_in: packed.map(|packed| packed.input.packed),
        packed_out: packed.map(|packed| packed.output.packed),
        cpu: usage.map(|usage| event::processor_seconds(usage.cpu)),
        memory: usage.map(|usage| usage.memory),
        client_wait: wait(&live.client_wait),
        program_wait: wait(&live.partner_wait),
        session: live,
    }
    .emit();
}
