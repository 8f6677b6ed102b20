//! The gateway of a route: its sessions, and its shared process.

use std::sync::Arc;

use super::{
    load::{Load, LoadSlot},
    message::MessageParts,
    session::{McpSession, OpenStream},
    shared::SharedServer,
    spare::SpareSeat,
    table::Table,
    terms::{Launching, McpOptions},
};
use crate::{
    admission::Permit,
    metrics::mcp::MCP,
    worker::{Worker, variable::Variable},
};

/// The gateway of a route.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// The settings.
    pub(crate) options: Arc<McpOptions>,
    /// The sessions of legacy clients.
    pub(crate) sessions: Arc<Table>,
    /// The process for modern clients.
    pub(crate) shared: Arc<SharedServer>,
    /// The process that waits for the next session (`--mcp-spare`).
    pub(crate) spare: SpareSeat,
    /// The requests in flight.
    pub(crate) load: Arc<Load>,
}

impl Gateway {
    /// Returns a gateway without processes.
    pub(crate) fn new(options: McpOptions) -> Self {
        MCP.begin(&options.process.route);
        let options = Arc::new(options);
        Self {
            sessions: Arc::default(),
            spare: SpareSeat::default(),
            shared: Arc::new(SharedServer::new(Arc::clone(&options))),
            load: Arc::default(),
            options,
        }
    }

    /// Takes over the sessions of the gateway that the route had before its settings changed, and its count of requests: clients
    /// do not begin anew after a 404. The next process of a session runs the new command; its limits stay as they were.
    pub(crate) fn take_over(&mut self, before: &Self) {
        (self.sessions, self.load) = (Arc::clone(&before.sessions), Arc::clone(&before.load));
    }

    /// Begins a session of a user with the client's `initialize`: its program has started.
    pub(crate) fn open(
        &self,
        (user, environment): (String, Vec<Variable>),
        message: (&[u8], &MessageParts),
        slot: LoadSlot,
        started: (Worker, Permit),
        launching: Launching<()>,
    ) -> (Arc<McpSession>, OpenStream) {
        let session = McpSession::new(user, environment, Arc::clone(&self.options));
        self.sessions.add(&session);
        let stream = session.open(message, slot, started, launching);
        (session, stream)
    }
}
