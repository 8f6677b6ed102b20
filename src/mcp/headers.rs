//! The headers of a modern request, which repeat parts of its body so that proxies can read them. Pure.
//!
//! Source: MCP 2026-07-28, Streamable HTTP.

use std::borrow::Cow;

use data_encoding::BASE64;
use serde_json::{Number, Value, json};

use super::{
    fault::{McpFault, code},
    message::{Form, MessageParts},
    tool_headers::ToolHeaders,
};

/// The first version without sessions.
pub(crate) const MODERN: &str = "2026-07-28";

/// The versions with sessions.
pub(crate) const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// A marker around a value in base64, whose text would be no value of a header.
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// Finds the values of a header.
pub(crate) type HeaderLookup<'a> = dyn Fn(&str) -> Vec<&'a [u8]> + Sync + 'a;

/// Whether a version is a modern one. Versions are dates.
pub(crate) fn is_modern_version(version: &str) -> bool {
    version.len() == MODERN.len() && version.starts_with(|first: char| first.is_ascii_digit()) && version >= MODERN
}

/// Checks the headers of a modern message against its body, and then its version: a header that differs from the body is a
/// mismatch, whether wsd knows the version of the body or not.
pub(crate) fn check(
    text: &[u8],
    parts: &MessageParts,
    get: &HeaderLookup<'_>,
    tools: &ToolHeaders,
) -> Result<(), McpFault> {
    let is_request = parts.form == Form::Request;
    same("MCP-Protocol-Version", get, parts.claim.as_deref(), is_request)?;
    if let Some(claim) = parts.claim.as_deref().filter(|claim| !is_modern_version(claim)) {
        return Err(unsupported(claim));
    }
    same("Mcp-Method", get, Some(&parts.method), is_request)?;
    if !is_request {
        return Ok(());
    }
    if !parts.has_capabilities {
        let text = "`_meta` must have `io.modelcontextprotocol/clientCapabilities`, an object";
        return Err(McpFault::new(400, code::INVALID_PARAMS, text));
    }
    match &*parts.method {
        "tools/call" | "prompts/get" => same("Mcp-Name", get, parts.name.as_deref(), true)?,
        "resources/read" => same("Mcp-Name", get, parts.uri.as_deref(), true)?,
        _ => {}
    }
    tools.of(text, parts).into_iter().try_for_each(|(name, argument)| check_argument(name, &argument, get))
}

/// Returns the fault of a version that is not modern.
pub(crate) fn unsupported(requested: &str) -> McpFault {
    let fault = McpFault::new(400, code::UNSUPPORTED_VERSION, "this version of MCP is not supported here");
    fault.with_data(json!({ "supported": [MODERN], "requested": requested }))
}

/// Demands that a header has the value of an argument; `null` has no header.
fn check_argument(name: &str, argument: &Value, get: &HeaderLookup<'_>) -> Result<(), McpFault> {
    let said = only(name, get)?;
    let is_same = match (&said, argument) {
        (None, Value::Null) => true,
        (None, _) | (Some(_), Value::Null) => false,
        (Some(said), Value::String(text)) => **said == **text,
        (Some(said), Value::Number(number)) => serde_json::from_str(said).is_ok_and(|said| is_equal(&said, number)),
        (Some(said), other) => **said == *other.to_string(),
    };
    if is_same { Ok(()) } else { Err(mismatch(name)) }
}

fn is_equal(said: &Number, number: &Number) -> bool {
    let whole = (said.as_i128(), number.as_i128());
    if let (Some(said), Some(number)) = whole { said == number } else { said.as_f64() == number.as_f64() }
}

/// Demands that a header has the value of the body.
fn same(name: &str, get: &HeaderLookup<'_>, want: Option<&str>, is_required: bool) -> Result<(), McpFault> {
    let said = only(name, get)?;
    let is_same = match (&said, want) {
        (Some(said), Some(want)) => **said == *want,
        (Some(_), None) | (None, _) => !is_required,
    };
    if is_same { Ok(()) } else { Err(mismatch(name)) }
}

