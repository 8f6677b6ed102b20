//! The headers of a modern request, which repeat parts of its body. Pure.
//!
//! Source: MCP 2026-07-28, Streamable HTTP.

use std::{borrow::Cow, collections::HashMap};

use data_encoding::BASE64;
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;

use crate::mcp::message::MessageParts;

/// A marker around a value in base64, which could not be one of a header otherwise.
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// The headers that tools ask for, by tool: the name of each header, and the way to the argument.
#[derive(Debug, Default)]
pub(super) struct ToolMirrors(HashMap<String, Vec<(HeaderName, Vec<String>)>>);

impl ToolMirrors {
    /// Learns from the result of `tools/list`.
    pub(super) fn learn(&mut self, result: &[u8]) {
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

    /// Returns the headers of a modern message.
    pub(super) fn of(&self, text: &[u8], parts: &MessageParts) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(&encoded(value)) {
                headers.insert(name, value);
            }
        };
        if let Some(version) = &parts.claim {
            set(HeaderName::from_static("mcp-protocol-version"), version);
        }
        set(HeaderName::from_static("mcp-method"), &parts.method);
        let name = match &*parts.method {
            "tools/call" | "prompts/get" => parts.name.as_deref(),
            "resources/read" => parts.uri.as_deref(),
            _ => None,
        };
        if let Some(name) = name {
            set(HeaderName::from_static("mcp-name"), name);
        }
        let wanted = parts.name.as_ref().filter(|_| parts.method == "tools/call").and_then(|name| self.0.get(name));
        if let (Some(wanted), Some(place)) = (wanted, parts.arguments.clone()) {
            let arguments: Value = serde_json::from_slice(&text[place]).unwrap_or_default();
            for (name, way) in wanted {
                match way.iter().fold(&arguments, |part, key| &part[key]) {
                    Value::String(text) => set(name.clone(), text),
                    Value::Bool(is_true) => set(name.clone(), if *is_true { "true" } else { "false" }),
                    Value::Number(number) => set(name.clone(), &number.to_string()),
                    // The rule asks for no header for `null`; other kinds have no text.
                    Value::Null | Value::Array(_) | Value::Object(_) => {}
                }
            }
        }
        headers
    }
}

/// Collects the properties of a schema that have a header.
fn collect(schema: &Value, way: &mut Vec<String>, found: &mut Vec<(HeaderName, Vec<String>)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        way.push(name.clone());
        let header = property["x-mcp-header"].as_str().filter(|header| !header.is_empty());
        if let Some(header) = header.and_then(|header| format!("mcp-param-{header}").parse().ok()) {
            found.push((header, way.clone()));
        }
        collect(property, way, found);
        way.pop();
    }
}

/// Returns a text as the value of a header.
fn encoded(text: &str) -> Cow<'_, str> {
    let (front, back) = SENTINEL;
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && !text.is_empty()
        && text.trim() == text
        && !(text.starts_with(front) && text.ends_with(back));
    if is_plain { Cow::Borrowed(text) } else { format!("{front}{}{back}", BASE64.encode(text.as_bytes())).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_repeat_the_parts_of_the_body() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"region":" eu","n":42,"on":true,
            "none":null,"list":[1],"o":{"é":"ü"}},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let mut tools = ToolMirrors::default();
        tools.learn(
            r#"{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"x-mcp-header":"Region"},"n":{"x-mcp-header":"N"},
                "on":{"x-mcp-header":"On"},"none":{"x-mcp-header":"None"},"absent":{"x-mcp-header":"Absent"},
                "list":{"x-mcp-header":"List"},"bad":{"x-mcp-header":"no header"},
                "o":{"properties":{"é":{"x-mcp-header":"Deep"}}}}}}]}"#
                .as_bytes(),
        );
        let parts = MessageParts::of(text.as_bytes()).expect("a message");
        let headers = tools.of(text.as_bytes(), &parts);
        let mut got: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        got.sort_unstable();
        let want = [
            ("mcp-method", "tools/call"),
            ("mcp-name", "t"),
            ("mcp-param-deep", "=?base64?w7w=?="),
            ("mcp-param-n", "42"),
            ("mcp-param-on", "true"),
            ("mcp-param-region", "=?base64?IGV1?="),
            ("mcp-protocol-version", "2026-07-28"),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn a_text_that_no_header_may_have_is_in_base64() {
        let table = [
            ("plain text", "plain text"),
            ("", "=?base64??="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
            ("é", "=?base64?w6k=?="),
        ];
        for (text, want) in table {
            assert_eq!(encoded(text), want);
        }
    }
}
