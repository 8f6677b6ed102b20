//! The beginning and the end of a room, in the log.

use std::sync::Arc;

use crate::{
    event::{self, Event},
    metrics::live::LiveRoom,
    status::Status,
    sys::ResourceUsage,
};

/// Logs that a room begins, and lists it.
pub(super) fn started(room: &Arc<LiveRoom>) {
    Event::RoomStarted { pid: room.pid().unwrap_or_default(), path: &String::from_utf8_lossy(&room.path), room }.emit();
}

/// Logs how a room has ended, with the resources that its program has used.
pub(super) fn ended(room: &Arc<LiveRoom>, status: Status, usage: Option<ResourceUsage>) {
    let (input, output) = (room.input.sum(), room.output.sum());
    Event::RoomEnded {
        pid: room.pid().unwrap_or_default(),
        path: &String::from_utf8_lossy(&room.path),
        status: status.shell(),
        limit: status.limit(),
        secs: event::seconds(room.began.elapsed()),
        input: input.messages,
        output: output.messages,
        in_bytes: input.bytes,
        out_bytes: output.bytes,
        cpu: usage.map(|usage| event::processor_seconds(usage.cpu)),
        memory: usage.map(|usage| usage.memory),
        room,
    }
    .emit();
}
