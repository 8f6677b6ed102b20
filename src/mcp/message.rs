//! A message of JSON-RPC: finds the parts that the gateway reads or replaces, and leaves every other byte alone. Pure.
//!
//! Numbers and strings would change if a message was parsed and written again: `1.0`, `1e400`, 2⁵³+1. So wsd keeps the text,
//! and knows the places of the parts.

use std::{mem, ops::Range};

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::limits::mcp::MCP_DEPTH_MAX;

/// The place of a part in the text of a message.
pub(crate) type TextPlace = Range<usize>;

/// The kind of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has a method and an id.
    Request,
    /// It has a method and no id.
    #[default]
    Notification,
    /// It has an id, and a result or an error.
    Response,
}

/// The parts of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MessageParts {
    /// The kind.
    pub(crate) form: Form,
    /// `id`.
    pub(crate) id: Option<TextPlace>,
    /// `method`; empty in a response.
    pub(crate) method: String,
    /// `params._meta.progressToken` of a request.
    pub(crate) asked_progress: Option<TextPlace>,
    /// `params.progressToken` of a notification about progress.
    pub(crate) told_progress: Option<TextPlace>,
    /// `params.requestId` of a notification about a cancelled request.
    pub(crate) cancelled: Option<TextPlace>,
    /// The id of the subscription, in `_meta` of `params` or of `result`.
    pub(crate) subscription: Option<TextPlace>,
    /// The version in `params._meta`, if it is a string.
    pub(crate) claim: Option<String>,
    /// Whether `params._meta` has the client's capabilities, as an object.
    pub(crate) has_capabilities: bool,
    /// Whether `params._meta` has a level for log messages.
    pub(crate) has_log_level: bool,
    /// `params.name`.
    pub(crate) name: Option<String>,
    /// `params.uri`.
    pub(crate) uri: Option<String>,
    /// `params.arguments`.
    pub(crate) arguments: Option<TextPlace>,
    /// `params.protocolVersion`, as `initialize` has it.
    pub(crate) version: Option<String>,
    /// `result`.
    pub(crate) result: Option<TextPlace>,
    /// Whether `result` is that of a tool that has failed.
    pub(crate) is_error: bool,
    /// `result.task`, if the request has become a task.
    pub(crate) task: Option<TextPlace>,
    /// `error.code`, if it is a whole number.
    pub(crate) error: Option<i64>,
}

