//! A request in flight, which counts until its end: in the limits of its client, and in the metrics.

use std::time::Instant;

use serde::Deserialize;

use super::{load::LoadSlot, message::MessageParts};
use crate::{
    limits::mcp::MCP_TOOL_BYTES_MAX,
    metrics::{
        mcp::{MCP, McpRequest, McpRequestEnd, method},
        route::RouteName,
    },
};

/// The method of a subscription.
pub(crate) const LISTEN: &str = "subscriptions/listen";

/// A request in flight. One that is dropped without an answer was its client's to leave.
#[derive(Debug)]
pub(super) struct RequestMeter {
    route: RouteName,
    method: &'static str,
    tool: Option<Box<str>>,
    began: Instant,
    end: McpRequestEnd,
    _slot: LoadSlot,
}

/// The names in a list of tools.
#[derive(Deserialize)]
struct ListedTools {
    tools: Vec<ListedTool>,
}

#[derive(Deserialize)]
struct ListedTool {
    name: String,
}

impl RequestMeter {
    /// Begins with the way of a request to the program.
    pub(super) fn new(route: &RouteName, parts: &MessageParts, slot: LoadSlot) -> Self {
        let method = method(&parts.method);
        let name = parts.name.as_deref().filter(|name| name.len() <= MCP_TOOL_BYTES_MAX);
        let tool = (method == "tools/call").then(|| name.unwrap_or_default().into());
        let (began, end) = (Instant::now(), McpRequestEnd::Cancelled);
        Self { route: route.clone(), method, tool, began, end, _slot: slot }
    }

    /// Notes the answer of the program, or of wsd in its place at the end of a subscription.
    pub(super) fn answered(&mut self, text: &[u8], parts: &MessageParts) {
        self.end = match parts.result {
            Some(_) if parts.is_error => McpRequestEnd::Error,
            Some(_) => McpRequestEnd::Result,
            None => McpRequestEnd::Error,
        };
        if self.method == "tools/list"
            && let Some(result) = parts.result.clone()
            && let Ok(listed) = serde_json::from_slice::<ListedTools>(&text[result])
        {
            MCP.learn(&self.route, listed.tools.iter().map(|tool| &*tool.name));
        }
    }

    /// Notes that the subscription is complete.
    pub(super) fn completed(&mut self) {
        self.end = McpRequestEnd::Result;
    }

    /// Notes that the program has ended before its answer, for which the client waited or not.
    pub(super) fn failed(&mut self, is_awaited: bool) {
        self.end = if is_awaited { McpRequestEnd::Failed } else { McpRequestEnd::Cancelled };
    }
}

impl Drop for RequestMeter {
    fn drop(&mut self) {
        // The time of a subscription says nothing about the program.
        let time = (self.method != LISTEN).then(|| self.began.elapsed());
        MCP.add(&self.route, McpRequest { method: self.method, tool: self.tool.as_deref(), end: self.end, time });
    }
}
