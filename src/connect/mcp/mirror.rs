//! The headers of a modern request, which repeat parts of its body. Pure.

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;

use crate::mcp::{headers::encoded, message::MessageParts, tool_headers::ToolHeaders};

/// Returns the headers of a modern message.
pub(super) fn mirror(tools: &ToolHeaders, text: &[u8], parts: &MessageParts) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(&encoded(value))) {
            headers.insert(name, value);
        }
    };
    if let Some(version) = &parts.claim {
        set("mcp-protocol-version", version);
    }
    set("mcp-method", &parts.method);
    let name = match &*parts.method {
        "tools/call" | "prompts/get" => parts.name.as_deref(),
        "resources/read" => parts.uri.as_deref(),
        _ => None,
    };
    if let Some(name) = name {
        set("mcp-name", name);
    }
    for (name, argument) in tools.of(text, parts) {
        match argument {
            Value::Null => {}
            Value::String(text) => set(name, &text),
            other => set(name, &other.to_string()),
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_repeat_the_parts_of_the_body() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"region":" eu","n":42,"on":true,
            "none":null,"list":[1],"bad":1,"o":{"é":"ü"}},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let mut tools = ToolHeaders::default();
        tools.learn(
            r#"{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"x-mcp-header":"Region"},"n":{"x-mcp-header":"N"},
                "on":{"x-mcp-header":"On"},"none":{"x-mcp-header":"None"},"absent":{"x-mcp-header":"Absent"},
                "list":{"x-mcp-header":"List"},"bad":{"x-mcp-header":"no header"},
                "o":{"properties":{"é":{"x-mcp-header":"Deep"}}}}}}]}"#
                .as_bytes(),
        );
        let parts = MessageParts::of(text.as_bytes()).expect("a message");
        let headers = mirror(&tools, text.as_bytes(), &parts);
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
}
