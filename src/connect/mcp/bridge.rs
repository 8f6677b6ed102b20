//! The state between standard input and the server: the session of a legacy client, and the headers that tools ask for.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use serde::Deserialize;
use tokio::{sync::Semaphore, task::AbortHandle};

use super::{
    mirror::mirror,
    output::McpOutput,
    wire::{HttpWay, lock},
};
use crate::mcp::{
    headers::MODERN,
    message::{Form, MessageParts, NoMessage},
    tool_headers::ToolHeaders,
};

/// The header with the id of a session.
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The header with the version of the protocol.
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// A message of the client.
#[derive(Clone, Debug)]
pub(super) struct McpMessage {
    /// Its text.
    pub(super) text: Bytes,
    /// Its parts.
    pub(super) parts: MessageParts,
}

impl McpMessage {
    /// Reads a line.
    pub(super) fn read(line: Vec<u8>) -> Result<Self, NoMessage> {
        let parts = MessageParts::of(&line)?;
        Ok(Self { text: line.into(), parts })
    }

    /// Returns the text of the id of a request.
    pub(super) fn request_id(&self) -> Option<&[u8]> {
        self.parts.id_text(&self.text).filter(|_| self.parts.form == Form::Request)
    }

    /// Whether it claims a version without sessions.
    pub(super) fn is_modern(&self) -> bool {
        self.parts.claim.as_deref().is_some_and(|version| version >= MODERN)
    }

    /// Whether it begins a session.
    pub(super) fn is_initialize(&self) -> bool {
        self.parts.method == "initialize" && !self.is_modern()
    }
}

/// The session of a legacy client.
#[derive(Clone, Debug, Default)]
pub(super) struct BridgedSession {
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    /// Its number here.
    pub(super) number: u64,
}

impl BridgedSession {
    /// Returns the headers of a request in the session.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.extend(self.id.clone().map(|id| (SESSION, id)));
        headers.extend(self.version.clone().map(|version| (VERSION, version)));
        headers
    }

    /// Whether the server gave it an id, and so can lose it.
    pub(super) fn has_id(&self) -> bool {
        self.id.is_some()
    }
}

/// The part of the answer to `initialize` that the client needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InitializeResult {
    protocol_version: String,
}

/// The state.
pub(super) struct McpBridge {
    /// The way to the server.
    pub(super) wire: Arc<HttpWay>,
    /// Standard output.
    pub(super) output: McpOutput,
    /// The right to begin another session in place of a lost one.
    pub(super) renewing: Semaphore,
    session: Mutex<BridgedSession>,
    /// The request that began the session.
    initialize: Mutex<Option<McpMessage>>,
    /// The task that reads the stream of the session.
    listening: Mutex<Option<AbortHandle>>,
    tools: Mutex<ToolHeaders>,
}

impl McpBridge {
    /// Returns a state without a session.
    pub(super) fn new(wire: HttpWay, output: McpOutput) -> Self {
        Self {
            wire: Arc::new(wire),
            output,
            renewing: Semaphore::new(1),
            session: Mutex::default(),
            initialize: Mutex::default(),
            listening: Mutex::default(),
            tools: Mutex::default(),
        }
    }

    /// Returns the session.
    pub(super) fn session(&self) -> BridgedSession {
        lock(&self.session).clone()
    }

    /// Returns the request that began the session.
    pub(super) fn initialize(&self) -> Option<McpMessage> {
        lock(&self.initialize).clone()
    }

    /// Begins a session, which the head of an answer to this request opens.
    pub(super) fn begin(&self, request: &McpMessage, answer: &HeaderMap) {
        self.listen_with(None);
        *lock(&self.initialize) = Some(request.clone());
        let mut session = lock(&self.session);
        *session = BridgedSession { id: answer.get(SESSION).cloned(), version: None, number: session.number + 1 };
    }

    /// Replaces the task that reads the stream of the session.
    pub(super) fn listen_with(&self, task: Option<AbortHandle>) {
        if let Some(old) = std::mem::replace(&mut *lock(&self.listening), task) {
            old.abort();
        }
    }

    /// Returns the headers of a message.
    pub(super) fn headers(&self, message: &McpMessage, session: &BridgedSession) -> HeaderMap {
        if message.is_modern() {
            mirror(&lock(&self.tools), &message.text, &message.parts)
        } else if message.is_initialize() {
            HeaderMap::new()
        } else {
            session.headers()
        }
    }

    /// Notes what the answer to a request tells: the version of the session, and the headers of tools.
    pub(super) fn heed(&self, request: &McpMessage, answer: &[u8], parts: &MessageParts) {
        let Some(result) = parts.result.clone().map(|place| &answer[place]) else { return };
        if request.is_initialize() {
            let result: Option<InitializeResult> = serde_json::from_slice(result).ok();
            lock(&self.session).version = result.and_then(|result| result.protocol_version.parse().ok());
        } else if request.parts.method == "tools/list" && request.is_modern() {
            lock(&self.tools).learn(result);
        }
    }
}
