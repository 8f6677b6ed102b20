//! Counts a program for the metrics of its route: its start, its end, and the resources that it has used.

use std::{sync::Arc, time::Duration};

use crate::{
    metrics::{counts::COUNTS, route::RouteName},
    status::Status,
    sys::ResourceUsage,
};

/// A program that is counted as running until this is dropped.
#[derive(Debug)]
pub(super) struct ProgramTally(RouteName);

impl ProgramTally {
    /// Counts a program of `route`, which took this time to start.
    pub(super) fn begin(route: &RouteName, took: Duration) -> Self {
        COUNTS.program_started(route, took);
        Self(Arc::clone(route))
    }

    /// Counts a signal that wsd sends, since the program has not ended.
    pub(super) fn count_signal(&self, signal: &'static str) {
        COUNTS.program_killed(&self.0, signal);
    }

    /// Counts the end of the process, with the resources that it has used where the system tells them.
    pub(super) fn count_end(&self, status: Status, usage: Option<ResourceUsage>) {
        COUNTS.program_ended(&self.0, status.shell());
        if let Some(ResourceUsage { cpu, memory }) = usage {
            COUNTS.program_used(&self.0, cpu, memory);
        }
    }
}

impl Drop for ProgramTally {
    fn drop(&mut self) {
        COUNTS.program_gone(&self.0);
    }
}
