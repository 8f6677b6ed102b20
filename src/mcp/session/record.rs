//! The record of a session: the messages by which another process takes over. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::message::{Form, MessageParts};
use crate::limits::mcp::MCP_SUBSCRIPTIONS_MAX;

/// The first version whose clients take an event without data.
const PRIMED: &str = "2025-11-25";

/// The messages of a client that a new process needs, and the first answer.
#[derive(Debug, Default)]
pub(super) struct SessionRecord {
    /// `initialize`.
    pub(super) initialize: Vec<u8>,
    /// Whether the client has sent `notifications/initialized`.
    pub(super) is_initialized: bool,
    /// The answer to `initialize`, as far as another process must give an equal one.
    identity: Option<Value>,
    /// The version of the protocol in that answer.
    version: String,
    level: Option<Vec<u8>>,
    subscriptions: BTreeMap<String, Vec<u8>>,
}

impl SessionRecord {
    /// Notes a message of the client.
    pub(super) fn note(&mut self, text: &[u8], parts: &MessageParts) {
        match (parts.form, &*parts.method, &parts.uri) {
            (Form::Request, "initialize", _) => self.initialize = text.to_vec(),
            (Form::Notification, "notifications/initialized", _) => self.is_initialized = true,
            (Form::Request, "logging/setLevel", _) => self.level = Some(text.to_vec()),
            (Form::Request, "resources/subscribe", Some(uri)) if self.subscriptions.len() < MCP_SUBSCRIPTIONS_MAX => {
                self.subscriptions.insert(uri.clone(), text.to_vec());
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

    /// Whether a process has answered `initialize`.
    pub(super) fn has_begun(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether the client takes an event without data.
    pub(super) fn is_primed(&self) -> bool {
        &*self.version >= PRIMED
    }

    /// Lists the requests that restore the client's settings.
    pub(super) fn settings(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.level.iter().chain(self.subscriptions.values())
    }
}
