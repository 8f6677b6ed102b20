//! The record of a session: the messages by which another process takes over. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::message::{Form, MessageParts};
use crate::{
    budget::Budget,
    limits::mcp::{MCP_RECORD_BYTES_MAX, MCP_SUBSCRIPTIONS_MAX},
};

/// The first version whose clients take an event without data.
const PRIMED: &str = "2025-11-25";

/// The messages of a client that a new process needs, and the first answer.
#[derive(Debug, Default)]
pub(super) struct SessionRecord {
    /// `initialize`; empty if it is too long to keep.
    pub(super) initialize: Bytes,
    /// Whether the client has sent `notifications/initialized`.
    pub(super) is_initialized: bool,
    /// The answer to `initialize`, as far as another process must give an equal one.
    identity: Option<Value>,
    /// The version of the protocol in that answer.
    version: String,
    level: Option<Bytes>,
    subscriptions: BTreeMap<String, Bytes>,
}

impl SessionRecord {
    /// Notes a message of the client. Its bytes count against `budget`; wsd keeps no long ones.
    pub(super) fn note(&mut self, text: &[u8], parts: &MessageParts, budget: &Budget) {
        let kept = |more: usize| budget.count(text.to_vec(), text.len() + more);
        let is_short = text.len() <= MCP_RECORD_BYTES_MAX;
        match (parts.form, &*parts.method, &parts.uri) {
            (Form::Request, "initialize", _) if is_short => self.initialize = kept(0),
            (Form::Notification, "notifications/initialized", _) => self.is_initialized = true,
            (Form::Request, "logging/setLevel", _) if is_short => self.level = Some(kept(0)),
            (Form::Request, "resources/subscribe", Some(uri))
                if is_short && self.subscriptions.len() < MCP_SUBSCRIPTIONS_MAX =>
            {
                self.subscriptions.insert(uri.clone(), kept(uri.len()));
            }
            (Form::Request, "resources/unsubscribe", Some(uri)) => {
                self.subscriptions.remove(uri);
            }
            _ => {}
        }
    }

    /// Notes the first answer to `initialize`. Returns false if it differs from that of an earlier process.
    pub(super) fn note_identity(&mut self, result: &[u8]) -> bool {
        let result: Value = serde_json::from_slice(result).unwrap_or_default();
        let identity = json!([result["serverInfo"], result["capabilities"], result["protocolVersion"]]);
        if let Some(known) = &self.identity {
            return *known == identity;
        }
        result["protocolVersion"].as_str().unwrap_or_default().clone_into(&mut self.version);
        self.identity = Some(identity);
        true
    }

    /// Whether another process can take over: one has answered `initialize`, and wsd has kept that.
    pub(super) fn is_complete(&self) -> bool {
        self.identity.is_some() && !self.initialize.is_empty()
    }

    /// Whether the client takes an event without data.
    pub(super) fn is_primed(&self) -> bool {
        &*self.version >= PRIMED
    }

    /// Lists the requests that restore the client's settings.
    pub(super) fn settings(&self) -> impl Iterator<Item = &Bytes> {
        self.level.iter().chain(self.subscriptions.values())
    }
}