/// Why a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMessage {
    /// It is not JSON, or too deep.
    NotJson,
    /// It is JSON, but not one message, for this reason.
    NotOne(&'static str),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParamsPart<'a> {
    #[serde(borrow, default, deserialize_with = "present", rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    request_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    protocol_version: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct MetaPart<'a> {
    #[serde(borrow, default, deserialize_with = "present", rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "io.modelcontextprotocol/subscriptionId")]
    subscription: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct ResultPart<'a> {
    #[serde(borrow, default, deserialize_with = "present", rename = "_meta")]
    meta: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", rename = "isError")]
    is_error: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    task: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct ErrorPart<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    code: Option<&'a RawValue>,
}

/// Reads a part that is there, also `null`.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl MessageParts {
    /// Finds the parts of a message. A key that comes twice makes it none: nobody could tell which one the program reads.
    pub(crate) fn of(text: &[u8]) -> Result<Self, NoMessage> {
        let json = str::from_utf8(text).map_err(|_| NoMessage::NotJson)?;
        if depth(text) > MCP_DEPTH_MAX {
            return Err(NoMessage::NotJson);
        }
        if !json.trim_start().starts_with('{') {
            let is_json = serde_json::from_str::<&RawValue>(json).is_ok();
            let why = NoMessage::NotOne("a message is one object of JSON, without a batch");
            return Err(if is_json { why } else { NoMessage::NotJson });
        }
        let envelope: Envelope<'_> = parse(json)?;
        if envelope.jsonrpc.and_then(string).as_deref() != Some("2.0") {
            return Err(NoMessage::NotOne("`jsonrpc` must be \"2.0\""));
        }
        let id = envelope.id.map(|id| place(json, id));
        if envelope
            .id
            .is_some_and(|id| !id.get().starts_with(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']))
        {
            return Err(NoMessage::NotOne("`id` must be a string or a number"));
        }
        let mut parts = Self { id, ..Self::default() };
        if let Some(method) = envelope.method {
            parts.method = string(method).ok_or(NoMessage::NotOne("`method` must be a string"))?;
            parts.form = if parts.id.is_some() { Form::Request } else { Form::Notification };
            parts.read_params(json, envelope.params)?;
        } else if let (Some(outcome), true) = (outcome(&envelope), parts.id.is_some()) {
            parts.form = Form::Response;
            parts.result = outcome.ok().map(|result| place(json, result));
            let result: ResultPart<'_> = object(outcome.ok())?;
            parts.is_error = result.is_error.is_some_and(|part| part.get() == "true");
            parts.task = result.task.filter(|part| part.get().starts_with('{')).map(|part| place(json, part));
            parts.subscription = object::<MetaPart<'_>>(result.meta)?.subscription.map(|id| place(json, id));
            let error: ErrorPart<'_> = object(outcome.err())?;
            parts.error = error.code.and_then(|code| serde_json::from_str(code.get()).ok());
        } else {
            return Err(NoMessage::NotOne("a message has a method, or an id with a result or an error"));
        }
        Ok(parts)
    }

    fn read_params(&mut self, json: &str, params: Option<&RawValue>) -> Result<(), NoMessage> {
        let params: ParamsPart<'_> = object(params)?;
        let meta: MetaPart<'_> = object(params.meta)?;
        let at = |part: Option<&RawValue>| part.map(|part| place(json, part));
        self.asked_progress = at(meta.progress_token);
        self.told_progress = at(params.progress_token);
        self.cancelled = at(params.request_id);
        self.subscription = at(meta.subscription);
        self.arguments = at(params.arguments);
        self.claim = meta.version.and_then(string);
        self.has_capabilities = meta.capabilities.is_some_and(|part| part.get().starts_with('{'));
        self.has_log_level = meta.log_level.is_some();
        self.name = params.name.and_then(string);
        self.uri = params.uri.and_then(string);
        self.version = params.protocol_version.and_then(string);
        Ok(())
    }

    /// Returns the text of the id.
    pub(crate) fn id_text<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.id.clone().map(|id| &text[id])
    }
}

/// Returns the result or the error of an answer; `None` if nobody could tell. Some servers write both, one of them as `null`.
fn outcome<'a>(envelope: &Envelope<'a>) -> Option<Result<&'a RawValue, &'a RawValue>> {
    match (envelope.result, envelope.error) {
        (Some(result), error) if error.is_none_or(|error| error.get() == "null") => Some(Ok(result)),
        (result, Some(error)) if result.is_none_or(|result| result.get() == "null") => Some(Err(error)),
        _ => None,
    }
}

/// Returns a message on one line, with other parts in these places.
pub(crate) fn splice(text: &[u8], mut changes: Vec<(TextPlace, &[u8])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1);
    changes.sort_unstable_by_key(|(place, _)| place.start);
    let mut from = 0;
    for (place, part) in changes {
        copy(&text[mem::replace(&mut from, place.end)..place.start], &mut out);
        out.extend_from_slice(part);
    }
    copy(text[from..].trim_ascii_end(), &mut out);
    out
}

/// Appends JSON without line ends and tabs, which in JSON only stand between its tokens.
fn copy(json: &[u8], out: &mut Vec<u8>) {
    for part in json.split(|byte| matches!(byte, b'\n' | b'\r' | b'\t')) {
        out.extend_from_slice(part);
    }
}

/// Returns the deepest nesting.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut is_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if mem::take(&mut is_escaped) => {}
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, NoMessage> {
    serde_json::from_str(json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => NoMessage::NotOne("a key comes twice"),
        _ => NoMessage::NotJson,
    })
}

/// Reads the parts of an object; none of anything else.
fn object<'a, T: Deserialize<'a> + Default>(part: Option<&'a RawValue>) -> Result<T, NoMessage> {
    match part {
        Some(part) if part.get().starts_with('{') => parse(part.get()),
        _ => Ok(T::default()),
    }
}

fn string(part: &RawValue) -> Option<String> {
    serde_json::from_str(part.get()).ok()
}

/// Returns the place of a part within the text that it borrows from.
fn place(json: &str, part: &RawValue) -> TextPlace {
    let start = part.get().as_ptr().addr() - json.as_ptr().addr();
    start..start + part.get().len()
}

#[cfg(test)]
mod tests;
