//! The errors that the gateway itself answers with: a status of HTTP, and an error of JSON-RPC. Pure.

use std::{borrow::Cow, time::Duration};

use serde_json::{Value, json};

/// Codes of JSON-RPC and of MCP.
pub(crate) mod code {
    /// The body is not JSON.
    pub(crate) const PARSE: i64 = -32700;
    /// The body is not one message.
    pub(crate) const INVALID_REQUEST: i64 = -32600;
    /// The method does not exist.
    pub(crate) const UNKNOWN_METHOD: i64 = -32601;
    /// The parameters are wrong.
    pub(crate) const INVALID_PARAMS: i64 = -32602;
    /// The server failed.
    pub(crate) const INTERNAL: i64 = -32603;
    /// The request does not fit the server; clients of both eras then try the older one.
    pub(crate) const REFUSED: i64 = -32000;
    /// There is no such session.
    pub(crate) const NO_SESSION: i64 = -32001;
    /// A header is missing or differs from the body.
    pub(crate) const HEADER_MISMATCH: i64 = -32020;
    /// The version is not supported.
    pub(crate) const UNSUPPORTED_VERSION: i64 = -32022;
}

/// An error for one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct McpFault {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// The code of JSON-RPC.
    pub(crate) code: i64,
    /// A sentence for the client.
    pub(crate) message: Cow<'static, str>,
    /// `error.data`.
    pub(crate) data: Option<Value>,
    /// The time after which the client may try again.
    pub(crate) retry: Option<Duration>,
}

impl McpFault {
    /// Returns an error without data.
    pub(crate) fn new(status: u16, code: i64, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), data: None, retry: None }
    }

    /// Adds `error.data`.
    pub(crate) fn with_data(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Says when the client may try again.
    pub(crate) fn with_retry(self, after: Duration) -> Self {
        Self { retry: Some(after), ..self }
    }

    /// Returns the error as a message. `id` is the text of the request's id.
    pub(crate) fn message(&self, id: Option<&[u8]>) -> Vec<u8> {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let id = id.map_or_else(|| "null".into(), String::from_utf8_lossy);
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}").into_bytes()
    }
}

/// Returns the status of an answer to a modern request, whose error has this code.
pub(crate) fn status_of(error: Option<i64>) -> u16 {
    match error {
        Some(code::UNKNOWN_METHOD) => 404,
        Some(code::INVALID_REQUEST | code::INVALID_PARAMS | code::PARSE | -32029..=-32020) => 400,
        _ => 200,
    }
}
