//! The headers that tools ask for (`x-mcp-header`), each of which repeats an argument. Pure.
//!
//! Source: MCP 2026-07-28, Streamable HTTP.

use std::collections::HashMap;

use serde_json::Value;

use super::message::MessageParts;

/// The headers of each tool, by its name.
#[derive(Debug, Default)]
pub(crate) struct ToolHeaders(HashMap<String, Vec<ToolHeader>>);

/// A header: its name, and the way to the argument.
#[derive(Debug)]
struct ToolHeader {
    name: String,
    way: Vec<String>,
}

impl ToolHeaders {
    /// Learns from the result of `tools/list`.
    pub(crate) fn learn(&mut self, result: &[u8]) {
        let Ok(result) = serde_json::from_slice::<Value>(result) else { return };
        for tool in result["tools"].as_array().into_iter().flatten() {
            let Some(name) = tool["name"].as_str() else { continue };
            let mut found = Vec::new();
            collect(&tool["inputSchema"], &mut Vec::new(), &mut found);
            if found.is_empty() {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), found);
            }
        }
    }

    /// Returns the headers of a call of a tool, each with its argument. That is `null` if there is none, or if it is a list or an
    /// object: then there is no such header.
    pub(crate) fn of(&self, text: &[u8], parts: &MessageParts) -> Vec<(&str, Value)> {
        let tool = parts.name.as_ref().filter(|_| parts.method == "tools/call");
        let Some(headers) = tool.and_then(|name| self.0.get(name)) else { return Vec::new() };
        let arguments = parts.arguments.clone().and_then(|place| serde_json::from_slice(&text[place]).ok());
        let arguments: Value = arguments.unwrap_or_default();
        let argument = |way: &[String]| match way.iter().fold(&arguments, |part, key| &part[&**key]) {
            Value::Array(_) | Value::Object(_) => Value::Null,
            other => other.clone(),
        };
        headers.iter().map(|header| (&*header.name, argument(&header.way))).collect()
    }
}

/// Collects the properties of a schema that have a header. A name that no header can have is ignored.
fn collect(schema: &Value, way: &mut Vec<String>, found: &mut Vec<ToolHeader>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        way.push(name.clone());
        if let Some(header) = property["x-mcp-header"].as_str().filter(|header| is_token(header)) {
            found.push(ToolHeader { name: format!("mcp-param-{}", header.to_ascii_lowercase()), way: way.clone() });
        }
        collect(property, way, found);
        way.pop();
    }
}

/// Whether a text may be a part of the name of a header (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
    !text.is_empty() && text.bytes().all(is_fit)
}
