//! Counts the events that are metrics. Each is counted here, and nowhere else.

use std::sync::Arc;

use super::Event;
use crate::metrics::{bus::BUS, counts::COUNTS, live::LiveSession, present::PRESENT, recent::RECENT, route::RouteName};

impl Event<'_> {
    /// Counts the event, and keeps the list of sessions and rooms.
    pub(super) fn count(self) {
        match self {
            Self::SessionStarted { session, .. }
            | Self::PostStarted { session, .. }
            | Self::McpStarted { session, .. } => {
                COUNTS.session_started(&session.facts.route, session.facts.transport.word());
                PRESENT.add_session(session);
            }
            Self::SessionEnded { session, end, code, .. } => ended(session, end, code),
            Self::PostEnded { session, end, status, .. } | Self::McpEnded { session, end, status, .. } => {
                // As for a session whose program has ended with this status.
                ended(session, end, if status == 0 { 1000 } else { 4000 + status });
            }
            Self::SessionDetached { conn } => PRESENT.set_detached(conn, true),
            Self::SessionResumed { conn, .. } => PRESENT.set_detached(conn, false),
            Self::SessionRefused { peer, route, why, .. } => {
                COUNTS.session_refused(route, why);
                RECENT.add_refusal(peer, route, why);
            }
            Self::MessagesLost { conn, lost, .. } => {
                if let Some(route) = route_of(conn) {
                    COUNTS.messages_lost(&route, lost);
                }
            }
            Self::RoomStarted { room, .. } => PRESENT.add_room(room),
            Self::RoomEnded { room, .. } => PRESENT.end_room(room),
            Self::BusReady { .. } | Self::BusBack { .. } => BUS.up(),
            Self::BusLost { .. } => BUS.lost(),
            Self::RoomGap { .. } => BUS.gap(),
            Self::HttpRequest { kind, status, .. } => COUNTS.answered(kind, status),
            Self::SettingsLoaded {} => COUNTS.reloaded("loaded"),
            Self::SettingsNotLoaded { .. } => COUNTS.reloaded("failed"),
            _ => {}
        }
    }
}

fn ended(session: &LiveSession, end: &'static str, code: u16) {
    COUNTS.session_ended(&session.facts.route, end, code, session.began.elapsed());
    PRESENT.end_session(session);
    RECENT.add_end(session, end, code);
}

fn route_of(conn: u64) -> Option<RouteName> {
    PRESENT.session(conn).map(|session| Arc::clone(&session.facts.route))
}
