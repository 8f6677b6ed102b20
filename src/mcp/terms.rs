//! The settings of a gateway, and the start of its programs.

use std::time::Duration;

use super::fault::McpFault;
use crate::{peer::Connection, shutdown::Shutdown, worker::process::ProcessOptions};

/// The eras that a route serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum McpEras {
    /// Both.
    Both,
    /// Legacy clients only: a process for each session.
    Session,
    /// Modern clients only: one process for all.
    Shared,
}

/// The settings of a gateway.
#[derive(Clone, Debug)]
pub(crate) struct McpOptions {
    /// The eras.
    pub(crate) eras: McpEras,
    /// The time without use after which a process ends (`--mcp-idle`).
    pub(crate) idle: Duration,
    /// Whether a process of the next session waits (`--mcp-spare`).
    pub(crate) has_spare: bool,
    /// The most bytes of a message of a client (`--maxbody`).
    pub(crate) body_bytes_max: usize,
    /// The most bytes of a session's messages that its client may get again (`--replay`).
    pub(crate) replay_bytes_max: usize,
    /// The settings of processes.
    pub(crate) process: ProcessOptions,
}

#[cfg(test)]
impl McpOptions {
    /// Returns settings without times and bytes, for tests.
    pub(in crate::mcp) fn plain() -> std::sync::Arc<Self> {
        let process = ProcessOptions {
            message_bytes_max: 0,
            patience: Duration::ZERO,
            is_readonly: false,
            budget: crate::budget::Budget::new(None),
            route: crate::metrics::route::NamedRoute::named("/"),
        };
        let (eras, idle) = (McpEras::Both, Duration::ZERO);
        std::sync::Arc::new(Self { eras, idle, has_spare: false, body_bytes_max: 0, replay_bytes_max: 0, process })
    }
}

/// A program about to start, for which `start` waits.
pub(crate) struct Launching<F> {
    /// Starts the program.
    pub(crate) start: F,
    /// The connection that asks for it.
    pub(crate) connection: Connection,
    /// The path of the request, for the log.
    pub(crate) path: String,
    /// The end of wsd.
    pub(crate) shutdown: Shutdown,
}

/// Why a request gets no answer of the program.
#[derive(Debug)]
pub(crate) enum Trouble<E> {
    /// The gateway's own answer.
    Fault(McpFault),
    /// The program cannot start.
    Refused(E),
}

impl<E> From<McpFault> for Trouble<E> {
    fn from(fault: McpFault) -> Self {
        Self::Fault(fault)
    }
}
