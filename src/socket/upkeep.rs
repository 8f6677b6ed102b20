//! Keeps a WebSocket alive: Pings at intervals, Pongs, and the limit of silence.

use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Interval;

use super::writer;
use crate::stall::ticks;

/// The Pings and Pongs to send, and the silence of the client.
#[derive(Debug)]
pub(super) struct Upkeep {
    pings: Option<Interval>,
    was_heard: bool,
    /// The intervals in a row in which the client was silent.
    silent_ticks: u32,
    /// The payload of the last Ping that came while other frames waited (RFC 6455, section 5.5.3 asks for no more).
    late_pong: Option<Vec<u8>>,
    /// Whether a Ping is due that waits for other frames.
    is_ping_late: bool,
}

/// The duty at the end of an interval.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// Send a Ping.
    Ping,
    /// End the session: the client was silent for two intervals.
    Gone,
}

impl Upkeep {
    /// Returns the state for a Ping every `interval`; `None` is never.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        let pings = interval.map(ticks);
        Self { pings, was_heard: false, silent_ticks: 0, late_pong: None, is_ping_late: false }
    }

    /// Notes that the client sent or took something.
    pub(super) fn hear(&mut self) {
        self.was_heard = true;
    }

    /// Ready at the end of each interval, with the duty that is due.
    pub(super) fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Tick> {
        match &mut self.pings {
            Some(pings) => pings.poll_tick(cx).map(|_| self.tick()),
            None => Poll::Pending,
        }
    }

    /// Notes that an interval is over.
    fn tick(&mut self) -> Tick {
        self.silent_ticks = if mem::take(&mut self.was_heard) { 0 } else { self.silent_ticks + 1 };
        if self.silent_ticks >= 2 { Tick::Gone } else { Tick::Ping }
    }

    /// Keeps the answer to a Ping until other frames have gone. It replaces an earlier one.
    pub(super) fn delay_pong(&mut self, payload: &[u8]) {
        self.late_pong = Some(payload.to_vec());
    }

    /// Keeps a Ping until other frames have gone.
    pub(super) fn delay_ping(&mut self) {
        self.is_ping_late = true;
    }

    /// Whether Pings or Pongs were kept.
    pub(super) fn is_late(&self) -> bool {
        self.late_pong.is_some() || self.is_ping_late
    }

    /// Appends the kept frames.
    pub(super) fn append_late(&mut self, frames: &mut Vec<u8>) {
        if let Some(payload) = self.late_pong.take() {
            writer::pong(&payload, frames);
        }
        if mem::take(&mut self.is_ping_late) {
            writer::ping(frames);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_silent_intervals_in_a_row_are_the_end() {
        let table: [(&str, &[bool], Tick); 5] = [
            ("a fresh client is pinged", &[false], Tick::Ping),
            ("one that never spoke", &[false, false], Tick::Gone),
            ("one that answers", &[true, true, true], Tick::Ping),
            ("one that misses one", &[true, false, true, false], Tick::Ping),
            ("one that falls silent", &[true, false, false], Tick::Gone),
        ];
        for (what, heard, want) in table {
            let mut upkeep = Upkeep::new(None);
            let last = heard.iter().map(|&heard| {
                upkeep.was_heard |= heard;
                upkeep.tick()
            });
            assert_eq!(last.last(), Some(want), "{what}");
        }
    }
}
