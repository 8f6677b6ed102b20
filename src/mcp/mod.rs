//! The gateway for MCP (`--mcp`): a server on standard input and output, for clients of Streamable HTTP.
//!
//! The protocol has two eras, and wsd translates neither into the other. *Legacy* clients (up to 2025-11-25) have a
//! [`session`]: a process of its own, to which a client may return. *Modern* clients (from 2026-07-28 on) have none: one
//! [`shared`] process answers all of them. In both, the program sees ids and progress tokens of wsd's own ([`calls`]), and every
//! other byte is the client's ([`message`]). One task runs a process ([`host`]); each HTTP answer reads a [`stream`].
//!
//! Lock order: the table of sessions, a session's or the shared state, the input of a [`wire`]. A thread may take each lock while
//! it holds earlier ones, and never while it holds a later one.

mod calls;
pub(crate) mod fault;
pub(crate) mod headers;
mod host;
mod load;
pub(crate) mod message;
pub(crate) mod session;
pub(crate) mod shared;
pub(crate) mod stream;
mod table;
mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{peer::Connection, shutdown::Shutdown, worker::process::ProcessOptions};
use fault::Fault;
use load::Load;
pub(crate) use load::LoadSlot;
use shared::Shared;
use table::Table;

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
    /// The most bytes of a message of a client (`--maxbody`).
    pub(crate) body_bytes_max: usize,
    /// The most bytes of a session's messages that its client may get again (`--replay`).
    pub(crate) replay_bytes_max: usize,
    /// The settings of processes.
    pub(crate) process: ProcessOptions,
}

/// The gateway of a route.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// The settings.
    pub(crate) options: Arc<McpOptions>,
    /// The sessions of legacy clients.
    pub(crate) sessions: Table,
    /// The process for modern clients.
    pub(crate) shared: Arc<Shared>,
    /// The requests in flight.
    pub(crate) load: Arc<Load>,
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
    Fault(Fault),
    /// The program cannot start.
    Refused(E),
}

impl<E> From<Fault> for Trouble<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Gateway {
    /// Returns a gateway without processes.
    pub(crate) fn new(options: McpOptions) -> Self {
        let options = Arc::new(options);
        Self {
            sessions: Table::default(),
            shared: Arc::new(Shared::new(Arc::clone(&options))),
            load: Arc::default(),
            options,
        }
    }
}

/// Locks, and ignores poisoning: a panic leaves no half-done change behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