/// Returns the decoded value of a header; `None` without one.
fn only<'a>(name: &str, get: &HeaderLookup<'a>) -> Result<Option<Cow<'a, str>>, McpFault> {
    let values = get(name);
    match *values {
        [] => Ok(None),
        [value] => decoded(value).map(Some).ok_or_else(|| mismatch(name)),
        _ => Err(mismatch(name)),
    }
}

/// Decodes the value of a header.
fn decoded(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let coded = text.strip_prefix(SENTINEL.0).and_then(|text| text.strip_suffix(SENTINEL.1));
    match coded {
        Some(coded) => String::from_utf8(BASE64.decode(coded.as_bytes()).ok()?).ok().map(Cow::Owned),
        None => is_plain(text).then_some(Cow::Borrowed(text)),
    }
}

/// Returns a text as the value of a header.
pub(crate) fn encoded(text: &str) -> Cow<'_, str> {
    let (front, back) = SENTINEL;
    let is_itself =
        is_plain(text) && !text.is_empty() && text.trim() == text && !(text.starts_with(front) && text.ends_with(back));
    if is_itself { Cow::Borrowed(text) } else { format!("{front}{}{back}", BASE64.encode(text.as_bytes())).into() }
}

/// Whether a text has only bytes that the value of a header may have (RFC 9110, section 5.5).
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

fn mismatch(name: &str) -> McpFault {
    let text = format!("the header `{name}` must be there once, and equal to the body");
    McpFault::new(400, code::HEADER_MISMATCH, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"region":"eu","n":42,"l":[1],"bad":1,"o":{"é":"ü"}},
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

    fn checked(headers: &[(&str, &str)]) -> Result<(), i64> {
        let mut tools = ToolHeaders::default();
        tools.learn(
            r#"{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"x-mcp-header":"Region"},"n":{"x-mcp-header":"N"},
                "none":{"x-mcp-header":"None"},"l":{"x-mcp-header":"List"},"bad":{"x-mcp-header":"no header"},
                "o":{"properties":{"é":{"x-mcp-header":"Deep"}}}}}}]}"#
                .as_bytes(),
        );
        let parts = MessageParts::of(BODY.as_bytes()).expect("a message");
        let get = |name: &str| {
            let named = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.as_bytes()).collect()
        };
        check(BODY.as_bytes(), &parts, &get, &tools).map_err(|fault| fault.code)
    }

    #[test]
    fn each_header_must_be_equal_to_the_body() {
        let good = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "t"),
            ("mcp-param-region", "eu"),
            ("mcp-param-n", "42"),
            ("mcp-param-deep", "=?base64?w7w=?="),
        ];
        assert_eq!(checked(&good), Ok(()));
        let with = |at: usize, value| {
            let mut headers = good;
            headers[at].1 = value;
            checked(&headers)
        };
        for (at, value, want) in [
            (0, "2025-11-25", Err(-32020)),
            (1, "Tools/Call", Err(-32020)),
            (2, "=?base64?dA==?=", Ok(())),
            (2, "=?base64?d?=", Err(-32020)),
            (2, "u", Err(-32020)),
            (3, "us", Err(-32020)),
            (4, "42.0", Ok(())),
            (4, "43", Err(-32020)),
            (5, "ü", Err(-32020)),
        ] {
            assert_eq!(with(at, value), want, "{at} {value}");
        }
        for at in 0..good.len() {
            let mut headers = good.to_vec();
            headers.push(good[at]);
            assert_eq!(checked(&headers), Err(-32020), "{} twice", good[at].0);
            headers.truncate(good.len());
            headers.remove(at);
            assert_eq!(checked(&headers), Err(-32020), "no {}", good[at].0);
        }
        for name in ["mcp-param-none", "mcp-param-list"] {
            let more = [&good[..], &[(name, "x")]].concat();
            assert_eq!(checked(&more), Err(-32020), "a header of an argument without one: {name}");
        }
    }

    #[test]
    fn a_text_that_no_header_may_have_is_in_base64() {
        let table = [
            ("plain text", "plain text"),
            ("a\tb", "a\tb"),
            ("", "=?base64??="),
            (" a", "=?base64?IGE=?="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
            ("é", "=?base64?w6k=?="),
        ];
        for (text, want) in table {
            assert_eq!(encoded(text), want);
            assert_eq!(decoded(want.as_bytes()).as_deref(), Some(text));
        }
    }
}
